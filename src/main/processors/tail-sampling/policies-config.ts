/** Judges written policies as the Collector does when it starts, and turns them into the policy configuration that workers compile. Main thread. */

import { systemClock } from '../../../shared/clock.ts';
import type { LeafPolicyConfig, PolicyConfig, StatusCodeName } from '../../../shared/policy-config.ts';
import { compilePattern } from '../../../shared/re2.ts';
import { compileConditions, OttlFault } from '../../../workers/ottl/compile-conditions.ts';
import { field, warn } from '../../config/field.ts';
import { type FieldSchema, list } from '../../config/fields.ts';
import { nearest } from '../../config/nearest.ts';
import { resolved } from '../../config/raw-value.ts';
import { policyEntry, type WrittenComposite, type WrittenLeaf, type WrittenPolicy } from './policy-fields.ts';

const leafTypes: readonly LeafPolicyConfig['type'][] = [
  'always_sample',
  'latency',
  'numeric_attribute',
  'probabilistic',
  'status_code',
  'string_attribute',
  'rate_limiting',
  'bytes_limiting',
  'span_count',
  'trace_state',
  'trace_flags',
  'boolean_attribute',
  'ottl_condition',
];
type GroupType = 'and' | 'not' | 'drop' | 'composite';

type Path = readonly (string | number)[];
type Fault = (message: string, path: Path) => void;

/** The list of policies: entries decoded, then judged; faults carry the place below the list. */
export function policyList(): FieldSchema<readonly PolicyConfig[]> {
  const entries = list(policyEntry);
  const meta = { type: 'list', json: { type: 'array' }, item: policyEntry } as const;
  return field(meta, (raw, context): readonly PolicyConfig[] => {
    const items = resolved(raw);
    if (!Array.isArray(items)) {
      for (const issue of entries.safeParse(raw).error?.issues ?? []) context.fault(issue.message, issue.path as Path);
    }
    const written: readonly (WrittenPolicy | undefined)[] = Array.isArray(items)
      ? items.map((item, index) => context.child(policyEntry, index, item))
      : [];
    if (written.length === 0) context.warn('no policies: every trace ends not sampled');
    const names = new Set<string>();
    return written.flatMap((policy, index) => {
      if (policy === undefined) return [];
      if (policy.name === '') context.fault('policy name cannot be empty', [index, 'name']);
      else if (names.has(policy.name)) context.fault(`duplicate policy name ${JSON.stringify(policy.name)}`, [index, 'name']);
      names.add(policy.name);
      const fault: Fault = (message, path) =>
        context.fault(`failed to create policy evaluator for ${JSON.stringify(policy.name)}: ${message}`, path);
      const judged = judge(policy, ['and', 'not', 'drop', 'composite'], [index], fault);
      return judged === undefined ? [] : [judged];
    });
  });
}

/** The policy, or undefined when it has a fault. `groups`: types of groups that may stand here. */
function judge(written: WrittenPolicy, groups: readonly GroupType[], path: Path, fault: Fault): PolicyConfig | undefined {
  const { type, name } = written;
  if (groups.some((group) => group === type)) return judgeGroup(written, type as GroupType, path, fault);
  if (leafTypes.some((leaf) => leaf === type)) return judgeLeaf(written, type as LeafPolicyConfig['type'], name, path, fault);
  const allowed = [...leafTypes, ...groups];
  const near = nearest(type, allowed);
  fault(`unknown sampling policy type ${type}; ${near === undefined ? `known here: ${allowed.join(', ')}` : `did you mean ${near}?`}`, [
    ...path,
    'type',
  ]);
  return undefined;
}

