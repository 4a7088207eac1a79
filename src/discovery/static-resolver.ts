/** Backends as a fixed list from the configuration. Main thread. */

import { withPort } from './endpoint-names.ts';
import { EndpointPublisher } from './endpoint-publisher.ts';
import type { EndpointSet, Resolver } from './endpoint-set.ts';
import { ResolverConfigError, type ResolverEnvironment } from './resolver-environment.ts';

export interface StaticResolverSettings {
  /** `resolver.static.hostnames`: host, host:port, IPv6 with or without brackets; 4317 where no port is given. */
  readonly hostnames: readonly string[];
}

export class StaticResolver implements Resolver {
  readonly kind = 'static';
  readonly #publisher: EndpointPublisher;
  readonly #ringNames: ReadonlyMap<string, string>;

  /** Errors: ResolverConfigError when the list is empty. */
  constructor(settings: StaticResolverSettings, environment: ResolverEnvironment) {
    if (settings.hostnames.length === 0) {
      throw new ResolverConfigError('no_endpoints', 'static.hostnames', 'no endpoints specified for the static resolver');
    }
    this.#ringNames = new Map(settings.hostnames.map((written) => [withPort(written), written]));
    this.#publisher = new EndpointPublisher('static', environment);
  }

  /** The name under which a Collector would hash this endpoint: as written. */
  ringNameOf(endpoint: string): string {
    return this.#ringNames.get(endpoint) ?? endpoint;
  }

  async start(onChange: (set: EndpointSet) => void): Promise<void> {
    this.#publisher.begin(onChange);
    this.#publisher.found(this.#ringNames.keys());
  }

  refresh(): void {}

  async stop(): Promise<void> {
    this.#publisher.end();
  }
}
