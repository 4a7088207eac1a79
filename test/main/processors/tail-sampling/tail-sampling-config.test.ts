/** Options, defaults and faults of tail_sampling (spec 1.1, 1.3), with the Collector's texts and the place of each. */

import t from 'tap';
import { parse } from 'yaml';
import { decode } from '../../../../src/main/config/fields.ts';
import { checkTailSampling, isStateful, tailSamplingSchema } from '../../../../src/main/processors/tail-sampling/tail-sampling-config.ts';

/** `path: message` of every finding, errors before warnings. */
function findings(yaml: string): string[] {
  const outcome = decode(tailSamplingSchema, parse(yaml));
  const faults = outcome.kind === 'faulty' ? outcome.faults : [...checkTailSampling(outcome.config), ...outcome.warnings];
  return faults.map(({ severity, path, message }) => `${severity} ${path.join('.')}: ${message}`);
}

function configOf(yaml: string) {
  const outcome = decode(tailSamplingSchema, parse(yaml));
  if (outcome.kind === 'faulty') throw new Error(outcome.faults.map(({ message }) => message).join('\n'));
  return outcome.config;
}

const policy = (text: string) => `policies: [{ name: a, ${text} }]`;

t.test('what is not written has its default', (t) => {
  t.match(configOf('policies: []'), {
    decision_wait: 30_000,
    decision_wait_after_root_received: 0,
    num_traces: undefined,
    block_on_overflow: false,
    expected_new_traces_per_sec: 0,
    decision_cache: { sampled_cache_size: undefined, non_sampled_cache_size: undefined },
    sampling_strategy: 'trace-complete',
    sample_on_first_match: false,
    drop_pending_traces_on_shutdown: false,
    maximum_trace_size_bytes: 0,
    num_shards: 1,
    record: 'off',
  });
  t.end();
});

t.test('every policy type becomes what workers compile', (t) => {
  const { policies } = configOf(`
policies:
  - { name: a, type: latency, latency: { threshold_ms: 5, upper_threshold_ms: 9 } }
  - { name: b, type: numeric_attribute, numeric_attribute: { key: k, min_value: -9223372036854775808 } }
  - { name: c, type: string_attribute, string_attribute: { key: k, values: 'x,y', enabled_regex_matching: true, cache_max_size: 7 } }
  - { name: d, type: ottl_condition, ottl_condition: { error_mode: Propagate, span: ['name == "x"'] } }
  - { name: e, type: drop, drop: { drop_sub_policy: [{ type: not, not: { not_sub_policy: { type: trace_flags } } }] } }
  - { name: f, type: composite, composite: { max_total_spans_per_second: 9, composite_sub_policy: [{ name: s, type: and, and: { and_sub_policy: [{ type: always_sample }] } }], rate_allocation: [{ policy: s, percent: 12 }] } }
`);
  t.match(policies, [
    { type: 'latency', thresholdMs: 5, upperThresholdMs: 9 },
    { type: 'numeric_attribute', minValue: -(2n ** 63n), maxValue: 0n, invertMatch: false },
    { type: 'string_attribute', values: ['x', 'y'], enabledRegexMatching: true, cacheMaxSize: 7 },
    { type: 'ottl_condition', errorMode: 'propagate', span: ['name == "x"'], spanevent: [] },
    { type: 'drop', subPolicies: [{ type: 'not', subPolicy: { type: 'trace_flags' } }] },
    {
      type: 'composite',
      maxTotalSpansPerSecond: 9,
      subPolicies: [{ type: 'and', name: 's' }],
      rateAllocation: [{ policy: 's', percent: 12 }],
    },
  ]);
  t.end();
});

