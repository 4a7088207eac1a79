/** Backends as the ready endpoints of a Kubernetes Service, followed by list and watch; by its DNS name where that is not allowed. Main thread. */

import { readFile } from 'node:fs/promises';
import type { Timer } from '../shared/clock.ts';
import type { DnsClient } from './dns-client.ts';
import { DnsPoller } from './dns-poller.ts';
import { type DnsResolverSettings, dnsClientOf, dnsPollerSettings } from './dns-resolver.ts';
import { defaultBackendPort, joinHostPort } from './endpoint-names.ts';
import { EndpointPublisher } from './endpoint-publisher.ts';
import type { EndpointSet, Resolver } from './endpoint-set.ts';
import { type EndpointSlice, endpointsOfSlices, type KubernetesServiceName, parseServiceName } from './endpoint-slices.ts';
import {
  HttpKubernetesApi,
  type KubernetesAccess,
  type KubernetesApi,
  type KubernetesFault,
  type SliceEvent,
  type SliceQuery,
} from './kubernetes-api.ts';
import type { ResolverEnvironment } from './resolver-environment.ts';

/** `resolver.k8s`. What is not given has the default named at it. */
export interface KubernetesResolverSettings {
  /** `name`, `name.namespace` or `name.namespace.svc.domain`. */
  readonly service: string;
  /** Each address becomes one backend per port. Default: 4317. */
  readonly ports?: readonly number[] | undefined;
  /** Server-side limit of lists and watches. Default 60,000. */
  readonly timeoutMs?: number | undefined;
  /** Name backends `<hostname>.<service>.<namespace>`, which keeps their place when a pod comes back with another address. Default false. */
  readonly returnHostnames?: boolean | undefined;
  /** Of `kubernetesApiUrl`; undefined outside a cluster. */
  readonly apiUrl: string | undefined;
  /** Holds `token`, `ca.crt` and `namespace`. Default /var/run/secrets/kubernetes.io/serviceaccount. */
  readonly serviceAccountPath?: string | undefined;
  /** How the Service's DNS name is asked for when the API cannot be. */
  readonly dns?: Omit<DnsResolverSettings, 'hostname' | 'port' | 'srv'> | undefined;
}

/** What tests and simulations hand in. */
export interface KubernetesResolverParts {
  readonly api?: KubernetesApi;
  readonly dnsClient?: DnsClient;
}

const backOffFirstMs = 250;
const backOffMaxMs = 4_000;
const retryAfterMaxMs = 60_000;
/** How often a missing permission is asked for again, and how often the list is read while only watching is denied. */
const deniedPauseMs = 60_000;
const listPauseMs = 5_000;
const refreshPauseMs = 2_000;
/** Events this close are one change: a roll-out, or addresses that move from slice to slice, would else be told in halves. */
const settleMs = 100;
/** A watch that ends sooner, and said nothing, counts as a failed one. */
const watchShortMs = 1_000;

export class KubernetesResolver implements Resolver {
  readonly kind = 'k8s';
  readonly #settings: KubernetesResolverSettings;
  readonly #environment: ResolverEnvironment;
  readonly #service: KubernetesServiceName;
  readonly #publisher: EndpointPublisher;
  readonly #api: KubernetesApi;
  readonly #dnsClient: DnsClient | undefined;
  readonly #slices = new Map<string, EndpointSlice>();
  #namespace = 'default';
  #resourceVersion = '';
  #failures = 0;
  #listedAtMs = Number.NEGATIVE_INFINITY;
  #fallback: DnsPoller | undefined;
  #call = new AbortController();
  #wake: (() => void) | undefined;
  #refreshTimer: Timer | undefined;
  #settleTimer: Timer | undefined;
  #loop: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  /** Makes no connection. Errors: ResolverConfigError when the service's name is not one. */
  constructor(settings: KubernetesResolverSettings, environment: ResolverEnvironment, parts: KubernetesResolverParts = {}) {
    this.#settings = settings;
    this.#environment = environment;
    this.#service = parseServiceName(settings.service);
    this.#publisher = new EndpointPublisher('k8s', environment);
    this.#api = parts.api ?? new HttpKubernetesApi(accessOf(settings), environment.clock);
    this.#dnsClient = parts.dnsClient;
  }

