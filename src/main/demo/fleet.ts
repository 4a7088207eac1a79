/** The demo's processes: a sink, samplers behind a name, routers that ask for it; started in that order, ended in the other. Main thread. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DnsQuery, DnsResponse } from '../../discovery/dns-message.ts';
import { dnsRcodes } from '../../discovery/dns-message.ts';
import type { Clock } from '../../shared/clock.ts';
import { type DnsServer, startDnsServer } from './dns-server.ts';
import { DemoProcessError, ManagedProcess } from './managed-process.ts';
import { addressOf, type Place, type Places, type RouterPlace, type SamplerPlace } from './places.ts';
import { Sink } from './sink.ts';

export interface FleetSettings {
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly places: Places;
  readonly decisionWaitMs: number;
  readonly progress: (text: string) => void;
}

const samplersName = 'samplers.ringtail.internal';
const samplersService = `_otlp._tcp.${samplersName}`;
const ttlSeconds = 5;
const arenaMib = 64;
const readyMsMax = 120_000;
const cli = fileURLToPath(new URL('../cli.ts', import.meta.url));
const configFile = (name: string) => fileURLToPath(new URL(`./${name}.yaml`, import.meta.url));

export class Fleet {
  readonly #settings: FleetSettings;
  readonly #processes: ManagedProcess[] = [];
  /** The processes' own, with a place for compiled modules that all of them share. */
  readonly #environment: Readonly<Record<string, string | undefined>>;
  readonly #compileCache: string;
  #dns: DnsServer | undefined;
  #sink: Sink | undefined;
  #stopped: Promise<void> | undefined;

  constructor(settings: FleetSettings) {
    this.#settings = settings;
    this.#compileCache = mkdtempSync(join(tmpdir(), 'ringtail-demo-'));
    this.#environment = { NODE_COMPILE_CACHE: this.#compileCache, ...settings.environment };
  }

  /** Errors: DemoProcessError with a sentence for people. What was started until then still has to be stopped. */
  async start(): Promise<void> {
    const { clock, places, progress } = this.#settings;
    const deadlineMs = clock.monotonicMs() + readyMsMax;
    this.#sink = await Sink.start(this.#environment);
    progress(`sink on ${this.#sink.address}; starting ${plural(places.samplers.length, 'sampler')} of ${arenaMib} MiB`);
    const samplers = places.samplers.map((place, index) => this.#startSampler(place, index));
    await Promise.all(samplers.map((sampler) => sampler.untilReady(deadlineMs)));
    progress(`${plural(samplers.length, 'sampler')} on ${rangeOf(places.samplers)}`);
    this.#dns = await startDnsServer({ host: '127.0.0.1', port: 0, respond: (query) => answer(query, places) });
    progress(`name server on ${this.#dns.address} answers for ${places.samplersShareAPort ? samplersName : samplersService}`);
    const routers = places.routers.map((place, index) => this.#startRouter(place, index));
    await Promise.all(routers.map((router) => router.untilReady(deadlineMs)));
    progress(`${plural(routers.length, 'router')} on ${rangeOf(places.routers)}`);
  }

  get sink(): Sink {
    if (this.#sink === undefined) throw new Error('the fleet is not started');
    return this.#sink;
  }

  /** Sentences about processes that ended although nobody asked them to. */
  deathNotes(): readonly string[] {
    return this.#processes.map((process) => process.deathNote()).filter((note) => note !== undefined);
  }

  /** Ends everything that was started: first what sends, then what takes. Any number of times. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const isRouter = (process: ManagedProcess) => process.name.startsWith('router');
    await Promise.all(this.#processes.filter(isRouter).map((process) => process.stop()));
    await Promise.all(this.#processes.map((process) => process.stop()));
    await this.#dns?.stop();
    await this.#sink?.stop();
    rmSync(this.#compileCache, { recursive: true, force: true });
  }

  #startSampler(place: SamplerPlace, index: number): ManagedProcess {
    return this.#spawn(`sampler ${index + 1}`, 'sampler', place, {
      RINGTAIL_DEMO_DECISION_WAIT: `${this.#settings.decisionWaitMs}ms`,
      RINGTAIL_DEMO_SINK: this.sink.address,
    });
  }

  #startRouter(place: RouterPlace, index: number): ManagedProcess {
    return this.#spawn(`router ${index + 1}`, 'router', place, {
      RINGTAIL_DEMO_HTTP: addressOf(place.http),
      RINGTAIL_DEMO_SAMPLERS: this.#settings.places.samplersShareAPort ? samplersName : samplersService,
      RINGTAIL_DEMO_NAMESERVER: this.#dns?.address ?? '',
    });
  }

  #spawn(name: string, role: 'sampler' | 'router', place: SamplerPlace, own: Readonly<Record<string, string>>): ManagedProcess {
    if (this.#stopped !== undefined) throw new DemoProcessError('The demo is being ended.');
    const { clock } = this.#settings;
    const managed = new ManagedProcess({
      clock,
      name,
      arguments: ['--initial-heap-size=64', cli, '--config', configFile(role), '--shutdown-timeout', '5s', '--arena-mib', String(arenaMib)],
      environment: {
        ...this.#environment,
        RINGTAIL_DEMO_GRPC: addressOf(place.grpc),
        RINGTAIL_DEMO_HEALTH: addressOf(place.health),
        RINGTAIL_DEMO_METRICS: addressOf(place.metrics),
        ...own,
      },
      healthUrl: `http://${addressOf(place.health)}/`,
      listensOn: addressOf(place.grpc),
    });
    this.#processes.push(managed);
    return managed;
  }
}

/** The samplers as a headless Service has them: one record for each. */
function answer(query: DnsQuery, places: Places): DnsResponse {
  const name = query.name.toLowerCase();
  const backends = places.samplers.map((sampler) => sampler.grpc);
  const found = { rcode: dnsRcodes.NOERROR, addresses: [], services: [], ttlSeconds };
  if (name === samplersName) return { ...found, addresses: backends.map((backend) => backend.host) };
  if (name === samplersService) return { ...found, services: backends.map(serviceOf) };
  const host = backends.find((_, index) => name === samplerName(index));
  return host === undefined ? { ...found, rcode: dnsRcodes.NXDOMAIN } : { ...found, addresses: [host.host] };
}

const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? '' : 's'}`;
const samplerName = (index: number) => `sampler-${index + 1}.${samplersName}`;
const serviceOf = (place: Place, index: number) => ({ host: samplerName(index), port: place.port, addresses: [place.host] });

function rangeOf(places: readonly SamplerPlace[]): string {
  const [first, last] = [places[0]!.grpc, places.at(-1)!.grpc];
  if (first === last) return addressOf(first);
  if (places.every(({ grpc }) => grpc.port === first.port)) return `${first.host} to ${last.host}, port ${first.port}`;
  return places.map(({ grpc }) => addressOf(grpc)).join(', ');
}
