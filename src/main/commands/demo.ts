/** `ringtail demo`: routers and samplers as real processes on this machine, and what becomes of traces with and without routers. Main thread. */

import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { seededPrng } from '../../shared/prng.ts';
import { sendDemoLoad } from '../demo/demo-load.ts';
import {
  type DemoEnvironment,
  type DemoResult,
  demoResult,
  demoSentence,
  demoTable,
  keptAllItMust,
  type SentTrace,
} from '../demo/demo-result.ts';
import { demoKinds } from '../demo/demo-traces.ts';
import { Fleet } from '../demo/fleet.ts';
import { DemoProcessError } from '../demo/managed-process.ts';
import { addressOf, findPlaces, type Places } from '../demo/places.ts';
import { createPinoLogger, defaultLoggerSettings } from '../telemetry/pino-logger.ts';
import { ExitCode, type ProcessHost } from './process-host.ts';

export interface DemoOptions {
  readonly backends: number;
  readonly routers: number;
  /** Of each kind, in each environment. */
  readonly traces: number;
  /** Per trace. */
  readonly spans: number;
  readonly decisionWaitMs: number;
  readonly seed: number;
  /** File for the figures. */
  readonly json: string | undefined;
  /** Leave everything running until Ctrl-C. */
  readonly keep: boolean;
  readonly freePorts: boolean;
}

/** Returns the exit code: done only if the routers' environment kept every error and slow trace whole. Everything started is ended then. */
export async function runDemo(options: DemoOptions, host: ProcessHost): Promise<ExitCode> {
  const demo = new Demo(options, host);
  const signals: [NodeJS.Signals, ExitCode][] = [
    ['SIGINT', ExitCode.interrupted],
    ['SIGTERM', ExitCode.terminated],
    ['SIGHUP', ExitCode.terminated],
  ];
  const handlers = signals.map(([signal, code]) => [signal, () => demo.interrupt(code)] as const);
  for (const [signal, handler] of handlers) process.on(signal, handler);
  try {
    return await demo.run();
  } finally {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  }
}

const pollMs = 250;
/** Nothing came at the sink for this long: everything that is kept has come. */
const quietMs = 1_500;
/** What a busy machine may take longer than the decision wait. */
const patienceMs = 30_000;

class Demo {
  readonly #options: DemoOptions;
  readonly #host: ProcessHost;
  readonly #interrupted = Promise.withResolvers<ExitCode>();
  readonly #sent = new Map<string, SentTrace>();
  readonly #startMs: number;
  #keptResult: ExitCode | undefined;

  constructor(options: DemoOptions, host: ProcessHost) {
    this.#options = options;
    this.#host = host;
    this.#startMs = host.clock.monotonicMs();
  }

  /** While the demo is kept running, a signal is its normal end. */
  interrupt(code: ExitCode): void {
    this.#interrupted.resolve(this.#keptResult ?? code);
  }

