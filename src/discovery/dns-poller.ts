/** Asks DNS for one name at the pace that its TTL and the interval set, and hands every answer to the publisher. Main thread. */

import { isIPv4 } from 'node:net';
import type { Timer } from '../shared/clock.ts';
import type { DnsClient, DnsOutcome } from './dns-client.ts';
import { defaultBackendPort, joinHostPort } from './endpoint-names.ts';
import type { EndpointPublisher } from './endpoint-publisher.ts';
import { type HostAddressesSettings, hostAddresses, hostServices } from './host-addresses.ts';
import type { ResolverEnvironment } from './resolver-environment.ts';

export interface DnsPollerSettings {
  readonly hostname: string;
  /** Each address becomes one backend per port; none: the SRV record's, else 4317. */
  readonly ports: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly nameservers: readonly string[];
  readonly srv: boolean;
  readonly hostsPath: string;
  readonly resolvConfPath: string;
}

/** Never more often than this by TTL or after a fault, nor than the shorter one by `refresh`. */
const pauseMinMs = 1_000;
const refreshPauseMs = 250;
/** Hosts of SRV records are asked for in groups, so that a large set is no burst of sockets. */
const hostsAtOnce = 16;

interface Answer {
  readonly endpoints: readonly string[];
  /** Whether any of it was said now; otherwise it is only remembered. */
  readonly fresh: boolean;
  readonly ttlMs: number;
  readonly cause: string | undefined;
}

export class DnsPoller {
  readonly #settings: DnsPollerSettings;
  readonly #environment: ResolverEnvironment;
  readonly #publisher: EndpointPublisher;
  readonly #lookup: HostAddressesSettings;
  /** Last good addresses by host and family: a family that fails keeps its own. */
  #known = new Map<string, readonly string[]>();
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #startedAtMs = Number.NEGATIVE_INFINITY;
  #askAgain = false;
  #stopped = false;

  constructor(settings: DnsPollerSettings, environment: ResolverEnvironment, publisher: EndpointPublisher, client: DnsClient) {
    this.#settings = settings;
    this.#environment = environment;
    this.#publisher = publisher;
    this.#lookup = { ...settings, client, clock: environment.clock };
  }

  /** Resolves when the first question has ended, whatever its outcome. */
  start(): Promise<void> {
    return this.#ask();
  }

  refresh(): void {
    if (this.#stopped) return;
    if (this.#running) this.#askAgain = true;
    else this.#schedule(this.#refreshDelayMs());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  ringNameOf(endpoint: string): string {
    return this.#settings.ports.length === 0 && !this.#settings.srv ? endpoint.slice(0, endpoint.lastIndexOf(':')) : endpoint;
  }

  #refreshDelayMs(): number {
    return Math.max(0, this.#startedAtMs + refreshPauseMs - this.#environment.clock.monotonicMs());
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    if (this.#stopped) return;
    this.#timer = this.#environment.clock.after(delayMs, () => void this.#ask());
  }

  #ask(): Promise<void> {
    this.#running ??= this.#askOnce().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #askOnce(): Promise<void> {
    const { clock, prng } = this.#environment;
    this.#startedAtMs = clock.monotonicMs();
    this.#askAgain = false;
    const answer = this.#settings.srv ? await this.#askServices() : await this.#askAddresses();
    if (this.#stopped) return;
    const { hostname } = this.#settings;
    if (answer.endpoints.length === 0) this.#publisher.failed(answer.cause ?? 'the answer is empty', { hostname });
    else {
      this.#publisher.found(answer.endpoints);
      if (answer.cause !== undefined) this.#publisher.impaired(answer.cause, { hostname });
    }
    const good = answer.endpoints.length > 0;
    const pauseMs = Math.min(this.#settings.intervalMs, good ? Math.max(answer.ttlMs, pauseMinMs) : pauseMinMs);
    // Up to a tenth earlier, so that routers that started together do not ask together for ever.
    this.#schedule(this.#askAgain ? this.#refreshDelayMs() : pauseMs * (1 - prng.next() / 10));
  }

  async #askAddresses(): Promise<Answer> {
    const known = new Map<string, readonly string[]>();
    const answer = await this.#addressesOf(this.#settings.hostname, known);
    if (!answer.fresh) return { ...answer, endpoints: [] };
    this.#known = known;
    return { ...answer, endpoints: this.#withPorts(answer.endpoints, defaultBackendPort) };
  }

  #withPorts(addresses: readonly string[], otherwise: number): string[] {
    const ports = this.#settings.ports.length > 0 ? this.#settings.ports : [otherwise];
    return addresses.flatMap((address) => ports.map((port) => joinHostPort(address, port)));
  }

  async #askServices(): Promise<Answer> {
    const outcome = await hostServices(this.#settings.hostname, this.#lookup);
    if (outcome.kind !== 'found') return { endpoints: [], fresh: false, ttlMs: 0, cause: outcome.cause };
    const known = new Map<string, readonly string[]>();
    const endpoints: string[] = [];
    let { ttlMs } = outcome;
    let cause: string | undefined;
    for (let from = 0; from < outcome.services.length; from += hostsAtOnce) {
      const group = outcome.services.slice(from, from + hostsAtOnce);
      const answers = await Promise.all(
        group.map((service) =>
          service.addresses.length > 0
            ? { endpoints: service.addresses, fresh: true, ttlMs: outcome.ttlMs, cause: undefined }
            : this.#addressesOf(`${service.host}.`, known),
        ),
      );
      for (const [index, answer] of answers.entries()) {
        ttlMs = Math.min(ttlMs, answer.ttlMs);
        cause ??= answer.cause;
        endpoints.push(...this.#withPorts(answer.endpoints, group[index].port));
      }
    }
    this.#known = known;
    return { endpoints, fresh: true, ttlMs, cause };
  }

  /** Both families of one host; one that fails contributes what it last had. `cause` is set when a family failed or nothing is left. */
  async #addressesOf(host: string, known: Map<string, readonly string[]>): Promise<Answer> {
    const outcomes = await hostAddresses(host, this.#lookup);
    const endpoints: string[] = [];
    let ttlMs = Number.POSITIVE_INFINITY;
    let cause: string | undefined;
    for (const [family, outcome] of Object.entries(outcomes) as [string, DnsOutcome][]) {
      const key = `${host} ${family}`;
      const addresses = outcome.kind === 'found' ? outcome.addresses : outcome.kind === 'failed' ? (this.#known.get(key) ?? []) : [];
      if (addresses.length > 0) known.set(key, addresses);
      endpoints.push(...addresses);
      if (outcome.kind === 'found') ttlMs = Math.min(ttlMs, outcome.ttlMs);
      if (outcome.kind === 'failed') cause ??= outcome.cause;
    }
    if (endpoints.length === 0 && cause === undefined) cause = absence(outcomes.ipv4) ?? absence(outcomes.ipv6);
    const fresh = outcomes.ipv4.kind === 'found' || outcomes.ipv6.kind === 'found';
    return { endpoints: endpoints.filter(isRoutable), fresh, ttlMs, cause };
  }
}

function absence(outcome: DnsOutcome): string | undefined {
  return outcome.kind === 'absent' ? outcome.cause : undefined;
}

/** 0.0.0.0 and :: in an answer mean "blocked" (filtering name servers), not a backend. */
function isRoutable(address: string): boolean {
  return isIPv4(address) ? address !== '0.0.0.0' : address !== '::';
}
