/** Gunzips small bodies with one zlib stream that is kept, instead of one made for each. Main thread. */

import { Buffer } from 'node:buffer';
import { constants, createGunzip } from 'node:zlib';

/** Larger bodies spend their time in inflating, not in making the stream. */
const inputBytesMax = 32_768;
const outputBytesMax = 256 << 10;

/**
 * What node's zlib streams are made of. None of it is documented, all of it has been there since Node 9, and it is checked before use: `gunzipSync` makes such a
 * stream for each call, 50 KB of memory outside the heap, which V8 answers with full collections.
 */
interface Engine {
  readonly handle: {
    reset(): void;
    close(): void;
    writeSync(flush: number, input: Uint8Array, inputAt: number, inputBytes: number, output: Uint8Array, at: number, room: number): void;
    onerror: (message: string, code: number) => void;
  };
  /** After a write: the room left in the output, the bytes left of the input. */
  readonly left: Uint32Array;
}

let engine: Engine | undefined;
let isUnavailable = false;
let output: Buffer | undefined;
let hasFailed = false;

function makeEngine(): Engine | undefined {
  const stream = createGunzip() as unknown as {
    _handle?: Engine['handle'];
    _writeState?: Uint32Array;
    on(event: string, listener: () => void): void;
  };
  const { _handle: handle, _writeState: left } = stream;
  if (typeof handle?.writeSync !== 'function' || typeof handle.reset !== 'function' || !(left instanceof Uint32Array)) return undefined;
  handle.onerror = () => {
    hasFailed = true;
  };
  return { handle, left };
}

/**
 * Undefined when the body is not small, or anything is not as it should be: the caller's own way then finds out what.
 *
 * Bounds: at most `bytesMax` bytes come out.
 */
export function gunzipSmall(bytes: Uint8Array, bytesMax: number): Buffer | undefined {
  if (bytes.length > inputBytesMax || isUnavailable) return undefined;
  engine ??= makeEngine();
  if (engine === undefined) {
    isUnavailable = true;
    return undefined;
  }
  output ??= Buffer.allocUnsafeSlow(outputBytesMax);
  const { handle, left } = engine;
  hasFailed = false;
  handle.reset();
  handle.writeSync(constants.Z_FINISH, bytes, 0, bytes.length, output, 0, outputBytesMax);
  if (hasFailed) {
    handle.close();
    engine = undefined;
    return undefined;
  }
  // With Z_FINISH, room that is left says that the stream is at its end.
  const written = outputBytesMax - left[0]!;
  return written < outputBytesMax && written <= bytesMax ? Buffer.from(output.subarray(0, written)) : undefined;
}
