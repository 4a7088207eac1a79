/** Makes a slice independent of its caller: its bytes are copied into the backend's pending memory. Main thread. */

import { copyBytes } from '../../arena/copy-bytes.ts';
import type { FrameBlocks } from './frame-blocks.ts';
import type { Slice } from './slice.ts';
import type { FrameTarget } from './slice-router.ts';

/** Errors: undefined when there is no memory left. */
export function copySlice(blocks: FrameBlocks, target: FrameTarget, slice: Slice): Slice | undefined {
  const byteLength = slice.bytes.length;
  const frame = blocks.reserve(target.cursor, byteLength, target.pendingBytes);
  if (frame === undefined) return undefined;
  const bytes = frame.block.bytes.subarray(frame.usedBytes - byteLength, frame.usedBytes);
  copyBytes(slice.bytes, bytes, 0);
  return { ...slice, bytes, frame };
}
