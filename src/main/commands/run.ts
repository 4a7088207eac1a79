/** `ringtail run`: one configuration from start to the loss report, with reload on SIGHUP. Main thread. */

import type { Arena } from '../arena/arena.ts';
import { createArena } from '../arena/shared-arena.ts';
import { formatFault, formatPath } from '../config/config-error.ts';
import type { LocatedFault } from '../config/config-fault.ts';
import { type ReadConfiguration, readConfiguration } from '../config/read-configuration.ts';
import { withoutPasswords } from '../config/secret.ts';
import { arenaCapacityBytes, usedTypes } from '../pipeline/arena-capacity.ts';
import { componentTypes } from '../pipeline/component-types.ts';
import type { GraphPlan } from '../pipeline/graph.ts';
import { Service, type ServicePlan } from '../pipeline/service.ts';
import { type MemoryLimiterConfig, memoryLimits } from '../processors/memory-limiter/memory-limiter-config.ts';
import { containerMemoryBytes } from '../telemetry/container-memory.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createPinoLogger } from '../telemetry/pino-logger.ts';
import { telemetrySettings } from '../telemetry/telemetry-config.ts';
import { sharePorts } from '../transport/listen-address.ts';
import { ExitCode, type ProcessHost } from './process-host.ts';

export interface RunOptions {
  readonly sources: readonly string[];
  readonly sets: readonly string[];
  readonly featureGates: ReadonlySet<string>;
  readonly otelcolCompatibility: boolean;
  readonly tracesOnly: boolean;
  readonly shutdownTimeoutMs: number;
  readonly arenaMib: number | undefined;
  /** Set in a worker of `--workers`. */
  readonly worker: WorkerPlace | undefined;
}

/** One of several processes with the same configuration and ports. */
export interface WorkerPlace {
  readonly index: number;
  readonly count: number;
}

/** Runs until a signal ends it. Returns the exit code; what it opened is closed then. */
export async function runService(options: RunOptions, host: ProcessHost): Promise<ExitCode> {
  const { configuration, faults } = await read(options, host);
  if (configuration === undefined) {
    for (const fault of faults) host.stderr(`${formatFault(fault)}\n`);
    return ExitCode.refused;
  }
  if (options.worker !== undefined) {
    if (usedTypes(configuration.graph).has('tail_sampling')) {
      host.stderr(
        'error: --workers is for routers: a tail_sampling processor holds all of its traces in one process; use its num_shards\n',
      );
      return ExitCode.refused;
    }
    sharePorts();
  }
  const run = new Run(options, host, configuration);
  run.warn(configuration.warnings);
  return run.untilEnd();
}

function read(options: RunOptions, host: ProcessHost): Promise<ReadConfiguration> {
  const { sets, featureGates, otelcolCompatibility, tracesOnly } = options;
  const { environment } = host;
  return readConfiguration(options.sources, componentTypes, { sets, featureGates, otelcolCompatibility, tracesOnly, environment });
}

class Run {
  readonly #options: RunOptions;
  readonly #host: ProcessHost;
  readonly #arena: Arena;
  readonly #ended = Promise.withResolvers<ExitCode>();
  #logger: Logger;
  #plan: ServicePlan;
  #service: Service | undefined;
  /** Reloads and the end run one after the other. */
  #turn: Promise<void> = Promise.resolve();
  #ending = false;
  #reloadWaits = false;

  constructor(options: RunOptions, host: ProcessHost, plan: ServicePlan) {
    this.#options = options;
    this.#host = host;
    this.#plan = plan;
    this.#logger = createPinoLogger(telemetrySettings(plan.telemetry).logger);
    this.#arena = createArena({ capacityBytes: capacityOf(plan.graph, options) });
  }

  warn(warnings: readonly LocatedFault[]): void {
    for (const { file, line, column, path, message } of warnings)
      this.#logger.warn({ file: withoutPasswords(file), line, column, path: formatPath(path) }, withoutPasswords(message));
  }

