/** Where load goes: one OTLP endpoint by gRPC or HTTP, behind the sender stages that exporters use. Main thread. */

import { Buffer } from 'node:buffer';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import type { Clock } from '../../shared/clock.ts';
import { exportTraceServiceResponse } from '../../shared/otlp/messages.ts';
import type { Prng } from '../../shared/prng.ts';
import { createGrpcClient } from '../exporters/otlp-grpc/create-grpc-client.ts';
import { parseGrpcTarget } from '../exporters/otlp-grpc/grpc-target.ts';
import { type GrpcHeaders, outcomeOfCall } from '../exporters/otlp-grpc/grpc-unary-client.ts';
import { RetrySender } from '../exporters/sender/retry-sender.ts';
import type { Sender, SendOutcome, SendRequest } from '../exporters/sender/send-request.ts';
import { TimeoutSender } from '../exporters/sender/timeout-sender.ts';
import { accepted, GrpcStatus, refusedPermanent, refusedRetryable } from '../pipeline/consume-outcome.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { LoadAccount } from './load-report.ts';

export interface LoadTargetSettings {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly logger: Logger;
  readonly account: LoadAccount;
  readonly userAgent: string;
}

export interface LoadTargetOptions {
  readonly endpoint: string;
  readonly headers: GrpcHeaders;
  /** Undefined: no TLS. */
  readonly tls: ConnectionOptions | undefined;
  readonly timeoutMs: number;
  /** How long a request that was refused for now is sent again; 0 is not at all. */
  readonly retryMs: number;
  /** OTLP/HTTP below this path; undefined is gRPC. */
  readonly httpPath: string | undefined;
}

export interface LoadTarget extends Sender {
  /** Ends retries and closes connections. */
  close(): Promise<void>;
}

/** Errors: throws with what is wrong about the endpoint. */
export function createLoadTarget(settings: LoadTargetSettings, options: LoadTargetOptions): LoadTarget {
  const wire = options.httpPath === undefined ? grpcWire(settings, options) : new HttpWire(settings, options, options.httpPath);
  const timed = new TimeoutSender(settings.clock, options.timeoutMs, wire);
  const back = { enabled: true, initialIntervalMs: 200, randomizationFactor: 0.5, multiplier: 1.5, maxIntervalMs: 5_000 };
  const retry = options.retryMs > 0 ? new RetrySender(settings, { ...back, maxElapsedTimeMs: options.retryMs }, timed) : undefined;
  return {
    send: (request) => (retry ?? timed).send(request),
    close() {
      retry?.stopRetrying();
      return wire.close();
    },
  };
}

function grpcWire(settings: LoadTargetSettings, options: LoadTargetOptions): LoadTarget {
  const target = parseGrpcTarget(options.endpoint);
  if (target.kind === 'fault') throw new Error(target.message);
  const client = createGrpcClient(settings, {
    target,
    tls: options.tls ?? (target.secure ? {} : undefined),
    encoding: 'identity',
    authority: '',
    userAgent: settings.userAgent,
    keepalive: undefined,
    waitForReady: false,
    reconnectMsMax: 5_000,
  });
  return {
    async send(request) {
      const call = await client.export(request.chunks, request.byteLength, request.deadlineMs, options.headers);
      if (call.partial !== undefined) countPartial(settings.account, call.partial.rejectedSpans, call.partial.message);
      return outcomeOfCall(call);
    },
    close: () => client.close(),
  };
}

function countPartial(account: LoadAccount, rejectedSpans: number, message: string): void {
  account.spansRejected += rejectedSpans;
  account.spansAccepted -= rejectedSpans;
  account.countFault(message);
}

const retryableStatuses = [429, 502, 503, 504];

class HttpWire implements LoadTarget {
  readonly #settings: LoadTargetSettings;
  readonly #url: URL;
  readonly #agent: HttpAgent;
  readonly #options: RequestOptions;

  constructor(settings: LoadTargetSettings, options: LoadTargetOptions, path: string) {
    this.#settings = settings;
    const scheme = options.tls === undefined ? 'http' : 'https';
    const base = /^https?:\/\//.test(options.endpoint) ? options.endpoint : `${scheme}://${options.endpoint}`;
    this.#url = new URL(path, base);
    this.#agent =
      this.#url.protocol === 'https:' ? new HttpsAgent({ keepAlive: true, ...options.tls }) : new HttpAgent({ keepAlive: true });
    const headers = { 'content-type': 'application/x-protobuf', 'user-agent': settings.userAgent, ...Object.fromEntries(options.headers) };
    this.#options = { method: 'POST', agent: this.#agent, headers };
  }

  send(request: SendRequest): Promise<SendOutcome> {
    const body = Buffer.concat(request.chunks, request.byteLength);
    const timeout =
      request.deadlineMs === Infinity ? undefined : Math.max(1, Math.ceil(request.deadlineMs - this.#settings.clock.monotonicMs()));
    return new Promise((resolve) => {
      const open = this.#url.protocol === 'https:' ? httpsRequest : httpRequest;
      const options = { ...this.#options, ...(timeout === undefined ? {} : { signal: AbortSignal.timeout(timeout) }) };
      const fail = (error: Error) => resolve(refusedRetryable(error.name === 'AbortError' ? 'no answer in time' : error.message));
      const outgoing = open(this.#url, options, (response) => {
        this.#outcomeOf(response).then(resolve, fail);
      });
      outgoing.on('error', fail);
      outgoing.end(body);
    });
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  async #outcomeOf(response: IncomingMessage): Promise<SendOutcome> {
    const body = Buffer.concat(await response.toArray());
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) {
      this.#readPartial(body);
      return accepted;
    }
    const message = `HTTP ${status} ${response.statusMessage ?? ''}`.trim();
    if (!retryableStatuses.includes(status)) return refusedPermanent(message, GrpcStatus.unknown);
    const seconds = Number(response.headers['retry-after']);
    return refusedRetryable(message, seconds > 0 ? { retryAfterMs: seconds * 1000 } : {});
  }

  #readPartial(body: Buffer): void {
    if (body.length === 0) return;
    try {
      const response = exportTraceServiceResponse.toObject(exportTraceServiceResponse.decode(body), { longs: Number });
      const partial = response.partialSuccess as { rejectedSpans?: number; errorMessage?: string } | undefined;
      if (partial !== undefined) countPartial(this.#settings.account, partial.rejectedSpans ?? 0, partial.errorMessage ?? '');
    } catch {
      // The peer has taken the request; what it says beside that is not needed.
    }
  }
}
