/** Finds policies that change nothing: what they keep is kept by another, or dropped in any case. Main thread. */

import type { ConfigPath } from '../config-fault.ts';
import { isRawMap, type RawMap } from '../raw-value.ts';
import { listAt, mapAt, numberAt, type Report } from './finding.ts';

interface Named {
  readonly policy: RawMap;
  readonly name: string;
  readonly index: number;
}

/** Looks at every pair of top-level policies; one that samples everything is told once, for all. */
export function overlaps(policies: readonly unknown[], path: ConfigPath, report: Report): void {
  const named = policies.map((policy, index): Named => {
    const map = isRawMap(policy) ? policy : {};
    return { policy: map, name: String(map.name ?? `policies[${index}]`), index };
  });
  const all = named.find(({ policy }) => samplesAll(policy));
  if (all !== undefined) keepsEverything(all, named, path, report);
  const keepers = named.filter(({ policy }) => policy.type !== 'drop').length;
  for (const one of named) {
    if (all === undefined && keepers > 1) keepsTheRest(one, path, report);
    if (one.policy.type === 'drop') dropsEverything(one, named, path, report);
    else if (!samplesAll(one.policy)) tellOverlap(one, named, all === undefined, path, report);
  }
}

function samplesAll(policy: RawMap): boolean {
  const percentage = numberAt(mapAt(policy, 'probabilistic'), 'sampling_percentage');
  return policy.type === 'always_sample' || (policy.type === 'probabilistic' && percentage >= 100);
}

function keepsEverything(all: Named, named: readonly Named[], path: ConfigPath, report: Report): void {
  const others = named.filter((other) => other !== all && other.policy.type !== 'drop').map(({ name }) => name);
  if (others.length === 0) return;
  const message = `samples every trace, so the other policies (${others.join(', ')}) change nothing; only drop policies still count`;
  report([...path, all.index], message);
}

/** Inverted matches left traces out before v0.156; today they keep what does not match. */
function keepsTheRest({ policy, index }: Named, path: ConfigPath, report: Report): void {
  const type = String(policy.type ?? '');
  const isInverted =
    ['string_attribute', 'numeric_attribute', 'boolean_attribute'].includes(type) && mapAt(policy, type).invert_match === true;
  if (!isInverted && type !== 'not') return;
  const message =
    'keeps every trace that does not match, whatever the other policies say; to leave the matching ones out and keep no more, write a policy of type drop';
  report(isInverted ? [...path, index, type, 'invert_match'] : [...path, index], message);
}

function dropsEverything({ policy, index }: Named, named: readonly Named[], path: ConfigPath, report: Report): void {
  const subs = listAt(mapAt(policy, 'drop'), 'drop_sub_policy');
  if (subs.length === 0 || !subs.every((sub) => isRawMap(sub) && samplesAll(sub))) return;
  const others = named.filter((other) => other.policy.type !== 'drop').map(({ name }) => name);
  report([...path, index], `drops every trace: the other policies (${others.join(', ')}) keep nothing`);
}

function tellOverlap(one: Named, named: readonly Named[], mayBeKept: boolean, path: ConfigPath, report: Report): void {
  const { policy, index } = one;
  const drop = named.find((other) => other.policy.type === 'drop' && isDroppedBy(policy, other.policy));
  if (drop !== undefined) {
    report([...path, index], `keeps nothing: the drop policy ${drop.name} drops every trace that it would sample`);
    return;
  }
  const other = named.find((candidate) => {
    if (candidate === one || candidate.policy.type === 'drop' || !implies(policy, candidate.policy)) return false;
    return candidate.index < index || !implies(candidate.policy, policy);
  });
  if (other === undefined || !mayBeKept) return;
  const same = implies(other.policy, policy);
  const message = same
    ? `keeps the same traces as ${other.name} (policies[${other.index}]); one of them is enough`
    : `keeps nothing that ${other.name} (policies[${other.index}]) does not keep: a trace is sampled when any policy samples it`;
  report([...path, index], message);
}

