/** gRPC by @grpc/grpc-js with identity codecs: the second implementation behind the seam, and the yardstick for our own. Main thread. */

import {
  compressionAlgorithms,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServerErrorResponse,
  type ServerOptions,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import type { RequestMetadata } from '../../pipeline/component.ts';
import { type ConsumeOutcome, GrpcStatus, type RefusedOutcome } from '../../pipeline/consume-outcome.ts';
import { type ListenAddress, parseListenAddress } from '../../transport/listen-address.ts';
import { encodeRpcStatus } from '../../transport/rpc-status.ts';
import { serverTlsOptions } from '../../transport/tls.ts';
import { type GrpcServerConfig, grpcMessageBytesMax } from './config.ts';
import { encodePartialSuccess } from './export-response.ts';
import { emptyMessage, exportPath, type GrpcServerSettings, type GrpcServerTransport } from './grpc-server.ts';

export function grpcJsServer(settings: GrpcServerSettings): GrpcServerTransport {
  return new GrpcJsServer(settings);
}

class GrpcJsServer implements GrpcServerTransport {
  readonly #settings: GrpcServerSettings;
  readonly #server: Server;
  #shutDown: Promise<void> | undefined;

  constructor(settings: GrpcServerSettings) {
    this.#settings = settings;
    this.#server = new Server(channelOptions(settings.config));
    const handler: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
      const refusal = this.#authenticate(call);
      if (refusal !== undefined) return callback(errorOf(refusal));
      const metadata = settings.config.include_metadata ? metadataOf(call.metadata, call.getHost()) : undefined;
      settings.exportTraces([call.request], call.request.length, metadata).then((outcome: ConsumeOutcome) => {
        if (outcome.kind === 'accepted')
          callback(null, outcome.rejected === undefined ? emptyMessage : encodePartialSuccess(outcome.rejected));
        else callback(errorOf(outcome));
      });
    };
    this.#server.register(
      exportPath,
      handler,
      (response: Buffer) => response,
      (request: Buffer) => request,
      'unary',
    );
  }

  async start(): Promise<ListenAddress> {
    const { config } = this.#settings;
    const address = parseListenAddress(config.endpoint, config.transport);
    if ('error' in address) throw new Error(address.error);
    const target = address.path === undefined ? `${bracketed(address.host || '::')}:${address.port}` : `unix:${address.path}`;
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(target, this.#credentials(), (error, bound) => (error === null ? resolve(bound) : reject(error)));
    });
    return address.path === undefined ? { host: address.host, port } : address;
  }

  drain(deadlineMs: number): Promise<void> {
    this.#shutDown ??= new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    const { clock } = this.#settings;
    return new Promise<void>((resolve) => {
      const timer = clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), resolve);
      this.#shutDown!.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  async stop(): Promise<void> {
    this.#server.forceShutdown();
  }

  #credentials(): ServerCredentials {
    const { tls } = this.#settings.config;
    if (tls === undefined) return ServerCredentials.createInsecure();
    const options = serverTlsOptions(tls);
    const pairs = [{ private_key: Buffer.from(options.key as string), cert_chain: Buffer.from(options.cert as string) }];
    const roots = options.ca === undefined ? null : Buffer.from([options.ca].flat().join('\n'));
    return ServerCredentials.createSsl(roots, pairs, options.requestCert);
  }

  #authenticate(call: ServerUnaryCall<Buffer, Buffer>): RefusedOutcome | undefined {
    const { authenticator } = this.#settings;
    if (authenticator === undefined) return undefined;
    const outcome = authenticator.authenticate(metadataOf(call.metadata, call.getHost()));
    if (outcome.ok) return undefined;
    this.#settings.countRefusal('unauthenticated');
    return { kind: 'refused', retryable: false, code: GrpcStatus.unauthenticated, message: outcome.error };
  }
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function channelOptions(config: GrpcServerConfig): ServerOptions {
  const { server_parameters: parameters, enforcement_policy: policy } = config.keepalive;
  const options: ServerOptions = {
    'grpc.max_receive_message_length': grpcMessageBytesMax(config),
    'grpc.default_compression_algorithm': compressionAlgorithms.identity,
    'grpc.keepalive_permit_without_calls': policy.permit_without_stream ? 1 : 0,
    'grpc-node.max_session_memory': Number.MAX_SAFE_INTEGER,
  };
  if (config.max_concurrent_streams > 0) options['grpc.max_concurrent_streams'] = config.max_concurrent_streams;
  if (parameters.max_connection_idle > 0) options['grpc.max_connection_idle_ms'] = parameters.max_connection_idle;
  if (parameters.max_connection_age > 0) options['grpc.max_connection_age_ms'] = parameters.max_connection_age;
  if (parameters.max_connection_age_grace > 0) options['grpc.max_connection_age_grace_ms'] = parameters.max_connection_age_grace;
  options['grpc.keepalive_time_ms'] = parameters.time > 0 ? parameters.time : 7_200_000;
  options['grpc.keepalive_timeout_ms'] = parameters.timeout > 0 ? parameters.timeout : 20_000;
  return options;
}

function metadataOf(metadata: Metadata, host: string): RequestMetadata {
  const headers = new Map<string, readonly string[]>();
  for (const key of Object.keys(metadata.getMap())) headers.set(key, metadata.get(key).map(String));
  if (!headers.has('host')) headers.set('host', [host]);
  return headers;
}

function errorOf(outcome: RefusedOutcome): ServerErrorResponse {
  const metadata = new Metadata();
  if (outcome.retryAfterMs !== undefined) metadata.set('grpc-status-details-bin', encodeRpcStatus(outcome));
  return { name: 'Refused', message: outcome.message, code: outcome.code, details: outcome.message, metadata };
}