  /** The name under which a Collector would hash this endpoint: the bare address where no port is configured. */
  ringNameOf(endpoint: string): string {
    if (this.#settings.ports && this.#settings.ports.length > 0) return endpoint;
    return endpoint.slice(0, endpoint.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  }

  async start(onChange: (set: EndpointSet) => void): Promise<void> {
    this.#publisher.begin(onChange);
    this.#namespace = this.#service.namespace ?? (await this.#ownNamespace());
    const relist = await this.#list();
    this.#loop = this.#follow(relist);
  }

  refresh(): void {
    if (this.#stopping) return;
    if (this.#fallback) {
      this.#fallback.refresh();
      return;
    }
    const { clock } = this.#environment;
    this.#refreshTimer?.cancel();
    this.#refreshTimer = clock.after(Math.max(0, this.#listedAtMs + refreshPauseMs - clock.monotonicMs()), () => {
      this.#resourceVersion = '';
      this.#call.abort();
      this.#wake?.();
    });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#end();
    return this.#stopping;
  }

  async #end(): Promise<void> {
    this.#publisher.end();
    this.#refreshTimer?.cancel();
    this.#settleTimer?.cancel();
    this.#call.abort();
    // The loop looks at #stopping after each pause, which is set once this function has returned its promise.
    queueMicrotask(() => this.#wake?.());
    await this.#fallback?.stop();
    await this.#loop;
    await this.#api.close();
  }

  async #ownNamespace(): Promise<string> {
    const path = `${serviceAccountPathOf(this.#settings)}/namespace`;
    try {
      const namespace = (await readFile(path, 'utf8')).trim();
      if (namespace !== '') return namespace;
    } catch {
      // Said below: not there and empty are the same to the user.
    }
    this.#environment.log.warn({ service: this.#service.name, path }, "the pod's namespace cannot be read, taking the namespace default");
    return 'default';
  }

  /** Lists and watches in turn until stopped. An empty resource version means that a list is due. */
  async #follow(firstPauseMs: number): Promise<void> {
    let pauseMs = firstPauseMs;
    while (!this.#stopping) {
      await this.#pause(pauseMs);
      if (this.#stopping) return;
      pauseMs = this.#resourceVersion === '' ? await this.#list() : await this.#watch();
    }
  }

  /** Returns how long to wait before the next step. */
  async #list(): Promise<number> {
    this.#listedAtMs = this.#environment.clock.monotonicMs();
    const outcome = await this.#api.list(this.#query(), this.#newCall());
    if (this.#stopping) return 0;
    if (outcome.kind !== 'listed') {
      if (this.#call.signal.aborted) return 0;
      this.#resourceVersion = '';
      return this.#afterFailedList(outcome);
    }
    this.#failures = 0;
    this.#resourceVersion = outcome.resourceVersion;
    this.#slices.clear();
    for (const slice of outcome.slices) this.#slices.set(slice.metadata.name, slice);
    await this.#endFallback();
    this.#publish();
    // Without a version nothing can be watched from: a server that gives none is polled.
    return outcome.resourceVersion === '' ? listPauseMs : 0;
  }

  async #watch(): Promise<number> {
    const { clock } = this.#environment;
    const startedAtMs = clock.monotonicMs();
    let events = 0;
    const signal = this.#newCall();
    const outcome = await this.#api.watch(
      this.#query(),
      this.#resourceVersion,
      (event) => this.#take(event, () => events++, signal),
      signal,
    );
    if (this.#stopping || signal.aborted) return 0;
    if (outcome.kind === 'ended') {
      if (events > 0 || clock.monotonicMs() - startedAtMs >= watchShortMs) {
        this.#failures = 0;
        return 0;
      }
      return this.#backOff(0);
    }
    this.#publisher.impaired(outcome.cause, this.#fields());
    if (outcome.kind === 'failed') return this.#backOff(outcome.retryAfterMs);
    this.#resourceVersion = '';
    return outcome.kind === 'expired' ? 0 : listPauseMs;
  }

  #take(event: SliceEvent, count: () => void, signal: AbortSignal): void {
    if (this.#stopping || signal.aborted) return;
    count();
    this.#failures = 0;
    if (event.resourceVersion !== '') this.#resourceVersion = event.resourceVersion;
    if (event.type === 'bookmark') return;
    if (event.type === 'put') this.#slices.set(event.slice.metadata.name, event.slice);
    else this.#slices.delete(event.slice.metadata.name);
    this.#settleTimer ??= this.#environment.clock.after(settleMs, () => this.#publish());
  }

