/** What the Collector is asked for the fixtures: policy blocks of every type over one seeded set of traces. Inputs are functions of their seed alone. */

import { seededPrng } from '../../src/shared/prng.ts';
import { type Attributes, type AttributeValue, concat, Dice, requestBytes, type SpanSpec, spanIdOf } from '../support/otlp.ts';

export interface DecisionCase {
  readonly name: string;
  /** The tail_sampling block without `decision_wait`. */
  readonly processor: object;
}

export const tracesPerCase = 120;
const secondNanos = 1_000_000_000n;
const baseNanos = 1_760_000_000n * secondNanos;

const values: readonly AttributeValue[] = ['gold', 'silver', '', 'v1.HealthCheck', 'http://a/b', 200, 404, 500, -1, 3.5, true, false];
const keys = ['user.tier', 'http.status_code', 'sampled', 'url', 'retries'];
const traceStates = ['', 'vendor=a', 'vendor=b,other=x', 'broken==', 'ot=th:8'];

function attributes(dice: Dice): Attributes {
  return Object.fromEntries(keys.filter(() => dice.chance(0.4)).map((key) => [key, dice.pick(values)]));
}

/** Ids that differ in all bytes, as SDKs make them. */
function spreadTraceId(index: number): Uint8Array {
  return new Dice(seededPrng(index + 1)).bytes(16);
}

function randomSpan(dice: Dice, trace: number, id: number): SpanSpec {
  const start = baseNanos + BigInt(dice.below(3000)) * 1_000_000n + BigInt(dice.below(1000));
  return {
    traceId: spreadTraceId(trace),
    spanId: spanIdOf(id),
    ...(dice.chance(0.7) ? { parentSpanId: spanIdOf(id + 1) } : {}),
    traceState: dice.pick(traceStates),
    name: dice.pick(['GET /', 'POST /orders', 'grpc.health.v1.Health/Check', '']),
    kind: dice.below(6),
    startNanos: dice.chance(0.05) ? 0n : start,
    endNanos: start + BigInt(dice.pick([0, 1, 40, 999, 1000, 1001, 5000])) * 1_000_000n + BigInt(dice.below(2000)),
    attributes: attributes(dice),
    ...(dice.chance(0.3) ? { events: [{ name: dice.pick(['exception', 'retry']), timeNanos: start, attributes: attributes(dice) }] } : {}),
    statusCode: dice.pick([0, 0, 1, 2]),
    flags: dice.pick([0, 1, 256, 257, 769]),
  };
}

/** The requests of a seed: each carries fragments of several traces, so that most traces come in several requests. */
export function requestsOf(seed: number): Uint8Array[] {
  const dice = new Dice(seededPrng(seed));
  const spans: SpanSpec[] = [];
  let id = seed * 100_000;
  for (let trace = 0; trace < tracesPerCase; trace++) {
    const count = 1 + dice.below(6);
    for (let index = 0; index < count; index++) spans.push(randomSpan(dice, seed * 1000 + trace, id++));
  }
  for (let index = spans.length - 1; index > 0; index--) {
    const other = dice.below(index + 1);
    [spans[index], spans[other]] = [spans[other]!, spans[index]!];
  }
  const requests: Uint8Array[] = [];
  for (let from = 0; from < spans.length; from += 30) {
    const parts = [spans.slice(from, from + 18), spans.slice(from + 18, from + 30)].filter((part) => part.length > 0);
    requests.push(concat(...parts.map((part) => requestBytes(attributes(dice), { scopeName: 'conformance', spans: part }))));
  }
  return requests;
}

const policy = (type: string, block?: object, name = type): object => ({ name, type, ...(block === undefined ? {} : { [type]: block }) });
const one = (type: string, block?: object): object => ({ policies: [policy(type, block)] });
const ottl = (error_mode: string, span: string[], spanevent: string[] = []): object =>
  one('ottl_condition', { error_mode, span, spanevent });

