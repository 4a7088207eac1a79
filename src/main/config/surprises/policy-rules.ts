/** What surprises in one policy: numbers and texts that mean something else than their writer may think. Main thread. */

import type { ConfigPath } from '../config-fault.ts';
import { formatDuration } from '../duration.ts';
import { isRawMap, type RawMap } from '../raw-value.ts';
import { durationAt, listAt, numberAt, type Report } from './finding.ts';

/** `path` leads to the policy's block, `block` is that block, `sampler` the processor's configuration. */
type PolicyRule = (block: RawMap, path: ConfigPath, sampler: RawMap, report: Report) => void;

const decisionWaitDefaultMs = 30_000;

/** By policy type; a further finding is one more entry. */
const rules: Readonly<Record<string, readonly PolicyRule[]>> = {
  latency: [latencyBeyondWait, latencyOfNothing, emptyLatencyWindow],
  probabilistic: [tinyPercentage],
  status_code: [unsetCode],
  numeric_attribute: [zeroBounds, keyOfEvents],
  string_attribute: [patternTakenLiterally, valuesOfNothing, keyOfEvents, keyOfNumbers],
  boolean_attribute: [keyOfEvents],
  trace_state: [valuesOfNothing],
  span_count: [everyCount],
  rate_limiting: [rateOfNothing],
  bytes_limiting: [rateOfNothing],
  composite: [allocation, compositeOfNothing],
};

export function checkPolicy(policy: unknown, path: ConfigPath, sampler: RawMap, report: Report): void {
  if (!isRawMap(policy)) return;
  const type = String(policy.type ?? '');
  const block = policy[type];
  if (!isRawMap(block)) return;
  for (const rule of rules[type] ?? []) rule(block, [...path, type], sampler, report);
  const subs = block[`${type}_sub_policy`];
  const below = [...path, type, `${type}_sub_policy`];
  if (Array.isArray(subs)) for (const [index, sub] of subs.entries()) checkPolicy(sub, [...below, index], sampler, report);
  else checkPolicy(subs, below, sampler, report);
}

function latencyBeyondWait(block: RawMap, path: ConfigPath, sampler: RawMap, report: Report): void {
  const thresholdMs = numberAt(block, 'threshold_ms');
  const waitMs = durationAt(sampler, 'decision_wait', decisionWaitDefaultMs);
  if (thresholdMs < waitMs || waitMs === 0) return;
  const message = `${thresholdMs} ms is not below the decision wait (${formatDuration(waitMs)}): a span that ends later than that after the trace's first span arrives too late to be seen; raise decision_wait above ${formatDuration(thresholdMs)}`;
  report([...path, 'threshold_ms'], message);
}

function latencyOfNothing(block: RawMap, path: ConfigPath, _sampler: RawMap, report: Report): void {
  if (numberAt(block, 'threshold_ms') > 0 || numberAt(block, 'upper_threshold_ms') > 0) return;
  report(
    'threshold_ms' in block ? [...path, 'threshold_ms'] : path,
    '0 ms is exceeded by every trace with a span that lasts: nearly all are kept',
  );
}

function emptyLatencyWindow(block: RawMap, path: ConfigPath, _sampler: RawMap, report: Report): void {
  const [lower, upper] = [numberAt(block, 'threshold_ms'), numberAt(block, 'upper_threshold_ms')];
  if (upper <= 0 || upper > lower) return;
  report([...path, 'upper_threshold_ms'], `no duration is above ${lower} ms and at most ${upper} ms: nothing matches`);
}

function tinyPercentage(block: RawMap, path: ConfigPath, _sampler: RawMap, report: Report): void {
  const percentage = numberAt(block, 'sampling_percentage');
  const at = [...path, 'sampling_percentage'];
  if (percentage > 0 && percentage < 1) {
    const traces = Math.round(100 / percentage).toLocaleString('en-US');
    const share = percentage === 0.1 ? ', a tenth of a percent' : '';
    const hundredfold = Number((percentage * 100).toPrecision(12));
    report(at, `${percentage} is ${percentage} %${share}: 1 trace of ${traces}; if ${hundredfold} % is meant, write ${hundredfold}`);
  } else if (percentage > 100) report(at, `${percentage} % keeps everything, like 100`);
  else if (percentage <= 0) {
    const message = `${percentage} % keeps nothing, and leaves nothing out that another policy keeps; a policy of type drop leaves traces out`;
    report('sampling_percentage' in block ? at : path, message);
  }
}

function unsetCode(block: RawMap, path: ConfigPath, _sampler: RawMap, report: Report): void {
  const index = listAt(block, 'status_codes').indexOf('UNSET');
  if (index < 0) return;
  const at = Array.isArray(block.status_codes) ? [...path, 'status_codes', index] : [...path, 'status_codes'];
  report(at, 'UNSET is the status of every span whose code set none: with it nearly every trace is kept');
}

