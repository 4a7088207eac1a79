/** The `sending_queue` of the template: a bound on what waits at one backend, and whether its callers wait for the result. Main thread. */

import type { QueueConfig } from '../sender/queue-config.ts';

export interface ChildQueueConfig {
  readonly waitForResult: boolean;
  hasRoom(
    backend: { readonly pendingCount: number; readonly pendingBytes: number; readonly pendingSpans: number },
    part: { readonly bytes: Uint8Array; readonly spanCount: number },
  ): boolean;
}

export function childQueueOf(config: QueueConfig): ChildQueueConfig {
  const { queueSize, sizer, waitForResult } = config;
  return {
    waitForResult,
    hasRoom(backend, part) {
      switch (sizer) {
        case 'requests':
          return backend.pendingCount < queueSize;
        case 'items':
          return backend.pendingSpans + part.spanCount <= queueSize;
        case 'bytes':
          return backend.pendingBytes + part.bytes.length <= queueSize;
      }
    },
  };
}
