/** Makes the resolver that a configuration names. Main thread. */

import { DnsResolver } from '../../../discovery/dns-resolver.ts';
import type { Resolver } from '../../../discovery/endpoint-set.ts';
import type { ResolverEnvironment } from '../../../discovery/resolver-environment.ts';
import { StaticResolver } from '../../../discovery/static-resolver.ts';
import { ComponentStartError } from '../../pipeline/component-start-error.ts';
import type { ResolverFields } from './load-balancing-config.ts';

/** A resolver that can tell the name under which a Collector would hash an endpoint. */
export interface NamingResolver extends Resolver {
  ringNameOf(endpoint: string): string;
}

export type ResolverFactory = (fields: ResolverFields, environment: ResolverEnvironment) => NamingResolver;

export const createResolver: ResolverFactory = (fields, environment) => {
  if (fields.static !== undefined) return new StaticResolver(fields.static, environment);
  if (fields.dns !== undefined) {
    const { hostname, port, interval, timeout, tries, nameservers } = fields.dns;
    return new DnsResolver(
      { hostname, port, intervalMs: interval, timeoutMs: timeout, tries, ...(nameservers.length === 0 ? {} : { nameservers }) },
      environment,
    );
  }
  throw new ComponentStartError('NO_RESOLVER', 'no resolvers specified for the exporter');
};