function zeroBounds(block: RawMap, path: ConfigPath, _sampler: RawMap, report: Report): void {
  for (const key of ['min_value', 'max_value']) {
    if (!['number', 'bigint'].includes(typeof block[key]) || Math.trunc(numberAt(block, key)) !== 0) continue;
    report([...path, key], `${block[key]} counts as not set: there is no ${key === 'min_value' ? 'lower' : 'upper'} bound`);
  }
}

/** What only an expression contains: an anchor, a class, an alternative, "any". */
const pattern = /^\^|\$$|\.\*|\.\+|\\[dwsb]|\[[^\]]+\]|\|/;

function patternTakenLiterally(block: RawMap, path: ConfigPath, _sampler: RawMap, report: Report): void {
  if (block.enabled_regex_matching === true) return;
  for (const [index, value] of listAt(block, 'values').entries()) {
    if (typeof value !== 'string' || !pattern.test(value)) continue;
    const message = `${JSON.stringify(value)} looks like a regular expression, and is compared as a text: write enabled_regex_matching: true`;
    report([...path, 'values', index], message);
  }
}

function valuesOfNothing(block: RawMap, path: ConfigPath, _sampler: RawMap, report: Report): void {
  if (listAt(block, 'values').length > 0) return;
  const nothing = block.invert_match === true ? 'no value is excluded: every trace is kept' : 'no values: nothing matches';
  report('values' in block ? [...path, 'values'] : path, nothing);
}

/** The semantic conventions put these on events, which no attribute policy looks at. */
const eventKeys = /^(exception\.(type|message|stacktrace|escaped)|event\.name)$/;

function keyOfEvents(block: RawMap, path: ConfigPath, _sampler: RawMap, report: Report): void {
  const key = String(block.key ?? '');
  if (!eventKeys.test(key)) return;
  const message = `${key} is an attribute of span events, and this policy looks at spans and resources: write ottl_condition: { spanevent: ['attributes["${key}"] != nil'] }`;
  report([...path, 'key'], message);
}

/** Whole numbers by the semantic conventions. */
const numberKeys =
  /^(http\.(response\.)?status_code|rpc\.grpc\.status_code|(server|client|net\.(host|peer))\.port|http\.(request|response)\.body\.size)$/;

function keyOfNumbers(block: RawMap, path: ConfigPath, _sampler: RawMap, report: Report): void {
  const key = String(block.key ?? '');
  if (!numberKeys.test(key)) return;
  const message = `${key} is a number, and string_attribute sees texts alone: write numeric_attribute: { key: ${key}, min_value: 500, max_value: 599 } with your bounds`;
  report([...path, 'key'], message);
}

function everyCount(block: RawMap, path: ConfigPath, _sampler: RawMap, report: Report): void {
  const [min, max] = [numberAt(block, 'min_spans'), numberAt(block, 'max_spans')];
  if (max > 0 && max < min) report([...path, 'max_spans'], `no trace has at least ${min} and at most ${max} spans: nothing matches`);
  else if (min <= 1 && max <= 0) report(path, `every trace has ${min < 1 ? 'no fewer than 0 spans' : 'a span'}: all are kept`);
}

function rateOfNothing(block: RawMap, path: ConfigPath, _sampler: RawMap, report: Report): void {
  const key = 'bytes_per_second' in block ? 'bytes_per_second' : 'spans_per_second';
  if (numberAt(block, key) <= 0) report(key in block ? [...path, key] : path, 'a rate of 0 keeps nothing');
}

function allocation(block: RawMap, path: ConfigPath, _sampler: RawMap, report: Report): void {
  const subs = listAt(block, 'composite_sub_policy');
  const listed = listAt(block, 'rate_allocation').filter(isRawMap);
  if (subs.length === 0 || listed.length === 0) return;
  const maximum = numberAt(block, 'max_total_spans_per_second');
  const names = subs.map((sub) => (isRawMap(sub) ? String(sub.name ?? '') : ''));
  const shares = names.map((name) => {
    const percent = Math.trunc(numberAt(listed.findLast((entry) => entry.policy === name) ?? {}, 'percent'));
    return percent > 0 ? Math.trunc((percent / 100) * maximum) : Math.trunc(maximum / subs.length);
  });
  const sum = shares.reduce((total, share) => total + share, 0);
  if (sum <= maximum && sum >= maximum - subs.length) return;
  const figures = names.map((name, index) => `${name} ${shares[index]}`).join(', ');
  report([...path, 'rate_allocation'], `the shares come to ${sum} of ${maximum} spans per second (${figures}); they are not scaled to fit`);
}

function compositeOfNothing(block: RawMap, path: ConfigPath, _sampler: RawMap, report: Report): void {
  const key = 'max_total_spans_per_second';
  if (numberAt(block, key) <= 0) report(key in block ? [...path, key] : path, `${key} is 0: its sub-policies keep nothing`);
}
