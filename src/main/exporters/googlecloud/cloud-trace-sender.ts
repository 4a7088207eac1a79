/** The last stage of a Cloud Trace chain: maps the spans of a request and writes them, one call per project. Main thread. */

import type { Clock } from '../../../shared/clock.ts';
import { batchWriteSpansRequest, type CloudSpan } from '../../../shared/google/cloud-trace.ts';
import type { Prng } from '../../../shared/prng.ts';
import { accepted, type RefusedOutcome, refusedPermanent, refusedRetryable } from '../../pipeline/consume-outcome.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { joined } from '../../transport/compression/compress.ts';
import { type GrpcHeaders, type GrpcUnaryClient, outcomeOfCall } from '../otlp-grpc/grpc-unary-client.ts';
import type { RetryConfig } from '../sender/back-off.ts';
import { RetrySender } from '../sender/retry-sender.ts';
import type { Sender, SendOutcome, SendRequest } from '../sender/send-request.ts';
import { type CloudContext, type CloudSpanOptions, cloudContextOf, cloudSpanOf } from './cloud-span.ts';
import { eachSpan, type SpanContext } from './span-fields.ts';

export interface CloudTraceSenderSettings {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly logger: Logger;
}

export interface CloudTraceSenderOptions extends CloudSpanOptions {
  /** The project that is written to pays. */
  readonly destinationProjectQuota: boolean;
  /** Undefined: none. Errors: rejects when a token cannot be had. */
  readonly authorize: (() => GrpcHeaders | Promise<GrpcHeaders>) | undefined;
}

/** Source: the retry of BatchWriteSpans in Google's client; it ends with the request's deadline. */
const retryConfig: RetryConfig = {
  enabled: true,
  initialIntervalMs: 100,
  randomizationFactor: 0.5,
  multiplier: 2,
  maxIntervalMs: 30_000,
  maxElapsedTimeMs: 0,
};

export class CloudTraceSender implements Sender {
  readonly #client: GrpcUnaryClient;
  readonly #settings: CloudTraceSenderSettings;
  readonly #options: CloudTraceSenderOptions;
  readonly #retries = new Set<RetrySender>();
  #stopped = false;

  constructor(client: GrpcUnaryClient, settings: CloudTraceSenderSettings, options: CloudTraceSenderOptions) {
    this.#client = client;
    this.#settings = settings;
    this.#options = options;
  }

  async send(request: SendRequest): Promise<SendOutcome> {
    const byProject = spansByProject(joined(request.chunks, request.byteLength), this.#options);
    const outcomes = await Promise.all([...byProject].map(([project, spans]) => this.#write(project, spans, request)));
    const refused = outcomes.filter((outcome): outcome is RefusedOutcome => outcome.kind === 'refused');
    if (refused.length === 0) return accepted;
    // What one project has taken must not be sent again because another has not.
    const isWhole = refused.length === outcomes.length && refused.every(({ retryable }) => retryable);
    const first = refused.find(({ retryable }) => retryable === isWhole) ?? refused[0]!;
    return isWhole ? first : refusedPermanent(first.message, first.code);
  }

  /** No further attempt is made; waits end at once. */
  stopRetrying(): void {
    this.#stopped = true;
    for (const retry of this.#retries) retry.stopRetrying();
  }

  async #write(project: string, spans: readonly CloudSpan[], request: SendRequest): Promise<SendOutcome> {
    const name = `projects/${project}`;
    const bytes = batchWriteSpansRequest.encode({ name, spans }).finish();
    const attempt: Sender = { send: (call) => this.#attempt(project, name, call) };
    const retry = new RetrySender(this.#settings, retryConfig, attempt);
    this.#retries.add(retry);
    if (this.#stopped) retry.stopRetrying();
    const outcome = await retry.send({
      chunks: [bytes],
      byteLength: bytes.length,
      spanCount: spans.length,
      deadlineMs: request.deadlineMs,
    });
    this.#retries.delete(retry);
    return outcome;
  }

  async #attempt(project: string, name: string, call: SendRequest): Promise<SendOutcome> {
    const { authorize, destinationProjectQuota } = this.#options;
    let headers: GrpcHeaders;
    try {
      headers = authorize === undefined ? [] : await authorize();
    } catch (error) {
      return refusedRetryable(`no credentials for Cloud Trace: ${(error as Error).message}`);
    }
    const all = new Map([...headers, ['x-goog-request-params', `name=${encodeURIComponent(name)}`] as const]);
    if (destinationProjectQuota) all.set('x-goog-user-project', project);
    return outcomeOfCall(await this.#client.export(call.chunks, call.byteLength, call.deadlineMs, [...all]));
  }
}

export function spansByProject(payload: Uint8Array, options: CloudSpanOptions): Map<string, CloudSpan[]> {
  const byProject = new Map<string, CloudSpan[]>();
  let last: SpanContext | undefined;
  let context: CloudContext | undefined;
  eachSpan(payload, (span, of) => {
    if (of !== last) {
      last = of;
      context = cloudContextOf(of, options);
    }
    const spans = byProject.get(context!.project);
    const mapped = cloudSpanOf(span, context!, options);
    if (spans === undefined) byProject.set(context!.project, [mapped]);
    else spans.push(mapped);
  });
  return byProject;
}