const failed = 'failed to create policy evaluator for "a": ';
const faults: readonly (readonly [yaml: string, finding: string])[] = [
  ['sampling_strategy: ""', 'error sampling_strategy: invalid sampling_strategy "", expected one of "trace-complete" or "span-ingest"'],
  ['num_shards: 257', 'error num_shards: num_shards (257) must not exceed 256'],
  ['{ num_shards: 2, tail_storage: pebble }', 'error num_shards: num_shards greater than 1 is not supported with tail_storage'],
  [
    'tail_storage: pebble',
    'error tail_storage: \'tail_storage\' requires the "processor.tailsamplingprocessor.tailstorageextension" feature gate',
  ],
  ['num_traces: 0', 'error num_traces: must be at least 1, found 0'],
  ['num_traces: -1', "error num_traces: cannot parse value as 'uint64': -1 overflows uint"],
  ['polices: []', 'error polices: has invalid keys: polices; did you mean policies?'],
  ['policies: [{ type: always_sample }]', 'error policies.0.name: policy name cannot be empty'],
  ['policies: [{ name: a, type: trace_flags }, { name: a, type: trace_flags }]', 'error policies.1.name: duplicate policy name "a"'],
  [policy('type: zzz'), `error policies.0.type: ${failed}unknown sampling policy type zzz`],
  [policy('type: ""'), `error policies.0.type: ${failed}unknown sampling policy type ;`],
  [policy('type: status_code'), `error policies.0.status_code.status_codes: ${failed}expected at least one status code to filter on`],
  [
    policy('type: status_code, status_code: { status_codes: [OK, error] }'),
    `error policies.0.status_code.status_codes.1: ${failed}unknown status code "error", supported: OK, ERROR, UNSET`,
  ],
  [
    policy("type: string_attribute, string_attribute: { key: k, values: ['*x'], enabled_regex_matching: true }"),
    `error policies.0.string_attribute.values.0: ${failed}invalid regex \`*x\`: error parsing regexp: missing argument to repetition operator: \`*\``,
  ],
  [policy('type: ottl_condition'), `error policies.0.ottl_condition: ${failed}expected at least one OTTL condition to filter on`],
  [
    policy("type: ottl_condition, ottl_condition: { span: ['true', 'span.foo == 1'] }"),
    `error policies.0.ottl_condition.span.1: ${failed}unable to parse OTTL condition "span.foo == 1": segment "foo" from path "span.foo" is not a valid path`,
  ],
  [
    policy("type: ottl_condition, ottl_condition: { error_mode: x, span: ['true'] }"),
    'error policies.0.ottl_condition.error_mode: unknown error mode x',
  ],
  [
    policy("type: ottl_condition, ottl_condition: { error_mode: '', span: ['true'] }"),
    'error policies.0.ottl_condition.error_mode: unknown error mode ;',
  ],
  [
    policy('type: numeric_attribute, numeric_attribute: { key: k }'),
    `error policies.0.numeric_attribute: ${failed}at least one of min_value or max_value must be set`,
  ],
  [
    policy('type: not, not: { not_sub_policy: { type: not } }'),
    `error policies.0.not.not_sub_policy.type: ${failed}unknown sampling policy type not`,
  ],
  [
    policy('type: and, and: { and_sub_policy: [{ type: and }] }'),
    `error policies.0.and.and_sub_policy.0.type: ${failed}unknown sampling policy type and`,
  ],
  [
    policy('type: composite, composite: { composite_sub_policy: [{ name: s, type: not }] }'),
    `error policies.0.composite.composite_sub_policy.0.type: ${failed}unknown sampling policy type not`,
  ],
  [
    policy('type: latency, latency: { treshold_ms: 5 }'),
    'error policies.0.latency.treshold_ms: has invalid keys: treshold_ms; did you mean threshold_ms?',
  ],
  [policy('type: trace_flags, foo: 1'), 'error policies.0.foo: has invalid keys: foo'],
  [
    `{ sampling_strategy: span-ingest, ${policy('type: rate_limiting')} }`,
    'error policies.0: sampling_strategy "span-ingest" requires all policies to be stateless, but policy "a" is stateful',
  ],
  ['policies: []', 'warning policies: no policies: every trace ends not sampled'],
  [
    policy('type: trace_flags, latencyy: { threshold_ms: 5 }'),
    'warning policies.0.latencyy: unknown key latencyy is ignored; did you mean latency?',
  ],
  [policy('type: and'), 'warning policies.0.and.and_sub_policy: no sub-policies: every trace is sampled'],
  [policy('type: drop'), 'warning policies.0.drop.drop_sub_policy: no sub-policies: every trace is dropped'],
  [
    policy('type: composite, composite: { policy_order: [b, s], composite_sub_policy: [{ name: s, type: trace_flags }] }'),
    'warning policies.0.composite.policy_order: is not used',
  ],
  [
    policy(
      'type: composite, composite: { composite_sub_policy: [{ name: slow, type: trace_flags }], rate_allocation: [{ policy: slwo }] }',
    ),
    'warning policies.0.composite.rate_allocation.0.policy: names no sub-policy (slwo); did you mean slow?',
  ],
  [
    policy('type: numeric_attribute, numeric_attribute: { key: k, min_value: 9, max_value: 5 }'),
    'warning policies.0.numeric_attribute: min_value 9 is above max_value 5: nothing matches',
  ],
  ['decision_wait: 5', 'warning decision_wait: 5 without a unit is 5 nanoseconds'],
  [
    `{ sampling_strategy: span-ingest, ${policy('type: not, not: { not_sub_policy: { type: trace_flags } }')} }`,
    'warning policies.0: with span-ingest this policy judges the first fragment alone',
  ],
  [
    `{ sampling_strategy: span-ingest, ${policy('type: drop, drop: { drop_sub_policy: [{ type: trace_flags }] }')} }`,
    'warning policies.0: with span-ingest a drop policy',
  ],
];

