/** Canonicalisation of `tail_sampling` policies: shorthand, blocks of another type, missing names, old keys. Main thread. */

import { isMap, isScalar, isSeq, type Node, YAMLMap, YAMLSeq } from 'yaml';
import {
  type CanonicalRule,
  itemsOf,
  mapAt,
  moveIntoBlock,
  newPair,
  pairOf,
  plain,
  quoted,
  type RuleTarget,
  textOf,
} from './canonical-rule.ts';
import type { ConfigPath } from './config-fault.ts';
import { numberOf } from './raw-value.ts';
import { scalarValue } from './yaml-source.ts';

/** Policy type → keys of its block. Without a prototype: a type that is called `constructor` is none of these. */
const blockKeys: Readonly<Record<string, readonly string[]>> = Object.assign(Object.create(null), {
  always_sample: [],
  trace_flags: [],
  latency: ['threshold_ms', 'upper_threshold_ms'],
  numeric_attribute: ['key', 'min_value', 'max_value', 'invert_match'],
  probabilistic: ['hash_salt', 'sampling_percentage'],
  status_code: ['status_codes'],
  string_attribute: ['key', 'values', 'enabled_regex_matching', 'cache_max_size', 'invert_match'],
  boolean_attribute: ['key', 'value', 'invert_match'],
  rate_limiting: ['spans_per_second', 'burst_capacity'],
  bytes_limiting: ['bytes_per_second', 'burst_capacity'],
  span_count: ['min_spans', 'max_spans'],
  trace_state: ['key', 'values'],
  ottl_condition: ['error_mode', 'span', 'spanevent', 'span_event'],
  and: ['and_sub_policy'],
  not: ['not_sub_policy'],
  drop: ['drop_sub_policy'],
  composite: ['max_total_spans_per_second', 'policy_order', 'composite_sub_policy', 'rate_allocation'],
});
const groupTypes = ['and', 'not', 'drop', 'composite'];

interface Policy {
  readonly map: YAMLMap;
  readonly type: string;
  readonly path: ConfigPath;
}

/** Visits every policy, parents first; `visit` answers whether to go below. */
function visitPolicies(config: RuleTarget, visit: (policy: Policy) => boolean): void {
  for (const component of config.components('processors', ['tail_sampling'])) {
    for (const [index, item] of itemsOf(component.map, 'policies').entries()) {
      visitPolicy(item, [...component.path, 'policies', index], visit);
    }
  }
}

function visitPolicy(node: Node, path: ConfigPath, visit: (policy: Policy) => boolean): void {
  if (!isMap(node)) return;
  const type = textOf(node.get('type', true) as Node | undefined) ?? '';
  if (!visit({ map: node, type, path })) return;
  for (const [sub, step] of subPolicies(node, type)) visitPolicy(sub, [...path, type, `${type}_sub_policy`, ...step], visit);
}

function subPolicies(map: YAMLMap, type: string): readonly [Node, ConfigPath][] {
  const block = groupTypes.includes(type) ? mapAt(map, type) : undefined;
  const subs = block?.get(`${type}_sub_policy`, true) as Node | undefined;
  if (isSeq(subs)) return (subs.items as Node[]).map((item, index) => [item, [index]]);
  return isMap(subs) ? [[subs, []]] : [];
}

/** Moves a block's keys that stand beside `type` into the block, here and below; answers the keys moved here. */
function moveShorthand(map: YAMLMap): { readonly moved: readonly string[]; readonly below: boolean } {
  const type = textOf(map.get('type', true) as Node | undefined) ?? '';
  const block = map.get(type, true) as Node | undefined;
  const moved = (blockKeys[type] ?? []).filter((key) => map.has(key) && !(isMap(block) && block.has(key)));
  if (moved.length > 0 && (block === undefined || isMap(block) || isNull(block))) moveIntoBlock(map, moved, type);
  else if (isSeq(block) && ['and', 'drop', 'composite'].includes(type)) {
    const wrapped = new YAMLMap();
    wrapped.items.push(newPair(`${type}_sub_policy`, block));
    pairOf(map, type)!.value = wrapped;
    moved.push(type);
  }
  const below = subPolicies(map, type).map(([sub]) => isMap(sub) && moveShorthand(sub));
  return { moved, below: below.some((result) => result !== false && (result.moved.length > 0 || result.below)) };
}

function isNull(node: Node): boolean {
  return isScalar(node) && node.value === null;
}

/** `and: { and_sub_policy: [ { status_code: { status_codes } } ] }`: the shape of a policy without its values. */
function shapeOf(map: YAMLMap): string {
  const type = textOf(map.get('type', true) as Node | undefined) ?? '';
  const block = mapAt(map, type);
  if (block === undefined) return `type: ${type}`;
  const keys = block.items.map((pair) => {
    const key = textOf(pair.key as Node) ?? '';
    if (!key.endsWith('_sub_policy')) return key;
    const subs = subPolicies(map, type).flatMap(([sub]) => (isMap(sub) ? [`{ ${shapeOf(sub)} }`] : []));
    return isSeq(pair.value) ? `${key}: [ ${subs.join(', ')} ]` : `${key}: ${subs.join('')}`;
  });
  return `${type}: { ${keys.join(', ')} }`;
}

const shorthand: CanonicalRule = {
  name: 'policy shorthand',
  apply(config) {
    visitPolicies(config, ({ map, type, path }) => {
      const before = new Map((blockKeys[type] ?? [type]).map((key) => [key, pairOf(map, key)?.key]));
      const { moved } = groupTypes.includes(type) && !hasOwnShorthand(map, type) ? { moved: [] } : moveShorthand(map);
      if (moved.length === 0) return true;
      const at = before.get(moved[0]!) ?? pairOf(map, moved[0]!)?.key ?? map;
      config.report(
        'warning',
        at,
        path,
        `${moved.join(', ')} beside type: ${type} is shorthand, read as meant; canonical is ${shapeOf(map)}`,
      );
      return false;
    });
  },
};

