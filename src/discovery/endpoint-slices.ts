/** EndpointSlices of one Kubernetes Service → backend endpoints; the Service's name as users write it. Any thread. */

import { joinHostPort } from './endpoint-names.ts';
import { ResolverConfigError } from './resolver-environment.ts';

export interface KubernetesServiceName {
  readonly name: string;
  /** Undefined: the pod's own. */
  readonly namespace: string | undefined;
  /** What follows `svc`, when written. */
  readonly clusterDomain: string | undefined;
}

/** Shape: `name`, `name.namespace` or `name.namespace.svc.domain`. Errors: ResolverConfigError in the Collector's words. */
export function parseServiceName(written: string): KubernetesServiceName {
  const [name, namespace, svc, ...domain] = written.split('.');
  const invalid = (what: string) =>
    new ResolverConfigError('invalid_service', 'k8s.service', `invalid Kubernetes service FQDN: ${what} in ${JSON.stringify(written)}`);
  if (name === '') throw new ResolverConfigError('no_service', 'k8s.service', 'no service specified to resolve the backends');
  if (svc !== undefined) {
    if (namespace === '') throw invalid('namespace segment missing');
    if (svc !== 'svc') throw invalid("expected third DNS label to be 'svc'");
    if (domain.length === 0) throw invalid('missing cluster domain');
  }
  return { name, namespace: namespace || undefined, clusterDomain: domain.length > 0 ? domain.join('.') : undefined };
}

/**
 * The part of discovery.k8s.io/v1 EndpointSlice that is read; anything else in it is ignored.
 *   metadata.name, metadata.resourceVersion
 *   endpoints[].addresses[], .hostname, .conditions.{ready,terminating}
 */
export interface EndpointSlice {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string };
  readonly endpoints?: readonly SliceEndpoint[] | null;
}

export interface SliceEndpoint {
  readonly addresses?: readonly string[] | null;
  readonly hostname?: string | null;
  readonly conditions?: { readonly ready?: boolean | null; readonly terminating?: boolean | null } | null;
}

/** Whether `value` can be read as an EndpointSlice. */
export function isEndpointSlice(value: unknown): value is EndpointSlice {
  const slice = value as { metadata?: { name?: unknown }; endpoints?: unknown } | null | undefined;
  return typeof slice?.metadata?.name === 'string' && (slice.endpoints == null || Array.isArray(slice.endpoints));
}

export interface BackendNaming {
  readonly service: string;
  readonly namespace: string;
  readonly returnHostnames: boolean;
  /** At least one. */
  readonly ports: readonly (number | string)[];
}

export interface SliceReport {
  readonly endpoints: readonly string[];
  /** Ready endpoints that could not be named, because they have no hostname yet. */
  readonly nameless: number;
  /** Endpoints left out as not ready or terminating. */
  readonly notReady: number;
}

/** An address that stands in several slices is one backend, and stays one until the last of them drops it. */
export function endpointsOfSlices(slices: Iterable<EndpointSlice>, naming: BackendNaming): SliceReport {
  const hosts = new Set<string>();
  let nameless = 0;
  let notReady = 0;
  for (const slice of slices) {
    for (const endpoint of slice.endpoints ?? []) {
      // "ready" not given means ready, says the API.
      if (endpoint.conditions?.ready === false || endpoint.conditions?.terminating === true) notReady++;
      else if (!naming.returnHostnames) for (const address of endpoint.addresses ?? []) hosts.add(address);
      else if (endpoint.hostname) hosts.add(`${endpoint.hostname}.${naming.service}.${naming.namespace}`);
      else nameless++;
    }
  }
  const endpoints = [...hosts].flatMap((host) => naming.ports.map((port) => joinHostPort(host, port)));
  return { endpoints, nameless, notReady };
}