  async untilEnd(): Promise<ExitCode> {
    const { version } = this.#host;
    this.#logger.info({ version, pid: process.pid, arenaBytes: this.#arena.capacityBytes }, 'Starting ringtail...');
    const handlers: [NodeJS.Signals, () => void][] = [
      ['SIGTERM', () => this.#end('SIGTERM', ExitCode.terminated)],
      ['SIGINT', () => this.#end('SIGINT', ExitCode.interrupted)],
      ['SIGHUP', () => this.#reload()],
    ];
    for (const [signal, handler] of handlers) process.on(signal, handler);
    // The supervisor is gone: nobody would end this worker any more.
    if (this.#options.worker !== undefined) process.once('disconnect', () => this.#end('disconnect', ExitCode.terminated));
    const broken = (error: unknown) => this.#break(error);
    process.on('uncaughtException', broken);
    // Timers and metrics hold no process alive, and a configuration may have no listener: this does until the end.
    const keepAlive = new MessageChannel();
    keepAlive.port1.onmessage = () => {};
    try {
      await this.#serialized(() => this.#start());
      return await this.#ended.promise;
    } finally {
      keepAlive.port1.close();
      // The signal handlers stay: the process ends right after, and a late signal must not change its exit code.
      process.off('uncaughtException', broken);
    }
  }

  async #start(): Promise<void> {
    const { clock, prng, version, environment } = this.#host;
    const { otelcolCompatibility, featureGates, worker } = this.#options;
    const shared = { logger: this.#logger, clock, prng, arena: this.#arena, version, environment, otelcolCompatibility, featureGates };
    const settings = worker === undefined ? shared : { ...shared, workerIndex: worker.index };
    try {
      this.#service = await Service.start(this.#plan, settings);
      this.#logger.info({}, 'Everything is ready. Begin running and processing data.');
    } catch (error) {
      this.#logger.error({ error: (error as Error).message }, 'Cannot start.');
      this.#ended.resolve(ExitCode.failed);
    }
  }

  /** The first signal drains; the second does not wait. */
  #end(signal: string, codeAtOnce: ExitCode): void {
    if (this.#ending) {
      this.#logger.warn({ signal }, 'Second signal: ending at once.');
      this.#host.exitNow(codeAtOnce);
      return;
    }
    this.#ending = true;
    this.#logger.info({ signal }, 'Received signal from OS');
    this.#serialized(async () => {
      await this.#service?.shutdown(this.#options.shutdownTimeoutMs);
      this.#ended.resolve(ExitCode.done);
    });
  }

  /** A configuration that does not check clean is refused and the running one stays. A reload that has not begun stands for those asked for meanwhile. */
  #reload(): void {
    if (this.#ending || this.#reloadWaits) return;
    this.#reloadWaits = true;
    this.#serialized(async () => {
      this.#reloadWaits = false;
      if (this.#ending) return;
      this.#logger.info({}, 'Configuration is read again.');
      const { configuration, faults } = await read(this.#options, this.#host);
      if (configuration === undefined) {
        this.#logger.error({ faults: faults.map(formatFault) }, 'The new configuration is refused; the old one keeps running.');
        return;
      }
      await this.#service?.shutdown(this.#options.shutdownTimeoutMs);
      this.#service = undefined;
      this.#plan = configuration;
      this.#logger = createPinoLogger(telemetrySettings(configuration.telemetry).logger);
      this.warn(configuration.warnings);
      await this.#start();
    });
  }

  #serialized(step: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(step).catch((error: unknown) => this.#break(error));
    return this.#turn;
  }

  /** A broken invariant: say so and end; a process in an unknown state must not go on acknowledging. */
  #break(error: unknown): void {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    this.#logger.error({ error: message, stack }, 'Broken invariant; ending.');
    this.#host.exitNow(ExitCode.broken);
  }
}

function capacityOf(graph: GraphPlan, { arenaMib, worker }: RunOptions): number {
  const containerBytes = containerMemoryBytes() / (worker?.count ?? 1);
  const limiters = graph.pipelines
    .flatMap((pipeline) => pipeline.processors.map((key) => graph.processors.get(key)))
    .filter((planned) => planned?.type.type === 'memory_limiter');
  return arenaCapacityBytes({
    overrideMib: arenaMib,
    containerBytes,
    softLimitsBytes: limiters.map((planned) => memoryLimits(planned?.config as MemoryLimiterConfig, containerBytes).softBytes),
    holdsTraces: usedTypes(graph).has('tail_sampling'),
  });
}
