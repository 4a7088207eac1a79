/** The gRPC client by @grpc/grpc-js: the second implementation that the contract tests run against. Main thread. */

import { Buffer } from 'node:buffer';
import { createSecureContext } from 'node:tls';
import {
  type ChannelCredentials,
  Client,
  compressionAlgorithms,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { GrpcStatus } from '../../pipeline/consume-outcome.ts';
import { decodeRpcStatus } from '../../transport/rpc-status.ts';
import { untilDeadline } from '../sender/until-deadline.ts';
import { partialSuccessOf } from './export-response.ts';
import type { GrpcClientOptions, GrpcClientSettings } from './grpc-client-options.ts';
import type { GrpcTarget } from './grpc-target.ts';
import { type CallOutcome, exportPath, type GrpcHeaders, type GrpcUnaryClient } from './grpc-unary-client.ts';

const encode = (message: Buffer): Buffer => message;
const decode = (message: Buffer): Buffer => message;

export class GrpcJsClient implements GrpcUnaryClient {
  readonly #settings: GrpcClientSettings;
  readonly #options: GrpcClientOptions;
  readonly #client: Client;
  readonly #calls = new Set<{ cancel(): void; readonly done: Promise<unknown> }>();
  #closing: Promise<void> | undefined;

  constructor(settings: GrpcClientSettings, options: GrpcClientOptions) {
    this.#settings = settings;
    this.#options = options;
    const { keepalive } = options;
    this.#client = new Client(addressOf(options.target), credentialsOf(options), {
      'grpc.primary_user_agent': options.userAgent,
      'grpc.max_send_message_length': -1,
      'grpc.max_receive_message_length': 4 * 1024 * 1024,
      'grpc.default_compression_algorithm': options.encoding === 'gzip' ? compressionAlgorithms.gzip : compressionAlgorithms.identity,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.initial_reconnect_backoff_ms': 1000,
      'grpc.max_reconnect_backoff_ms': options.reconnectMsMax,
      ...(options.authority === '' ? {} : { 'grpc.default_authority': options.authority }),
      ...(keepalive === undefined
        ? {}
        : {
            'grpc.keepalive_time_ms': keepalive.timeMs,
            'grpc.keepalive_timeout_ms': keepalive.timeoutMs,
            'grpc.keepalive_permit_without_calls': keepalive.permitWithoutStream ? 1 : 0,
          }),
    });
  }

  export(chunks: readonly Uint8Array[], byteLength: number, deadlineMs: number, headers: GrpcHeaders): Promise<CallOutcome> {
    if (this.#closing !== undefined)
      return Promise.resolve({ status: GrpcStatus.unavailable, message: 'the client is closed', unsent: true });
    const { clock } = this.#settings;
    const metadata = new Metadata({ waitForReady: this.#options.waitForReady });
    for (const [name, value] of headers) metadata.add(name, value);
    const deadline = deadlineMs === Infinity ? Infinity : clock.wallMs() + deadlineMs - clock.monotonicMs();
    // grpc-js frames the message later than the call, so it gets a copy of its own.
    const message = Buffer.concat(chunks, byteLength);
    let cancel = (): void => {};
    const done = new Promise<CallOutcome>((resolve) => {
      const call = this.#client.makeUnaryRequest(
        this.#options.path ?? exportPath,
        encode,
        decode,
        message,
        metadata,
        { deadline },
        (error, response) => {
          resolve(error === null ? succeeded(response) : failed(error));
        },
      );
      cancel = () => call.cancel();
    });
    const entry = { cancel, done };
    this.#calls.add(entry);
    return done.finally(() => this.#calls.delete(entry));
  }

  ready(): boolean {
    return this.#closing === undefined && this.#client.getChannel().getConnectivityState(false) === connectivityState.READY;
  }

  connect(): void {
    this.#client.getChannel().getConnectivityState(true);
  }

  close(deadlineMs = 0): Promise<void> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<void> {
    const { clock } = this.#settings;
    const ended = Promise.all([...this.#calls].map((call) => call.done));
    await untilDeadline(clock, deadlineMs, (done) => void ended.then(done));
    for (const call of this.#calls) call.cancel();
    await ended;
    this.#client.close();
  }
}

function addressOf(target: GrpcTarget): string {
  if (target.kind === 'unix') return `unix:${target.path}`;
  return `dns:${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`;
}

function credentialsOf(options: GrpcClientOptions): ChannelCredentials {
  const { tls } = options;
  if (tls === undefined) return credentials.createInsecure();
  return credentials.createFromSecureContext(createSecureContext(tls), {
    rejectUnauthorized: tls.rejectUnauthorized ?? true,
    ...(tls.checkServerIdentity === undefined ? {} : { checkServerIdentity: tls.checkServerIdentity }),
  });
}

function succeeded(response: Buffer | undefined): CallOutcome {
  const partial = partialSuccessOf(response ?? Buffer.alloc(0));
  return { status: GrpcStatus.ok, message: '', ...(partial === undefined ? {} : { partial }) };
}

function failed(error: ServiceError): CallOutcome {
  const details = error.metadata?.get('grpc-status-details-bin')[0];
  const retryAfterMs = details instanceof Buffer ? decodeRpcStatus(details)?.retryAfterMs : undefined;
  return { status: error.code, message: error.details, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}
