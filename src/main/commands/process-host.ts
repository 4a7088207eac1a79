/** What commands get from the process instead of reaching for it: environment, streams, time and chance. Main thread. */

import type { Clock } from '../../shared/clock.ts';
import type { Prng } from '../../shared/prng.ts';

export interface ProcessHost {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly version: string;
  stdout(text: string): void;
  stderr(text: string): void;
  /** Ends the process at once: the second signal, and broken invariants. */
  exitNow(code: number): void;
}

export const ExitCode = { done: 0, failed: 1, refused: 2, broken: 3, interrupted: 130, terminated: 143 } as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
