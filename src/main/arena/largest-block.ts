/** Tells what an arena can never hold, so that nobody is asked to send it again. Main thread. */

import { wasmPageBytes } from '../../shared/kernel-module.ts';

/** Bytes of the largest block that an arena of that capacity has when nothing is held: the first page is the kernel's, so the whole is never one block. */
export function largestBlockBytes(capacityBytes: number): number {
  return 2 ** (Math.floor(Math.log2(capacityBytes / wasmPageBytes)) - 1) * wasmPageBytes;
}