function judgeGroup(written: WrittenPolicy, type: GroupType, path: Path, fault: Fault): PolicyConfig | undefined {
  const { name } = written;
  switch (type) {
    case 'and':
      return judgeAll(type, name, written.and!.and_sub_policy, [...path, 'and', 'and_sub_policy'], fault);
    case 'drop':
      return judgeAll(type, name, written.drop!.drop_sub_policy, [...path, 'drop', 'drop_sub_policy'], fault);
    case 'not': {
      const subPolicy = judge(written.not!.not_sub_policy, [], [...path, 'not', 'not_sub_policy'], fault);
      return subPolicy && { type, name, subPolicy };
    }
    default:
      return judgeComposite(name, written.composite!, [...path, 'composite'], fault);
  }
}

function judgeAll(type: 'and' | 'drop', name: string, subs: readonly WrittenPolicy[], path: Path, fault: Fault): PolicyConfig | undefined {
  if (subs.length === 0) warn(`no sub-policies: every trace is ${type === 'and' ? 'sampled' : 'dropped'}`, path);
  const subPolicies = subs.flatMap((sub, index) => judge(sub, ['not'], [...path, index], fault) ?? []);
  return subPolicies.length === subs.length ? { type, name, subPolicies } : undefined;
}

function judgeComposite(name: string, written: WrittenComposite, path: Path, fault: Fault): PolicyConfig | undefined {
  const subs = written.composite_sub_policy;
  const subPolicies = subs.flatMap((sub, index) => judge(sub, ['and'], [...path, 'composite_sub_policy', index], fault) ?? []);
  const order = subs.map((sub) => sub.name);
  if (written.policy_order.length > 0 && written.policy_order.join('\n') !== order.join('\n')) {
    warn(`is not used, as in the Collector; policies are tried in the order of composite_sub_policy: ${order.join(', ')}`, [
      ...path,
      'policy_order',
    ]);
  }
  for (const [index, { policy }] of written.rate_allocation.entries()) {
    if (order.includes(policy)) continue;
    const near = nearest(policy, order);
    warn(`names no sub-policy (${policy})${near === undefined ? '' : `; did you mean ${near}?`}`, [
      ...path,
      'rate_allocation',
      index,
      'policy',
    ]);
  }
  if (subPolicies.length !== subs.length) return undefined;
  const { max_total_spans_per_second: maxTotalSpansPerSecond, rate_allocation: rateAllocation } = written;
  return { type: 'composite', name, maxTotalSpansPerSecond, subPolicies, rateAllocation };
}

function judgeLeaf(
  written: WrittenLeaf,
  type: LeafPolicyConfig['type'],
  name: string,
  path: Path,
  fault: Fault,
): LeafPolicyConfig | undefined {
  const block: Path = [...path, type];
  switch (type) {
    case 'latency': {
      const { threshold_ms: thresholdMs, upper_threshold_ms: upperThresholdMs } = written.latency;
      return { type, name, thresholdMs, upperThresholdMs };
    }
    case 'numeric_attribute':
      return judgeNumeric(written, name, block, fault);
    case 'probabilistic': {
      const { hash_salt: hashSalt, sampling_percentage: samplingPercentage } = written.probabilistic;
      return { type, name, hashSalt, samplingPercentage };
    }
    case 'status_code':
      return judgeStatusCode(written, name, [...block, 'status_codes'], fault);
    case 'string_attribute':
      return judgeString(written, name, [...block, 'values'], fault);
    case 'boolean_attribute': {
      const { key, value, invert_match: invertMatch } = written.boolean_attribute;
      return { type, name, key, value, invertMatch };
    }
    case 'rate_limiting': {
      const { spans_per_second: spansPerSecond, burst_capacity: burstCapacity } = written.rate_limiting;
      return { type, name, spansPerSecond, burstCapacity };
    }
    case 'bytes_limiting': {
      const { bytes_per_second: bytesPerSecond, burst_capacity: burstCapacity } = written.bytes_limiting;
      return { type, name, bytesPerSecond, burstCapacity };
    }
    case 'span_count': {
      const { min_spans: minSpans, max_spans: maxSpans } = written.span_count;
      return { type, name, minSpans, maxSpans };
    }
    case 'trace_state': {
      const { key, values } = written.trace_state;
      return { type, name, key, values };
    }
    case 'ottl_condition':
      return judgeOttl(written, name, block, fault);
    default:
      return { type, name };
  }
}