  #publish(): void {
    this.#settleTimer?.cancel();
    this.#settleTimer = undefined;
    if (this.#stopping) return;
    const ports = this.#settings.ports && this.#settings.ports.length > 0 ? this.#settings.ports : [defaultBackendPort];
    const naming = {
      service: this.#service.name,
      namespace: this.#namespace,
      returnHostnames: this.#settings.returnHostnames ?? false,
      ports,
    };
    const report = endpointsOfSlices(this.#slices.values(), naming);
    if (report.endpoints.length > 0) {
      this.#publisher.found(report.endpoints);
      if (report.nameless > 0) this.#publisher.impaired('some ready endpoints have no hostname and are left out', this.#fields());
    } else this.#publisher.failed(emptiness(this.#slices.size, report), this.#fields());
  }

  async #afterFailedList(fault: KubernetesFault): Promise<number> {
    const useDns = fault.kind === 'denied' || fault.kind === 'outside' || (!this.#publisher.hasSet && fault.kind === 'failed');
    const dnsName = this.#dnsName();
    if (!useDns) {
      if (this.#fallback) this.#publisher.impaired(fault.cause, this.#fields());
      else this.#publisher.failed(fault.cause, this.#fields());
    } else {
      this.#publisher.impaired(`${fault.cause}; the Service's DNS name ${dnsName} is used instead`, this.#fields());
      if (!this.#fallback) {
        const settings: DnsResolverSettings = { ...this.#settings.dns, hostname: dnsName };
        const polling = { ...dnsPollerSettings(settings), ports: (this.#settings.ports ?? []).map(String) };
        const client = this.#dnsClient ?? dnsClientOf(settings, this.#environment);
        this.#fallback = new DnsPoller(polling, this.#environment, this.#publisher, client);
        await this.#fallback.start();
      }
    }
    return fault.kind === 'failed' ? this.#backOff(fault.retryAfterMs) : fault.kind === 'expired' ? this.#backOff(0) : deniedPauseMs;
  }

  async #endFallback(): Promise<void> {
    const fallback = this.#fallback;
    if (!fallback) return;
    this.#fallback = undefined;
    await fallback.stop();
    this.#environment.log.info(this.#fields(), 'the Kubernetes API answers, the DNS name is no longer used');
  }

  #backOff(retryAfterMs: number): number {
    const waitMs = Math.min(backOffMaxMs, backOffFirstMs * 2 ** Math.min(this.#failures++, 10)) * (0.5 + this.#environment.prng.next() / 2);
    return Math.max(waitMs, Math.min(retryAfterMs, retryAfterMaxMs));
  }

  #pause(delayMs: number): Promise<void> {
    if (delayMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#environment.clock.after(delayMs, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #newCall(): AbortSignal {
    this.#call = new AbortController();
    return this.#call.signal;
  }

  #query(): SliceQuery {
    return { namespace: this.#namespace, service: this.#service.name, timeoutMs: this.#settings.timeoutMs || 60_000 };
  }

  #fields(): object {
    return { service: this.#service.name, namespace: this.#namespace };
  }

  #dnsName(): string {
    const short = `${this.#service.name}.${this.#namespace}.svc`;
    return this.#service.clusterDomain === undefined ? short : `${short}.${this.#service.clusterDomain}`;
  }
}

function emptiness(slices: number, report: { readonly nameless: number; readonly notReady: number }): string {
  if (slices === 0) return 'the Service has no EndpointSlice (is its name right, does it have a selector?)';
  if (report.nameless > 0)
    return 'no ready endpoint of the Service has a hostname (return_hostnames needs a StatefulSet with a headless Service)';
  return report.notReady > 0 ? 'no endpoint of the Service is ready' : 'the Service has no endpoints';
}

/** `apiUrl` from the variables that Kubernetes sets in every pod; undefined when they are not there. */
export function kubernetesApiUrl(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  return host ? `https://${joinHostPort(host, port || 443)}` : undefined;
}

function serviceAccountPathOf(settings: KubernetesResolverSettings): string {
  return settings.serviceAccountPath ?? '/var/run/secrets/kubernetes.io/serviceaccount';
}

function accessOf(settings: KubernetesResolverSettings): KubernetesAccess {
  const path = serviceAccountPathOf(settings);
  return { url: settings.apiUrl, tokenPath: `${path}/token`, caPath: `${path}/ca.crt` };
}
