/** A real process under attack: its memory, and what an honest client still gets. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { requestBytes, spanIdOf, traceIdOf } from './otlp.ts';

const cli = fileURLToPath(new URL('../../src/main/cli.ts', import.meta.url));
const attackFile = fileURLToPath(new URL('./attacks.ts', import.meta.url));
const startMsMax = 30_000;

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export class Target {
  readonly #process: ChildProcess;
  #log = '';

  /** `config` is the configuration as a value; it goes in as YAML on the command line. */
  constructor(config: object) {
    this.#process = spawn(process.execPath, ['--initial-heap-size=64', cli, '--config', `yaml:${JSON.stringify(config)}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process.stderr!.on('data', (chunk: Buffer) => {
      // Attacks make it talk; only its beginning and end are of interest.
      this.#log = (this.#log + chunk).slice(0, 20_000) + (this.#log.length > 20_000 ? chunk : '');
    });
  }

  async port(protocol: 'grpc' | 'http'): Promise<number> {
    const pattern = new RegExp(`"protocol":"${protocol}".*?"port":(\\d+)`);
    for (const endMs = performance.now() + startMsMax; performance.now() < endMs && this.isAlive; await pause(20)) {
      const found = pattern.exec(this.#log);
      if (found !== null) return Number(found[1]);
    }
    throw new Error(`does not listen:\n${this.#log}`);
  }

  get isAlive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  get log(): string {
    return this.#log;
  }

  /** Resident memory; the arena is mapped whole, and its pages count when they are touched. Linux says it, other systems say 0. */
  get rssMib(): number {
    const file = `/proc/${this.#process.pid}/status`;
    const status = existsSync(file) ? readFileSync(file, 'utf8') : '';
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  }

  /** Ends it as an orchestrator does; its exit code. */
  async stop(): Promise<number | null> {
    if (this.isAlive) {
      this.#process.kill('SIGTERM');
      const giveUp = setTimeout(() => this.#process.kill('SIGKILL'), 15_000);
      await once(this.#process, 'exit');
      clearTimeout(giveUp);
    }
    return this.#process.exitCode;
  }
}

export interface Attacker {
  /** Settles when the attack has begun. */
  readonly ready: Promise<void>;
  stop(): Promise<void>;
}

export function attack(name: string, port: number): Attacker {
  const child = spawn(process.execPath, [attackFile, name, String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ready = Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  return {
    ready: ready.then(() => undefined),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    },
  };
}

const spansPerRequest = 50;
const requestsPerSecond = 50;
/** Spans per second: what the client gets without an attack, as long as the machine is there at all. */
const offeredRate = spansPerRequest * requestsPerSecond;
const exportPath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

const spans = Array.from({ length: spansPerRequest }, (_, index) => ({
  traceId: traceIdOf(index),
  spanId: spanIdOf(index),
  name: 'honest',
}));
const body = requestBytes({ 'service.name': 'honest' }, { spans });
const framed = Buffer.concat([Buffer.from([0, 0, 0, body.length >> 8, body.length & 255]), body]);

/** Sends at a fixed rate over one connection, as an SDK would. */
export class HonestClient {
  readonly #session: http2.ClientHttp2Session;

  constructor(port: number, options: http2.SecureClientSessionOptions = {}, scheme: 'http' | 'https' = 'http') {
    this.#session = http2.connect(`${scheme}://127.0.0.1:${port}`, options);
    this.#session.on('error', () => {});
  }

  /** Spans per second that were accepted, counted until the last answer. */
  async rate(ms: number): Promise<number> {
    const startMs = performance.now();
    const count = Math.round((ms / 1000) * requestsPerSecond);
    const calls: Promise<boolean>[] = [];
    for (let index = 0; index < count; index++) {
      await pause(Math.max(0, startMs + (index * 1000) / requestsPerSecond - performance.now()));
      calls.push(this.#call());
    }
    const accepted = (await Promise.all(calls)).filter((isAccepted) => isAccepted).length;
    return (accepted * spansPerRequest * 1000) / Math.max(ms, performance.now() - startMs);
  }

  close(): void {
    this.#session.destroy();
  }

  #call(): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.#session.destroyed || this.#session.closed) return resolve(false);
      const stream = this.#session.request({ ':method': 'POST', ':path': exportPath, 'content-type': 'application/grpc', te: 'trailers' });
      let status: unknown;
      stream.on('response', (headers) => {
        status ??= headers['grpc-status'];
      });
      stream.on('trailers', (trailers) => {
        status = trailers['grpc-status'];
      });
      stream.on('error', () => {});
      stream.on('close', () => resolve(Number(status) === 0));
      stream.setTimeout(10_000, () => stream.close(http2.constants.NGHTTP2_CANCEL));
      stream.resume();
      stream.end(framed);
    });
  }
}

export interface Siege {
  /** Of what the honest client sends. */
  readonly share: number;
  readonly rssMibMax: number;
}

const attemptsMax = 3;

/** Attacks, and measures what the honest client still gets; a busy machine gets a second chance, and a third. */
export async function besiege(
  target: Target,
  client: HonestClient,
  shareMin: number,
  begin: () => readonly Attacker[],
  ms = 800,
): Promise<Siege> {
  let rssMibMax = 0;
  const watch = setInterval(() => {
    if (target.isAlive) rssMibMax = Math.max(rssMibMax, target.rssMib);
  }, 50);
  let share = 0;
  const attackers = begin();
  try {
    await Promise.all(attackers.map(({ ready }) => ready));
    for (let attempt = 0; attempt < attemptsMax && share < shareMin; attempt++) share = (await client.rate(ms)) / offeredRate;
  } finally {
    clearInterval(watch);
    await Promise.all(attackers.map((attacker) => attacker.stop()));
  }
  return { share, rssMibMax };
}

const rssMibAllowed = 700;
const shareNeeded = 0.8;

/** What comes at the same time, and by which protocol. */
export type SiegePlan = readonly [title: string, protocol: 'grpc' | 'http', ...names: string[]];

/** One assertion for each siege of one process, with its figures. */
export async function standSieges(t: Test, plans: readonly SiegePlan[]): Promise<void> {
  const target = new Target(configOf());
  const ports = { grpc: await target.port('grpc'), http: await target.port('http') };
  for (const [title, protocol, ...names] of plans) {
    const client = new HonestClient(ports.grpc);
    const siege = await besiege(target, client, shareNeeded, () => names.map((name) => attack(name, ports[protocol])));
    client.close();
    t.ok(stood(siege, target), `${title}: ${figuresOf(siege)}`);
  }
  t.equal(await target.stop(), 0, 'ends as it should');
}

export function stood(siege: Siege, target: Target): boolean {
  return siege.share >= shareNeeded && siege.rssMibMax < rssMibAllowed && target.isAlive;
}

export function figuresOf(siege: Siege): string {
  return `${(siege.share * 100).toFixed(0)} % of the rate, at most ${siege.rssMibMax.toFixed(0)} MiB`;
}

/** A receiver, and what takes the spans; metrics off, so that nothing else listens. */
export function configOf(exporters: object = { nop: null }, protocols: object = {}): object {
  const endpoint = '127.0.0.1:0';
  const own = protocols as { grpc?: object; http?: object };
  return {
    receivers: { otlp: { protocols: { grpc: { endpoint, ...own.grpc }, http: { endpoint, ...own.http } } } },
    exporters,
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: { traces: { receivers: ['otlp'], exporters: Object.keys(exporters) } },
    },
  };
}
