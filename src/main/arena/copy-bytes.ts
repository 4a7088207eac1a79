/** Copies bytes into shared memory at the speed of an ordinary copy. Any thread. */

import { Buffer } from 'node:buffer';

const bufferCopy = Buffer.prototype.copy;

/**
 * Copies all of `source` to `target` from `at` on; there must be room.
 *
 * `TypedArray.prototype.set` copies to and from shared memory by relaxed atomic words, and by bytes when the two are not aligned alike: 0.24 ns a byte, where
 * Buffer's own copy takes 0.04. Nobody else writes or reads either range at that moment, so nothing of what the atomics promise is needed.
 */
export function copyBytes(source: Uint8Array, target: Uint8Array, at: number): void {
  bufferCopy.call(source, target, at);
}
