/** Serves `/metrics` on the addresses that `service.telemetry.metrics` names, and the process's own figures with it. Main thread. */

import { createServer, type Server } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Arena } from '../arena/arena.ts';
import { listen, parseListenAddress } from '../transport/listen-address.ts';
import type { Logger } from './logger.ts';
import type { MetricAttributes } from './metrics.ts';
import { prometheusContentType, prometheusText } from './prometheus.ts';
import type { MetricRegistry } from './registry.ts';
import type { TelemetrySettings } from './telemetry-config.ts';

type DelayMonitor = ReturnType<typeof monitorEventLoopDelay>;

const nanosecondsPerSecond = 1e9;
/** Coarse on purpose: the monitor's own timer must not be what keeps an idle process awake. */
const delayResolutionMs = 20;

export interface MetricsServer {
  /** Addresses really bound, as `host:port`. */
  readonly addresses: readonly string[];
  close(): Promise<void>;
}

/** Errors: rejects when an address cannot be bound; what was bound before is closed. */
export async function serveMetrics(
  registry: MetricRegistry,
  telemetry: TelemetrySettings,
  resource: MetricAttributes,
  logger: Logger,
): Promise<MetricsServer> {
  const servers: Server[] = [];
  const addresses: string[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(servers.map(closeServer));
  };
  for (const reader of telemetry.readers) {
    const options = { typeSuffix: reader.typeSuffix, detailed: telemetry.detailed, resource: { ...resource, ...telemetry.resource } };
    const server = createServer((request, response) => {
      request.resume();
      if (request.url?.split('?', 1)[0] !== '/metrics') {
        response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end('404 page not found\n');
        return;
      }
      response.writeHead(200, { 'Content-Type': prometheusContentType }).end(prometheusText(registry.snapshot(), options));
    });
    servers.push(server);
    try {
      const host = reader.host.includes(':') ? `[${reader.host}]` : reader.host;
      const address = parseListenAddress(`${host}:${reader.port}`, 'tcp');
      if ('error' in address) throw new Error(address.error);
      const bound = await listen(server, address, 'tcp');
      server.unref();
      addresses.push(bound.host.includes(':') ? `[${bound.host}]:${bound.port}` : `${bound.host}:${bound.port}`);
    } catch (error) {
      await close();
      throw new Error(`cannot serve metrics on ${reader.host}:${reader.port}: ${(error as Error).message}`, { cause: error });
    }
  }
  if (addresses.length > 0) logger.info({ addresses }, 'Metrics are served.');
  return { addresses, close };
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  server.closeAllConnections();
  await closed.promise;
}

/** Registers the process's figures. Returns how to end them. */
export function observeProcess(registry: MetricRegistry, arena: Arena): () => void {
  const delay = monitorEventLoopDelay({ resolution: delayResolutionMs });
  delay.enable();
  const ends = [
    registry.observe('otelcol_process_uptime', {}, () => process.uptime()),
    registry.observe('otelcol_process_cpu_seconds', {}, cpuSeconds),
    registry.observe('otelcol_process_memory_rss', {}, () => process.memoryUsage.rss()),
    registry.observe('otelcol_process_runtime_heap_alloc_bytes', {}, () => process.memoryUsage().heapUsed),
    registry.observe('otelcol_process_runtime_total_sys_memory_bytes', {}, () => {
      const { heapTotal, external } = process.memoryUsage();
      return heapTotal + external;
    }),
    registry.observe('ringtail_arena_held_bytes', {}, () => arena.heldBytes()),
    registry.observe('ringtail_arena_capacity_bytes', {}, () => arena.capacityBytes),
    registry.observe('ringtail_event_loop_delay_seconds', { quantile: '0.5' }, () => delaySeconds(delay, 50)),
    registry.observe('ringtail_event_loop_delay_seconds', { quantile: '0.99' }, () => {
      const seconds = delaySeconds(delay, 99);
      delay.reset();
      return seconds;
    }),
  ];
  return () => {
    delay.disable();
    for (const end of ends) end();
  };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** The monitor measures from timer to timer; its own interval is no delay. */
function delaySeconds(delay: DelayMonitor, percentile: number): number {
  return Math.max(0, delay.percentile(percentile) / nanosecondsPerSecond - delayResolutionMs / 1000);
}
