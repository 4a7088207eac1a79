/** One configuration running: logger, metrics, arena and graph together, from start to the loss report. Main thread. */

import type { Clock } from '../../shared/clock.ts';
import type { Prng } from '../../shared/prng.ts';
import type { Arena } from '../arena/arena.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type MetricsServer, observeProcess, serveMetrics } from '../telemetry/metrics-server.ts';
import { MetricRegistry } from '../telemetry/registry.ts';
import { type TelemetryConfig, telemetrySettings } from '../telemetry/telemetry-config.ts';
import { Graph, type GraphPlan, type GraphReport } from './graph.ts';

export interface ServicePlan {
  readonly graph: GraphPlan;
  readonly telemetry: TelemetryConfig;
}

export interface ServiceSettings {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly arena: Arena;
  readonly version: string;
  readonly otelcolCompatibility: boolean;
  readonly featureGates: ReadonlySet<string>;
  /** Of several processes that share their ports: each serves its own metrics, on the configured port + index. */
  readonly workerIndex?: number;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** A started configuration. `shutdown` is once-only; all callers get the same report. */
export class Service {
  readonly graph: Graph;
  readonly metricsServer: MetricsServer;
  readonly #settings: ServiceSettings;
  readonly #endObservation: () => void;
  #report: Promise<GraphReport> | undefined;

  private constructor(settings: ServiceSettings, graph: Graph, metricsServer: MetricsServer, endObservation: () => void) {
    this.#settings = settings;
    this.graph = graph;
    this.metricsServer = metricsServer;
    this.#endObservation = endObservation;
  }

  /** Errors: rejects with what could not start; nothing is left open then. */
  static async start(plan: ServicePlan, settings: ServiceSettings): Promise<Service> {
    const { logger, workerIndex = 0, ...shared } = settings;
    const registry = new MetricRegistry();
    const resource = { service_name: 'ringtail', service_version: settings.version };
    const telemetry = telemetrySettings(plan.telemetry);
    const readers = telemetry.readers.map((reader) => ({ ...reader, port: reader.port + workerIndex }));
    const metricsServer = await serveMetrics(registry, { ...telemetry, readers }, resource, logger);
    const endObservation = observeProcess(registry, settings.arena);
    try {
      const graph = new Graph(plan.graph, { ...shared, metrics: registry }, logger);
      await graph.start();
      return new Service(settings, graph, metricsServer, endObservation);
    } catch (error) {
      endObservation();
      await metricsServer.close();
      throw error;
    }
  }

  /** Not ready, intake ends, what was accepted goes out, everything closes. Units: `timeoutMs` from now. */
  shutdown(timeoutMs: number): Promise<GraphReport> {
    this.#report ??= this.#shutdown(timeoutMs);
    return this.#report;
  }

  async #shutdown(timeoutMs: number): Promise<GraphReport> {
    const { clock, logger } = this.#settings;
    logger.info({ timeoutMs }, 'Starting shutdown...');
    const report = await this.graph.drain(clock.monotonicMs() + timeoutMs);
    await this.graph.stop();
    this.#endObservation();
    await this.metricsServer.close();
    if (report.faults.length === 0) logger.info({ spansLost: 0 }, 'Shutdown complete.');
    else logger.warn({ spansLost: report.spansLost, faults: report.faults }, 'Shutdown complete; not everything could be handed on.');
    return report;
  }
}
