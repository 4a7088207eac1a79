/** The Collector's feature gates: which ids exist, which are on, and how `--feature-gates` is read. Main thread. */

export interface FeatureGate {
  readonly id: string;
  readonly stage: 'Alpha' | 'Beta' | 'Stable';
  readonly enabled: boolean;
  /** What it does here; gates without effect are accepted so that a Collector's command line works as it is. */
  readonly description: string;
}

const noEffect = 'Accepted; without effect here.';
const tailSampling = 'processor.tailsamplingprocessor';

export const featureGates: readonly FeatureGate[] = Object.freeze([
  {
    id: 'confmap.enableMergeAppendOption',
    stage: 'Alpha',
    enabled: false,
    description: 'Lists under service are appended when several configurations are merged.',
  },
  { id: 'exporter.file.nativeCompression', stage: 'Alpha', enabled: false, description: noEffect },
  { id: 'exporter.googlecloud.CustomMonitoredResources', stage: 'Alpha', enabled: false, description: noEffect },
  { id: 'exporter.googlecloud.noLogTraceContextPrefix', stage: 'Alpha', enabled: false, description: noEffect },
  { id: 'extension.healthcheck.useComponentStatus', stage: 'Alpha', enabled: false, description: noEffect },
  { id: 'ottl.PanicDuplicateName', stage: 'Stable', enabled: true, description: noEffect },
  { id: 'ottl.contexts.enableOTelColContext', stage: 'Stable', enabled: true, description: noEffect },
  {
    id: 'ottl.functions.enableLambda',
    stage: 'Alpha',
    enabled: false,
    description: 'Conditions may pass lambdas to All, Any, Filter and their like.',
  },
  { id: 'ottl.set.allowNil', stage: 'Beta', enabled: true, description: noEffect },
  { id: 'pdata.useProtoPooling', stage: 'Alpha', enabled: false, description: noEffect },
  { id: 'pkg.exporterhelper.queueBatchEnabled', stage: 'Alpha', enabled: false, description: noEffect },
  {
    id: `${tailSampling}.metricstatcountbytessampled`,
    stage: 'Alpha',
    enabled: false,
    description: 'Counts sampled bytes by policy.',
  },
  {
    id: `${tailSampling}.metricstatcountspanssampled`,
    stage: 'Alpha',
    enabled: false,
    description: 'Counts sampled spans by policy.',
  },
  {
    id: `${tailSampling}.recordpolicy`,
    stage: 'Alpha',
    enabled: false,
    description: 'Writes the name of the deciding policy on the scopes of sampled traces.',
  },
  { id: `${tailSampling}.tailstorageextension`, stage: 'Alpha', enabled: false, description: noEffect },
  {
    id: `${tailSampling}.usetracestate`,
    stage: 'Alpha',
    enabled: false,
    description: 'Policies consult and rewrite rv and th of the tracestate.',
  },
  {
    id: 'receiverhelper.newReceiverMetrics',
    stage: 'Alpha',
    enabled: false,
    description: 'Receivers count requests by outcome and tell refused from failed.',
  },
  { id: 'service.AllowNoPipelines', stage: 'Alpha', enabled: false, description: 'A configuration without pipelines runs.' },
  { id: 'service.partialReload', stage: 'Alpha', enabled: false, description: noEffect },
  { id: 'service.partialReloadReceivers', stage: 'Beta', enabled: true, description: noEffect },
  { id: 'service.profilesSupport', stage: 'Alpha', enabled: false, description: noEffect },
  { id: 'telemetry.newPipelineTelemetry', stage: 'Alpha', enabled: false, description: noEffect },
]);

export type FeatureGateOutcome =
  | { readonly kind: 'gates'; readonly enabled: ReadonlySet<string> }
  | { readonly kind: 'faulty'; readonly message: string };

/**
 * Reads comma-separated gates: `+id` and `id` turn on, `-id` turns off; later wins.
 *
 * Source: go.opentelemetry.io/collector/featuregate, whose errors these are.
 */
export function readFeatureGates(lists: readonly string[]): FeatureGateOutcome {
  const enabled = new Set(featureGates.filter((gate) => gate.enabled).map((gate) => gate.id));
  for (const written of lists.flatMap((list) => list.split(',')).filter((text) => text !== '')) {
    const on = !written.startsWith('-');
    const id = written.replace(/^[+-]/, '');
    const gate = featureGates.find((known) => known.id === id);
    if (gate === undefined) return { kind: 'faulty', message: `no such feature gate "${id}"; ringtail featuregate lists those known` };
    if (gate.stage === 'Stable' && !on) return { kind: 'faulty', message: `feature gate "${id}" is stable, can not be disabled` };
    if (on) enabled.add(id);
    else enabled.delete(id);
  }
  return { kind: 'gates', enabled };
}
