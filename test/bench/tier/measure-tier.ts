/** Runs one tier case against one program: real processes, real gRPC, the program on one core and the load on another. */

import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { FromLoad, LoadResult, ToLoad } from './load-process.ts';
import type { TierCase } from './tier-case.ts';

/** A program under test: its command without `--config FILE`. */
export type Program = readonly string[];

const cli = fileURLToPath(new URL('../../../src/main/cli.ts', import.meta.url));
const loadFile = fileURLToPath(new URL('./load-process.ts', import.meta.url));

export const ringtail = (...nodeFlags: readonly string[]): Program => [process.execPath, '--initial-heap-size=64', ...nodeFlags, cli];

export interface TierOptions {
  /** Scales warm-up and measured time; 1 is the usual. */
  readonly timeScale: number;
}

/** Why tiers cannot be measured here, or undefined. */
export function whyNoTiers(): string | undefined {
  return process.platform === 'linux' ? undefined : `tier cases read /proc, which ${process.platform} has not`;
}

const canPin = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0;

function pinned(core: number, command: readonly string[]): readonly string[] {
  return canPin ? ['taskset', '-c', String(core), ...command] : command;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (child.exitCode !== null) throw new Error(`the program ended with ${child.exitCode} before it listened`);
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await pause(50);
  }
  throw new Error('the program does not listen after 30 s');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(killer);
}

async function answerOf<K extends FromLoad['kind']>(load: ChildProcess, ask: ToLoad, kind: K): Promise<Extract<FromLoad, { kind: K }>> {
  load.send(ask);
  const [message] = (await Promise.race([
    once(load, 'message'),
    once(load, 'exit').then(([code]) => Promise.reject(new Error(`the load process ended with ${code}`))),
  ])) as [FromLoad];
  if (message.kind !== kind) throw new Error(`the load process said ${message.kind}, not ${kind}`);
  return message as Extract<FromLoad, { kind: K }>;
}

/** Errors: when the program does not start or ends on the way. */
export async function measureTier(tier: TierCase, program: Program, options: TierOptions): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), 'ringtail-bench-'));
  const [loadCommand, ...loadArguments] = pinned(1, [process.execPath]);
  const load = fork(loadFile, {
    execPath: loadCommand!,
    execArgv: [...loadArguments, '--max-semi-space-size=8'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let sut: ChildProcess | undefined;
  try {
    const { ports } = await answerOf(load, { kind: 'listen', sinks: tier.sinks }, 'listening');
    const port = await freePort();
    const file = join(folder, 'config.yaml');
    writeFileSync(file, tier.configuration(port, ports));
    const [command, ...args] = pinned(0, [...program, '--config', file]);
    sut = spawn(command!, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, GOMAXPROCS: '1' } });
    await untilListening(port, sut);
    const { shape, rate, inflight, spansMax } = tier;
    const [warmMs, measuredMs] = [tier.warmMs * options.timeScale, tier.measuredMs * options.timeScale];
    const order = { port, pid: sut.pid!, shape, rate, inflight, warmMs, measuredMs, spansMax };
    const { result } = await answerOf(load, { kind: 'run', order }, 'done');
    return result;
  } finally {
    if (sut !== undefined) await end(sut);
    load.kill('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The figure that the case is about. */
export function figureOf(tier: TierCase, result: LoadResult): number {
  if (tier.figure === 'micros per span') return result.microsPerSpan;
  return ((result.rssMib - result.rssIdleMib) * 2 ** 20) / result.acceptedSpans;
}
