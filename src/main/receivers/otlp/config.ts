/** The configuration of the `otlp` receiver: every key the Collector reads, its defaults and its messages. Main thread. */

import type { ConfigFault } from '../../config/config-fault.ts';
import {
  bool,
  choice,
  componentId,
  duration,
  headers,
  type Infer,
  int,
  list,
  object,
  presence,
  string,
  stringList,
  uint,
} from '../../config/fields.ts';
import { type ListenTransport, parseListenAddress } from '../../transport/listen-address.ts';
import { checkTlsServer, tlsServerSchema } from '../../transport/tls-config.ts';

const transports = ['tcp', 'tcp4', 'tcp6', 'unix'] as const satisfies readonly ListenTransport[];
const dialer = object({ timeout: duration() }).describe('Read and without meaning for a listener.');
const middlewares = list(object({ id: componentId() })).describe('Not available in Ringtail.');

const keepaliveSchema = object({
  server_parameters: object({
    max_connection_idle: duration().describe('A connection without calls is closed after this time; 0 = never.'),
    max_connection_age: duration().describe('A connection is closed after this time (±10 %), so that clients spread anew; 0 = never.'),
    max_connection_age_grace: duration().describe('What is still open this long after that is cut; 0 = never.'),
    time: duration().describe('Ping a silent client after this time; 0 = 2h.'),
    timeout: duration().describe('Close the connection when the ping is not answered; 0 = 20s.'),
  }),
  enforcement_policy: object({
    min_time: duration().describe('Clients that ping more often are sent away; 0 = 5m.'),
    permit_without_stream: bool().describe('Whether clients may ping without a call under way.'),
  }),
});

export const grpcServerSchema = object({
  enabled: bool().default(true),
  endpoint: string().default('localhost:4317').describe('Where to listen.'),
  transport: choice(transports).default('tcp'),
  dialer,
  max_recv_msg_size_mib: int().describe('The largest request, also after decompression; 0 = 4.'),
  max_concurrent_streams: uint({ type: 'uint32' }).describe('Calls at the same time per connection; 0 = no limit.'),
  read_buffer_size: int().default(524_288).describe('Read; Node.js sizes its own buffers.'),
  write_buffer_size: int().describe('Read; Node.js sizes its own buffers.'),
  keepalive: keepaliveSchema,
  tls: tlsServerSchema.optional(),
  auth: object({ authenticator: componentId() }).optional(),
  include_metadata: bool().describe('Hand the client’s headers to the pipeline.'),
  middlewares,
});
export type GrpcServerConfig = Infer<typeof grpcServerSchema>;

export const compressionAlgorithms = ['', 'gzip', 'zstd', 'zlib', 'snappy', 'deflate', 'lz4', 'x-snappy-framed'] as const;

const corsSchema = object({
  allowed_origins: stringList().describe('Origins that may call from a browser; * stands for any text.'),
  allowed_headers: stringList(),
  exposed_headers: stringList(),
  max_age: int().describe('Seconds that a browser may remember the answer.'),
});
export type CorsConfig = Infer<typeof corsSchema>;

const httpFields = {
  enabled: bool().default(true),
  endpoint: string().default('localhost:4318').describe('Where to listen.'),
  transport: choice(transports).default('tcp'),
  dialer,
  traces_url_path: string().default('/v1/traces'),
  metrics_url_path: string().default('/v1/metrics'),
  logs_url_path: string().default('/v1/logs'),
  max_request_body_size: int({ type: 'int64' }).describe('Bytes, on the wire and after decompression; 0 = 20971520.'),
  compression_algorithms: stringList().optional().describe('Content encodings that are accepted.'),
  read_timeout: duration(),
  read_header_timeout: duration(),
  write_timeout: duration(),
  keepalive: presence(object({ enabled: bool().default(true), idle_timeout: duration() })).optional(),
  idle_timeout: duration().optional(),
  keep_alives_enabled: bool().optional(),
  cors: corsSchema.optional(),
  tls: tlsServerSchema.optional(),
  auth: object({ authenticator: componentId(), request_params: stringList() }).optional(),
  include_metadata: bool().describe('Hand the client’s headers to the pipeline.'),
  response_headers: headers(),
  middlewares,
};

// The Collector ignores unknown keys here and nowhere else; a typo that is ignored is worth a word.
export const httpServerSchema = object(httpFields, { unknownKeys: 'warn' });
export type HttpServerConfig = Infer<typeof httpServerSchema>;

export const otlpReceiverSchema = object({
  protocols: object({ grpc: presence(grpcServerSchema).optional(), http: presence(httpServerSchema).optional() }),
});
export type OtlpReceiverConfig = Infer<typeof otlpReceiverSchema>;

export const httpBodyBytesDefault = 20 << 20;
const grpcMessageMibDefault = 4;

/** Units: bytes. */
export function grpcMessageBytesMax(config: GrpcServerConfig): number {
  const mib = config.max_recv_msg_size_mib > 0 ? config.max_recv_msg_size_mib : grpcMessageMibDefault;
  return Math.min(mib * 1_048_576, 0xffff_ffff);
}

