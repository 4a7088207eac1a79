/** Routes requests over the backends of the moment, sends failed slices again, and gives each caller one answer. Main thread. */

import type { Placement } from '../../../discovery/placement.ts';
import type { Clock } from '../../../shared/clock.ts';
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
import type { PartialDeliveries, PartialDelivery } from './partial-deliveries.ts';
import { RoutedRequest, type Slice } from './slice.ts';
import type { FrameTarget, RoutedPart, SliceRouter } from './slice-router.ts';

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
  /** Present where callers hear the result and may repeat a request. */
  readonly deliveries: PartialDeliveries | undefined;
  createBackend(endpoint: string): Backend;
  /** A call failed for want of a connection: the members may have changed. */
  onUnreachable(): void;
}

/** The members of the moment and where they are reached: replaced whole. Owner indexes count in `backends` as in `placement.endpoints`. */
interface Fleet {
  readonly version: number;
  readonly placement: Placement;
  readonly backends: readonly Backend[];
}

export const noBackends = refusedRetryable('no backend is known yet', { retryAfterMs: 1000 });
const stopped = refusedRetryable('the load balancer is stopped');
/** A backend that has failed is tried again at least so often, however long the waits that the user wrote: one slice is enough to find out. */
const probeIntervalMsMax = 2_000;
const queueFull = refusedRetryable('sending queue is full', { retryAfterMs: 1000 });

