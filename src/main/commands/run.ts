/** `ringtail run`: one configuration from start to the loss report, with reload on SIGHUP. Main thread. */

import type { Arena } from '../arena/arena.ts';
import { createArena } from '../arena/shared-arena.ts';
import type { LocatedFault } from '../config/config-fault.ts';
import { arenaCapacityBytes, usedTypes } from '../pipeline/arena-capacity.ts';
import type { GraphPlan } from '../pipeline/graph.ts';
import { Service, type ServicePlan } from '../pipeline/service.ts';
import { type MemoryLimiterConfig, memoryLimits } from '../processors/memory-limiter/memory-limiter-config.ts';
import { containerMemoryBytes } from '../telemetry/container-memory.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createPinoLogger } from '../telemetry/pino-logger.ts';
import { telemetrySettings } from '../telemetry/telemetry-config.ts';
import { faultText, loadPlan, type PlanOutcome } from './load-plan.ts';
import { ExitCode, type ProcessHost } from './process-host.ts';

export interface RunOptions {
  readonly sources: readonly string[];
  readonly sets: readonly string[];
  readonly featureGates: ReadonlySet<string>;
  readonly otelcolCompatibility: boolean;
  readonly shutdownTimeoutMs: number;
  readonly arenaMib: number | undefined;
}

/** Runs until a signal ends it. Returns the exit code; what it opened is closed then. */
export async function runService(options: RunOptions, host: ProcessHost): Promise<ExitCode> {
  const outcome = await load(options, host);
  if (outcome.kind === 'faulty') {
    printFaults(outcome.faults, host);
    return ExitCode.refused;
  }
  const run = new Run(options, host, outcome.plan);
  run.warn(outcome.warnings);
  return run.untilEnd();
}

function load(options: RunOptions, host: ProcessHost): Promise<PlanOutcome> {
  const { sets, featureGates } = options;
  return loadPlan(options.sources, { sets, featureGates, environment: host.environment });
}

function printFaults(faults: readonly LocatedFault[], host: ProcessHost): void {
  for (const fault of faults) host.stderr(`${faultText(fault)}\n`);
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

  constructor(options: RunOptions, host: ProcessHost, plan: ServicePlan) {
    this.#options = options;
    this.#host = host;
    this.#plan = plan;
    this.#logger = createPinoLogger(telemetrySettings(plan.telemetry).logger);
    this.#arena = createArena({ capacityBytes: capacityOf(plan.graph, options.arenaMib) });
  }

  warn(warnings: readonly LocatedFault[]): void {
    for (const { file, line, column, path, message } of warnings) this.#logger.warn({ file, line, column, path: path.join('::') }, message);
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
      for (const [signal, handler] of handlers) process.off(signal, handler);
      process.off('uncaughtException', broken);
    }
  }

  async #start(): Promise<void> {
    const { clock, prng, version } = this.#host;
    const { otelcolCompatibility, featureGates } = this.#options;
    const settings = { logger: this.#logger, clock, prng, arena: this.#arena, version, otelcolCompatibility, featureGates };
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

  /** A configuration that does not check clean is refused and the running one stays. */
  #reload(): void {
    if (this.#ending) return;
    this.#serialized(async () => {
      this.#logger.info({}, 'Configuration is read again.');
      const outcome = await load(this.#options, this.#host);
      if (outcome.kind === 'faulty') {
        this.#logger.error({ faults: outcome.faults.map(faultText) }, 'The new configuration is refused; the old one keeps running.');
        return;
      }
      await this.#service?.shutdown(this.#options.shutdownTimeoutMs);
      this.#service = undefined;
      this.#plan = outcome.plan;
      this.#logger = createPinoLogger(telemetrySettings(outcome.plan.telemetry).logger);
      this.warn(outcome.warnings);
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

function capacityOf(graph: GraphPlan, overrideMib: number | undefined): number {
  const containerBytes = containerMemoryBytes();
  const limiters = graph.pipelines
    .flatMap((pipeline) => pipeline.processors.map((key) => graph.processors.get(key)))
    .filter((planned) => planned?.type.type === 'memory_limiter');
  return arenaCapacityBytes({
    overrideMib,
    containerBytes,
    softLimitsBytes: limiters.map((planned) => memoryLimits(planned?.config as MemoryLimiterConfig, containerBytes).softBytes),
    holdsTraces: usedTypes(graph).has('tail_sampling'),
  });
}
