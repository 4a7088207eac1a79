/** Watches the memory in use against a soft and a hard limit and says when data must be refused. Main thread. */

import type { Clock, Timer } from '../../../shared/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { MemoryLimiterConfig, MemoryLimits } from './memory-limiter-config.ts';

/** Where the numbers come from; handed in, so that tests set them. Units: bytes. */
export interface MemorySource {
  usedBytes(): number;
  collectGarbage(): void;
}

const mibBytes = 1_048_576;
/** A collection that frees less than this part was in vain. */
const effectivePart = 0.05;
/** The first back-off lies just under the check interval, so that timer slop does not turn it into every other check. */
const backOffFloorPart = 0.95;

/**
 * One watch for all pipelines that use one configured limiter; it runs from the first `retain` to the last `release`.
 *
 * Source: the Collector's internal/memorylimiter: intervals between forced collections double while they are in vain, apart for soft and hard.
 */
export class MemoryWatch {
  readonly limits: MemoryLimits;
  readonly #config: MemoryLimiterConfig;
  readonly #source: MemorySource;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #users = 0;
  #timer: Timer | undefined;
  #refusing = false;
  #lastUsedBytes = 0;
  #collectedAtMs: number;
  #softIntervalMs = 0;
  #hardIntervalMs = 0;

  constructor(config: MemoryLimiterConfig, limits: MemoryLimits, source: MemorySource, clock: Clock, logger: Logger) {
    this.#config = config;
    this.limits = limits;
    this.#source = source;
    this.#clock = clock;
    this.#logger = logger;
    this.#collectedAtMs = clock.monotonicMs();
  }

  get refusing(): boolean {
    return this.#refusing;
  }

  retain(): void {
    this.#users++;
    if (this.#users > 1) return;
    this.#source.usedBytes();
    this.#schedule();
  }

  release(): void {
    this.#users--;
    if (this.#users > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#refusing = false;
  }

  /** One measurement; the timer calls it. */
  check(): void {
    let usedBytes = this.#source.usedBytes();
    let above = this.#judge(usedBytes, false);
    if (!above) {
      if (this.#refusing) this.#logger.info(mib(usedBytes), 'Memory usage back within limits. Resuming normal operation.');
      this.#refusing = false;
      return;
    }
    const hard = usedBytes >= this.limits.hardBytes;
    const intervalMs = hard
      ? Math.max(this.#config.min_gc_interval_when_hard_limited, this.#hardIntervalMs)
      : Math.max(this.#config.min_gc_interval_when_soft_limited, this.#softIntervalMs);
    if (this.#clock.monotonicMs() - this.#collectedAtMs > intervalMs) {
      this.#logger.info(mib(usedBytes), `Memory usage is above ${hard ? 'hard' : 'soft'} limit. Forcing a GC.`);
      this.#source.collectGarbage();
      this.#collectedAtMs = this.#clock.monotonicMs();
      usedBytes = this.#source.usedBytes();
      above = this.#judge(usedBytes, true);
    }
    if (above && !this.#refusing) this.#logger.warn(mib(usedBytes), 'Memory usage is above soft limit. Refusing data.');
    this.#refusing = above;
  }

  #schedule(): void {
    this.#timer = this.#clock.after(this.#config.check_interval, () => {
      this.check();
      if (this.#users > 0) this.#schedule();
    });
  }

  #judge(usedBytes: number, collected: boolean): boolean {
    const above = usedBytes >= this.limits.softBytes;
    const effective = !above || usedBytes <= this.#lastUsedBytes * (1 - effectivePart);
    this.#lastUsedBytes = usedBytes;
    if (effective) {
      this.#softIntervalMs = 0;
      this.#hardIntervalMs = 0;
    } else if (collected) {
      const config = this.#config;
      this.#softIntervalMs = this.#backOff(
        this.#softIntervalMs,
        config.min_gc_interval_when_soft_limited,
        config.max_gc_interval_when_soft_limited,
      );
      this.#hardIntervalMs = this.#backOff(
        this.#hardIntervalMs,
        config.min_gc_interval_when_hard_limited,
        config.max_gc_interval_when_hard_limited,
      );
      this.#logger.warn(
        { ...mib(usedBytes), nextSoftIntervalMs: this.#softIntervalMs, nextHardIntervalMs: this.#hardIntervalMs },
        'Forced GC did not reclaim enough memory. Will back off GC frequency to preserve CPU for recovery.',
      );
    }
    return above;
  }

  #backOff(currentMs: number, minMs: number, maxMs: number): number {
    if (maxMs === 0) return minMs;
    const floorMs = Math.max(minMs, this.#config.check_interval * backOffFloorPart);
    return Math.min(Math.max(currentMs, floorMs) * 2, Math.max(maxMs, minMs));
  }
}

function mib(usedBytes: number): { cur_mem_mib: number } {
  return { cur_mem_mib: Math.round(usedBytes / mibBytes) };
}
