/** Says whether the pods behind a headless Service have names of their own: the mistake of a StatefulSet whose serviceName is another Service. Main thread. */

import { type HostAddressesSettings, hostServices } from './host-addresses.ts';

const nameOfService = /^([^.]+)\.[^.]+\.svc(\.|$)/;

/** CoreDNS and kube-dns name a pod that has no name of its own by its address. */
function isAddressLabel(label: string): boolean {
  return /^\d{1,3}(-\d{1,3}){3}$/.test(label) || /^[0-9a-f]{0,4}(-[0-9a-f]{0,4}){7}$/.test(label);
}

/**
 * One sentence when `hostname` is a Service's name in a cluster and none of its pods has a name under it; undefined otherwise, and when nobody can say.
 *
 * Source: the StatefulSet controller writes spec.serviceName into its pods' subdomain, and DNS names a pod only under the Service of that name. What the
 *         pods are called is in the targets of the Service's SRV records.
 */
export async function podNamesFault(hostname: string, settings: HostAddressesSettings): Promise<string | undefined> {
  const service = nameOfService.exec(hostname)?.[1];
  if (service === undefined) return undefined;
  const outcome = await hostServices(hostname, settings);
  if (outcome.kind !== 'found' || outcome.services.length === 0) return undefined;
  const hosts = new Set(outcome.services.map(({ host }) => host.split('.', 1)[0] as string));
  if (![...hosts].every(isAddressLabel)) return undefined;
  return (
    `Service ${service} has ${hosts.size} ${hosts.size === 1 ? 'pod, which has no name' : 'pods, none of which has a name'} of its own under it: ` +
    `if they are a StatefulSet's, its spec.serviceName is not ${service}; routing by address works, names such as pod-0.${service} do not resolve`
  );
}
