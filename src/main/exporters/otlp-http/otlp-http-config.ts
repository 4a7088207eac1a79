/** The fields of the otlp_http exporter, the checks across them, and what becomes of them. Main thread. */

import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { ConfigFault, ConfigPath } from '../../config/config-fault.ts';
import {
  anything,
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
} from '../../config/fields.ts';
import { type SentEncoding, sentEncodings } from '../../transport/compression/compress.ts';
import type { HttpClientOptions } from '../../transport/http-client.ts';
import { clientTlsOptions } from '../../transport/tls.ts';
import { checkTlsClient, tlsClientSchema } from '../../transport/tls-config.ts';
import { checkQueue, checkRetry, checkTimeout, queueSchema, retrySchema } from '../sender/sender-config.ts';

const notUsed = 'Read and not used: ';

/** Source: confighttp.ClientConfig and otlphttpexporter.Config of the Collector. */
export const otlpHttpSchema = object(
  {
    endpoint: string().describe('URL of the server; /v1/traces is appended.'),
    traces_endpoint: string().describe('URL that traces are sent to as it is, in place of endpoint.'),
    metrics_endpoint: string().describe(`${notUsed}Ringtail has no metrics pipelines.`),
    logs_endpoint: string().describe(`${notUsed}Ringtail has no logs pipelines.`),
    profiles_endpoint: string().describe(`${notUsed}Ringtail has no profiles pipelines.`),
    encoding: choice(['proto', 'json']).default('proto').describe('Form of the body.'),
    timeout: duration().default(30_000).describe('Limit for one attempt; 0 = none.'),
    compression: string().default('gzip').describe('gzip, zstd, zlib, deflate, snappy, x-snappy-framed, lz4 or none.'),
    compression_params: object({
      level: int().describe('0 = the fastest. gzip, zlib, deflate: −2 (Huffman only), −1 (the library’s default), 1 to 9; zstd: any.'),
    }),
    headers: headers().describe('Sent with every request; they win over those the exporter sets.'),
    auth: presence(object({ authenticator: componentId() })).optional(),
    tls: tlsClientSchema,
    proxy_url: string().describe('An HTTP proxy: plain requests go to it, encrypted ones through a tunnel.'),
    keepalive: object({
      enabled: bool().default(true).describe('Connections are used again.'),
      idle_conn_timeout: duration().optional().describe('An unused connection is closed after this time; not written: 90s.'),
      max_idle_conns: int().optional().describe(`${notUsed}idle connections are closed by time alone.`),
      max_idle_conns_per_host: int().optional().describe(`${notUsed}idle connections are closed by time alone.`),
    }).optional(),
    idle_conn_timeout: duration().optional().describe('Old form of keepalive.idle_conn_timeout.'),
    max_idle_conns: int().optional().describe('Old form of keepalive.max_idle_conns.'),
    max_idle_conns_per_host: int().optional().describe('Old form of keepalive.max_idle_conns_per_host.'),
    disable_keep_alives: bool().optional().describe('Old form of keepalive.enabled: false.'),
    max_conns_per_host: int({ min: 0 }).describe('Connections at the same time; 0 = as many as there are requests.'),
    read_buffer_size: int().describe(`${notUsed}buffers are pooled.`),
    write_buffer_size: int().default(524_288).describe(`${notUsed}buffers are pooled.`),
    force_attempt_http2: bool().default(true).describe(`${notUsed}HTTP/1.1 is spoken, which every OTLP/HTTP server takes.`),
    http2_read_idle_timeout: duration().describe(`${notUsed}HTTP/1.1 is spoken.`),
    http2_ping_timeout: duration().describe(`${notUsed}HTTP/1.1 is spoken.`),
    cookies: presence(object({ enabled: bool().default(true) }))
      .optional()
      .describe('Not available in Ringtail.'),
    middlewares: list(anything()).describe('Not available in Ringtail.'),
    retry_on_failure: retrySchema(true),
    sending_queue: presence(queueSchema).default(queueSchema.parse(undefined)),
  },
  { unknownKeys: 'warn' },
);
export type OtlpHttpConfig = Infer<typeof otlpHttpSchema>;

const oldKeepaliveKeys = ['idle_conn_timeout', 'max_idle_conns', 'max_idle_conns_per_host', 'disable_keep_alives'] as const;
const compressionTypes: readonly string[] = [...sentEncodings, 'none', ''];
/** Source: http.DefaultTransport. */
const idleMsDefault = 90_000;

