/** The `pprof` extension: an admin port that hands out CPU profiles and memory figures of the running process, in V8's forms. Main thread. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import type { ConfigFault } from '../config/config-fault.ts';
import { duration, type Infer, int, object, string } from '../config/fields.ts';
import type { ComponentSettings, DrainReport, Extension, ExtensionType } from '../pipeline/component.ts';
import { ComponentStartError } from '../pipeline/component-start-error.ts';
import { ComponentLife } from '../pipeline/component-state.ts';
import { listen, parseListenAddress } from '../transport/listen-address.ts';
import { recordCpuProfile } from './cpu-profile.ts';

export const pprofSchema = object({
  endpoint: string().default('localhost:1777').describe('Where to answer. Profiles tell much about what runs: keep it on loopback.'),
  dialer: object({ timeout: duration() }).describe('Read and without meaning for a listener.'),
  block_profile_fraction: int().describe('Read and without effect: a Go profile.'),
  mutex_profile_fraction: int().describe('Read and without effect: a Go profile.'),
  save_to_file: string().describe('Read and without effect: ask for a profile with POST /debug/profile.'),
});
export type PprofConfig = Infer<typeof pprofSchema>;

const secondsDefault = 10;
const secondsMax = 300;
const sampleIntervalUs = 1_000;

const usage = `POST /debug/profile?seconds=N   CPU profile of the main thread over N seconds (default ${secondsDefault}, at most ${secondsMax}) as .cpuprofile
GET  /debug/pprof/heap          memory of the process, V8's heap and the arena, as JSON
`;

export const pprofExtensionType: ExtensionType<PprofConfig> = {
  kind: 'extension',
  type: 'pprof',
  schema: pprofSchema,
  check: checkPprof,
  create: (settings, config) => new PprofExtension(settings, config),
};

function checkPprof(config: PprofConfig): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const add = (severity: ConfigFault['severity'], key: string, message: string) => faults.push({ severity, path: [key], message });
  const address = parseListenAddress(config.endpoint, 'tcp');
  if ('error' in address) add('error', 'endpoint', address.error);
  else if (!isLoopback(address.host)) add('warning', 'endpoint', `"${config.endpoint}" lets other machines profile this process`);
  for (const key of ['block_profile_fraction', 'mutex_profile_fraction', 'save_to_file'] as const) {
    if (config[key] === 0 || config[key] === '') continue;
    add('warning', key, `${key} has no effect in Ringtail; POST /debug/profile?seconds=N gives a CPU profile`);
  }
  return faults;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

class PprofExtension implements Extension {
  readonly #settings: ComponentSettings;
  readonly #config: PprofConfig;
  readonly #life: ComponentLife;
  readonly #ending = new AbortController();
  #server: Server | undefined;
  #isProfiling = false;

  constructor(settings: ComponentSettings, config: PprofConfig) {
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

  async #listen(): Promise<void> {
    const address = parseListenAddress(this.#config.endpoint, 'tcp');
    if ('error' in address) throw new ComponentStartError('BAD_ENDPOINT', address.error);
    const server = createServer((request, response) => {
      request.resume();
      void this.#answer(request, response);
    });
    this.#server = server;
    try {
      const { host, port } = await listen(server, address, 'tcp');
      this.#settings.logger.info({ host, port }, 'Profiles are handed out.');
    } catch (error) {
      const message = `cannot listen on endpoint "${this.#config.endpoint}": ${(error as Error).message}`;
      throw new ComponentStartError('LISTEN_FAILED', message, { cause: error });
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://host');
    // A page in somebody's browser may reach a loopback port; a person or a tool sends no Origin.
    if (request.headers.origin !== undefined) return answerText(response, 403, 'not for browsers\n');
    if (pathname === '/debug/profile') {
      if (request.method !== 'POST') return answerText(response, 405, usage, { Allow: 'POST' });
      return this.#profile(searchParams.get('seconds'), response);
    }
    if (pathname === '/debug/pprof/heap') return answerJson(response, JSON.stringify(this.#memory(), undefined, 2));
    answerText(response, pathname === '/debug/pprof/' ? 200 : 404, usage);
  }

  async #profile(secondsText: string | null, response: ServerResponse): Promise<void> {
    const seconds = secondsText === null ? secondsDefault : Number(secondsText);
    if (!(seconds > 0 && seconds <= secondsMax) || secondsText === '') {
      answerText(response, 400, `seconds must be a number above 0 and at most ${secondsMax}\n`);
      return;
    }
    if (this.#isProfiling) {
      answerText(response, 409, 'another profile is being taken\n');
      return;
    }
    this.#isProfiling = true;
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    try {
      const signal = AbortSignal.any([gone.signal, this.#ending.signal]);
      const profile = await recordCpuProfile(this.#settings.clock, seconds * 1000, sampleIntervalUs, signal);
      answerJson(response, profile, { 'Content-Disposition': 'attachment; filename="ringtail.cpuprofile"' });
    } catch (error) {
      this.#settings.logger.warn({ err: error }, 'A CPU profile could not be taken.');
      answerText(response, 500, `${(error as Error).message}\n`);
    } finally {
      this.#isProfiling = false;
    }
  }

  #memory(): object {
    const { arena } = this.#settings;
    return {
      process: process.memoryUsage(),
      heap: getHeapStatistics(),
      heapSpaces: getHeapSpaceStatistics(),
      arena: { capacityBytes: arena.capacityBytes, heldBytes: arena.heldBytes() },
    };
  }

  async #close(): Promise<void> {
    this.#ending.abort();
    const server = this.#server;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }
}

function answerText(response: ServerResponse, status: number, text: string, headers: Readonly<Record<string, string>> = {}): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close', ...headers }).end(text);
}

function answerJson(response: ServerResponse, text: string, headers: Readonly<Record<string, string>> = {}): void {
  if (response.destroyed) return;
  response.writeHead(200, { 'Content-Type': 'application/json', Connection: 'close', ...headers }).end(text);
}
