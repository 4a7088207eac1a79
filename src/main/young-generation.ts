/** Keeps the young generation small, so that scavenges free what transports leave behind before V8 collects everything for it. Main thread. */

import { setFlagsFromString } from 'node:v8';

/**
 * Each read from a socket is a fresh buffer outside the heap. A scavenge frees it, but scavenges are paced by the heap alone: with the 16 MiB that V8 grows its
 * semi-space to, 64 MiB of buffers come together first, and V8 answers those with full collections every 100 ms, which cost 40 % of a router's CPU.
 * A semi-space that never grows beyond its first size is scavenged often, cheaply, and in time. The growth factor is read at each growth, unlike
 * `--max-semi-space-size`, so it holds however the process was started.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