export class Balancer {
  readonly #settings: BalancerSettings;
  readonly #byEndpoint = new Map<string, Backend>();
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
    const members = new Set(backends);
    for (const backend of [...this.#byEndpoint.values()]) if (!members.has(backend)) this.#removeBackend(backend);
    for (const slice of unsent) this.#routeAgain(slice);
  }

  /** Life: `bytes` are lent until the promise settles. */
  consume(bytes: Uint8Array, spanCount: number, rows?: PayloadRows): Promise<ConsumeOutcome> {
    const fleet = this.#fleet;
    if (this.#closed) return Promise.resolve(stopped);
    if (fleet === undefined || fleet.backends.length === 0) return Promise.resolve(noBackends);
    const { router, childQueue, deliveries } = this.#settings;
    const delivered = deliveries?.recall(bytes);
    if (delivered !== undefined) return this.#consumeRest(bytes, spanCount, delivered);
    const routed = router.route(bytes, spanCount, fleet.placement, this.#targetOf, rows);
    if (routed.kind === 'refused') return Promise.resolve(routed);
    if (routed.parts.length === 0) return Promise.resolve(accepted);
    if (childQueue !== undefined && !childQueue.waitForResult) return this.#queueAndAccept(fleet, routed.parts);
    return this.#sendParts(bytes, routed.parts, fleet.placement, false);
  }

  /** A request that was refused before, of which some parts were delivered then: only the others are sent. */
  #consumeRest(bytes: Uint8Array, spanCount: number, delivered: PartialDelivery): Promise<ConsumeOutcome> {
    const { router, blocks, metrics, deliveries } = this.#settings;
    const { placement, undelivered } = delivered;
    const scratch: FrameTarget = { cursor: { current: undefined }, pendingBytes: 0 };
    const current = placement === this.#fleet!.placement;
    const routed = router.route(bytes, spanCount, placement, current ? this.#targetOf : () => scratch);
    if (routed.kind === 'refused') {
      deliveries!.remember(bytes, delivered);
      return Promise.resolve(routed);
    }
    const rest: RoutedPart[] = [];
    for (const part of routed.parts) {
      if (undelivered.has(part.owner)) rest.push(part);
      else {
        metrics.repeated(part.spanCount);
        if (part.frame !== undefined) blocks.release(part.frame);
      }
    }
    return this.#sendParts(bytes, rest, placement, true);
  }

  /** `parts` are at least one; their owners count in `placement`. */
  #sendParts(bytes: Uint8Array, parts: readonly RoutedPart[], placement: Placement, repeated: boolean): Promise<ConsumeOutcome> {
    const { clock, requestBudgetMs, deliveries } = this.#settings;
    const { version, backends, placement: current } = this.#fleet!;
    return new Promise((settle) => {
      const source = deliveries === undefined ? undefined : { bytes, placement, repeated };
      const request = new RoutedRequest(clock.monotonicMs() + requestBudgetMs, parts.length, settle, source);
      this.#openSlices += parts.length;
      for (const { owner, bytes: own, spanCount, frame } of parts) {
        const slice = { request, bytes: own, spanCount, frame, origin: owner, version, alone: false };
        if (placement === current) this.#enqueue(backends[owner]!, slice);
        else this.#routeAgain(slice);
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
      backend.recovered();
      for (const slice of slices) this.#close(slice, accepted);
      return;
    }
    if (outcome.code === GrpcStatus.unavailable) this.#settings.onUnreachable();
    if (outcome.retryable) {
      this.#retryLater(backend, slices, outcome, startMs);
      return;
    }
    backend.recovered();
    if (slices.length > 1 && concernsContent(outcome.code)) this.#sendApart(backend, slices);
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
    const deadlineMs = retry.maxElapsedTimeMs > 0 ? clock.monotonicMs() + retry.maxElapsedTimeMs : Infinity;
    const request = new RoutedRequest(deadlineMs, parts.length, undefined, undefined);
    let full = false;
    for (const part of parts) {
      const backend = fleet.backends[part.owner]!;
      const slice = { request, ...part, origin: part.owner, version: fleet.version, alone: false };
      const own = part.frame === undefined ? copySlice(blocks, backend, slice) : slice;
      full ||= own === undefined || !childQueue!.hasRoom(backend, part);
      if (own !== undefined) kept.push(own);
    }
    if (full) {
      for (const slice of kept) blocks.release(slice.frame!);
      return Promise.resolve(queueFull);
    }
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

  /**
   * The backend is left alone for a while, then tried with one slice; all that waits for it follows when that one is taken. So a backend that is down is
   * sent one slice a try and not everything, and what cannot be sent before its deadline is answered now.
   */
  #retryLater(backend: Backend, slices: readonly Slice[], last: RefusedOutcome, startMs: number): void {
    const { clock, prng, retry, metrics, logger } = this.#settings;
    if (retry.enabled) backend.failed(startMs);
    const intervalMs = retry.enabled ? Math.min(backOffMs(retry, Math.max(1, backend.failures), prng), probeIntervalMsMax) : 0;
    const delayMs = Math.max(intervalMs, last.retryAfterMs ?? 0);
    if (delayMs > 0) backend.pauseUntil(clock.monotonicMs() + delayMs);
    const nextMs = Math.max(clock.monotonicMs(), backend.pausedUntilMs);
    // What waited longer comes first, so that a slice that itself makes calls fail does not hold up the others.
    const pending = backend.takePending();
    for (const slice of pending) this.#sendAgainBy(nextMs, backend, slice, last);
    let spanCount = 0;
    for (const slice of slices) {
      if (!retry.enabled) this.#close(slice, last);
      else if (this.#sendAgainBy(nextMs, backend, slice, last)) spanCount += slice.spanCount;
    }
    metrics.retried(spanCount);
    logger.debug(
      { endpoint: backend.endpoint, error: last.message, interval_ms: Math.round(nextMs - clock.monotonicMs()), spans: spanCount },
      'Sending to a backend failed, its slices are sent again after the interval.',
    );
  }

  /** Returns false when there is no use in waiting: the slice is then closed with `last`. */
  #sendAgainBy(nextMs: number, backend: Backend, slice: Slice, last: RefusedOutcome): boolean {
    const why = this.#whyNotAgain(slice, nextMs);
    if (why === undefined) this.#sendAgain(backend, slice);
    else this.#close(slice, { ...last, message: `${why}: ${last.message}` });
    return why === undefined;
  }

  #whyNotAgain(slice: Slice, nextMs: number): string | undefined {
    if (nextMs > this.#retryUntilMs) return 'interrupted due to shutdown';
    if (nextMs > slice.request.deadlineMs) return 'no more retries left';
    return undefined;
  }

  #enqueue(backend: Backend, slice: Slice): void {
    if (backend.pausedUntilMs > slice.request.deadlineMs) this.#close(slice, pausedBeyond(backend, this.#settings.clock));
    else backend.enqueue(slice);
  }

  #sendAgain(backend: Backend, slice: Slice): void {
    if (slice.version === this.#fleet!.version && !backend.retired) this.#enqueue(backend, slice);
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
      this.#enqueue(fleet.backends[first!.owner]!, slice);
      return;
    }
    slice.request.addSlices(routed.parts.length - 1);
    this.#openSlices += routed.parts.length - 1;
    for (const part of routed.parts) {
      const { request, origin, alone } = slice;
      this.#enqueue(fleet.backends[part.owner]!, { request, ...part, origin, version: fleet.version, alone });
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
    if (slice.request.closeSlice(slice, outcome)) this.#settle(slice.request);
    if (--this.#openSlices === 0) this.#onIdle?.();
  }

  #settle(request: RoutedRequest): void {
    const { undelivered, source } = request;
    if (undelivered !== undefined) this.#settings.deliveries!.remember(source!.bytes, { placement: source!.placement, undelivered });
    request.settle();
  }
}

function pausedBeyond(backend: Backend, clock: Clock): RefusedOutcome {
  const retryAfterMs = Math.ceil(backend.pausedUntilMs - clock.monotonicMs());
  return refusedRetryable(`backend ${backend.endpoint} asked for a pause`, { code: GrpcStatus.resourceExhausted, retryAfterMs });
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