export function checkOtlpHttp(config: OtlpHttpConfig, path: ConfigPath): readonly ConfigFault[] {
  const faults: ConfigFault[] = [];
  const fault = (key: string, message: string, severity: ConfigFault['severity'] = 'error'): void => {
    faults.push({ severity, path: key === '' ? path : [...path, ...key.split('.')], message });
  };
  checkEndpoints(config, fault);
  for (const { name, value } of config.headers)
    if (!isHeader(name, value.reveal()))
      fault(`headers.${name}`, 'is no header that HTTP allows: a name of letters, digits and -, a value without line ends');
  checkCompression(config, fault);
  const old = oldKeepaliveKeys.filter((key) => config[key] !== undefined && config[key] !== 0 && config[key] !== false);
  for (const key of old) {
    const today = key === 'disable_keep_alives' ? 'keepalive.enabled: false' : `keepalive.${key}`;
    if (config.keepalive === undefined) fault(key, `is the old form of ${today}; write that`, 'warning');
    else fault(key, `cannot stand beside the keepalive section; write ${today}`);
  }
  if (config.proxy_url !== '' && !/^https?:$/.test(urlOf(config.proxy_url)?.protocol ?? ''))
    fault('proxy_url', 'must be an http or https URL');
  if (config.cookies?.enabled) fault('cookies', 'cookies of the server are not kept; it sees every request without them', 'warning');
  if (config.middlewares.length > 0) fault('middlewares', 'middlewares are not available in Ringtail and are left out', 'warning');
  return [
    ...faults,
    ...checkTlsClient(config.tls, [...path, 'tls']),
    ...checkTimeout(config.timeout, path),
    ...checkRetry(config.retry_on_failure, [...path, 'retry_on_failure']),
    ...checkQueue(config.sending_queue, [...path, 'sending_queue']),
  ];
}

type Fault = (key: string, message: string, severity?: ConfigFault['severity']) => void;

/** The words are the Collector's. */
function checkEndpoints(config: OtlpHttpConfig, fault: Fault): void {
  if (config.endpoint === '' && config.traces_endpoint === '') {
    const elsewhere = config.metrics_endpoint + config.logs_endpoint + config.profiles_endpoint;
    fault('', elsewhere === '' ? 'at least one endpoint must be specified' : 'either endpoint or traces_endpoint must be specified');
    return;
  }
  const key = config.traces_endpoint === '' ? 'endpoint' : 'traces_endpoint';
  const url = urlOf(config[key]);
  if (url === undefined) fault(key, `${key} must be a valid URL; write for example http://collector:4318`);
  else if (!/^https?:$/.test(url.protocol))
    fault(key, `unsupported protocol scheme "${url.protocol.slice(0, -1)}"; write for example http://${config[key]}`);
}

function checkCompression(config: OtlpHttpConfig, fault: Fault): void {
  const { compression } = config;
  const { level } = config.compression_params;
  if (!compressionTypes.includes(compression)) fault('compression', `unsupported compression type "${compression}"`);
  if (compression === '' || compression === 'none' || compression === 'zstd' || level === 0) return;
  const takesLevel = compression === 'gzip' || compression === 'zlib' || compression === 'deflate';
  if (!takesLevel || level < -2 || level > 9)
    fault('compression_params.level', `unsupported parameters {Level:${level}} for compression type "${compression}"`);
}

function isHeader(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

function urlOf(text: string): URL | undefined {
  return URL.parse(text) ?? undefined;
}

/** Exactly one slash between the endpoint and the path of the signal. */
export function tracesUrlOf(config: OtlpHttpConfig): URL {
  if (config.traces_endpoint !== '') return new URL(config.traces_endpoint);
  return new URL(`${config.endpoint.replace(/\/$/, '')}/v1/traces`);
}

/** Undefined: bodies go out as they are. */
export function encodingOf(config: OtlpHttpConfig): SentEncoding | undefined {
  return sentEncodings.find((encoding) => encoding === config.compression);
}

/** Errors: TlsLoadError when a certificate cannot be read. */
export function httpClientOptionsOf(config: OtlpHttpConfig, url: URL): HttpClientOptions {
  const { keepalive } = config;
  return {
    // `insecure` means "no TLS", which an https URL overrules.
    tls: url.protocol === 'https:' ? clientTlsOptions({ ...config.tls, insecure: false }) : undefined,
    proxyUrl: config.proxy_url,
    connectionsMax: config.max_conns_per_host,
    keepAlive: keepalive?.enabled ?? config.disable_keep_alives !== true,
    idleMs: keepalive?.idle_conn_timeout ?? config.idle_conn_timeout ?? idleMsDefault,
  };
}
