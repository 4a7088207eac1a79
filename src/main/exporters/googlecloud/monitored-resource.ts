/** Which of Google's monitored resources a resource is, and its labels. Main thread. */

import type { Attribute } from './span-fields.ts';

export interface MonitoredResource {
  readonly type: string;
  readonly labels: readonly (readonly [label: string, value: string])[];
}

interface LabelSource {
  readonly keys: readonly string[];
  /** When no key gives a value. */
  readonly fallback?: string;
}

const from = (...keys: string[]): LabelSource => ({ keys });
const location = from('cloud.availability_zone', 'cloud.region');
const anywhere: LabelSource = { ...location, fallback: 'global' };
const cluster = { location, cluster_name: from('k8s.cluster.name') };
const pod = { ...cluster, namespace_name: from('k8s.namespace.name'), pod_name: from('k8s.pod.name') };

/**
 * Labels of each type and the attributes they come from, the first that has a value.
 *
 * Source: resourcemapping of opentelemetry-operations-go v0.61.0.
 */
const labelsOfType: Readonly<Record<string, Readonly<Record<string, LabelSource>>>> = {
  gce_instance: { zone: from('cloud.availability_zone'), instance_id: from('host.id') },
  k8s_container: { ...pod, container_name: from('k8s.container.name') },
  k8s_pod: pod,
  k8s_node: { ...cluster, node_name: from('k8s.node.name') },
  k8s_cluster: cluster,
  gae_instance: { location, module_id: from('faas.name'), version_id: from('faas.version'), instance_id: from('faas.instance') },
  aws_ec2_instance: { instance_id: from('host.id'), region: location, aws_account: from('cloud.account.id') },
  'baremetalsolution.googleapis.com/Instance': { location: from('cloud.region'), instance_id: from('host.id') },
  generic_task: {
    location: anywhere,
    namespace: from('service.namespace'),
    job: from('service.name', 'faas.name'),
    task_id: from('service.instance.id', 'faas.instance'),
  },
  generic_node: { location: anywhere, namespace: from('service.namespace'), node_id: from('host.id', 'host.name') },
};

const typeOfPlatform: Readonly<Record<string, string>> = {
  gcp_app_engine: 'gae_instance',
  gcp_compute_engine: 'gce_instance',
  aws_ec2: 'aws_ec2_instance',
  gcp_bare_metal_solution: 'baremetalsolution.googleapis.com/Instance',
};

/** Attributes that are no texts count as present and empty, as in the source. */
export function monitoredResourceOf(resource: readonly Attribute[]): MonitoredResource {
  const texts = new Map(resource.map(({ key, value }) => [key, typeof value === 'string' ? value : '']));
  const type = typeOf(texts);
  const labels = Object.entries(labelsOfType[type]!).map(([label, source]) => [label, labelValue(source, texts)] as const);
  return { type, labels };
}

function typeOf(texts: ReadonlyMap<string, string>): string {
  const platform = texts.get('cloud.platform') ?? '';
  if (Object.hasOwn(typeOfPlatform, platform)) return typeOfPlatform[platform]!;
  const has = (key: string) => texts.has(key);
  if (has('k8s.cluster.name')) {
    if (has('k8s.container.name')) return 'k8s_container';
    if (has('k8s.pod.name')) return 'k8s_pod';
    return has('k8s.node.name') ? 'k8s_node' : 'k8s_cluster';
  }
  const isTask = (has('service.name') && has('service.instance.id')) || (has('faas.instance') && has('faas.name'));
  return isTask ? 'generic_task' : 'generic_node';
}

/** SDKs call a service without a name so; any other name goes before it. */
const unnamedService = 'unknown_service';

function labelValue({ keys, fallback = '' }: LabelSource, texts: ReadonlyMap<string, string>): string {
  let value = '';
  for (const key of keys) {
    value = texts.get(key) ?? '';
    if (value !== '' && !value.startsWith(unnamedService)) break;
  }
  if (value === '' && keys.includes('service.name')) value = texts.get('service.name') ?? '';
  return value === '' ? fallback : value;
}