/** True when the group itself is written short; then one warning tells of its sub-policies too. */
function hasOwnShorthand(map: YAMLMap, type: string): boolean {
  return isSeq(map.get(type, true)) || (blockKeys[type] ?? []).some((key) => map.has(key));
}

const foreignBlock: CanonicalRule = {
  name: 'block of another policy type',
  apply(config) {
    visitPolicies(config, ({ map, type, path }) => {
      if (blockKeys[type] === undefined) return true;
      for (const pair of [...map.items]) {
        const key = textOf(pair.key as Node) ?? '';
        if (key === type || blockKeys[key] === undefined || key === 'name' || key === 'type') continue;
        const mayGo = reportForeign(config, { map, type, path }, key, pair.key as Node);
        if (mayGo) map.items = map.items.filter((other) => other !== pair);
      }
      return true;
    });
  },
};

/** Answers whether the block may go: not where the writer has to say what is meant. */
function reportForeign(config: RuleTarget, { map, type, path }: Policy, key: string, at: Node): boolean {
  const where = `${key} beside ${type} in a policy of type ${type}`;
  const percentage = key === 'probabilistic' ? percentageOf(map) : undefined;
  if (key === 'probabilistic' && percentage !== undefined && percentage >= 100) {
    const message = `${where} is ignored, and at ${percentage} % it would change nothing; canonical is the policy without it`;
    config.report('warning', at, [...path, key], message);
  } else if (type === 'latency' && percentage !== undefined) {
    const parts = `{ type: latency, latency: {…} }, { type: probabilistic, probabilistic: { sampling_percentage: ${percentage} } }`;
    const message = `${where} has no effect in the Collector: every match is kept, not ${percentage} %; if both are meant, write type: and, and: { and_sub_policy: [ ${parts} ] }; if not, remove it`;
    config.report('error', at, [...path, key], message);
    return false;
  } else {
    config.report('warning', at, [...path, key], `${where} is ignored; canonical is the policy without it, or type: and over both`);
  }
  return true;
}

function percentageOf(map: YAMLMap): number | undefined {
  const node = mapAt(map, 'probabilistic')?.get('sampling_percentage', true);
  const number = isScalar(node) ? numberOf(scalarValue(node)) : undefined;
  return number === undefined ? undefined : Number(number);
}

const nameless: CanonicalRule = {
  name: 'policy without a name',
  otelcolRefuses: true,
  apply(config) {
    for (const component of config.components('processors', ['tail_sampling'])) {
      const items = itemsOf(component.map, 'policies');
      const taken = new Set(items.map((item) => (isMap(item) ? textOf(item.get('name', true) as Node | undefined) : undefined)));
      for (const [index, item] of items.entries()) {
        if (!isMap(item) || !isAbsentName(item)) continue;
        const type = textOf(item.get('type', true) as Node | undefined);
        if (type === undefined) continue;
        const name = [type, ...items.keys()]
          .map((suffix, at) => (at === 0 ? type : `${type}-${Number(suffix) + 2}`))
          .find((text) => !taken.has(text))!;
        taken.add(name);
        const message = `this policy has no name, which the Collector refuses at start; it is called ${name} here; canonical is name: ${name}`;
        config.report('warning', item, [...component.path, 'policies', index], message);
        item.items = [newPair('name', plain(name)), ...item.items.filter((pair) => textOf(pair.key as Node) !== 'name')];
      }
    }
  },
};

function isAbsentName(map: YAMLMap): boolean {
  const name = map.get('name', true) as Node | undefined;
  return name === undefined || isNull(name);
}

const spanEvent: CanonicalRule = {
  name: 'span_event for spanevent',
  apply(config) {
    visitPolicies(config, ({ map, path }) => {
      const block = mapAt(map, 'ottl_condition');
      const pair = block === undefined ? undefined : pairOf(block, 'span_event');
      if (block === undefined || pair === undefined || block.has('spanevent')) return true;
      config.report(
        'warning',
        pair.key,
        [...path, 'ottl_condition', 'span_event'],
        'span_event is read as spanevent; canonical is spanevent',
      );
      const renamed = plain('spanevent');
      renamed.range = pair.key.range ?? null;
      pair.key = renamed;
      return true;
    });
  },
};

const valuesAsText: CanonicalRule = {
  name: 'values that are no texts',
  apply(config) {
    visitPolicies(config, ({ map, type, path }) => {
      if (type !== 'string_attribute' && type !== 'trace_state') return true;
      const values = mapAt(map, type)?.get('values', true);
      if (!(values instanceof YAMLSeq)) return true;
      for (const [index, item] of (values.items as Node[]).entries()) {
        if (!isScalar(item) || typeof item.value !== 'string' || typeof scalarValue(item) === 'string' || item.value.includes('${'))
          continue;
        const message = `${item.value} is no text here but a ${typeof scalarValue(item) === 'boolean' ? 'bool' : 'number'}; read as "${item.value}"; canonical is "${item.value}" in quotes`;
        config.report('warning', item, [...path, type, 'values', index], message);
        const text = quoted(item.value);
        text.range = item.range ?? null;
        text.comment = item.comment ?? null;
        values.items[index] = text;
      }
      return true;
    });
  },
};

/** In this order: a moved block can be foreign, and names are given last. */
export const policyRules: readonly CanonicalRule[] = [shorthand, foreignBlock, spanEvent, valuesAsText, nameless];
