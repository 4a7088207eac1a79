#!/usr/bin/env -S node --initial-heap-size=64
/** Arguments to command: the entry of the process and the only place that ends it. Main thread. */

import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../shared/clock.ts';
import { systemPrng } from '../shared/prng.ts';
import { ExitCode, type ProcessHost } from './commands/process-host.ts';
import type { WorkerPlace } from './commands/run.ts';
import type { LoadgenOptions } from './loadgen/loadgen-flags.ts';
import { keepYoungGenerationSmall } from './young-generation.ts';

const version = (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version;

const host: ProcessHost = {
  environment: process.env,
  clock: systemClock,
  prng: systemPrng,
  version,
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  exitNow: (code) => process.exit(code),
};

interface SharedOptions {
  readonly config: readonly string[];
  readonly set: readonly string[];
  readonly featureGates: readonly string[];
  readonly compatibility?: 'otelcol';
  readonly tracesOnly?: boolean;
  readonly shutdownTimeout: number;
  readonly workers?: number;
  readonly worker?: WorkerPlace;
  readonly arenaMib?: number;
}

function repeated(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function milliseconds(text: string): number {
  const found = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text);
  if (found === null) throw new InvalidArgumentError('Write a duration such as 30s or 500ms.');
  return Number(found[1]) * { ms: 1, s: 1000, m: 60_000 }[found[2] as 'ms' | 's' | 'm'];
}

function mebibytes(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('Write a positive number of MiB.');
  return value;
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,2}$/.test(text)) throw new InvalidArgumentError('Write a whole number from 1 to 999.');
  return Number(text);
}

/** Shape: `index/count`, as `supervise` writes it. */
function workerPlace(text: string): WorkerPlace {
  const [index, count] = text.split('/').map(Number);
  return { index: index!, count: count! };
}

/** Options that `ringtail`, `ringtail run` and the commands about configurations share. */
function withConfigOptions(command: Command): Command {
  return command
    .option(
      '--config <source>',
      'FILE, FILE#name (one of several in it), env:NAME, yaml:TEXT or a URL; may repeat, later ones win',
      repeated,
      [],
    )
    .option('--set <path=value>', 'set one value, over all configurations; may repeat', repeated, [])
    .option('--feature-gates <gates>', 'comma-separated gates: +id or id on, -id off', repeated, [])
    .option('--traces-only', 'leave pipelines of other signals out')
    .addOption(new Option('--compatibility <with>', 'bring back quirks that are fixed by default').choices(['otelcol']));
}

function withRunOptions(command: Command): Command {
  return withConfigOptions(command)
    .option('--shutdown-timeout <duration>', 'how long draining may take', milliseconds, 30_000)
    .option('--workers <count>', 'routers only: so many processes, one per core, that share their ports', wholeNumber)
    .addOption(new Option('--worker <place>').argParser(workerPlace).hideHelp())
    .addOption(new Option('--arena-mib <mib>', 'memory for spans').argParser(mebibytes).env('RINGTAIL_ARENA_MIB'));
}

async function gatesOf(options: SharedOptions): Promise<ReadonlySet<string>> {
  const { readFeatureGates } = await import('./pipeline/feature-gates.ts');
  const outcome = readFeatureGates(options.featureGates);
  if (outcome.kind === 'gates') return outcome.enabled;
  throw new CommanderError(ExitCode.refused, 'ringtail.gates', `error: ${outcome.message}`);
}

/** Each worker is this program with the same arguments and its place. */
async function supervise(workers: number): Promise<number> {
  const { superviseWorkers } = await import('./commands/supervise.ts');
  const given = process.argv.slice(2);
  const argumentsOf = (index: number) => [...given, '--worker', `${index}/${workers}`];
  return superviseWorkers({ workers, file: process.argv[1]!, argumentsOf }, host);
}

async function run(options: SharedOptions): Promise<number> {
  if (options.config.length === 0) throw new CommanderError(ExitCode.refused, 'ringtail.config', 'error: at least one --config is needed');
  const featureGates = await gatesOf(options);
  if ((options.workers ?? 1) > 1 && options.worker === undefined) return supervise(options.workers!);
  const { runService } = await import('./commands/run.ts');
  return runService(
    {
      sources: options.config,
      sets: options.set,
      featureGates,
      otelcolCompatibility: options.compatibility === 'otelcol',
      tracesOnly: options.tracesOnly ?? false,
      shutdownTimeoutMs: options.shutdownTimeout,
      arenaMib: options.arenaMib,
      worker: options.worker,
    },
    host,
  );
}

interface CheckArguments extends SharedOptions {
  readonly fix?: boolean;
  readonly print?: boolean;
  readonly printSchema?: boolean;
  readonly rate?: number;
  readonly spansPerTrace?: number;
}

async function check(files: readonly string[], options: CheckArguments): Promise<number> {
  const featureGates = await gatesOf(options);
  const { runCheck } = await import('./commands/check.ts');
  const { componentTypes } = await import('./pipeline/component-types.ts');
  const io = { componentTypes, environment: host.environment, out: host.stdout, err: host.stderr };
  const { fix, print, printSchema, rate, spansPerTrace, tracesOnly } = options;
  return runCheck(
    {
      files: [...options.config, ...files],
      sets: options.set,
      featureGates,
      otelcolCompatibility: options.compatibility === 'otelcol',
      ...(fix === undefined ? {} : { fix }),
      ...(print === undefined ? {} : { print }),
      ...(printSchema === undefined ? {} : { printSchema }),
      ...(rate === undefined ? {} : { rate }),
      ...(spansPerTrace === undefined ? {} : { spansPerTrace }),
      ...(tracesOnly === undefined ? {} : { tracesOnly }),
    },
    io,
  );
}

