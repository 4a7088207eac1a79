/** Waiting for an event, but not longer than a deadline; the timer goes with the event. Main thread. */

import type { Clock } from '../../../shared/clock.ts';

/**
 * Settles when the function handed to `subscribe` is called, or at the deadline.
 *
 * Units: `deadlineMs` is on the monotonic clock; Infinity is none.
 */
export function untilDeadline(clock: Clock, deadlineMs: number, subscribe: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = deadlineMs === Infinity ? undefined : clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), resolve);
    subscribe(() => {
      timer?.cancel();
      resolve();
    });
  });
}