export const decisionCases: readonly DecisionCase[] = [
  { name: 'always_sample', processor: one('always_sample') },
  { name: 'latency', processor: one('latency', { threshold_ms: 1000 }) },
  { name: 'latency between', processor: one('latency', { threshold_ms: 500, upper_threshold_ms: 3000 }) },
  { name: 'latency zero', processor: one('latency', { threshold_ms: 0 }) },
  { name: 'numeric', processor: one('numeric_attribute', { key: 'http.status_code', min_value: 400, max_value: 599 }) },
  { name: 'numeric lower', processor: one('numeric_attribute', { key: 'retries', min_value: -5 }) },
  { name: 'numeric inverted', processor: one('numeric_attribute', { key: 'http.status_code', max_value: 300, invert_match: true }) },
  { name: 'probabilistic 30', processor: one('probabilistic', { sampling_percentage: 30 }) },
  { name: 'probabilistic salted', processor: one('probabilistic', { sampling_percentage: 66.6, hash_salt: 'custom-salt' }) },
  { name: 'status_code', processor: one('status_code', { status_codes: ['ERROR'] }) },
  { name: 'status_code two', processor: one('status_code', { status_codes: ['OK', 'UNSET'] }) },
  { name: 'string exact', processor: one('string_attribute', { key: 'user.tier', values: ['gold', 'silver'] }) },
  { name: 'string inverted', processor: one('string_attribute', { key: 'user.tier', values: ['gold'], invert_match: true }) },
  {
    name: 'string regex',
    processor: one('string_attribute', {
      key: 'url',
      values: ['^http', 'v[0-9]+.HealthCheck$'],
      enabled_regex_matching: true,
      cache_max_size: 2,
    }),
  },
  {
    name: 'string regex case',
    processor: one('string_attribute', { key: 'user.tier', values: ['(?i)GO[[:alpha:]]+d\\z'], enabled_regex_matching: true }),
  },
  { name: 'boolean true', processor: one('boolean_attribute', { key: 'sampled', value: true }) },
  { name: 'boolean false inverted', processor: one('boolean_attribute', { key: 'sampled', value: false, invert_match: true }) },
  { name: 'span_count', processor: one('span_count', { min_spans: 3 }) },
  { name: 'span_count between', processor: one('span_count', { min_spans: 2, max_spans: 4 }) },
  { name: 'trace_state', processor: one('trace_state', { key: 'vendor', values: ['a', 'c'] }) },
  { name: 'trace_flags', processor: one('trace_flags') },
  { name: 'rate none', processor: one('rate_limiting', { spans_per_second: 0 }) },
  { name: 'ottl attributes', processor: ottl('ignore', ['attributes["http.status_code"] >= 404', 'attributes["user.tier"] == "gold"']) },
  { name: 'ottl resource', processor: ottl('ignore', ['resource.attributes["user.tier"] != nil and IsRootSpan()']) },
  { name: 'ottl kind and times', processor: ottl('ignore', ['kind == SPAN_KIND_SERVER and end_time - start_time > Duration("900ms")']) },
  { name: 'ottl match', processor: ottl('silent', ['IsMatch(name, "^(GET|POST) .*") and status.code == STATUS_CODE_ERROR']) },
  { name: 'ottl event', processor: ottl('ignore', [], ['name == "exception" and attributes["retries"] != nil']) },
  { name: 'ottl error propagated', processor: ottl('propagate', ['attributes["user.tier"] + 1 > 2']) },
  { name: 'ottl int and float', processor: ottl('ignore', ['attributes["retries"] > 3', 'Int(attributes["http.status_code"]) == 200']) },
  {
    name: 'and',
    processor: {
      policies: [
        policy('and', { and_sub_policy: [policy('status_code', { status_codes: ['ERROR'] }), policy('latency', { threshold_ms: 1000 })] }),
      ],
    },
  },
  { name: 'and empty', processor: one('and', { and_sub_policy: [] }) },
  {
    name: 'not',
    processor: one('not', { not_sub_policy: policy('string_attribute', { key: 'user.tier', values: ['gold'] }) }),
  },
  {
    name: 'drop',
    processor: {
      policies: [
        policy('always_sample'),
        policy('drop', {
          drop_sub_policy: [policy('boolean_attribute', { key: 'sampled', value: true }), policy('span_count', { min_spans: 2 })],
        }),
      ],
    },
  },
  {
    name: 'composite',
    processor: one('composite', {
      max_total_spans_per_second: 1_000_000,
      policy_order: ['late', 'first'],
      composite_sub_policy: [
        policy('numeric_attribute', { key: 'http.status_code', min_value: 404 }, 'first'),
        policy('latency', { threshold_ms: 3000 }, 'late'),
      ],
      rate_allocation: [{ policy: 'first', percent: 50 }],
    }),
  },
  {
    name: 'first match',
    processor: {
      sample_on_first_match: true,
      policies: [policy('trace_flags'), policy('status_code', { status_codes: ['ERROR'] })],
    },
  },
  { name: 'no policies', processor: { policies: [] } },
  { name: 'shards', processor: { num_shards: 3, ...one('latency', { threshold_ms: 1000 }) } },
  { name: 'size limit', processor: { maximum_trace_size_bytes: 700, ...one('always_sample') } },
  {
    name: 'span-ingest',
    processor: {
      sampling_strategy: 'span-ingest',
      policies: [policy('latency', { threshold_ms: 900 }), policy('span_count', { min_spans: 5 })],
    },
  },
  {
    name: 'mixed',
    processor: {
      policies: [
        policy('latency', { threshold_ms: 4500 }),
        policy('string_attribute', { key: 'user.tier', values: ['silver'] }),
        policy('probabilistic', { sampling_percentage: 5 }),
        policy('and', {
          and_sub_policy: [policy('span_count', { min_spans: 4 }), policy('not', { not_sub_policy: policy('trace_flags') })],
        }),
      ],
    },
  },
];
