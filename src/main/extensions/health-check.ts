/** The `health_check` extension: an HTTP answer that says whether data is taken. Main thread. */

import { createServer, type Server, type ServerResponse } from 'node:http';
import type { ConfigFault } from '../config/config-fault.ts';
import { formatDuration } from '../config/duration.ts';
import { anything, bool, duration, headers, type Infer, int, object, presence, string, stringList } from '../config/fields.ts';
import type { ComponentSettings, DrainReport, ExtensionType } from '../pipeline/component.ts';
import { ComponentStartError } from '../pipeline/component-start-error.ts';
import { ComponentLife } from '../pipeline/component-state.ts';
import type { PipelineWatcher } from '../pipeline/graph.ts';
import { listen, parseListenAddress } from '../transport/listen-address.ts';

export const healthCheckSchema = object({
  endpoint: string().default('localhost:13133').describe('Where to answer.'),
  path: string().default('/').describe('A path that ends in / stands for everything below it.'),
  liveness_path: string()
    .default('')
    .describe(
      'Ringtail: answered 200 while the process runs, ready or not; for liveness probes, which must not end a router that knows no backend.',
    ),
  response_body: presence(
    object({
      healthy: string().describe('Body while data is taken, instead of the JSON.'),
      unhealthy: string().describe('Body while data is not taken.'),
    }),
  ).optional(),
  check_collector_pipeline: object({
    enabled: bool().default(false),
    interval: string().default('5m'),
    exporter_failure_threshold: int().default(5),
  }).describe('Read and without effect, as in the Collector.'),
  http: anything().optional(),
  grpc: anything().optional(),
  transport: string().default('tcp'),
  tls: anything().optional(),
  cors: anything().optional(),
  auth: anything().optional(),
  max_request_body_size: int().optional(),
  include_metadata: bool().optional(),
  response_headers: headers(),
  compression_algorithms: stringList(),
  read_timeout: duration(),
  read_header_timeout: duration(),
  write_timeout: duration(),
  idle_timeout: duration(),
  keep_alives_enabled: bool().optional(),
  keepalive: anything().optional(),
});
export type HealthCheckConfig = Infer<typeof healthCheckSchema>;

const componentStatusGate = 'extension.healthcheck.useComponentStatus';
const notBuilt = ['tls', 'cors', 'auth'] as const;

export const healthCheckExtensionType: ExtensionType<HealthCheckConfig> = {
  kind: 'extension',
  type: 'health_check',
  schema: healthCheckSchema,
  check: checkHealthCheck,
  create: (settings, config) => new HealthCheckExtension(settings, config),
};

function checkHealthCheck(config: HealthCheckConfig): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const fault = (path: string, message: string) => faults.push({ severity: 'error', path: [path], message });
  if (!config.path.startsWith('/')) fault('path', 'path must start with /');
  if (config.liveness_path !== '' && !/^\/./.test(config.liveness_path))
    fault('liveness_path', 'liveness_path must start with / and name something');
  if (config.liveness_path === config.path) fault('liveness_path', 'liveness_path must differ from path');
  const address = parseListenAddress(config.endpoint, 'tcp');
  if ('error' in address) fault('endpoint', address.error);
  for (const key of ['http', 'grpc'] as const) {
    if (config[key] === undefined) continue;
    fault(
      key,
      'v2 healthcheck configuration (http/grpc fields) detected but feature gate is disabled. Either remove the v2 config fields or ' +
        `enable the feature gate with: --feature-gates=+${componentStatusGate} (the gate itself is not built here: remove the fields)`,
    );
  }
  for (const key of notBuilt) {
    if (config[key] !== undefined) fault(key, `${key} is not built for health_check; remove it`);
  }
  return faults;
}

class HealthCheckExtension implements PipelineWatcher {
  readonly #settings: ComponentSettings;
  readonly #config: HealthCheckConfig;
  readonly #life: ComponentLife;
  #server: Server | undefined;
  #ready: (() => boolean) | undefined;
  #upSinceMs: number | undefined;

  constructor(settings: ComponentSettings, config: HealthCheckConfig) {
    this.#settings = settings;
    this.#config = config;
    this.#life = new ComponentLife({ start: () => this.#listen(), stop: () => this.#close() });
  }

  start(): Promise<void> {
    return this.#life.start();
  }

  drain(deadlineMs: number): Promise<DrainReport> {
    return this.#life.drain(deadlineMs);
  }

  stop(): Promise<void> {
    return this.#life.stop();
  }

  pipelinesReady(ready: () => boolean): void {
    this.#ready = ready;
    this.#upSinceMs = this.#settings.clock.wallMs();
  }

  pipelinesNotReady(): void {
    this.#ready = undefined;
    this.#upSinceMs = undefined;
  }

  async #listen(): Promise<void> {
    const address = parseListenAddress(this.#config.endpoint, 'tcp');
    if ('error' in address) throw new ComponentStartError('BAD_ENDPOINT', address.error);
    const server = createServer((request, response) => {
      const path = (request.url ?? '/').split('?', 1)[0] as string;
      this.#answer(path, response);
      request.resume();
    });
    this.#server = server;
    try {
      const { host, port } = await listen(server, address, 'tcp');
      this.#settings.logger.info({ host, port }, 'Health check listens.');
    } catch (error) {
      throw new ComponentStartError('LISTEN_FAILED', `cannot listen on endpoint "${this.#config.endpoint}": ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  #answer(path: string, response: ServerResponse): void {
    response.setHeader('Connection', 'close');
    for (const { name, value } of this.#config.response_headers) response.setHeader(name, value.reveal());
    if (path === this.#config.liveness_path) {
      response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' }).end('alive\n');
      return;
    }
    if (!this.#matches(path)) {
      response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end('404 page not found\n');
      return;
    }
    const { clock } = this.#settings;
    const ready = this.#ready?.() ?? false;
    if (ready) this.#upSinceMs ??= clock.wallMs();
    else this.#upSinceMs = undefined;
    const fixed = this.#config.response_body;
    if (fixed !== undefined) {
      response.writeHead(ready ? 200 : 503).end(ready ? fixed.healthy : fixed.unhealthy);
      return;
    }
    const upSinceMs = this.#upSinceMs;
    const body =
      upSinceMs === undefined
        ? { status: 'Server not available', upSince: '0001-01-01T00:00:00Z', uptime: '' }
        : {
            status: 'Server available',
            upSince: new Date(upSinceMs).toISOString(),
            uptime: formatDuration(Math.max(0, clock.wallMs() - upSinceMs)),
          };
    const text = JSON.stringify(body);
    response.writeHead(ready ? 200 : 503, { 'Content-Type': 'application/json', 'Content-Length': text.length }).end(text);
  }

  #matches(path: string): boolean {
    return this.#config.path.endsWith('/') ? path.startsWith(this.#config.path) : path === this.#config.path;
  }

  async #close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }
}
