/** One CPU profile of the main thread by V8's own profiler. Main thread. */

import { Session } from 'node:inspector/promises';
import type { Clock } from '../../shared/clock.ts';

/**
 * Samples until `durationMs` have passed or `signal` aborts.
 *
 * Shape:  the JSON of a `.cpuprofile`, as DevTools and speedscope read it.
 * Units:  `intervalUs` is microseconds between samples.
 * Errors: rejects when the inspector is taken away.
 */
export async function recordCpuProfile(clock: Clock, durationMs: number, intervalUs: number, signal: AbortSignal): Promise<string> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: intervalUs });
    await session.post('Profiler.start');
    await passed(clock, durationMs, signal);
    const { profile } = await session.post('Profiler.stop');
    return JSON.stringify(profile);
  } finally {
    session.disconnect();
  }
}

function passed(clock: Clock, durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const timer = clock.after(durationMs, resolve);
    const stop = () => {
      timer.cancel();
      resolve();
    };
    signal.addEventListener('abort', stop, { once: true });
  });
}
