/** Routes requests over the backends of the moment, sends failed slices again, and gives each caller one answer. Main thread. */

import type { Placement } from '../../../discovery/placement.ts';
import type { Clock, Timer } from '../../../shared/clock.ts';
import type { Prng } from '../../../shared/prng.ts';
import type { Arena } from '../../arena/arena.ts';
import type { PayloadRows } from '../../pipeline/component.ts';
import { accepted, type ConsumeOutcome, GrpcStatus, type RefusedOutcome, refusedRetryable } from '../../pipeline/consume-outcome.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { type CallOutcome, outcomeOfCall } from '../otlp-grpc/grpc-unary-client.ts';
import { backOffMs, type RetryConfig } from '../sender/back-off.ts';
import { untilDeadline } from '../sender/until-deadline.ts';
import type { Backend } from './backend.ts';
import type { BalancerMetrics } from './balancer-metrics.ts';
import type { ChildQueueConfig } from './child-queue.ts';
import { copySlice } from './copy-slice.ts';
import type { FrameBlocks } from './frame-blocks.ts';
import { RoutedRequest, type Slice } from './slice.ts';
import type { FrameTarget, SliceRouter } from './slice-router.ts';

export interface BalancerSettings {
  readonly arena: Arena;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly logger: Logger;
  readonly metrics: BalancerMetrics;
  readonly blocks: FrameBlocks;
  readonly router: SliceRouter;
  readonly retry: RetryConfig;
  /** Time that one request may take, retries included; Infinity is none. */
  readonly requestBudgetMs: number;
  /** Present: callers are told "accepted" when their slices are queued at the backends. */
  readonly childQueue: ChildQueueConfig | undefined;
  createBackend(endpoint: string): Backend;
  /** A call failed for want of a connection: the members may have changed. */
  onUnreachable(): void;
}

/** Slices of one failed call that wait for their next attempt. */
interface RetryGroup {
  readonly backend: Backend;
  readonly slices: readonly Slice[];
  readonly last: RefusedOutcome;
  timer: Timer;
}

/** The members of the moment and where they are reached: replaced whole. Owner indexes count in `backends` as in `placement.endpoints`. */
interface Fleet {
  readonly version: number;
  readonly placement: Placement;
  readonly backends: readonly Backend[];
}

const noBackends = refusedRetryable('no backend is known yet', { retryAfterMs: 1000 });
const stopped = refusedRetryable('the load balancer is stopped');
const queueFull = refusedRetryable('sending queue is full', { retryAfterMs: 1000 });

export class Balancer {
  readonly #settings: BalancerSettings;
  readonly #byEndpoint = new Map<string, Backend>();
  readonly #retries = new Set<RetryGroup>();
  readonly #retirements = new Set<Promise<void>>();
  readonly #targetOf: (owner: number) => FrameTarget;
  #fleet: Fleet | undefined;
  #openSlices = 0;
  #acknowledgedSpansOpen = 0;
  #acknowledgedSpansLost = 0;
  #retryUntilMs = Infinity;
  #closed = false;
  #onIdle: (() => void) | undefined;

  constructor(settings: BalancerSettings) {
    this.#settings = settings;
    this.#targetOf = (owner) => this.#fleet!.backends[owner]!;
  }

  get ready(): boolean {
    return this.#fleet !== undefined && this.#fleet.backends.length > 0;
  }

  get backends(): Iterable<Backend> {
    return this.#byEndpoint.values();
  }

