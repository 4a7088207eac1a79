/** What has to hold in every render of the chart, whatever the values. For the chart's tests. */

import { parse } from 'yaml';
import { type Manifest, ofKind } from './render.ts';

const dnsLabel = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;

/** Shape: one sentence per broken rule; [] when all hold. */
export function brokenRules(manifests: readonly Manifest[]): readonly string[] {
  return [...nameRules(manifests), ...routingRules(manifests), ...podRules(manifests), ...selectorRules(manifests)];
}

function nameRules(manifests: readonly Manifest[]): string[] {
  const broken: string[] = [];
  const seen = new Set<string>();
  for (const { kind, metadata } of manifests) {
    const id = `${kind} ${metadata.namespace}/${metadata.name}`;
    if (seen.has(id)) broken.push(`${id} is there twice`);
    seen.add(id);
    if (metadata.name.length > 63) broken.push(`${id} has more than 63 characters`);
    if (kind === 'StatefulSet' && metadata.name.length > 52) broken.push(`${id} has more than 52 characters`);
    if (kind === 'Service' && !dnsLabel.test(metadata.name)) broken.push(`${id} is no DNS label`);
    for (const value of Object.values(metadata.labels ?? {})) if (value.length > 63) broken.push(`${id}: label ${value} is too long`);
  }
  return broken;
}

export function configOf(manifests: readonly Manifest[], component: string): Manifest | undefined {
  const [configMap] = ofKind(manifests, 'ConfigMap', component);
  return configMap === undefined ? undefined : (parse(configMap.data.relay, { logLevel: 'silent' }) as Manifest);
}

/** The headless Service, the StatefulSet's serviceName and the routers' resolver are one name. */
function routingRules(manifests: readonly Manifest[]): string[] {
  const broken: string[] = [];
  const [statefulSet] = ofKind(manifests, 'StatefulSet');
  if (statefulSet === undefined) return broken;
  const serviceName = statefulSet.spec.serviceName as string;
  const [service] = ofKind(manifests, 'Service', 'sampler');
  if (service?.metadata.name !== serviceName) broken.push(`Service ${service?.metadata.name} is not serviceName ${serviceName}`);
  if (service?.spec.clusterIP !== 'None') broken.push(`Service ${serviceName} is not headless`);
  if (service?.spec.publishNotReadyAddresses !== false) broken.push(`Service ${serviceName} publishes pods that are not ready`);
  const config = configOf(manifests, 'router');
  if (config === undefined) return broken;
  const { namespace } = statefulSet.metadata;
  for (const [id, exporter] of Object.entries(config.exporters as Record<string, { resolver?: Record<string, Record<string, unknown>> }>)) {
    if (!/^load_?balancing(\/|$)/.test(id)) continue;
    const { dns, k8s } = exporter?.resolver ?? {};
    const target = String(dns?.hostname ?? k8s?.service ?? '');
    if (!target.startsWith(`${serviceName}.${namespace}`)) broken.push(`routers ask for ${target}, serviceName is ${serviceName}`);
    if (dns !== undefined && k8s !== undefined) broken.push(`exporter ${id} has two resolvers`);
  }
  return broken;
}

interface PodSpec {
  readonly securityContext: Record<string, unknown>;
  readonly containers: readonly Record<string, never>[];
  readonly terminationGracePeriodSeconds: number;
  readonly serviceAccountName: string;
}

/** Source: Pod Security Standards, restricted. The first container is the chart's; others are the user's. */
function podRules(manifests: readonly Manifest[]): string[] {
  return [...ofKind(manifests, 'Deployment'), ...ofKind(manifests, 'StatefulSet')].flatMap(({ kind, metadata, spec }) => {
    const broken: string[] = [];
    const pod = spec.template.spec as PodSpec;
    const [container] = pod.containers as unknown as [
      {
        securityContext: Record<string, unknown>;
        args: string[];
        lifecycle?: { preStop?: { sleep?: { seconds: number } } };
        resources?: { limits?: { memory?: string } };
        env: { name: string; value?: string }[];
      },
    ];
    const rule = (holds: unknown, sentence: string) => {
      if (!holds) broken.push(`${kind} ${metadata.name}: ${sentence}`);
    };
    rule(pod.securityContext.runAsNonRoot === true, 'may run as root');
    rule((pod.securityContext.seccompProfile as { type?: string })?.type === 'RuntimeDefault', 'has no seccomp profile');
    rule(container.securityContext.allowPrivilegeEscalation === false, 'may escalate privileges');
    rule(container.securityContext.readOnlyRootFilesystem === true, 'can write to its root file system');
    rule(JSON.stringify(container.securityContext.capabilities) === '{"drop":["ALL"]}', 'keeps capabilities');
    const shutdown = Number(/--shutdown-timeout=(\d+)s/.exec(container.args.join(' '))?.[1]);
    const preStop = container.lifecycle?.preStop?.sleep?.seconds;
    if (preStop !== undefined) rule(pod.terminationGracePeriodSeconds >= preStop + shutdown + 5, 'is killed before it has drained');
    rule(new Set(container.env.map(({ name }) => name)).size === container.env.length, 'has a variable twice');
    return broken;
  });
}

/** Selectors are immutable and choose exactly their own tier's pods. */
function selectorRules(manifests: readonly Manifest[]): string[] {
  const keys = ['app.kubernetes.io/name', 'app.kubernetes.io/instance', 'app.kubernetes.io/component'];
  return [...ofKind(manifests, 'Deployment'), ...ofKind(manifests, 'StatefulSet')].flatMap(({ kind, metadata, spec }) => {
    const selector = spec.selector.matchLabels as Record<string, string>;
    const labels = spec.template.metadata.labels as Record<string, string>;
    const broken: string[] = [];
    if (Object.keys(selector).join() !== keys.join()) broken.push(`${kind} ${metadata.name} selects by ${Object.keys(selector).join()}`);
    for (const key of keys) if (labels[key] !== selector[key]) broken.push(`${kind} ${metadata.name}: ${key} differs`);
    if ('helm.sh/chart' in labels) broken.push(`${kind} ${metadata.name}: pods restart with every chart version`);
    return broken;
  });
}
