/** Backends as the addresses of a DNS name, asked for again and again. Main thread. */

import { createDnsClient, type DnsClient } from './dns-client.ts';
import { DnsPoller, type DnsPollerSettings } from './dns-poller.ts';
import { EndpointPublisher } from './endpoint-publisher.ts';
import type { EndpointSet, Resolver } from './endpoint-set.ts';
import { podNamesFault } from './pod-names.ts';
import { ResolverConfigError, type ResolverEnvironment } from './resolver-environment.ts';

/** `resolver.dns`. What is not given has the default named at it. */
export interface DnsResolverSettings {
  /** Name or address. One that begins with `_` is asked for as SRV. */
  readonly hostname: string;
  /** Port of every backend; with SRV it replaces the record's own. Default: the SRV record's, else 4317. */
  readonly port?: number | string | undefined;
  /** Longest time between two questions; a shorter TTL shortens it, down to a second. Default 5,000. */
  readonly intervalMs?: number | undefined;
  /** Time limit of one whole question. Default 1,000. */
  readonly timeoutMs?: number | undefined;
  /** Questions per name within the time limit while none is answered. Default 2. */
  readonly tries?: number | undefined;
  /** `host`, `host:port`, `[v6]:port`. Default: those of resolv.conf. */
  readonly nameservers?: readonly string[] | undefined;
  /** Ask for SRV records. Default: whether the hostname begins with `_`. */
  readonly srv?: boolean | undefined;
  /** Default /etc/hosts. */
  readonly hostsPath?: string | undefined;
  /** Default /etc/resolv.conf. */
  readonly resolvConfPath?: string | undefined;
}

export class DnsResolver implements Resolver {
  readonly kind = 'dns';
  readonly #publisher: EndpointPublisher;
  readonly #poller: DnsPoller;
  readonly #environment: ResolverEnvironment;
  readonly #findPodNamesFault: () => Promise<string | undefined>;
  #podNamesChecked: Promise<void> | undefined;
  #stopped = false;

  /** `client` is for tests and simulations. Errors: ResolverConfigError when no hostname is given. */
  constructor(settings: DnsResolverSettings, environment: ResolverEnvironment, client?: DnsClient) {
    if (settings.hostname === '') {
      throw new ResolverConfigError('no_hostname', 'dns.hostname', 'no hostname specified to resolve the backends');
    }
    this.#publisher = new EndpointPublisher('dns', environment);
    const dnsClient = client ?? dnsClientOf(settings, environment);
    const pollerSettings = dnsPollerSettings(settings);
    this.#poller = new DnsPoller(pollerSettings, environment, this.#publisher, dnsClient);
    this.#environment = environment;
    const { clock } = environment;
    this.#findPodNamesFault = () => podNamesFault(settings.hostname, { ...pollerSettings, client: dnsClient, clock });
  }

  /** The name under which a Collector would hash this endpoint: without a port where none is configured. */
  ringNameOf(endpoint: string): string {
    return this.#poller.ringNameOf(endpoint);
  }

  async start(onChange: (set: EndpointSet) => void): Promise<void> {
    this.#publisher.begin((set) => {
      onChange(set);
      this.#podNamesChecked ??= this.#checkPodNames();
    });
    await this.#poller.start();
  }

  refresh(): void {
    this.#poller.refresh();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#publisher.end();
    await this.#poller.stop();
    await this.#podNamesChecked;
  }

  /** Once, when the first backends are known. */
  async #checkPodNames(): Promise<void> {
    const fault = await this.#findPodNamesFault();
    if (fault !== undefined && !this.#stopped) this.#environment.log.warn({}, fault);
  }
}

export function dnsPollerSettings(settings: DnsResolverSettings): DnsPollerSettings {
  return {
    hostname: settings.hostname,
    ports: settings.port === undefined || settings.port === '' ? [] : [String(settings.port)],
    intervalMs: settings.intervalMs || 5_000,
    timeoutMs: settings.timeoutMs || 1_000,
    nameservers: settings.nameservers ?? [],
    srv: settings.srv ?? settings.hostname.startsWith('_'),
    hostsPath: settings.hostsPath ?? '/etc/hosts',
    resolvConfPath: settings.resolvConfPath ?? '/etc/resolv.conf',
  };
}

export function dnsClientOf(settings: Pick<DnsResolverSettings, 'tries'>, environment: ResolverEnvironment): DnsClient {
  return createDnsClient({ tries: settings.tries ?? 2, clock: environment.clock });
}
