/** The way of one request that all transports share: bytes into the arena, validation, the pipeline, the account. Main thread. */

import { KernelError } from '../../../shared/arena/rows.ts';
import type { Kernel } from '../../../shared/kernel.ts';
import type { Arena } from '../../arena/arena.ts';
import { copyBytes } from '../../arena/copy-bytes.ts';
import { largestBlockBytes } from '../../arena/largest-block.ts';
import type { ComponentSettings, RequestMetadata, TracesConsumer, TracesPayload } from '../../pipeline/component.ts';
import {
  accepted,
  type ConsumeOutcome,
  GrpcStatus,
  type RejectedSpans,
  refusedPermanent,
  refusedRetryable,
} from '../../pipeline/consume-outcome.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { BoundCounter } from '../../telemetry/metrics.ts';
import { rejectedSpans } from './export-response.ts';
import { type ReceiveBuffer, ReceiveBuffers } from './receive-buffers.ts';

export type IntakeTransport = 'grpc' | 'http';

/** Why a request never reached the pipeline. */
export type RefusalReason = 'malformed' | 'no_memory' | 'too_large' | 'compression' | 'unauthenticated' | 'protocol';
const refusalReasons = [
  'malformed',
  'no_memory',
  'too_large',
  'compression',
  'unauthenticated',
  'protocol',
] as const satisfies readonly RefusalReason[];

/** Source: the Collector's receiverhelper. Refused is the pipeline's answer, failure is the receiver's own. */
type RequestResult = 'success' | 'refused' | 'failure';
const newMetricsGate = 'receiverhelper.newReceiverMetrics';

const retryWhenFullMs = 1_000;

const faultTexts: Record<number, string> = {
  [KernelError.truncated]: 'a field reaches past the end of its message',
  [KernelError.varint]: 'a varint is longer than ten bytes',
  [KernelError.wireType]: 'a field has a wire type that is reserved or not the one of its declaration',
  [KernelError.fieldNumber]: 'a field number is zero',
  [KernelError.traceIdLength]: 'a trace id is not 16 bytes long',
  [KernelError.spanIdLength]: 'a span id is not 8 bytes long',
  [KernelError.depth]: 'attribute values are nested deeper than 128',
};

/** One per transport of a receiver. */
export class Intake {
  readonly #next: TracesConsumer;
  readonly #arena: Arena;
  readonly #kernel: Kernel;
  readonly #buffers: ReceiveBuffers;
  readonly #logger: Logger;
  readonly #acceptedSpans: BoundCounter;
  readonly #refusedSpans: BoundCounter;
  readonly #failedSpans: BoundCounter;
  readonly #requests: Readonly<Record<RequestResult, BoundCounter>> | undefined;
  /** Whether one unusable span costs the whole request, as in the Collector. */
  readonly #isStrict: boolean;
  readonly #refusals: ReadonlyMap<RefusalReason, BoundCounter>;

