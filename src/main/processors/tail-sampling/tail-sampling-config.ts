/** The configuration of `tail_sampling`: options, defaults and checks of spec 1.1, and Ringtail's own. Main thread. */

import type { PolicyConfig } from '../../../shared/policy-config.ts';
import type { ConfigFault } from '../../config/config-fault.ts';
import { bool, choice, componentId, duration, type Infer, int, object, string, uint } from '../../config/fields.ts';
import { lambdaFaults } from './lambda-gate.ts';
import { policyList } from './policies-config.ts';

const storageGate = 'processor.tailsamplingprocessor.tailstorageextension';
const shardsMax = 256;

export const tailSamplingSchema = object({
  decision_wait: duration().default(30_000).describe('Age of a trace, from its first span, at which it is decided; exact to the tick.'),
  decision_wait_after_root_received: duration().describe('Decide this long after a root span came, if that is earlier; 0 = off.'),
  num_traces: uint({ min: 1 })
    .optional()
    .describe('Undecided traces held; above it the oldest is decided early. Unset: as many as the memory holds.'),
  block_on_overflow: bool().describe('Refuse new traces instead of deciding the oldest early.'),
  expected_new_traces_per_sec: uint().describe('Accepted and not needed.'),
  decision_cache: object({
    sampled_cache_size: int().optional().describe('Sampled traces remembered for late spans; 0 = as many as the memory holds.'),
    non_sampled_cache_size: int()
      .optional()
      .describe('Traces not sampled or dropped remembered for late spans; 0 = as many as the memory holds.'),
  }),
  sampling_strategy: string()
    .default('trace-complete')
    .describe('trace-complete, or span-ingest: each fragment is judged alone when it comes.'),
  sample_on_first_match: bool().describe('Stop at the first policy that samples.'),
  drop_pending_traces_on_shutdown: bool().describe('Forget undecided traces at shutdown instead of deciding them on what is there.'),
  maximum_trace_size_bytes: uint().describe('A larger trace is not sampled, at once; 0 = off.'),
  num_shards: uint({ type: 'uint32' }).default(1).describe('Parts of the traces that are worked on in parallel; 0 = 1.'),
  tail_storage: componentId().optional().describe('Refused: traces are held in the arena.'),
  workers: uint({ max: 64 })
    .optional()
    .describe('Threads that judge traces, for the whole process; 0 = the main thread does. Default: one per shard.'),
  policies: policyList().describe('Evaluated in order, drop policies first.'),
  record: choice(['off', 'policy', 'full'])
    .default('off')
    .describe("What kept spans' scopes say of the decision: nothing, the policies, or the trigger and late marks too."),
});
export type TailSamplingConfig = Infer<typeof tailSamplingSchema>;

/** Checks across fields, in the Collector's order. Paths are relative to the component's own config. */
export function checkTailSampling(
  config: TailSamplingConfig,
  _id: unknown = undefined,
  featureGates: ReadonlySet<string> = new Set(),
): readonly ConfigFault[] {
  const faults: ConfigFault[] = lambdaFaults(config.policies, featureGates);
  const report = (severity: ConfigFault['severity'], path: ConfigFault['path'], message: string) => {
    faults.push({ severity, path, message });
  };
  const strategy = config.sampling_strategy;
  if (strategy !== 'trace-complete' && strategy !== 'span-ingest') {
    const message = `invalid sampling_strategy ${JSON.stringify(strategy)}, expected one of "trace-complete" or "span-ingest"`;
    report('error', ['sampling_strategy'], message);
  }
  if (config.num_shards > shardsMax) report('error', ['num_shards'], `num_shards (${config.num_shards}) must not exceed ${shardsMax}`);
  if (config.tail_storage !== undefined) {
    if (config.num_shards > 1) report('error', ['num_shards'], 'num_shards greater than 1 is not supported with tail_storage');
    const message = `'tail_storage' requires the "${storageGate}" feature gate to be enabled, use --feature-gates=+${storageGate}`;
    report('error', ['tail_storage'], `${message}; Ringtail has no tail storage: it holds traces in its arena, so remove the key`);
  }
  if (strategy === 'span-ingest') {
    for (const [index, policy] of config.policies.entries()) checkOnIngest(policy, ['policies', index], report);
  }
  return faults;
}

function checkOnIngest(
  policy: PolicyConfig,
  path: ConfigFault['path'],
  report: (severity: ConfigFault['severity'], path: ConfigFault['path'], message: string) => void,
): void {
  if (isStateful(policy)) {
    const message = `sampling_strategy "span-ingest" requires all policies to be stateless, but policy ${JSON.stringify(policy.name)} is stateful`;
    report('error', path, message);
  } else if (policy.type === 'drop') {
    report(
      'warning',
      path,
      'with span-ingest a drop policy that may still match keeps every trace from being sampled before its decision wait is over; it is then decided on all that came',
    );
  } else if (judgesAbsence(policy)) {
    report(
      'warning',
      path,
      'with span-ingest this policy judges the first fragment alone, so it can sample because something has not come yet',
    );
  }
}

/** Whether a verdict may change as more spans come; spec 1.3. */
export function isStateful(policy: PolicyConfig): boolean {
  switch (policy.type) {
    case 'latency':
      return policy.upperThresholdMs > 0;
    case 'span_count':
      return policy.maxSpans > 0;
    case 'rate_limiting':
    case 'bytes_limiting':
      return true;
    case 'and':
    case 'drop':
    case 'composite':
      return policy.subPolicies.some(isStateful);
    case 'not':
      return isStateful(policy.subPolicy);
    default:
      return false;
  }
}

/** Policies that the Collector counts as stateless although a later span can turn their verdict. */
function judgesAbsence(policy: PolicyConfig): boolean {
  switch (policy.type) {
    case 'numeric_attribute':
    case 'string_attribute':
    case 'boolean_attribute':
      return policy.invertMatch;
    case 'and':
    case 'drop':
      return policy.subPolicies.some(judgesAbsence);
    default:
      return policy.type === 'not' || policy.type === 'composite';
  }
}
