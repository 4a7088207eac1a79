/** Collects one service's spans into requests and sends each to the next target, with a bounded number in flight. Main thread. */

import type { Clock, Timer } from '../../shared/clock.ts';
import type { Sender } from '../exporters/sender/send-request.ts';
import type { LoadAccount } from './load-report.ts';
import { type RequestFrame, SpanBuffer, type SpanContext, type SpanFacts } from './span-buffer.ts';
import type { SpanTemplate } from './span-template.ts';

export interface OutboxSettings {
  readonly clock: Clock;
  readonly account: LoadAccount;
  readonly frame: RequestFrame;
  readonly targets: readonly Sender[];
  /** Index of the target that gets the first request. */
  readonly firstTarget: number;
  /** Spans per request. */
  readonly batchSize: number;
  /** Longest time that a span waits for others. */
  readonly delayMs: number;
  readonly inFlightMax: number;
}

export class Outbox {
  readonly #settings: OutboxSettings;
  readonly #spare: SpanBuffer[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  #open: SpanBuffer | undefined;
  #timer: Timer | undefined;
  #next: number;

  constructor(settings: OutboxSettings) {
    this.#settings = settings;
    this.#next = settings.firstTarget;
  }

  append(template: SpanTemplate, facts: SpanFacts, links: readonly SpanContext[]): void {
    if (this.#open === undefined) {
      this.#open = this.#spare.pop() ?? new SpanBuffer();
      this.#timer = this.#settings.clock.after(this.#settings.delayMs, () => this.flush());
    }
    this.#open.append(template, facts, links);
    if (this.#open.spanCount >= this.#settings.batchSize) this.flush();
  }

  /** Sends what is there. */
  flush(): void {
    const buffer = this.#open;
    if (buffer === undefined) return;
    this.#open = undefined;
    this.#timer?.cancel();
    const { targets } = this.#settings;
    const target = targets[this.#next++ % targets.length]!;
    const sending = this.#send(buffer, target).finally(() => {
      this.#inFlight.delete(sending);
      this.#waiting.shift()?.();
    });
    this.#inFlight.add(sending);
  }

  /** Undefined while another request may be begun, else settles when that is so again. */
  room(): Promise<void> | undefined {
    if (this.#inFlight.size < this.#settings.inFlightMax) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Settles when everything is sent and answered. */
  async drain(): Promise<void> {
    this.flush();
    await Promise.all(this.#inFlight);
  }

  async #send(buffer: SpanBuffer, target: Sender): Promise<void> {
    const { account, frame } = this.#settings;
    const chunks = frame.around(buffer.spans());
    const byteLength = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const { spanCount } = buffer;
    account.requestsSent += 1;
    account.spansSent += spanCount;
    account.bytes += byteLength;
    const outcome = await target.send({ chunks, byteLength, spanCount, deadlineMs: Infinity });
    if (outcome.kind === 'accepted') account.spansAccepted += spanCount;
    else {
      account.requestsFailed += 1;
      account.spansFailed += spanCount;
      account.countFault(outcome.message);
    }
    buffer.clear();
    this.#spare.push(buffer);
  }
}
