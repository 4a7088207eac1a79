/** Finds what loads but does something else than its writer may think, and says so with the figure. Main thread. */

import type { BindOptions } from './bind-configuration.ts';
import type { ConfigFault, ConfigPath } from './config-fault.ts';
import { formatDuration, nanosecondsToMs, parseDuration } from './duration.ts';
import { isRawMap, numberOf, plainValue, type RawMap, resolved } from './raw-value.ts';

type Report = (path: ConfigPath, message: string) => void;

/** One look at one policy; `path` leads to the policy, `block` is the one of its type. A further check is one more entry. */
type PolicyCheck = (block: RawMap, path: ConfigPath, report: Report) => void;

const policyChecks: Readonly<Record<string, readonly PolicyCheck[]>> = {
  probabilistic: [tinyPercentage],
  status_code: [unsetCode],
  numeric_attribute: [zeroBounds],
  composite: [allocation],
};

/** Looks through the whole configuration, decodable or not; answers warnings only. */
export function surprises(raw: RawMap, options: BindOptions): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const report: Report = (path, message) => void faults.push({ severity: 'warning', path, message });
  for (const [id, config] of componentsOf(raw, 'processors', ['tail_sampling'])) {
    const path = ['processors', id];
    const policies = resolved(config.policies);
    if (!Array.isArray(policies)) continue;
    traceCapacity(config, path, options, report);
    keepsEverything(policies, [...path, 'policies'], report);
    for (const [index, policy] of policies.entries()) checkPolicy(policy, [...path, 'policies', index], config, report);
  }
  batchBeforeBalancing(raw, report);
  return faults;
}

function componentsOf(raw: RawMap, section: string, types: readonly string[]): [string, RawMap][] {
  const map = resolved(raw[section]);
  if (!isRawMap(map)) return [];
  return Object.entries(map).flatMap(([id, value]): [string, RawMap][] => {
    const config = resolved(value) ?? {};
    return types.includes(id.split('/')[0]!) && isRawMap(config) ? [[id, config]] : [];
  });
}

function checkPolicy(raw: unknown, path: ConfigPath, sampler: RawMap, report: Report): void {
  const policy = resolved(raw);
  if (!isRawMap(policy)) return;
  const type = String(plainValue(policy.type) ?? '');
  const block = resolved(policy[type]);
  if (!isRawMap(block)) return;
  for (const check of policyChecks[type] ?? []) check(block, [...path, type], report);
  if (type === 'latency') latencyBeyondWait(block, [...path, type], sampler, report);
  const subs = resolved(block[`${type}_sub_policy`]);
  const below = [...path, type, `${type}_sub_policy`];
  if (Array.isArray(subs)) for (const [index, sub] of subs.entries()) checkPolicy(sub, [...below, index], sampler, report);
  else checkPolicy(subs, below, sampler, report);
}

/** A top-level policy that samples every trace leaves the others nothing to decide. */
function keepsEverything(policies: readonly unknown[], path: ConfigPath, report: Report): void {
  const plain = policies.map((policy) => plainValue(policy)).map((policy) => (isRawMap(policy) ? policy : {}));
  for (const [index, policy] of plain.entries()) {
    const block = isRawMap(policy.probabilistic) ? policy.probabilistic : {};
    const all = policy.type === 'always_sample' || (policy.type === 'probabilistic' && Number(block.sampling_percentage) >= 100);
    const others = plain.filter((other, at) => at !== index && other.type !== 'drop').map((other) => String(other.name ?? ''));
    if (!all || others.length === 0) continue;
    report(
      [...path, index],
      `samples every trace, so the other policies (${others.join(', ')}) change nothing; only drop policies still count`,
    );
  }
}

function tinyPercentage(block: RawMap, path: ConfigPath, report: Report): void {
  const percentage = Number(numberOf(block.sampling_percentage) ?? 0);
  const at = [...path, 'sampling_percentage'];
  if (percentage > 0 && percentage < 1) {
    const traces = Math.round(100 / percentage).toLocaleString('en-US');
    const share = percentage === 0.1 ? ', a tenth of a percent' : '';
    report(
      at,
      `${percentage} is ${percentage} %${share}: 1 trace of ${traces}; if ${Number((percentage * 100).toPrecision(12))} % is meant, write ${Number((percentage * 100).toPrecision(12))}`,
    );
  } else if (percentage > 100) report(at, `${percentage} % keeps everything, like 100`);
  else if (percentage <= 0) report(block.sampling_percentage === undefined ? path : at, `${percentage} % keeps nothing`);
}

function unsetCode(block: RawMap, path: ConfigPath, report: Report): void {
  const codes = plainValue(block.status_codes);
  const list = Array.isArray(codes) ? codes : String(codes ?? '').split(',');
  const index = list.indexOf('UNSET');
  if (index < 0) return;
  const at = Array.isArray(codes) ? [...path, 'status_codes', index] : [...path, 'status_codes'];
  report(at, 'UNSET is the status of every span whose code set none: with it nearly every trace is kept');
}

