/** Takes what shards framed to the next component, tries again while that is of use, and gives the memory back. Main thread. */

import { assertNever } from '../../../shared/assert-never.ts';
import type { Clock } from '../../../shared/clock.ts';
import type { Arena, ArenaBlock } from '../../arena/arena.ts';
import type { TracesConsumer } from '../../pipeline/component.ts';
import type { RefusedOutcome } from '../../pipeline/consume-outcome.ts';
import type { Logger } from '../../telemetry/logger.ts';

export interface SampledOutputOptions {
  readonly arena: Arena;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly next: TracesConsumer;
  /** Bytes under way at most; beyond that no further block is lent. */
  readonly bytesMax: number;
  /** Called when a block came back, so that a shard that waits for one may go on. */
  onRoom(): void;
}

/** How long a payload that the next component refuses for now is offered again. */
const retryMsMax = 60_000;
const retryFirstMs = 50;
const retryMs = 2_000;

export class SampledOutput {
  exportedSpans = 0;
  lostSpans = 0;
  readonly #options: SampledOutputOptions;
  readonly #underWay = new Set<Promise<void>>();
  #bytesUnderWay = 0;
  #giveUpAtMs = Number.POSITIVE_INFINITY;
  #wake = new Set<() => void>();

  constructor(options: SampledOutputOptions) {
    this.#options = options;
  }

  get idle(): boolean {
    return this.#underWay.size === 0;
  }

  /** A block to frame into; undefined while too much is under way or the arena is full. One that is larger than the bound is lent alone. */
  lend(bytesMin: number): ArenaBlock | undefined {
    if (this.#bytesUnderWay > 0 && this.#bytesUnderWay + bytesMin > this.#options.bytesMax) return undefined;
    return this.#options.arena.acquire(bytesMin);
  }

  /** Hands the first `used` bytes of a lent block on. */
  deliver(block: ArenaBlock, used: number, spanCount: number): void {
    this.#bytesUnderWay += block.length;
    const delivery = this.#deliver(block.bytes.subarray(0, used), spanCount).finally(() => {
      this.#bytesUnderWay -= block.length;
      this.#options.arena.release(block);
      this.#underWay.delete(delivery);
      this.#options.onRoom();
    });
    this.#underWay.add(delivery);
  }

  /** Resolves when nothing is under way; from `deadlineMs` (monotonic) on nothing is tried again. */
  async settle(deadlineMs: number): Promise<void> {
    this.#giveUpAtMs = deadlineMs;
    for (const wake of this.#wake) wake();
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async #deliver(bytes: Uint8Array, spanCount: number): Promise<void> {
    const { clock, next } = this.#options;
    const startMs = clock.monotonicMs();
    for (let delayMs = retryFirstMs; ; delayMs = Math.min(retryMs, delayMs * 2)) {
      const outcome = await next.consume({ bytes, spanCount });
      switch (outcome.kind) {
        case 'accepted':
          this.exportedSpans += spanCount;
          return;
        case 'refused': {
          const waitMs = Math.max(delayMs, outcome.retryAfterMs ?? 0);
          const atMs = clock.monotonicMs() + waitMs;
          if (!outcome.retryable || atMs > Math.min(startMs + retryMsMax, this.#giveUpAtMs)) return this.#lose(outcome, spanCount);
          await this.#sleep(waitMs);
          break;
        }
        default:
          assertNever(outcome);
      }
    }
  }

  #lose(outcome: RefusedOutcome, spanCount: number): void {
    this.lostSpans += spanCount;
    this.#options.logger.warn({ spans: spanCount, error: outcome.message }, 'sampled spans were lost: the next component refused them');
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        this.#wake.delete(done);
        resolve();
      };
      const timer = this.#options.clock.after(delayMs, done);
      this.#wake.add(done);
    });
  }
}
