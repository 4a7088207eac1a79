/** Workers that make traces and put their spans into outboxes, at their rate, until their number or time is reached. Main thread. */

import type { Clock } from '../../shared/clock.ts';
import type { Prng } from '../../shared/prng.ts';
import type { LoadAccount } from './load-report.ts';
import type { Outbox } from './outbox.ts';
import type { SpanContext, SpanIdWords, TraceIdWords } from './span-buffer.ts';
import { SpanPace } from './span-pace.ts';
import type { PlannedSpan, TracePlan, TraceSource } from './trace-plan.ts';

export interface LoadGeneratorSettings {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly account: LoadAccount;
  readonly source: TraceSource;
  /** By service. */
  readonly outboxes: readonly Outbox[];
  /** Spans per second of each worker; 0 is without limit. */
  readonly rate: number;
  /** Per worker; Infinity for ever. */
  readonly traces: number;
  /** Units: milliseconds; Infinity for ever. */
  readonly durationMs: number;
  readonly workers: number;
  /** Told of each trace before its first span leaves. */
  onTrace?(traceId: TraceIdWords, plan: TracePlan): void;
}

const linkableSpans = 1000;
const noLinks: readonly SpanContext[] = [];
const word = 4_294_967_296n;
/** Traces made without a pause in between, so that timers and answers get their turn. */
const spansPerTurn = 2000;

export class LoadGenerator {
  readonly #settings: LoadGeneratorSettings;
  #stopped = false;
  #wake = new Set<() => void>();

  constructor(settings: LoadGeneratorSettings) {
    this.#settings = settings;
  }

  /** Settles when every worker is done and every request is answered. A trace that has begun is completed. */
  async run(): Promise<void> {
    const { clock, durationMs, workers, outboxes } = this.#settings;
    const timer = Number.isFinite(durationMs) ? clock.after(durationMs, () => this.stop()) : undefined;
    await Promise.all(Array.from({ length: workers }, () => this.#work()));
    timer?.cancel();
    await Promise.all(outboxes.map((outbox) => outbox.drain()));
  }

  /** No further trace is begun, and no rate waited for. */
  stop(): void {
    this.#stopped = true;
    for (const wake of this.#wake) wake();
  }

  async #work(): Promise<void> {
    const { clock, rate, traces, source, account, onTrace } = this.#settings;
    const pace = new SpanPace(clock, rate);
    const pen = new TracePen(this.#settings);
    for (let count = 0; count < traces && !this.#stopped; count++) {
      const plan = source.next();
      const traceId = pen.begin(plan);
      account.countTrace(plan.kind);
      onTrace?.(traceId, plan);
      for (const span of plan.spans) {
        for (let waitMs = pace.take(); waitMs > 0 && !this.#stopped; waitMs = pace.take()) await this.#pause(waitMs);
        const outbox = this.#settings.outboxes[span.service]!;
        const room = outbox.room();
        if (room !== undefined) await room;
        pen.write(span, outbox);
        if (pen.spansWritten % spansPerTurn === 0) await this.#pause(0);
      }
    }
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#wake.delete(wake);
        timer.cancel();
        resolve();
      };
      const timer = this.#settings.clock.after(delayMs, wake);
      this.#wake.add(wake);
    });
  }
}

/** One worker's trace under way: its ids and times, and the spans that later ones may link to. */
class TracePen {
  spansWritten = 0;
  readonly #settings: LoadGeneratorSettings;
  readonly #earlier: SpanContext[] = [];
  #oldest = 0;
  #rootId: SpanIdWords = [0, 0];
  #rootLinks: readonly SpanContext[] = noLinks;
  #traceId: TraceIdWords = [0, 0, 0, 0];
  #epochHigh = 0;
  #epochLow = 0;

  constructor(settings: LoadGeneratorSettings) {
    this.#settings = settings;
  }

  begin(plan: TracePlan): TraceIdWords {
    const nanos = BigInt(Math.floor(this.#settings.clock.wallMs() * 1000)) * 1000n;
    this.#epochHigh = Number(nanos / word);
    this.#epochLow = Number(nanos % word);
    this.#traceId = [this.#word(), this.#word(), this.#word(), this.#word() || 1];
    this.#rootId = this.#spanId();
    // The root is begun before its children, which may link to it, and is sent after them.
    const linkCount = plan.spans.at(-1)?.linked?.links.length ?? 0;
    this.#rootLinks = this.#links(linkCount);
    if (linkCount > 0) this.#remember({ traceId: this.#traceId, spanId: this.#rootId });
    return this.#traceId;
  }

  write(span: PlannedSpan, outbox: Outbox): void {
    const spanId = span.isRoot ? this.#rootId : this.#spanId();
    const facts = {
      traceId: this.#traceId,
      spanId,
      parentSpanId: this.#rootId,
      startNanos: span.startNanos,
      endNanos: span.endNanos,
      epochHigh: this.#epochHigh,
      epochLow: this.#epochLow,
    };
    this.spansWritten += 1;
    const links = span.isRoot ? this.#rootLinks : this.#links(span.linked?.links.length ?? 0);
    outbox.append(links.length > 0 ? span.linked! : span.template, facts, links);
    if (span.linked !== undefined && !span.isRoot) this.#remember({ traceId: this.#traceId, spanId });
  }

  #links(count: number): readonly SpanContext[] {
    if (count === 0 || this.#earlier.length === 0) return noLinks;
    return Array.from({ length: count }, () => this.#earlier[Math.floor(this.#settings.prng.next() * this.#earlier.length)]!);
  }

  #remember(context: SpanContext): void {
    if (this.#earlier.length < linkableSpans) this.#earlier.push(context);
    else this.#earlier[this.#oldest++ % linkableSpans] = context;
  }

  #spanId(): SpanIdWords {
    return [this.#word(), this.#word() || 1];
  }

  #word(): number {
    return (this.#settings.prng.next() * 4_294_967_296) >>> 0;
  }
}