/** Units: bytes. */
export function httpBodyBytesMax(config: HttpServerConfig): number {
  return config.max_request_body_size > 0 ? config.max_request_body_size : httpBodyBytesDefault;
}

/** A missing leading slash is added, a query is cut off. */
export function urlPath(written: string): string {
  const path = written.split(/[?#]/, 1)[0]!;
  return path.startsWith('/') ? path : `/${path}`;
}

/** What the old and the new keys say together. Units: `idleTimeoutMs`, 0 = no limit. */
export function httpKeepAlive(config: HttpServerConfig): { readonly enabled: boolean; readonly idleTimeoutMs: number } {
  if (config.keepalive !== undefined) return { enabled: config.keepalive.enabled, idleTimeoutMs: config.keepalive.idle_timeout };
  return { enabled: config.keep_alives_enabled ?? true, idleTimeoutMs: config.idle_timeout ?? 0 };
}

export function activeProtocols(config: OtlpReceiverConfig): { readonly grpc?: GrpcServerConfig; readonly http?: HttpServerConfig } {
  const { grpc, http } = config.protocols;
  return { ...(grpc?.enabled ? { grpc } : {}), ...(http?.enabled ? { http } : {}) };
}

export function checkOtlpReceiver(config: OtlpReceiverConfig): readonly ConfigFault[] {
  const { grpc, http } = activeProtocols(config);
  if (grpc === undefined && http === undefined) {
    return [{ severity: 'error', path: ['protocols'], message: 'must specify at least one protocol when using the OTLP receiver' }];
  }
  return [...(grpc === undefined ? [] : checkGrpc(grpc)), ...(http === undefined ? [] : checkHttp(http))];
}

function checkEndpoint(server: { readonly endpoint: string; readonly transport: ListenTransport }, path: readonly string[]): ConfigFault[] {
  const address = parseListenAddress(server.endpoint, server.transport);
  return 'error' in address ? [{ severity: 'error', path: [...path, 'endpoint'], message: address.error }] : [];
}

function checkMiddlewares(server: { readonly middlewares: readonly unknown[] }, path: readonly string[]): ConfigFault[] {
  if (server.middlewares.length === 0) return [];
  return [{ severity: 'error', path: [...path, 'middlewares'], message: 'middlewares are not available in Ringtail; remove them' }];
}

function checkGrpc(grpc: GrpcServerConfig): ConfigFault[] {
  const path = ['protocols', 'grpc'];
  const faults = [...checkEndpoint(grpc, path), ...checkMiddlewares(grpc, path)];
  const add = (key: string, message: string) => faults.push({ severity: 'error', path: [...path, key], message });
  if (grpc.max_recv_msg_size_mib < 0) {
    add('max_recv_msg_size_mib', `invalid max_recv_msg_size_mib value, must be between 1 and 8796093022207: ${grpc.max_recv_msg_size_mib}`);
  }
  if (grpc.read_buffer_size < 0) add('read_buffer_size', `invalid read_buffer_size value: ${grpc.read_buffer_size}`);
  if (grpc.write_buffer_size < 0) add('write_buffer_size', `invalid write_buffer_size value: ${grpc.write_buffer_size}`);
  if (grpc.tls !== undefined) faults.push(...checkTlsServer(grpc.tls, [...path, 'tls']));
  return faults;
}

function checkHttp(http: HttpServerConfig): ConfigFault[] {
  const path = ['protocols', 'http'];
  const faults = [...checkEndpoint(http, path), ...checkMiddlewares(http, path)];
  const oldIdle = http.idle_timeout !== undefined && http.idle_timeout !== 0;
  const oldEnabled = http.keep_alives_enabled === false;
  if (http.keepalive !== undefined && (oldIdle || oldEnabled)) {
    const message =
      "confighttp.ServerConfig: cannot use deprecated keepalive fields (idle_timeout, keep_alives_enabled) alongside the 'keepalive' section; migrate to the 'keepalive' section";
    faults.push({ severity: 'error', path: [...path, 'keepalive'], message });
  } else {
    const old = (key: string, message: string) => faults.push({ severity: 'warning', path: [...path, key], message });
    if (oldIdle) old('idle_timeout', "'idle_timeout' is deprecated; use 'keepalive::idle_timeout' instead");
    if (oldEnabled)
      old('keep_alives_enabled', "'keep_alives_enabled' is deprecated; set 'keepalive::enabled' to false to disable keep-alives");
  }
  http.compression_algorithms?.forEach((algorithm, index) => {
    if ((compressionAlgorithms as readonly string[]).includes(algorithm)) return;
    const message = `unknown compression algorithm ${JSON.stringify(algorithm)}; known: ${JSON.stringify(compressionAlgorithms)}`;
    faults.push({ severity: 'error', path: [...path, 'compression_algorithms', index], message });
  });
  if (http.tls !== undefined) faults.push(...checkTlsServer(http.tls, [...path, 'tls']));
  return faults;
}