  async run(): Promise<ExitCode> {
    const { backends, routers, freePorts, decisionWaitMs } = this.#options;
    const { clock, environment } = this.#host;
    const places = await findPlaces({ samplers: backends, routers, freePorts });
    if (places.notes.length > 0) this.#progress(`free ports are used where others are taken: ${places.notes.slice(0, 3).join('; ')}`);
    const fleet = new Fleet({ clock, environment, places, decisionWaitMs, progress: (text) => this.#progress(text) });
    try {
      return await Promise.race([this.#show(fleet, places), this.#interrupted.promise]);
    } catch (error) {
      if (!(error instanceof DemoProcessError)) throw error;
      this.#host.stderr(`${error.message}\n`);
      return ExitCode.failed;
    } finally {
      await fleet.stop();
      this.#progress('everything is ended');
    }
  }

  async #show(fleet: Fleet, places: Places): Promise<ExitCode> {
    await fleet.start();
    await this.#send(
      'dev',
      places.routers.map((router) => addressOf(router.grpc)),
    );
    await this.#send(
      'tst',
      places.samplers.map((sampler) => addressOf(sampler.grpc)),
    );
    const result = await this.#await(fleet);
    const { traces, json, keep } = this.#options;
    this.#host.stdout(`\n${demoTable(result)}\n${demoSentence(result, traces)}\n\n`);
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, undefined, 2)}\n`);
    const notes = fleet.deathNotes();
    for (const note of notes) this.#host.stderr(`${note}\n`);
    const code = keptAllItMust(result) && notes.length === 0 ? ExitCode.done : ExitCode.failed;
    if (!keep) return code;
    this.#keptResult = code;
    await fleet.sink.forget();
    this.#tellKept(places, fleet);
    return this.#interrupted.promise;
  }

  async #send(environment: DemoEnvironment, endpoints: readonly string[]): Promise<void> {
    const { traces, spans, seed } = this.#options;
    const { clock, version } = this.#host;
    const report = await sendDemoLoad({
      clock,
      version,
      prng: seededPrng(environment === 'dev' ? seed : seed + 1),
      logger: createPinoLogger({ ...defaultLoggerSettings, level: 'error' }),
      environment,
      endpoints,
      tracesPerKind: traces,
      spansPerTrace: spans,
      sent: this.#sent,
    });
    const way = environment === 'dev' ? 'through the routers' : 'straight to the samplers, each request to another one';
    this.#progress(
      `${environment}: three clients sent ${report.traces} traces, ${report.spans.accepted} spans in ${report.requests.sent} requests, ${way}`,
    );
    if (report.spans.failed === 0) return;
    throw new DemoProcessError(`${report.spans.failed} spans were not taken: ${Object.keys(report.faults).join('; ')}`);
  }

  /** The result once every trace is decided and every kept span has come. */
  async #await(fleet: Fleet): Promise<DemoResult> {
    const { clock } = this.#host;
    const { decisionWaitMs } = this.#options;
    this.#progress(`waiting for the decisions, ${decisionWaitMs / 1000} s after each trace's first span`);
    const decidedMs = clock.monotonicMs() + decisionWaitMs;
    let count = 0;
    let lastChangeMs = clock.monotonicMs();
    for (;;) {
      await new Promise<void>((resolve) => clock.after(pollMs, resolve));
      const now = await fleet.sink.spansReceived();
      const nowMs = clock.monotonicMs();
      if (now !== count) lastChangeMs = nowMs;
      count = now;
      if (nowMs < decidedMs + quietMs || nowMs < lastChangeMs + quietMs) continue;
      const result = demoResult(this.#sent, await fleet.sink.spansByTrace());
      if (keptAllItMust(result) || nowMs > decidedMs + patienceMs || fleet.deathNotes().length > 0) return result;
    }
  }

  #tellKept(places: Places, fleet: Fleet): void {
    const lines = [
      'Everything keeps running. Send OTLP to a router:',
      ...places.routers.map(({ grpc, http }) => `  gRPC ${addressOf(grpc)}   HTTP http://${addressOf(http)}/v1/traces`),
      `for instance: ${ownCommand()} loadgen --otlp-insecure --otlp-endpoint ${addressOf(places.routers[0]!.grpc)} --traces 100 --rate 0 --mix error=10,slow=10`,
      `Kept traces go to the sink on ${fleet.sink.address}. Metrics: http://${addressOf(places.routers[0]!.metrics)}/metrics (router 1), ` +
        `http://${addressOf(places.samplers[0]!.metrics)}/metrics (sampler 1).`,
      `Stop it all with Ctrl-C or: kill ${process.pid}`,
    ];
    this.#host.stdout(`${lines.join('\n')}\n`);
  }

  #progress(text: string): void {
    const seconds = (this.#host.clock.monotonicMs() - this.#startMs) / 1000;
    this.#host.stdout(`[${seconds.toFixed(1).padStart(5)} s] ${text}\n`);
  }
}

/** How this program was called, as a command that works from the same folder. */
function ownCommand(): string {
  return [process.execPath, process.argv[1] ?? ''].map((path) => relative(process.cwd(), path) || path).join(' ');
}

/** The demo's own bounds, in the words of its options. Errors: a sentence. */
export function checkDemoOptions(options: DemoOptions): string | undefined {
  const counts = [options.backends, options.routers, options.traces];
  if (counts.some((count) => !Number.isInteger(count) || count < 1))
    return '--backends, --routers and --traces take whole numbers from 1 on';
  if (options.backends > 250 || options.routers > 250) return 'at most 250 --backends and --routers fit on one machine';
  if (!Number.isInteger(options.spans) || options.spans < demoKinds.length)
    return '--spans takes a whole number from 3 on: one for each client';
  return undefined;
}