  pendingBytes(): number {
    let sum = 0;
    for (const backend of this.#byEndpoint.values()) sum += backend.pendingBytes;
    return sum;
  }

  /** Takes over the placement of a new endpoint set: backends come and go, everything unsent is routed again. */
  setPlacement(placement: Placement, version: number): void {
    if (this.#closed) return;
    const backends = placement.endpoints.map((endpoint) => this.#byEndpoint.get(endpoint) ?? this.#addBackend(endpoint));
    this.#fleet = { version, placement, backends };
    const unsent: Slice[] = [];
    for (const backend of this.#byEndpoint.values()) unsent.push(...backend.takePending());
    for (const group of this.#retries) {
      group.timer.cancel();
      unsent.push(...group.slices);
    }
    this.#retries.clear();
    const members = new Set(backends);
    for (const backend of [...this.#byEndpoint.values()]) if (!members.has(backend)) this.#removeBackend(backend);
    for (const slice of unsent) this.#routeAgain(slice);
  }

  /** Life: `bytes` are lent until the promise settles. */
  consume(bytes: Uint8Array, spanCount: number, rows?: PayloadRows): Promise<ConsumeOutcome> {
    const fleet = this.#fleet;
    if (this.#closed) return Promise.resolve(stopped);
    if (fleet === undefined || fleet.backends.length === 0) return Promise.resolve(noBackends);
    const { router, clock, requestBudgetMs, childQueue } = this.#settings;
    const routed = router.route(bytes, spanCount, fleet.placement, this.#targetOf, rows);
    if (routed.kind === 'refused') return Promise.resolve(routed);
    if (routed.parts.length === 0) return Promise.resolve(accepted);
    if (childQueue !== undefined && !childQueue.waitForResult) return this.#queueAndAccept(fleet, routed.parts);
    return new Promise((settle) => {
      const request = new RoutedRequest(clock.monotonicMs() + requestBudgetMs, settle);
      request.addSlices(routed.parts.length);
      this.#openSlices += routed.parts.length;
      for (const part of routed.parts) {
        fleet.backends[part.owner]!.enqueue({ request, ...part, version: fleet.version, failures: 0, alone: false });
      }
    });
  }

  /** Takes nothing more, goes on sending and retrying until the deadline, then gives up. Returns the acknowledged spans that were lost. */
  async drain(deadlineMs: number): Promise<number> {
    this.#closed = true;
    this.#retryUntilMs = deadlineMs;
    if (this.#openSlices > 0) {
      await untilDeadline(this.#settings.clock, deadlineMs, (done) => {
        this.#onIdle = done;
      });
    }
    return this.#acknowledgedSpansLost + this.#acknowledgedSpansOpen;
  }

  /** Calls in flight are cut off, waiting slices refused; afterwards nothing of the balancer is left. */
  async stop(): Promise<void> {
    this.#closed = true;
    this.#retryUntilMs = 0;
    const unsent: Slice[] = [];
    for (const group of this.#retries) {
      group.timer.cancel();
      unsent.push(...group.slices);
    }
    this.#retries.clear();
    for (const backend of [...this.#byEndpoint.values()]) {
      unsent.push(...backend.takePending());
      this.#removeBackend(backend, 0);
    }
    for (const slice of unsent) this.#close(slice, stopped);
    await Promise.all(this.#retirements);
  }

  /** What a backend tells at the end of a call. */
  onCallEnd(backend: Backend, slices: readonly Slice[], call: CallOutcome, startMs: number): void {
    const { metrics, clock } = this.#settings;
    const outcome = outcomeOfCall(call);
    metrics.callEnded(backend.endpoint, clock.monotonicMs() - startMs, outcome.kind === 'accepted');
    if (outcome.kind === 'accepted') {
      for (const slice of slices) this.#close(slice, accepted);
      return;
    }
    if (outcome.retryAfterMs !== undefined && outcome.retryAfterMs > 0) backend.pauseUntil(clock.monotonicMs() + outcome.retryAfterMs);
    if (outcome.code === GrpcStatus.unavailable) this.#settings.onUnreachable();
    if (outcome.retryable) this.#retryLater(backend, slices, outcome);
    else if (slices.length > 1 && concernsContent(outcome.code)) this.#sendApart(backend, slices);
    else for (const slice of slices) this.#close(slice, outcome);
  }

  #addBackend(endpoint: string): Backend {
    const backend = this.#settings.createBackend(endpoint);
    this.#byEndpoint.set(endpoint, backend);
    backend.connect();
    return backend;
  }

  #removeBackend(backend: Backend, deadlineMs = Infinity): void {
    this.#byEndpoint.delete(backend.endpoint);
    const retirement = backend.retire(deadlineMs).finally(() => this.#retirements.delete(retirement));
    this.#retirements.add(retirement);
  }

  #queueAndAccept(
    fleet: Fleet,
    parts: readonly { owner: number; bytes: Uint8Array; spanCount: number; frame: Slice['frame'] }[],
  ): Promise<ConsumeOutcome> {
    const { blocks, childQueue, clock, retry } = this.#settings;
    const kept: Slice[] = [];
    const request = new RoutedRequest(retry.maxElapsedTimeMs > 0 ? clock.monotonicMs() + retry.maxElapsedTimeMs : Infinity, undefined);
    let full = false;
    for (const part of parts) {
      const backend = fleet.backends[part.owner]!;
      const slice = { request, ...part, version: fleet.version, failures: 0, alone: false };
      const own = part.frame === undefined ? copySlice(blocks, backend, slice) : slice;
      full ||= own === undefined || !childQueue!.hasRoom(backend, part);
      if (own !== undefined) kept.push(own);
    }
    if (full) {
      for (const slice of kept) blocks.release(slice.frame!);
      return Promise.resolve(queueFull);
    }
    request.addSlices(kept.length);
    this.#openSlices += kept.length;
    kept.forEach((slice, index) => {
      this.#acknowledgedSpansOpen += slice.spanCount;
      fleet.backends[parts[index]!.owner]!.enqueue(slice);
    });
    return Promise.resolve(accepted);
  }

  /** A refusal for good of several slices says nothing about each: they are sent one by one, so that neighbours are not lost. */
  #sendApart(backend: Backend, slices: readonly Slice[]): void {
    for (const slice of slices) {
      slice.alone = true;
      this.#sendAgain(backend, slice);
    }
  }

  #retryLater(backend: Backend, slices: readonly Slice[], last: RefusedOutcome): void {
    const { clock, prng, retry, metrics } = this.#settings;
    const waiting: Slice[] = [];
    const failures = Math.max(...slices.map((slice) => ++slice.failures));
    const delayMs = Math.max(backOffMs(retry, failures, prng), last.retryAfterMs ?? 0);
    const nextMs = clock.monotonicMs() + delayMs;
    let spanCount = 0;
    for (const slice of slices) {
      const why = this.#whyNotAgain(slice, nextMs);
      if (why !== undefined) this.#close(slice, why === '' ? last : { ...last, message: `${why}: ${last.message}` });
      else {
        waiting.push(slice);
        spanCount += slice.spanCount;
      }
    }
    if (waiting.length === 0) return;
    metrics.retried(spanCount);
    this.#settings.logger.debug(
      { endpoint: backend.endpoint, error: last.message, interval_ms: Math.round(delayMs), spans: spanCount },
      'Sending to a backend failed, its slices are sent again after the interval.',
    );
    // While this call was under way the members may have changed: then the owner of the moment gets the slices at once.
    if (waiting[0]!.version !== this.#fleet!.version) {
      for (const slice of waiting) this.#sendAgain(backend, slice);
      return;
    }
    const group: RetryGroup = {
      backend,
      slices: waiting,
      last,
      timer: clock.after(delayMs, () => {
        this.#retries.delete(group);
        for (const slice of waiting) this.#sendAgain(backend, slice);
      }),
    };
    this.#retries.add(group);
  }

  /** Empty: for no reason but that retries are off. */
  #whyNotAgain(slice: Slice, nextMs: number): string | undefined {
    if (!this.#settings.retry.enabled) return '';
    if (nextMs > this.#retryUntilMs) return 'interrupted due to shutdown';
    if (nextMs > slice.request.deadlineMs) return 'no more retries left';
    return undefined;
  }

  #sendAgain(backend: Backend, slice: Slice): void {
    if (slice.version === this.#fleet!.version && !backend.retired) backend.enqueue(slice);
    else this.#routeAgain(slice);
  }

  /** Unsent bytes find the owners of the moment; a slice may fall into several. */
  #routeAgain(slice: Slice): void {
    const fleet = this.#fleet!;
    const { router, blocks, metrics } = this.#settings;
    const routed = router.route(slice.bytes, slice.spanCount, fleet.placement, this.#targetOf);
    if (routed.kind === 'refused') {
      this.#close(slice, routed);
      return;
    }
    metrics.rerouted(slice.spanCount);
    const [first] = routed.parts;
    if (routed.parts.length === 1 && first!.frame === undefined) {
      slice.version = fleet.version;
      fleet.backends[first!.owner]!.enqueue(slice);
      return;
    }
    slice.request.addSlices(routed.parts.length - 1);
    this.#openSlices += routed.parts.length - 1;
    for (const part of routed.parts) {
      const { request, failures, alone } = slice;
      fleet.backends[part.owner]!.enqueue({ request, ...part, version: fleet.version, failures, alone });
    }
    if (slice.frame !== undefined) blocks.release(slice.frame);
  }

  #close(slice: Slice, outcome: ConsumeOutcome): void {
    if (slice.frame !== undefined) this.#settings.blocks.release(slice.frame);
    if (slice.request.acknowledged) {
      this.#acknowledgedSpansOpen -= slice.spanCount;
      if (outcome.kind === 'refused') {
        if (this.#closed) this.#acknowledgedSpansLost += slice.spanCount;
        this.#settings.logger.error({ error: outcome.message, dropped_items: slice.spanCount }, 'Exporting failed. Dropping data.');
      }
    }
    slice.request.closeSlice(outcome);
    if (--this.#openSlices === 0) this.#onIdle?.();
  }
}

/** Refusals of who or where we are hit every slice alike; sending them apart would only multiply them. */
function concernsContent(code: GrpcStatus): boolean {
  return (
    code !== GrpcStatus.unauthenticated &&
    code !== GrpcStatus.permissionDenied &&
    code !== GrpcStatus.unimplemented &&
    code !== GrpcStatus.notFound
  );
}