function judgeNumeric(written: WrittenLeaf, name: string, path: Path, fault: Fault): LeafPolicyConfig | undefined {
  const { key, min_value: minValue, max_value: maxValue, invert_match: invertMatch } = written.numeric_attribute;
  if (minValue === 0n && maxValue === 0n) {
    fault('at least one of min_value or max_value must be set, and 0 is no bound', path);
    return undefined;
  }
  if (minValue !== 0n && maxValue !== 0n && minValue > maxValue)
    warn(`min_value ${minValue} is above max_value ${maxValue}: nothing matches`, path);
  return { type: 'numeric_attribute', name, key, minValue, maxValue, invertMatch };
}

function judgeStatusCode(written: WrittenLeaf, name: string, path: Path, fault: Fault): LeafPolicyConfig | undefined {
  const codes = written.status_code.status_codes;
  if (codes.length === 0) fault('expected at least one status code to filter on; write OK, ERROR or UNSET', path);
  const known = codes.filter((code): code is StatusCodeName => code === 'OK' || code === 'ERROR' || code === 'UNSET');
  const unknown = codes.findIndex((code) => code !== 'OK' && code !== 'ERROR' && code !== 'UNSET');
  if (unknown >= 0) fault(`unknown status code ${JSON.stringify(codes[unknown])}, supported: OK, ERROR, UNSET`, [...path, unknown]);
  return codes.length > 0 && unknown < 0 ? { type: 'status_code', name, statusCodes: known } : undefined;
}

function judgeString(written: WrittenLeaf, name: string, path: Path, fault: Fault): LeafPolicyConfig | undefined {
  const {
    key,
    values,
    enabled_regex_matching: enabledRegexMatching,
    cache_max_size: cacheMaxSize,
    invert_match: invertMatch,
  } = written.string_attribute;
  let isRight = true;
  for (const [index, value] of enabledRegexMatching ? values.entries() : []) {
    const outcome = compilePattern(value);
    if (outcome.kind === 'pattern') continue;
    isRight = false;
    fault(`invalid regex \`${value}\`: ${outcome.message}`, [...path, index]);
  }
  return isRight ? { type: 'string_attribute', name, key, values, enabledRegexMatching, cacheMaxSize, invertMatch } : undefined;
}

const lambdaGates: ReadonlySet<string> = new Set(['ottl.functions.enableLambda']);

function judgeOttl(written: WrittenLeaf, name: string, path: Path, fault: Fault): LeafPolicyConfig | undefined {
  const { error_mode: errorMode, span, spanevent } = written.ottl_condition;
  if (span.length === 0 && spanevent.length === 0) {
    fault('expected at least one OTTL condition to filter on; write span or spanevent conditions', path);
    return undefined;
  }
  const areRight = [
    judgeConditions(span, 'span', [...path, 'span'], fault),
    judgeConditions(spanevent, 'spanevent', [...path, 'spanevent'], fault),
  ];
  return areRight.every(Boolean) ? { type: 'ottl_condition', name, errorMode, span, spanevent } : undefined;
}

/** Each condition alone, so that each fault is told at its own place. */
function judgeConditions(texts: readonly string[], context: 'span' | 'spanevent', path: Path, fault: Fault): boolean {
  let areRight = true;
  for (const [index, text] of texts.entries()) {
    // Whether the gate for lambdas is open is asked when the whole block is known: `checkTailSampling`.
    const outcome = compileConditions([text], context, { featureGates: lambdaGates, clock: systemClock });
    if (!(outcome instanceof OttlFault)) continue;
    areRight = false;
    fault(outcome.message, [...path, index]);
  }
  return areRight;
}
