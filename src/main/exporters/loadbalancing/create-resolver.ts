/** Makes the resolver that a configuration names. Main thread. */

import { DnsResolver } from '../../../discovery/dns-resolver.ts';
import type { Resolver } from '../../../discovery/endpoint-set.ts';
import { KubernetesResolver, kubernetesApiUrl } from '../../../discovery/kubernetes-resolver.ts';
import type { ResolverEnvironment } from '../../../discovery/resolver-environment.ts';
import { StaticResolver } from '../../../discovery/static-resolver.ts';
import { ComponentStartError } from '../../pipeline/component-start-error.ts';
import type { ResolverFields } from './load-balancing-config.ts';

/** A resolver that can tell the name under which a Collector would hash an endpoint. */
export interface NamingResolver extends Resolver {
  ringNameOf(endpoint: string): string;
}

/** `variables` are the process's environment variables: they say where the Kubernetes API is. */
export type ResolverFactory = (
  fields: ResolverFields,
  environment: ResolverEnvironment,
  variables?: Readonly<Record<string, string | undefined>>,
) => NamingResolver;

export const createResolver: ResolverFactory = (fields, environment, variables = {}) => {
  if (fields.static !== undefined) return new StaticResolver(fields.static, environment);
  if (fields.dns !== undefined) {
    const { hostname, port, interval, timeout, tries, nameservers } = fields.dns;
    return new DnsResolver(
      { hostname, port, intervalMs: interval, timeoutMs: timeout, tries, ...(nameservers.length === 0 ? {} : { nameservers }) },
      environment,
    );
  }
  if (fields.k8s !== undefined) {
    const { service, ports, timeout, return_hostnames: returnHostnames } = fields.k8s;
    const settings = {
      service,
      timeoutMs: timeout,
      returnHostnames,
      apiUrl: kubernetesApiUrl(variables),
      ...(ports.length === 0 ? {} : { ports }),
    };
    return new KubernetesResolver(settings, environment);
  }
  throw new ComponentStartError('NO_RESOLVER', 'no resolvers specified for the exporter');
};
