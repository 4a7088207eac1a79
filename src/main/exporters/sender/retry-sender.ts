/** The retry stage: sends again what failed for now, with back-off, until it succeeds, is refused for good, or time is up. Main thread. */

import type { Clock, Timer } from '../../../shared/clock.ts';
import type { Prng } from '../../../shared/prng.ts';
import { type RefusedOutcome, refusedRetryable } from '../../pipeline/consume-outcome.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { backOffMs, type RetryConfig } from './back-off.ts';
import type { Sender, SendOutcome, SendRequest } from './send-request.ts';

export interface RetrySettings {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly logger: Logger;
}

/** A wait that a shutdown can end. */
interface Pause {
  readonly timer: Timer;
  readonly end: () => void;
}

export class RetrySender implements Sender {
  readonly #settings: RetrySettings;
  readonly #config: RetryConfig;
  readonly #next: Sender;
  readonly #pauses = new Set<Pause>();
  #stopped = false;

  constructor(settings: RetrySettings, config: RetryConfig, next: Sender) {
    this.#settings = settings;
    this.#config = config;
    this.#next = next;
  }

  async send(request: SendRequest): Promise<SendOutcome> {
    const { clock, prng, logger } = this.#settings;
    const { maxElapsedTimeMs } = this.#config;
    const startMs = clock.monotonicMs();
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#next.send(request);
      if (outcome.kind === 'accepted' || !outcome.retryable) return outcome;
      if (this.#stopped) return givenUp('interrupted due to shutdown', outcome);
      const delayMs = Math.max(backOffMs(this.#config, attempt, prng), outcome.retryAfterMs ?? 0);
      const nextMs = clock.monotonicMs() + delayMs;
      if (maxElapsedTimeMs > 0 && nextMs - startMs > maxElapsedTimeMs) return givenUp('no more retries left', outcome);
      if (nextMs > request.deadlineMs) return givenUp('request will be cancelled before next retry', outcome);
      logger.info(
        { error: outcome.message, interval_ms: Math.round(delayMs), spans: request.spanCount },
        'Exporting failed. Will retry the request after interval.',
      );
      await this.#pause(delayMs);
    }
  }

  /** Waits end at once; every request that is here or comes gets one more attempt, since the server may be back. */
  stopRetrying(): void {
    this.#stopped = true;
    for (const pause of this.#pauses) {
      pause.timer.cancel();
      pause.end();
    }
    this.#pauses.clear();
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const pause: Pause = {
        timer: this.#settings.clock.after(delayMs, () => {
          this.#pauses.delete(pause);
          resolve();
        }),
        end: resolve,
      };
      this.#pauses.add(pause);
    });
  }
}

function givenUp(why: string, last: RefusedOutcome): RefusedOutcome {
  const options = last.retryAfterMs === undefined ? { code: last.code } : { code: last.code, retryAfterMs: last.retryAfterMs };
  return refusedRetryable(`${why}: ${last.message}`, options);
}