function isDroppedBy(policy: RawMap, drop: RawMap): boolean {
  const subs = listAt(mapAt(drop, 'drop'), 'drop_sub_policy').filter((sub) => !isRawMap(sub) || !samplesAll(sub));
  return subs.length > 0 && subs.every((sub) => isRawMap(sub) && implies(policy, sub));
}

/** Whether every trace that `one` samples is sampled by `other` too, for certain. Limiters count nothing for certain. */
export function implies(one: RawMap, other: RawMap): boolean {
  if (other.type === 'and') {
    const members = listAt(mapAt(other, 'and'), 'and_sub_policy').filter(isRawMap);
    return members.length > 0 && members.every((member) => implies(one, member));
  }
  if (one.type === 'and') {
    return listAt(mapAt(one, 'and'), 'and_sub_policy').some((member) => isRawMap(member) && implies(member, other));
  }
  const type = String(one.type ?? '');
  if (type !== other.type) return false;
  const containment = containments[type];
  return containment?.(mapAt(one, type), mapAt(other, type)) ?? false;
}

type Containment = (one: RawMap, other: RawMap) => boolean;

const containments: Readonly<Record<string, Containment>> = {
  trace_flags: () => true,
  status_code: (one, other) => isPart(one, other, 'status_codes'),
  latency: (one, other) => numberAt(other, 'upper_threshold_ms') === 0 && numberAt(one, 'threshold_ms') >= numberAt(other, 'threshold_ms'),
  numeric_attribute: (one, other) =>
    one.key === other.key && one.invert_match !== true && other.invert_match !== true && isWithin(one, other),
  string_attribute: (one, other) => {
    if (one.key !== other.key || (one.enabled_regex_matching ?? false) !== (other.enabled_regex_matching ?? false)) return false;
    if ((one.invert_match ?? false) !== (other.invert_match ?? false)) return false;
    return one.invert_match === true ? isPart(other, one, 'values') : isPart(one, other, 'values');
  },
  boolean_attribute: (one, other) =>
    one.key === other.key &&
    (one.value ?? false) === (other.value ?? false) &&
    (one.invert_match ?? false) === (other.invert_match ?? false),
  probabilistic: (one, other) =>
    (one.hash_salt ?? '') === (other.hash_salt ?? '') && numberAt(one, 'sampling_percentage') <= numberAt(other, 'sampling_percentage'),
  span_count: (one, other) => {
    const [max, otherMax] = [numberAt(one, 'max_spans'), numberAt(other, 'max_spans')];
    return numberAt(one, 'min_spans') >= numberAt(other, 'min_spans') && (otherMax <= 0 || (max > 0 && max <= otherMax));
  },
  trace_state: (one, other) => one.key === other.key && isPart(one, other, 'values'),
  // An error that is passed on by a further condition ends the look at the trace.
  ottl_condition: (one, other) => {
    const mode = String(one.error_mode ?? '').toLowerCase();
    if (mode !== String(other.error_mode ?? '').toLowerCase()) return false;
    const contexts = ['span', 'spanevent'];
    if (mode === 'propagate' && contexts.some((key) => listAt(one, key).length !== listAt(other, key).length)) return false;
    return contexts.every((key) => isPart(one, other, key));
  },
};

function isPart(one: RawMap, other: RawMap, key: string): boolean {
  const held = new Set(listAt(other, key));
  return listAt(one, key).every((item) => held.has(item));
}

/** 0 is no bound. */
function isWithin(one: RawMap, other: RawMap): boolean {
  const bound = (map: RawMap, key: string) => Math.trunc(numberAt(map, key));
  const [min, otherMin] = [bound(one, 'min_value'), bound(other, 'min_value')];
  const [max, otherMax] = [bound(one, 'max_value'), bound(other, 'max_value')];
  return (otherMin === 0 || (min !== 0 && min >= otherMin)) && (otherMax === 0 || (max !== 0 && max <= otherMax));
}
