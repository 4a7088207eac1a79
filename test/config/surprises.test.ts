/** Each rule about what loads but surprises: what it says, where, with which figure, and what it leaves alone. */

import t from 'tap';
import type { ExpectedLoad } from '../../src/main/config/surprises/finding.ts';
import { implies } from '../../src/main/config/surprises/policy-overlaps.ts';
import { surprises } from '../../src/main/config/surprises/surprises.ts';
import { load } from './load-rig.ts';

const sampler = (policies: string, more = '') => `processors: {tail_sampling: {decision_wait: 10s, ${more}policies: [${policies}]}}`;
const policy = (type: string, block: string, name = 'p') => `{name: ${name}, type: ${type}, ${type}: {${block}}}`;
const balancer = (config: string) => `exporters: {loadbalancing: {${config}}}`;
const dns = (config: string) => balancer(`resolver: {dns: {hostname: h, ${config}}}`);
const pipeline = (processors: string, exporters: string, configs = '') =>
  `processors: {${configs}}\nservice: {pipelines: {traces: {processors: [${processors}], exporters: [${exporters}]}}}`;

async function told(text: string, expected: ExpectedLoad = {}): Promise<string[]> {
  const { raw } = await load(text);
  return surprises(raw ?? {}, expected).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

interface Rule {
  readonly rule: string;
  readonly text: string;
  readonly load?: ExpectedLoad;
  readonly says: RegExp;
  /** Nearly the same, and no surprise. */
  readonly but: string;
}

const busy: ExpectedLoad = { tracesPerSecond: 1000, spansPerTrace: 20 };

const rules: readonly Rule[] = [
  {
    rule: 'a latency of zero',
    text: sampler(policy('latency', 'threshold_ms: 0')),
    says: /0\.latency\.threshold_ms: 0 ms is exceeded by every trace/,
    but: sampler(policy('latency', 'threshold_ms: 1')),
  },
  {
    rule: 'an empty latency window',
    text: sampler(policy('latency', 'threshold_ms: 500, upper_threshold_ms: 500')),
    says: /upper_threshold_ms: no duration is above 500 ms and at most 500 ms/,
    but: sampler(policy('latency', 'threshold_ms: 500, upper_threshold_ms: 501')),
  },
  {
    rule: 'an expression without matching on',
    text: sampler(policy('string_attribute', 'key: http.route, values: [/a, "/health.*"]')),
    says: /values\.1: "\/health\.\*" looks like a regular expression, and is compared as a text/,
    but: sampler(policy('string_attribute', 'key: http.route, values: ["/health.*"], enabled_regex_matching: true')),
  },
  {
    rule: 'no values',
    text: sampler(policy('string_attribute', 'key: k')),
    says: /policies\.0\.string_attribute: no values: nothing matches/,
    but: sampler(policy('string_attribute', 'key: k, values: [v.1, "a/b?c=d", "$5"]')),
  },
  {
    rule: 'an attribute that only events have',
    text: sampler(policy('string_attribute', 'key: exception.type, values: [".*"], enabled_regex_matching: true')),
    says: /string_attribute\.key: exception\.type is an attribute of span events/,
    but: sampler(policy('string_attribute', 'key: error.type, values: [".*"], enabled_regex_matching: true')),
  },
  {
    rule: 'a number looked at as a text',
    text: sampler(policy('string_attribute', 'key: http.response.status_code, values: ["5.."], enabled_regex_matching: true')),
    says: /string_attribute\.key: http\.response\.status_code is a number, and string_attribute sees texts alone/,
    but: sampler(policy('numeric_attribute', 'key: http.response.status_code, min_value: 500')),
  },
  {
    rule: 'a percentage of zero',
    text: sampler(policy('probabilistic', 'sampling_percentage: 0')),
    says: /sampling_percentage: 0 % keeps nothing, and leaves nothing out/,
    but: sampler(policy('probabilistic', 'sampling_percentage: 1')),
  },
  {
    rule: 'an inverted match beside others',
    text: sampler(
      `${policy('string_attribute', 'key: http.route, values: [/health], invert_match: true', 'no-health')}, ${policy('status_code', 'status_codes: [ERROR]', 'errors')}`,
    ),
    says: /policies\.0\.string_attribute\.invert_match: keeps every trace that does not match/,
    but: sampler(
      `${policy('string_attribute', 'key: http.route, values: [/health], invert_match: true', 'no-health')}, ${policy('drop', `drop_sub_policy: [${policy('boolean_attribute', 'key: bot, value: true')}]`, 'bots')}`,
    ),
  },
  {
    rule: 'a not beside others',
    text: sampler(
      `${policy('not', `not_sub_policy: ${policy('boolean_attribute', 'key: bot, value: true')}`, 'people')}, ${policy('status_code', 'status_codes: [ERROR]', 'errors')}`,
    ),
    says: /policies\.0: keeps every trace that does not match/,
    but: sampler(
      `${policy('and', `and_sub_policy: [${policy('not', `not_sub_policy: ${policy('boolean_attribute', 'key: bot, value: true')}`)}]`, 'people')}, ${policy('status_code', 'status_codes: [ERROR]', 'errors')}`,
    ),
  },
  {
    rule: 'a span count that every trace has',
    text: sampler(policy('span_count', 'min_spans: 1')),
    says: /span_count: every trace has a span: all are kept/,
    but: sampler(policy('span_count', 'min_spans: 2')),
  },
  {
    rule: 'an empty range of span counts',
    text: sampler(policy('span_count', 'min_spans: 9, max_spans: 3')),
    says: /max_spans: no trace has at least 9 and at most 3 spans/,
    but: sampler(policy('span_count', 'min_spans: 3, max_spans: 9')),
  },
  {
    rule: 'a rate of zero',
    text: sampler(policy('rate_limiting', 'spans_per_second: 0')),
    says: /spans_per_second: a rate of 0 keeps nothing/,
    but: sampler(policy('bytes_limiting', 'bytes_per_second: 1')),
  },
  {
    rule: 'a composite of zero',
    text: sampler(policy('composite', 'composite_sub_policy: [{name: a, type: always_sample}]')),
    says: /composite: max_total_spans_per_second is 0: its sub-policies keep nothing/,
    but: sampler(policy('composite', 'max_total_spans_per_second: 5, composite_sub_policy: [{name: a, type: always_sample}]')),
  },
  {
    rule: 'a policy within another',
    text: sampler(`${policy('latency', 'threshold_ms: 1000', 'slow')}, ${policy('latency', 'threshold_ms: 5000', 'slower')}`),
    says: /policies\.1: keeps nothing that slow \(policies\[0\]\) does not keep/,
    but: sampler(
      `${policy('latency', 'threshold_ms: 1000', 'slow')}, ${policy('latency', 'threshold_ms: 500, upper_threshold_ms: 900', 'b')}`,
    ),
  },
  {
    rule: 'the same policy twice',
    text: sampler(`${policy('status_code', 'status_codes: [OK, ERROR]', 'a')}, ${policy('status_code', 'status_codes: [ERROR, OK]', 'b')}`),
    says: /policies\.1: keeps the same traces as a \(policies\[0\]\); one of them is enough/,
    but: sampler(`${policy('status_code', 'status_codes: [OK]', 'a')}, ${policy('status_code', 'status_codes: [ERROR]', 'b')}`),
  },
  {
    rule: 'an and of what stands alone too',
    text: sampler(
      `${policy('and', `and_sub_policy: [${policy('boolean_attribute', 'key: k, value: true')}, ${policy('status_code', 'status_codes: [ERROR]')}]`, 'a')}, ${policy('status_code', 'status_codes: [ERROR]', 'errors')}`,
    ),
    says: /policies\.0: keeps nothing that errors \(policies\[1\]\) does not keep/,
    but: sampler(
      `${policy('and', `and_sub_policy: [${policy('boolean_attribute', 'key: k, value: true')}]`, 'a')}, ${policy('status_code', 'status_codes: [ERROR]', 'errors')}`,
    ),
  },
  {
    rule: 'a policy in the shadow of a drop policy',
    text: sampler(
      `${policy('drop', `drop_sub_policy: [${policy('string_attribute', 'key: k, values: [a, b]')}]`, 'noise')}, ${policy('string_attribute', 'key: k, values: [a]', 'wanted')}`,
    ),
    says: /policies\.1: keeps nothing: the drop policy noise drops every trace that it would sample/,
    but: sampler(
      `${policy('drop', `drop_sub_policy: [${policy('string_attribute', 'key: k, values: [a]')}]`, 'noise')}, ${policy('string_attribute', 'key: k, values: [a, b]', 'wanted')}`,
    ),
  },
  {
    rule: 'a drop policy of everything',
    text: sampler(
      `${policy('drop', 'drop_sub_policy: [{name: x, type: always_sample}]', 'd')}, ${policy('latency', 'threshold_ms: 5', 'slow')}`,
    ),
    says: /policies\.0: drops every trace: the other policies \(slow\) keep nothing/,
    but: sampler(
      `${policy('drop', `drop_sub_policy: [${policy('latency', 'threshold_ms: 9')}]`, 'd')}, ${policy('latency', 'threshold_ms: 5', 'slow')}`,
    ),
  },
  {
    rule: 'a root wait that is longer than the wait',
    text: sampler('', 'decision_wait_after_root_received: 15s, '),
    says: /decision_wait_after_root_received: 15s is not below decision_wait \(10s\)/,
    but: sampler('', 'decision_wait_after_root_received: 2s, '),
  },
  {
    rule: 'a cache smaller than the table',
    text: sampler('', 'num_traces: 5000, decision_cache: {sampled_cache_size: 100}, '),
    says: /sampled_cache_size: 100 decisions are fewer than the 5000 traces/,
    but: sampler('', 'num_traces: 5000, decision_cache: {sampled_cache_size: 100_000, non_sampled_cache_size: 0}, '),
  },
  {
    rule: 'a wait without a unit',
    text: 'processors: {tail_sampling: {decision_wait: 10}}',
    says: /decision_wait: is shorter than a tick/,
    but: 'processors: {tail_sampling: {decision_wait: 10s}}',
  },
  {
    rule: 'too few traces for a rate',
    text: sampler('', 'num_traces: 500, '),
    load: busy,
    says: /num_traces: 500 traces are room for 0\.5 s at 1,000 traces\/s.*10000 are needed/,
    but: sampler('', 'num_traces: 10_000, '),
  },
  {
    rule: 'too little memory for a rate',
    text: pipeline('memory_limiter, tail_sampling', 'nop', 'memory_limiter: {limit_mib: 100}, tail_sampling: {decision_wait: 10s}'),
    load: busy,
    says: /memory_limiter\.limit_mib: 1,000 traces\/s of 20 spans are 200,000 spans in 10s, about 105 MiB at 550 bytes each, above the limit of 100 MiB/,
    but: pipeline('memory_limiter, tail_sampling', 'nop', 'memory_limiter: {limit_mib: 105}, tail_sampling: {decision_wait: 10s}'),
  },
  {
    rule: 'a batch in front of the sampler',
    text: pipeline('memory_limiter, batch, tail_sampling', 'otlp', 'batch: {timeout: 5s}'),
    says: /processors\.1: batch in front of tail_sampling holds every span for up to 5s and gains nothing/,
    but: pipeline('memory_limiter, tail_sampling, batch', 'otlp'),
  },
  {
    rule: 'sampling in front of the balancer',
    text: pipeline('tail_sampling', 'load_balancing/a'),
    says: /processors\.0: tail_sampling decides before load_balancing\/a brings the spans of a trace together/,
    but: pipeline('tail_sampling', 'otlp/load_balancing'),
  },
  {
    rule: 'a memory limiter behind others',
    text: pipeline('tail_sampling, memory_limiter', 'nop'),
    says: /processors\.1: refuses only what tail_sampling let through; put it first/,
    but: pipeline('memory_limiter, tail_sampling', 'nop'),
  },
  {
    rule: 'a batch beyond what receivers take',
    text: pipeline('batch', 'otlp/x', 'batch: {send_batch_size: 20_000}'),
    says: /batch\.send_batch_size: 20,000 spans of 500 bytes are 9\.5 MiB, and OTLP\/gRPC receivers take 4 MiB/,
    but: pipeline('batch', 'otlp/x', 'batch: {send_batch_size: 8192}'),
  },
  {
    rule: 'a key that parts traces',
    text: balancer('routing_key: service'),
    says: /routing_key: a trace of several services goes to several backends/,
    but: balancer('routing_key: traceID'),
  },
  {
    rule: 'a question longer than the interval',
    text: dns('interval: 2s, timeout: 5s'),
    says: /dns\.timeout: a question may take 5s and the next is due after 2s/,
    but: dns('interval: 5s, timeout: 2s'),
  },
  {
    rule: 'a name asked all the time',
    text: dns('interval: 100ms, timeout: 50ms'),
    says: /dns\.interval: asks 10 times a second/,
    but: dns('interval: 1s'),
  },
  {
    rule: 'a name seldom asked',
    text: dns('interval: 10m'),
    says: /dns\.interval: a backend that came or went is noticed after up to 10m0s/,
    but: dns('interval: 1m'),
  },
  {
    rule: 'a backend named twice',
    text: balancer('resolver: {static: {hostnames: [a, b, "a:4317"]}}'),
    says: /hostnames\.2: a:4317 stands at \[0\] already/,
    but: balancer('resolver: {static: {hostnames: [a, b, "a:4318"]}}'),
  },
  {
    rule: 'one backend',
    text: balancer('resolver: {static: {hostnames: [sampler.tracing.svc]}}'),
    says: /hostnames: is one backend, which gets everything/,
    but: balancer('resolver: {static: {hostnames: [a, b]}}'),
  },
  {
    rule: 'a queue without retries',
    text: 'exporters: {otlp/x: {retry_on_failure: {enabled: false}}}',
    says: /retry_on_failure\.enabled: the sending queue answers before a request is sent/,
    but: 'exporters: {otlp/x: {retry_on_failure: {enabled: false}, sending_queue: {enabled: false}}}',
  },
  {
    rule: 'a first wait above the longest',
    text: 'exporters: {otlphttp: {retry_on_failure: {initial_interval: 1m}}}',
    says: /initial_interval: 1m0s is above max_interval: every wait is 30s/,
    but: 'exporters: {otlphttp: {retry_on_failure: {initial_interval: 1s}}}',
  },
  {
    rule: 'waits that shrink',
    text: 'exporters: {otlphttp: {retry_on_failure: {multiplier: 0.5}}}',
    says: /multiplier: below 1 the waits shrink/,
    but: 'exporters: {otlphttp: {retry_on_failure: {multiplier: 2}}}',
  },
];

for (const { rule, text, load: expected = {}, says, but } of rules) {
  t.test(`${rule} is told, and its neighbour is not`, async (t) => {
    const found = await told(text, expected);
    t.equal(found.length, 1, found.join('\n'));
    t.match(found[0], says);
    t.same(await told(but, expected), []);
  });
}

t.test('a balancer that carries no traces is left alone', async (t) => {
  const text = (signal: string) =>
    `exporters: {loadbalancing: {routing_key: service}}\nservice: {pipelines: {${signal}: {exporters: [loadbalancing]}}}`;
  t.same(await told(text('metrics')), []);
  t.equal((await told(text('traces/x'))).length, 1);
});

const numeric = (block: object) => ({ type: 'numeric_attribute', numeric_attribute: { key: 'k', ...block } });
const share = (block: object) => ({ type: 'probabilistic', probabilistic: block });
const text = (block: object) => ({ type: 'string_attribute', string_attribute: { key: 'k', ...block } });
const ottl = (block: object) => ({ type: 'ottl_condition', ottl_condition: block });
const count = (block: object) => ({ type: 'span_count', span_count: block });

/** `one` within `other`, and whether the other way round too. */
const contained: readonly (readonly [one: Record<string, unknown>, other: Record<string, unknown>, both: boolean])[] = [
  [numeric({ min_value: 5, max_value: 9 }), numeric({ min_value: 4, max_value: 9 }), false],
  [numeric({ min_value: 5, max_value: 9 }), numeric({ min_value: 5 }), false],
  [numeric({ max_value: 9 }), numeric({ max_value: 9.9 }), true],
  [share({ sampling_percentage: 5 }), share({ sampling_percentage: 10 }), false],
  [text({ values: ['a'], invert_match: false }), text({ values: ['a', 'b'] }), false],
  [text({ values: ['a', 'b'], invert_match: true }), text({ values: ['a'], invert_match: true }), false],
  [count({ min_spans: 5, max_spans: 9 }), count({ min_spans: 3 }), false],
  [ottl({ span: ['a'] }), ottl({ span: ['b', 'a'] }), false],
  [{ type: 'trace_flags' }, { type: 'trace_flags' }, true],
];
const apart: readonly (readonly [Record<string, unknown>, Record<string, unknown>])[] = [
  [numeric({ min_value: 5 }), numeric({ max_value: 9 })],
  [numeric({ min_value: 5 }), { type: 'numeric_attribute', numeric_attribute: { key: 'other', min_value: 5 } }],
  [share({ sampling_percentage: 5, hash_salt: 'a' }), share({ sampling_percentage: 10 })],
  [text({ values: ['a'] }), text({ values: ['a'], enabled_regex_matching: true })],
  [text({ values: ['a'] }), text({ values: ['a'], invert_match: true })],
  [ottl({ span: ['a'], error_mode: 'propagate' }), ottl({ span: ['b', 'a'], error_mode: 'propagate' })],
  [
    { type: 'rate_limiting', rate_limiting: { spans_per_second: 5 } },
    { type: 'rate_limiting', rate_limiting: { spans_per_second: 5 } },
  ],
];

t.test('a policy implies another only when that is certain', async (t) => {
  for (const [one, other, both] of contained) {
    t.ok(implies(one, other), JSON.stringify(one));
    t.equal(implies(other, one), both, JSON.stringify(other));
  }
  for (const [one, other] of apart) {
    t.notOk(implies(one, other), JSON.stringify(one));
    t.notOk(implies(other, one), JSON.stringify(other));
  }
});