/** The commands that tell what is built in. */
async function listComponents(): Promise<number> {
  const { componentsText } = await import('./commands/list.ts');
  host.stdout(componentsText(version));
  return ExitCode.done;
}

async function listFeatureGates(): Promise<number> {
  const { featureGatesText } = await import('./commands/list.ts');
  host.stdout(featureGatesText());
  return ExitCode.done;
}

/** The flags stand in a table of their own; what cannot be read is refused in commander's words. */
async function withLoadgenFlags(command: Command): Promise<Command> {
  const { loadgenFlags } = await import('./loadgen/loadgen-flags.ts');
  for (const { flags, description, parse, initial } of loadgenFlags) {
    const parser = (text: string, previous: unknown) => {
      try {
        return parse(text, previous);
      } catch (error) {
        throw new InvalidArgumentError((error as Error).message);
      }
    };
    command.addOption(new Option(flags, description).default(initial).argParser(parser).preset('true'));
  }
  return command;
}

async function loadgen(options: LoadgenOptions): Promise<number> {
  const { checkLoadgenOptions } = await import('./loadgen/loadgen-flags.ts');
  const fault = checkLoadgenOptions(options);
  if (fault !== undefined) throw new CommanderError(ExitCode.refused, 'ringtail.loadgen', `error: ${fault}`);
  const { runLoadgen } = await import('./commands/loadgen.ts');
  return runLoadgen(options, host);
}

interface DemoArguments {
  readonly backends: number;
  readonly routers: number;
  readonly traces: number;
  readonly spans: number;
  readonly decisionWait: number;
  readonly seed: number;
  readonly json?: string;
  readonly keep?: boolean;
  readonly freePorts?: boolean;
}

async function demo(given: DemoArguments): Promise<number> {
  const { checkDemoOptions, runDemo } = await import('./commands/demo.ts');
  const { decisionWait, json, keep = false, freePorts = false, ...counts } = given;
  const options = { ...counts, decisionWaitMs: decisionWait, json, keep, freePorts };
  const fault = checkDemoOptions(options);
  if (fault !== undefined) throw new CommanderError(ExitCode.refused, 'ringtail.demo', `error: ${fault}`);
  return runDemo(options, host);
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('Write a positive number.');
  return value;
}

/** The exit code of the command that the arguments name. Errors: CommanderError for arguments that make no sense. */
async function dispatch(argv: readonly string[]): Promise<number> {
  let exitCode: number = ExitCode.done;
  const finishWith = <Args extends unknown[]>(action: (...args: Args) => Promise<number>) => {
    return async (...args: Args) => {
      exitCode = await action(...args);
    };
  };
  const program = withRunOptions(new Command('ringtail'))
    .description('Two-tier tail sampling for OpenTelemetry, configured by the Collector’s own YAML.')
    .version(`ringtail version ${version}`, '-v, --version')
    .enablePositionalOptions()
    .exitOverride()
    .action(finishWith(run));
  const command = (name: string, description: string) => program.command(name).description(description).exitOverride();
  withRunOptions(command('run', 'run a configuration (also without the word)')).action(finishWith(run));
  withConfigOptions(command('check', 'say what is wrong or surprising in configurations'))
    .argument('[files...]', 'FILE, env:NAME or yaml:TEXT')
    .option('--fix', 'print them in canonical form')
    .option('--print', 'print the effective configuration, defaults filled in')
    .option('--print-schema', 'print a JSON Schema')
    .option('--rate <traces>', 'traces per second to expect', positive)
    .option('--spans-per-trace <spans>', 'spans of a trace to expect, beside --rate', positive)
    .action(finishWith(check));
  withConfigOptions(command('validate', 'check a configuration without running it')).action(
    finishWith((options: SharedOptions) => check([], options)),
  );
  withConfigOptions(command('print-config', 'print the effective configuration')).action(
    finishWith((options: SharedOptions) => check([], { ...options, print: true })),
  );
  command('demo', 'run routers and samplers on this machine and show what becomes of traces')
    .option('--backends <count>', 'samplers', positive, 9)
    .option('--routers <count>', 'routers', positive, 3)
    .option('--traces <count>', 'traces of each kind in each environment', positive, 100)
    .option('--spans <count>', 'spans of each trace', positive, 15)
    .option('--decision-wait <duration>', 'decision wait of the samplers', milliseconds, 5_000)
    .option('--seed <number>', 'another seed gives other trace ids', positive, 17)
    .option('--json <file>', 'write the figures there')
    .option('--keep', 'leave everything running until Ctrl-C')
    .option('--free-ports', 'free ports on 127.0.0.1 instead of 4317 on addresses of their own')
    .action(finishWith(demo));
  await withLoadgenFlags(command('loadgen', 'send OTLP traces, with the flags of telemetrygen').action(finishWith(loadgen)));
  command('components', 'list the components that are built in').action(finishWith(listComponents));
  command('featuregate', 'list the feature gates').action(finishWith(listFeatureGates));
  await program.parseAsync([...argv], { from: 'user' });
  return exitCode;
}

/** Returns the exit code. */
async function main(): Promise<number> {
  try {
    return await dispatch(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code.startsWith('ringtail.')) host.stderr(`${error.message}\n`);
    return error.exitCode === ExitCode.done ? ExitCode.done : ExitCode.refused;
  }
}

keepYoungGenerationSmall();
// Stands until `main` is done: a process whose event loop runs empty before that has not succeeded.
process.exitCode = ExitCode.broken;
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    host.stderr(`ringtail: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(ExitCode.broken);
  },
);