  constructor(settings: ComponentSettings, next: TracesConsumer, transport: IntakeTransport) {
    const attributes = { receiver: settings.id.text, transport };
    this.#next = next;
    this.#arena = settings.arena;
    this.#kernel = settings.arena.kernel;
    this.#buffers = ReceiveBuffers.of(settings.arena);
    this.#logger = settings.logger;
    this.#acceptedSpans = settings.metrics.counter('otelcol_receiver_accepted_spans', attributes);
    this.#refusedSpans = settings.metrics.counter('otelcol_receiver_refused_spans', attributes);
    this.#failedSpans = settings.metrics.counter('otelcol_receiver_failed_spans', attributes);
    this.#refusals = new Map(
      refusalReasons.map((reason) => [reason, settings.metrics.counter('ringtail_receiver_refused_requests', { ...attributes, reason })]),
    );
    this.#isStrict = settings.otelcolCompatibility;
    if (settings.featureGates.has(newMetricsGate)) {
      const counter = (outcome: RequestResult) => settings.metrics.counter('otelcol_receiver_requests', { ...attributes, outcome });
      this.#requests = { success: counter('success'), refused: counter('refused'), failure: counter('failure') };
    }
    // The series exist from the first scrape on, as in the Collector.
    this.#failedSpans.add(0);
  }

  /**
   * Takes one complete, uncompressed ExportTraceServiceRequest.
   *
   * Shape:  `chunks` together are `byteLength` bytes; they are free again when the call returns its promise.
   *         `rejected`: spans of the request that its reader has left out already.
   * Errors: none thrown; everything expected is an outcome.
   */
  async export(
    chunks: readonly Uint8Array[],
    byteLength: number,
    metadata: RequestMetadata | undefined,
    rejected?: RejectedSpans,
  ): Promise<ConsumeOutcome> {
    if (byteLength === 0) return accepted;
    const buffer = this.#buffers.take(byteLength);
    if (buffer === undefined) {
      this.countRefusal('no_memory');
      const { capacityBytes } = this.#arena;
      if (byteLength > largestBlockBytes(capacityBytes)) {
        const message = `a request of ${byteLength} bytes is larger than the memory for spans, ${capacityBytes} bytes, can ever hold`;
        return refusedPermanent(message, GrpcStatus.resourceExhausted);
      }
      return refusedRetryable('no memory for the request: the arena is full', {
        code: GrpcStatus.resourceExhausted,
        retryAfterMs: retryWhenFullMs,
      });
    }
    let position = 0;
    for (let index = 0; index < chunks.length; index++) {
      copyBytes(chunks[index]!, buffer.bytes, position);
      position += chunks[index]!.length;
    }
    try {
      return await this.#consume(buffer, metadata, rejected);
    } finally {
      this.#buffers.give(buffer);
    }
  }

  /** Counts a request that ends before the pipeline sees it. */
  countRefusal(reason: RefusalReason): void {
    this.#refusals.get(reason)!.add(1);
  }

  async #consume(
    buffer: ReceiveBuffer,
    metadata: RequestMetadata | undefined,
    rejected: RejectedSpans | undefined,
  ): Promise<ConsumeOutcome> {
    const spanCount = this.#buffers.validate(buffer);
    if (spanCount > 0) return this.#handOn(buffer.bytes, spanCount, metadata, rejected);
    if (spanCount === 0) return accepted;
    const fault = `byte ${this.#kernel.errorOffset()}: ${faultTexts[this.#kernel.errorCode()] ?? `fault ${this.#kernel.errorCode()}`}`;
    const usable = this.#isStrict ? undefined : this.#buffers.dropUnusable(buffer, this.#kernel.errorOffset());
    if (usable === undefined || usable.spanCount === 0) {
      this.countRefusal('malformed');
      return refusedPermanent(`malformed request: ${fault}`, GrpcStatus.invalidArgument);
    }
    return this.#handOn(usable.bytes, usable.spanCount, metadata, rejectedSpans(usable.rejectedSpans, fault));
  }

  /** The kernel has just walked exactly these bytes. */
  async #handOn(
    bytes: Uint8Array,
    spanCount: number,
    metadata: RequestMetadata | undefined,
    rejected: RejectedSpans | undefined,
  ): Promise<ConsumeOutcome> {
    const rows = { bytesMax: this.#kernel.splitBytesMax(), uniform: this.#kernel.uniform() };
    const payload: TracesPayload = metadata === undefined ? { bytes, spanCount, rows } : { bytes, spanCount, rows, metadata };
    if (rejected !== undefined) this.#refusedSpans.add(rejected.spanCount);
    let outcome: ConsumeOutcome;
    try {
      outcome = await this.#next.consume(payload);
    } catch (error) {
      // A stage broke its promise never to throw; the client learns that its spans are not taken, and the process goes on.
      this.#logger.error({ err: error }, 'pipeline failed on a request');
      (this.#requests === undefined ? this.#refusedSpans : this.#failedSpans).add(spanCount);
      this.#requests?.failure.add(1);
      return refusedPermanent('internal error in the pipeline');
    }
    if (outcome.kind === 'refused') {
      this.#refusedSpans.add(spanCount);
      this.#requests?.refused.add(1);
      return outcome;
    }
    this.#acceptedSpans.add(spanCount);
    this.#requests?.success.add(1);
    return rejected === undefined ? outcome : { kind: 'accepted', rejected };
  }
}