t.test('each fault is told in the words of the Collector and at its place', (t) => {
  for (const [yaml, finding] of faults) {
    const found = findings(yaml);
    t.ok(
      found.some((text) => text.startsWith(finding)),
      `${finding}\n${found.join('\n')}`,
    );
  }
  t.end();
});

t.test('faults of several policies are told at once', (t) => {
  const found = findings(
    'policies: [{ name: a, type: zzz }, { name: b, type: latency, latency: { x: 1 } }, { name: c, type: status_code }]',
  );
  t.same(found.map((text) => text.split(':')[0]).sort(), [
    'error policies.0.type',
    'error policies.1.latency.x',
    'error policies.2.status_code.status_codes',
  ]);
  t.end();
});

t.test('what a later span may turn is stateful', (t) => {
  const { policies } = configOf(`
policies:
  - { name: a, type: latency, latency: { threshold_ms: 5 } }
  - { name: b, type: span_count, span_count: { min_spans: 5 } }
  - { name: c, type: composite, composite: { composite_sub_policy: [{ name: s, type: trace_flags }] } }
  - { name: d, type: latency, latency: { upper_threshold_ms: 5 } }
  - { name: e, type: span_count, span_count: { max_spans: 5 } }
  - { name: f, type: and, and: { and_sub_policy: [{ type: not, not: { not_sub_policy: { type: bytes_limiting } } }] } }
`);
  t.same(policies.map(isStateful), [false, false, false, true, true, true]);
  t.end();
});

t.test('a lambda needs its gate, wherever the condition stands', (t) => {
  const condition = `type: ottl_condition, ottl_condition: { span: ['true', 'Any(attributes["x"], (k, v) => v == 1)'] }`;
  const gates = new Set(['ottl.functions.enableLambda']);
  for (const [yaml, path] of [
    [policy(condition), 'policies.0.ottl_condition.span.1'],
    [policy(`type: and, and: { and_sub_policy: [{ name: b, ${condition} }] }`), 'policies.0.and.and_sub_policy.0.ottl_condition.span.1'],
    [policy(`type: not, not: { not_sub_policy: { name: b, ${condition} } }`), 'policies.0.not.not_sub_policy.ottl_condition.span.1'],
  ] as const) {
    const config = configOf(yaml);
    const [fault, ...others] = checkTailSampling(config);
    t.equal(fault?.path.join('.'), path);
    t.equal(fault?.severity, 'error');
    t.match(fault?.message, /for "a": unable to parse OTTL condition.*`ottl\.functions\.enableLambda` feature gate/);
    t.same(others, []);
    t.same(checkTailSampling(config, undefined, gates), []);
  }
  t.end();
});
