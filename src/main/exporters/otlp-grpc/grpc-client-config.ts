/** The fields of a gRPC client, shared by the otlp_grpc exporter and the load balancer's template, and what becomes of them. Main thread. */

import type { ConfigFault, ConfigPath } from '../../config/config-fault.ts';
import { bool, componentId, duration, headers, type Infer, int, list, object, presence, string } from '../../config/fields.ts';
import { clientTlsOptions } from '../../transport/tls.ts';
import { checkTlsClient, tlsClientSchema } from '../../transport/tls-config.ts';
import { checkQueue, checkRetry, checkTimeout, queueSchema, retrySchema, timeoutField } from '../sender/sender-config.ts';
import type { GrpcClientOptions, GrpcEncoding, KeepaliveOptions } from './grpc-client-options.ts';
import { type GrpcTarget, parseGrpcTarget } from './grpc-target.ts';

/** Source: configgrpc.ClientConfig of the Collector. */
const clientFields = {
  endpoint: string().describe('host:port, dns:///host:port, http://…, https://… (TLS) or unix:///path.'),
  compression: string().default('gzip').describe('gzip, zstd, snappy or none.'),
  tls: tlsClientSchema,
  keepalive: presence(
    object({
      time: duration().default(10_000).describe('Silence after which a ping is sent.'),
      timeout: duration().default(10_000).describe('Wait for the answer to a ping.'),
      permit_without_stream: bool().describe('Ping while no call is open, too.'),
    }),
  ).optional(),
  read_buffer_size: int().describe('Read and not used: buffers are pooled.'),
  write_buffer_size: int().default(524_288).describe('Read and not used: buffers are pooled.'),
  wait_for_ready: bool().describe('Calls wait for a connection instead of failing at once.'),
  headers: headers().describe('Sent with every call.'),
  user_agent: string().describe('Sent with every call; not written: the program and its version.'),
  balancer_name: string().default('round_robin').describe('round_robin or pick_first.'),
  authority: string().describe('The :authority of calls; not written: that of the endpoint.'),
  auth: presence(object({ authenticator: componentId() })).optional(),
  middlewares: list(object({ id: componentId() })).describe('Not available in Ringtail.'),
};

const timeoutAndRetryFields = { timeout: timeoutField, retry_on_failure: retrySchema(true) };

export const otlpGrpcSchema = object({
  ...clientFields,
  ...timeoutAndRetryFields,
  sending_queue: presence(queueSchema).default(defaultQueue()),
});
export type OtlpGrpcConfig = Infer<typeof otlpGrpcSchema>;

/** The load balancer's template: the placeholder endpoint of the Collector, and no queue unless one is written. */
export const otlpTemplateSchema = object({
  ...clientFields,
  endpoint: string().default('placeholder:4317').describe('Replaced by each backend’s address.'),
  timeout: timeoutField,
  retry_on_failure: presence(retrySchema(true)).optional(),
  sending_queue: presence(queueSchema).optional(),
});
export type OtlpTemplateConfig = Infer<typeof otlpTemplateSchema>;

function defaultQueue(): Infer<typeof queueSchema> {
  return queueSchema.parse(undefined);
}

const encodings: Readonly<Record<string, GrpcEncoding>> = {
  '': 'identity',
  none: 'identity',
  gzip: 'gzip',
  zstd: 'zstd',
  snappy: 'snappy',
};
const compressionTypes = ['gzip', 'zlib', 'deflate', 'snappy', 'x-snappy-framed', 'zstd', 'lz4', 'none', ''];
const balancers = ['round_robin', 'pick_first'];

export function checkClient(config: OtlpGrpcConfig | OtlpTemplateConfig, path: ConfigPath): readonly ConfigFault[] {
  const faults: ConfigFault[] = [];
  const fault = (key: string, message: string): void => {
    faults.push({ severity: 'error', path: [...path, key], message });
  };
  const target = parseGrpcTarget(config.endpoint);
  if (target.kind === 'fault') fault('endpoint', target.message);
  if (!compressionTypes.includes(config.compression))
    fault('compression', `unsupported compression type "${config.compression}"; one of gzip, zstd, snappy, none`);
  else if (encodings[config.compression] === undefined)
    fault('compression', `unsupported compression type "${config.compression}"; one of gzip, zstd, snappy, none`);
  if (config.balancer_name !== '' && !balancers.includes(config.balancer_name))
    fault('balancer_name', `invalid balancer_name: ${config.balancer_name}`);
  if (config.middlewares.length > 0) {
    faults.push({
      severity: 'warning',
      path: [...path, 'middlewares'],
      message: 'middlewares are not available in Ringtail and are left out',
    });
  }
  return [
    ...faults,
    ...checkTlsClient(config.tls, [...path, 'tls']),
    ...checkTimeout(config.timeout, path),
    ...checkRetry(config.retry_on_failure, [...path, 'retry_on_failure']),
    ...checkQueue(config.sending_queue, [...path, 'sending_queue']),
  ];
}

/** Errors: TlsLoadError when a certificate cannot be read. */
export function clientOptionsOf(config: OtlpGrpcConfig | OtlpTemplateConfig, target: GrpcTarget, version: string): GrpcClientOptions {
  const tls = clientTlsOptions(target.secure ? { ...config.tls, insecure: false } : config.tls);
  return {
    target,
    tls,
    encoding: encodings[config.compression] ?? 'identity',
    authority: config.authority,
    userAgent: config.user_agent === '' ? `Ringtail/${version}` : config.user_agent,
    keepalive: config.keepalive === undefined ? undefined : keepaliveOf(config.keepalive),
    waitForReady: config.wait_for_ready,
    reconnectMsMax,
    roundRobin: config.balancer_name !== 'pick_first',
  };
}

/** Source: gRPC's connection back-off protocol, MAX_BACKOFF. */
const reconnectMsMax = 120_000;

/** Pings more often than this are what servers end connections for. Source: grpc-go's minimum for clients. */
const keepaliveMsMin = 10_000;

function keepaliveOf(fields: NonNullable<OtlpGrpcConfig['keepalive']>): KeepaliveOptions {
  return { timeMs: Math.max(fields.time, keepaliveMsMin), timeoutMs: fields.timeout, permitWithoutStream: fields.permit_without_stream };
}
