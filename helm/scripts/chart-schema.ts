/** Makes the chart's closed values.schema.json from its values.yaml. Runs alone. */

import type { ValueRow } from './chart-values.ts';

type Schema = Record<string, unknown>;

const name = { type: 'string', pattern: '^$|^[a-z]([-a-z0-9]*[a-z0-9])?$' };
const seconds = { type: ['integer', 'null'], minimum: 0 };
const percent = { type: 'integer', minimum: 0, maximum: 1000 };
const fraction = { type: 'number', exclusiveMinimum: 0, maximum: 0.9 };
const countOrPercent = { type: ['integer', 'string'], pattern: '^[0-9]+%$', minimum: 0 };
const map = { type: 'object' };
const oneOf = (...values: string[]) => ({ type: 'string', enum: values });
const port = { type: 'integer', minimum: 1, maximum: 65535 };
const onePort = {
  type: 'object',
  additionalProperties: false,
  required: ['enabled', 'containerPort'],
  properties: {
    enabled: { type: 'boolean' },
    containerPort: { ...port, minimum: 1024 },
    servicePort: port,
    nodePort: port,
    protocol: oneOf('TCP', 'UDP'),
    appProtocol: { type: 'string' },
  },
};
const quantity = { type: ['string', 'integer', 'number'] };

/** What a default value does not tell. A path ends a row's path; the longest that fits wins. */
const known: Readonly<Record<string, Schema>> = {
  nameOverride: name,
  fullnameOverride: name,
  namespaceOverride: name,
  serviceName: name,
  clusterDomain: { type: 'string', pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' },
  extraManifests: { type: 'array', items: { type: ['object', 'string'] } },
  'image.tag': { type: 'string', not: { const: 'latest' } },
  'image.digest': { type: 'string', pattern: '^$|^sha256:[a-f0-9]{64}$' },
  'image.pullPolicy': oneOf('Always', 'IfNotPresent', 'Never'),
  'drain.dnsTtlSeconds': { type: 'integer', minimum: 0, maximum: 3600 },
  'drain.flushSeconds': { type: 'integer', minimum: 1, maximum: 3600 },
  'drain.decisionWaitSeconds': seconds,
  'drain.resolverIntervalSeconds': seconds,
  terminationGracePeriodSeconds: seconds,
  preStopSeconds: seconds,
  replicaCount: { type: 'integer', minimum: 0 },
  resolverInterval: { type: 'string', pattern: '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$' },
  'podDisruptionBudget.maxUnavailable': countOrPercent,
  'podDisruptionBudget.minAvailable': { ...countOrPercent, type: ['integer', 'string', 'null'] },
  'podDisruptionBudget.unhealthyPodEvictionPolicy': oneOf('AlwaysAllow', 'IfHealthyBudget'),
  'autoscaling.minReplicas': { type: 'integer', minimum: 1 },
  'autoscaling.maxReplicas': { type: 'integer', minimum: 1 },
  'autoscaling.targetCPUUtilizationPercentage': percent,
  'autoscaling.targetMemoryUtilizationPercentage': percent,
  'memory.heapFraction': fraction,
  'memory.arenaFraction': fraction,
  minReadySeconds: { type: 'integer', minimum: 0 },
  revisionHistoryLimit: { type: 'integer', minimum: 0 },
  'serviceAccount.automountServiceAccountToken': { type: ['boolean', 'null'] },
  topologySpreadConstraints: { type: ['array', 'null'], items: map },
  'service.type': oneOf('ClusterIP', 'NodePort', 'LoadBalancer'),
  'router.rollout.strategy': oneOf('RollingUpdate', 'Recreate'),
  'sampler.rollout.strategy': oneOf('RollingUpdate', 'OnDelete'),
  'rollout.rollingUpdate': map,
  'statefulset.podManagementPolicy': oneOf('Parallel', 'OrderedReady'),
  'persistentVolumeClaimRetentionPolicy.whenDeleted': oneOf('Retain', 'Delete'),
  'persistentVolumeClaimRetentionPolicy.whenScaled': oneOf('Retain', 'Delete'),
  'persistence.accessModes': { type: 'array', items: oneOf('ReadWriteOnce', 'ReadWriteOncePod', 'ReadWriteMany') },
  'persistence.size': quantity,
  tmpSizeLimit: quantity,
  dnsPolicy: { type: 'string', enum: ['', 'ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'] },
  'ports.otlp': onePort,
  'ports.otlp-http': onePort,
  'ports.metrics': onePort,
  'ports.health': onePort,
  'command.extraArgs': { type: 'array', items: { type: 'string' } },
  'command.name': { type: 'string', pattern: '^[A-Za-z0-9._-]+$' },
  'defaultRules.disabled': { type: 'array', items: { type: 'string' } },
  resources: {
    type: 'object',
    additionalProperties: false,
    properties: {
      requests: { type: 'object', additionalProperties: quantity },
      limits: { type: 'object', additionalProperties: quantity },
      claims: { type: 'array', items: map },
    },
  },
};

function schemaOf({ path, value }: ValueRow): Schema {
  for (let from = 0; from < path.length; from++) {
    const found = known[path.slice(from).join('.')];
    if (found !== undefined) return found;
  }
  if (Array.isArray(value)) return { type: 'array' };
  if (typeof value === 'object' && value !== null) return map;
  if (value === null) throw new Error(`chart-schema: ${path.join('.')} is null by default; say in \`known\` what it may be`);
  return { type: Number.isInteger(value) ? 'integer' : typeof value };
}

/** Closed at every level that values.yaml spells out; open where a value is passed on to Kubernetes. */
export function schemaOfValues(rows: readonly ValueRow[]): Schema {
  const closed = () => ({ type: 'object', additionalProperties: false, properties: {} as Record<string, Schema> });
  const root = closed();
  const maps = new Map([['', root]]);
  for (const row of rows) {
    const parent = maps.get(row.path.slice(0, -1).join('.')) as ReturnType<typeof closed>;
    const key = row.path.at(-1) as string;
    if (!row.hasRows) {
      parent.properties[key] = { description: row.description, ...schemaOf(row) };
      continue;
    }
    const inner = closed();
    parent.properties[key] = inner;
    maps.set(row.path.join('.'), inner);
  }
  // Helm hands a parent chart's globals down, whatever they are.
  (root.properties.global as Schema).additionalProperties = true;
  return { $schema: 'http://json-schema.org/draft-07/schema#', title: 'Values of the ringtail chart', ...root };
}