function zeroBounds(block: RawMap, path: ConfigPath, report: Report): void {
  for (const key of ['min_value', 'max_value']) {
    const number = numberOf(block[key]);
    if (number === undefined || Math.trunc(Number(number)) !== 0) continue;
    report([...path, key], `${number} counts as not set: there is no ${key === 'min_value' ? 'lower' : 'upper'} bound`);
  }
}

function allocation(block: RawMap, path: ConfigPath, report: Report): void {
  const entries = plainValue(block.rate_allocation);
  const subs = plainValue(block.composite_sub_policy);
  if (!Array.isArray(subs) || subs.length === 0) return;
  const listed = Array.isArray(entries) ? entries.filter(isRawMap) : [];
  const maximum = Number(numberOf(block.max_total_spans_per_second) ?? 0);
  const names = subs.map((sub: unknown) => (isRawMap(sub) ? String(sub.name ?? '') : ''));
  const shares = names.map((name) => {
    const percent = Math.trunc(Number(numberOf(listed.findLast((entry) => entry.policy === name)?.percent) ?? 0));
    return percent > 0 ? Math.trunc((percent / 100) * maximum) : Math.trunc(maximum / subs.length);
  });
  const sum = shares.reduce((total, share) => total + share, 0);
  const figures = names.map((name, index) => `${name} ${shares[index]}`).join(', ');
  if (listed.length > 0 && (sum > maximum || sum < maximum - subs.length)) {
    report(
      [...path, 'rate_allocation'],
      `the shares come to ${sum} of ${maximum} spans per second (${figures}); they are not scaled to fit`,
    );
  }
}

function durationMs(raw: unknown, fallbackMs: number): number {
  const value = plainValue(raw);
  if (typeof value === 'number') return value / 1e6;
  const outcome = typeof value === 'string' ? parseDuration(value) : undefined;
  return outcome?.kind === 'duration' ? nanosecondsToMs(outcome.nanoseconds) : fallbackMs;
}

const decisionWaitDefaultMs = 30_000;
const numTracesDefault = 50_000;

function latencyBeyondWait(block: RawMap, path: ConfigPath, sampler: RawMap, report: Report): void {
  const thresholdMs = Number(numberOf(block.threshold_ms) ?? 0);
  const waitMs = durationMs(sampler.decision_wait, decisionWaitDefaultMs);
  if (thresholdMs < waitMs) return;
  const message = `${thresholdMs} ms is not below the decision wait (${formatDuration(waitMs)}): a span that ends later than that after the trace's first span arrives too late to be seen; raise decision_wait above ${formatDuration(thresholdMs)}`;
  report([...path, 'threshold_ms'], message);
}

function traceCapacity(config: RawMap, path: ConfigPath, options: BindOptions, report: Report): void {
  const waitMs = durationMs(config.decision_wait, decisionWaitDefaultMs);
  const numTraces = Number(numberOf(config.num_traces) ?? numTracesDefault);
  if (options.tracesPerSecond === undefined) return;
  const needed = Math.ceil((options.tracesPerSecond * waitMs) / 1000);
  if (needed <= numTraces) return;
  const rate = options.tracesPerSecond.toLocaleString('en-US');
  const message = `${numTraces} traces are room for ${(numTraces / options.tracesPerSecond || 0).toFixed(1)} s at ${rate} traces/s, and the decision wait is ${formatDuration(waitMs)}: the oldest would be decided early; ${needed} are needed`;
  report(config.num_traces === undefined ? path : [...path, 'num_traces'], message);
}

/** The batch answers "taken" before anything is sent; loadbalancing puts requests together by itself. */
function batchBeforeBalancing(raw: RawMap, report: Report): void {
  const service = resolved(raw.service);
  const pipelines = isRawMap(service) ? plainValue(service.pipelines) : undefined;
  if (!isRawMap(pipelines)) return;
  for (const [id, pipeline] of Object.entries(pipelines)) {
    if (!isRawMap(pipeline) || !Array.isArray(pipeline.exporters) || !Array.isArray(pipeline.processors)) continue;
    const balancing = pipeline.exporters.find((exporter) => /^load_?balancing(\/|$)/.test(String(exporter)));
    const index = pipeline.processors.findIndex((processor) => /^batch(\/|$)/.test(String(processor)));
    if (balancing === undefined || index < 0) continue;
    const message = `${pipeline.processors[index]} in front of ${balancing} answers senders before a backend has the spans, and saves nothing: ${balancing} puts calls together by itself; remove it to have honest acknowledgements`;
    report(['service', 'pipelines', id, 'processors', index], message);
  }
}
