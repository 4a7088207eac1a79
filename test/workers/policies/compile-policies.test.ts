/** The Collector's own cases of single and composed policies (spec 5.1, 5.2), re-expressed. */

import tap from 'tap';
import type { PolicyConfig } from '../../../src/shared/policy-config.ts';
import { Decision } from '../../../src/workers/policies/compiled-policies.ts';
import {
  type Attributes,
  concat,
  keyValueBytes,
  lengthField,
  requestBytes,
  type SpanSpec,
  spanBytes,
  traceIdOf,
} from '../../support/otlp.ts';
import { PolicyRig } from '../../support/policy-rig.ts';

const id = traceIdOf(1);
const hexId = Buffer.from(id).toString('hex');
const S = Decision.sampled;
const N = Decision.notSampled;
const D = Decision.dropped;
const nameOf = (decision: number) => ['pending', 'S', 'N', 'D'][decision];

/** A policy without its name, which most cases do not care about. */
type Unnamed<Policy> = Policy extends unknown ? Omit<Policy, 'name'> : never;
type Bare = Unnamed<PolicyConfig>;
const named = (policy: Bare, name = 'p') => ({ ...policy, name }) as PolicyConfig;

function decide(policies: readonly PolicyConfig[], ...requests: readonly Uint8Array[]): number {
  const rig = new PolicyRig(policies);
  for (const request of requests) rig.take(request);
  return rig.decide(hexId).decision;
}

const spans = (...specs: readonly Partial<SpanSpec>[]) => requestBytes({}, { spans: specs.map((spec) => ({ traceId: id, ...spec })) });
const onResource = (attributes: Attributes) => requestBytes(attributes, { spans: [{ traceId: id }] });
const onSpan = (attributes: Attributes) => spans({ attributes });
const ms = (from: number, to: number): Partial<SpanSpec> => ({
  startNanos: BigInt(from + 1) * 1_000_000n,
  endNanos: BigInt(to + 1) * 1_000_000n,
});
const count = (n: number) => spans(...Array.from({ length: n }, () => ({})));

type Case = readonly [policy: Bare, requests: readonly Uint8Array[], expected: number];

function check(t: { equal: typeof tap.equal; ok: typeof tap.ok; end(): void }, cases: readonly Case[]) {
  for (const [index, [policy, requests, expected]] of cases.entries()) {
    const found = decide([named(policy)], ...requests);
    if (found !== expected) t.equal(nameOf(found), nameOf(expected), `case ${index}: ${policy.type}`);
  }
  t.ok(cases.length > 0);
  t.end();
}

tap.test('latency looks at the running duration, cut to milliseconds', (t) => {
  const above: Bare = { type: 'latency', thresholdMs: 5000, upperThresholdMs: 0 };
  const window: Bare = { type: 'latency', thresholdMs: 5000, upperThresholdMs: 10000 };
  check(t, [
    [above, [spans(ms(0, 4500))], N],
    [above, [spans(ms(0, 5000))], N],
    [above, [spans({ startNanos: 1n, endNanos: 5_000_900_001n })], N],
    [above, [spans(ms(0, 3000), ms(2500, 5500))], S],
    [above, [spans(ms(0, 3000)), spans(ms(2500, 5500))], S],
    [window, [spans(ms(0, 4500))], N],
    [window, [spans(ms(0, 5000))], N],
    [window, [spans(ms(0, 5001))], S],
    [window, [spans(ms(0, 10000))], S],
    [window, [spans(ms(0, 10001))], N],
    [window, [spans(ms(0, 3000), ms(2500, 5500))], S],
    [window, [spans(ms(0, 6000), ms(5000, 12000))], S],
    [window, [spans(ms(0, 12000), ms(5000, 6000))], N],
    [{ type: 'latency', thresholdMs: 0, upperThresholdMs: 0 }, [spans({ startNanos: 1n, endNanos: 1_000_000n })], N],
    [{ type: 'latency', thresholdMs: 0, upperThresholdMs: 0 }, [spans({ startNanos: 1n, endNanos: 1_000_001n })], S],
  ]);
});

tap.test('numeric_attribute compares integers of resources and spans with both bounds', (t) => {
  const within = (minValue: bigint, maxValue: bigint, invertMatch = false): Bare => ({
    type: 'numeric_attribute',
    key: 'example',
    minValue,
    maxValue,
    invertMatch,
  });
  const least = -(2n ** 31n);
  const most = 2n ** 31n - 1n;
  const sides: [bigint, number][] = [
    [least, S],
    [most, S],
    [least - 1n, N],
    [most + 1n, N],
  ];
  check(t, [
    [within(least, most), [onSpan({ other: 1 })], N],
    [within(least, most, true), [onSpan({ other: 1 })], S],
    ...sides.flatMap(([value, expected]): Case[] => [
      [within(least, most), [onSpan({ example: value })], expected],
      [within(least, most), [onResource({ example: value })], expected],
      [within(least, most, true), [onSpan({ example: value })], expected === S ? N : S],
      [within(least, most, true), [onResource({ example: value })], expected === S ? N : S],
    ]),
    [within(100n, 0n), [onSpan({ example: 200 })], S],
    [within(100n, 0n), [onSpan({ example: 50 })], N],
    [within(0n, 100n), [onSpan({ example: 50 })], S],
    [within(0n, 100n), [onSpan({ example: 200 })], N],
    [within(100n, 200n), [onSpan({ example: 150 })], S],
    [within(100n, 200n), [onSpan({ example: 50 })], N],
    [within(100n, 0n, true), [onSpan({ example: 200 })], N],
    [within(-100n, 0n), [onSpan({ example: 50 })], S],
    [within(-1n, 1n), [onSpan({ example: 'text' })], S],
    [within(1n, 0n), [onSpan({ example: 5.5 })], N],
  ]);
});

tap.test('string_attribute compares exactly, or searches by expression, and may invert', (t) => {
  const exact = (values: readonly string[], invertMatch = false): Bare => ({
    type: 'string_attribute',
    key: 'example',
    values,
    enabledRegexMatching: false,
    cacheMaxSize: 0,
    invertMatch,
  });
  const regex = (values: readonly string[], invertMatch = false, cacheMaxSize = 0): Bare => ({
    type: 'string_attribute',
    key: 'example',
    values,
    enabledRegexMatching: true,
    cacheMaxSize,
    invertMatch,
  });
  const health = 'grpc.health.v1.HealthCheck';
  check(t, [
    [exact(['value']), [onResource({ example: 'value' })], S],
    [exact(['value']), [onSpan({ example: 'value' })], S],
    [exact(['value']), [onSpan({ other: 'value' })], N],
    [exact(['value']), [onSpan({ example: 'other' })], N],
    [exact(['value'], true), [onSpan({ example: 'value' })], N],
    [exact(['value'], true), [onSpan({ example: 'other' })], S],
    [exact(['first_value', 'value', 'last_value'], true), [onSpan({ example: 'value' })], N],
    [exact(['first_value', 'value', 'last_value'], true), [onSpan({ example: 'non_matching' })], S],
    [exact(['']), [onResource({ example: '' })], N],
    [exact(['5']), [onSpan({ example: 5 })], N],
    [exact(['*invalid-regex']), [onSpan({ example: '*invalid-regex' })], S],
    [regex(['v[0-9]+.HealthCheck$']), [onSpan({ example: health })], S],
    [regex(['v[0-9]+.HealthCheck$'], false, 450), [onSpan({ example: health }), onSpan({ example: health })], S],
    [regex(['v[a-z]+.HealthCheck$']), [onSpan({ example: health })], N],
    [regex(['value']), [onResource({ example: 'value' })], S],
    [regex(['(?i)VALUE', '[[:alpha:]]\\z']), [onSpan({ example: 'Value' })], S],
    [regex([]), [onSpan({ example: health })], N],
    [regex([], true), [onSpan({ example: health })], S],
    [regex(['^http', 'v[0-9]+.HealthCheck$', 'metrics$'], true), [onSpan({ example: health })], N],
    [regex(['^http', 'v[a-z]+.HealthCheck$', 'metrics$'], true), [onSpan({ example: health })], S],
    [regex(['^$']), [onResource({ example: 3 })], S],
    [regex(['^$']), [onSpan({ example: '' })], N],
  ]);
});

tap.test('an expression that does not compile is refused when policies are compiled', (t) => {
  const policy = named({
    type: 'string_attribute',
    key: 'k',
    values: ['*invalid-regex'],
    enabledRegexMatching: true,
    cacheMaxSize: 0,
    invertMatch: false,
  });
  t.throws(() => new PolicyRig([policy]), /invalid regex `\*invalid-regex`: error parsing regexp/);
  t.end();
});

tap.test('boolean_attribute reads every other type as false', (t) => {
  const truth = (value: boolean, invertMatch = false): Bare => ({ type: 'boolean_attribute', key: 'example', value, invertMatch });
  check(t, [
    [truth(true), [onSpan({ example: true })], S],
    [truth(true), [onSpan({ example: false })], N],
    [truth(true), [onSpan({ other: true })], N],
    [truth(true, true), [onSpan({ example: true })], N],
    [truth(true, true), [onSpan({ example: false })], S],
    [truth(false), [onResource({ example: 'text' })], S],
  ]);
});

tap.test('of an attribute that comes twice the first counts', (t) => {
  const twice = concat(
    spanBytes({ traceId: id }),
    lengthField(9, keyValueBytes('example', 5)),
    lengthField(9, keyValueBytes('example', 500)),
  );
  const request = lengthField(1, lengthField(2, lengthField(2, twice)));
  const within = (minValue: bigint, maxValue: bigint): Bare => ({
    type: 'numeric_attribute',
    key: 'example',
    minValue,
    maxValue,
    invertMatch: false,
  });
  check(t, [
    [within(1n, 9n), [request], S],
    [within(400n, 0n), [request], N],
  ]);
});

tap.test('status_code, span_count, trace_flags and trace_state', (t) => {
  const codes = (...statusCodes: ('OK' | 'ERROR' | 'UNSET')[]): Bare => ({ type: 'status_code', statusCodes });
  const bounds = (minSpans: number, maxSpans: number): Bare => ({ type: 'span_count', minSpans, maxSpans });
  const state = (...values: string[]): Bare => ({ type: 'trace_state', key: 'example', values });
  const traceState = (text: string) => [spans({ traceState: text })];
  check(t, [
    [codes('ERROR'), [spans({ statusCode: 1 }, {}, { statusCode: 1 })], N],
    [codes('OK', 'ERROR'), [spans({}, {})], N],
    [codes('UNSET'), [spans({})], S],
    [codes('OK', 'UNSET'), [spans({ statusCode: 2 }, { statusCode: 1 })], S],
    [bounds(3, 0), [count(1)], N],
    [bounds(3, 0), [count(3)], S],
    [bounds(3, 0), [count(1), count(1)], N],
    [bounds(3, 0), [count(1), count(2), count(1)], S],
    [bounds(0, 20), [count(21)], N],
    [bounds(0, 20), [count(20)], S],
    [bounds(0, 20), [1, 2, 3, 4, 5, 6].map(count), N],
    [bounds(0, 20), [1, 2, 3, 4, 5, 5].map(count), S],
    [bounds(3, 20), [count(1), count(1)], N],
    [bounds(3, 20), [count(4)], S],
    [bounds(0, -1), [count(4)], N],
    [state('value'), traceState('example=value'), S],
    [state('value'), traceState('example=non_matching'), N],
    [state('value'), traceState('non_matching=value'), N],
    [state('value'), traceState('example=non_matching,non_matching=value'), N],
    [state('value'), traceState('example=value,non_matching=value'), S],
    [state(), traceState('example=value'), N],
    [state('value1', 'value2'), traceState('example=value1'), S],
    [state('value'), traceState('example=value,example=value'), N],
    [{ type: 'trace_flags' }, [spans({ flags: 1 })], S],
    [{ type: 'trace_flags' }, [spans({ flags: 0 })], N],
    [{ type: 'trace_flags' }, [spans({ flags: 0x100 })], N],
  ]);
});

const yes: PolicyConfig = { type: 'always_sample', name: 'yes' };
const no: PolicyConfig = { type: 'probabilistic', name: 'no', hashSalt: '', samplingPercentage: -1 };
const tagged = (minValue: bigint, maxValue: bigint): PolicyConfig => ({
  type: 'numeric_attribute',
  name: 'tag',
  key: 'tag',
  minValue,
  maxValue,
  invertMatch: false,
});

tap.test('and, drop and not combine what their sub-policies say', (t) => {
  const text = (invertMatch: boolean): PolicyConfig => ({
    type: 'string_attribute',
    name: '',
    key: 'example',
    values: ['value'],
    enabledRegexMatching: false,
    cacheMaxSize: 0,
    invertMatch,
  });
  const request = [onSpan({ tag: 50, example: 'value' })];
  const all = (type: 'and' | 'drop', ...subPolicies: PolicyConfig[]): Bare => ({ type, subPolicies });
  check(t, [
    ...(['and', 'drop'] as const).flatMap((type): Case[] => {
      const success = type === 'and' ? S : D;
      return [
        [all(type, yes, tagged(1n, 100n)), request, success],
        [all(type, yes, no), request, N],
        [all(type, tagged(1n, 100n), text(false)), request, success],
        [all(type, tagged(1n, 100n), text(true)), request, N],
        [all(type, { type: 'not', name: '', subPolicy: no }), request, success],
        [all(type), request, success],
      ];
    }),
    [{ type: 'not', subPolicy: yes }, request, N],
    [{ type: 'not', subPolicy: no }, request, S],
  ]);
});

tap.test('a matching drop policy wins wherever it stands, also by a span that comes later', (t) => {
  const drop: PolicyConfig = { type: 'drop', name: 'd', subPolicies: [tagged(1n, 100n)] };
  t.equal(decide([yes, drop], onSpan({}), onSpan({ tag: 50 })), D);
  t.equal(decide([yes, drop], onSpan({})), S);
  t.end();
});

tap.test('the first policy that samples is credited, and all votes are counted', (t) => {
  const rig = new PolicyRig([no, { ...yes, name: 'first' }, { ...yes, name: 'second' }]);
  rig.take(count(3));
  t.match(rig.decide(hexId), { decision: S, policy: 1, composite: -1 });
  t.same([...rig.policies.counters.traces], [1, 0, 0, 0, 1, 0, 0, 1, 0]);
  t.same([...rig.policies.counters.spans], [3, 0, 0, 0, 3, 0, 0, 3, 0]);
  t.same([...rig.policies.counters.executions], [1, 1, 1]);
  const first = new PolicyRig([no, { ...yes, name: 'first' }, { ...yes, name: 'second' }], { sampleOnFirstMatch: true });
  first.take(count(1));
  t.match(first.decide(hexId), { decision: S, policy: 1 });
  t.same([...first.policies.counters.executions], [1, 1, 0]);
  t.end();
});

tap.test('a decision says the path to the sub-policies that made it', (t) => {
  const both: PolicyConfig = {
    type: 'and',
    name: 'both',
    subPolicies: [
      { ...yes, name: 'errors' },
      { type: 'not', name: '', subPolicy: no },
    ],
  };
  const composite: PolicyConfig = {
    type: 'composite',
    name: 'mix',
    maxTotalSpansPerSecond: 100,
    subPolicies: [no, { ...both, name: 'inner' } as PolicyConfig],
    rateAllocation: [],
  };
  for (const [policy, path] of [
    [both, 'both(errors, not/not(no))'],
    [composite, 'mix/inner(errors, not/not(no))'],
    [yes, 'yes'],
  ] as const) {
    const rig = new PolicyRig([policy]);
    rig.take(count(1));
    t.equal(rig.policies.pathOf(rig.decide(hexId)), path);
  }
  t.end();
});

tap.test('spans are asked for only while some leaf can learn from them', (t) => {
  const rig = new PolicyRig([{ type: 'status_code', name: 'e', statusCodes: ['ERROR'] }, tagged(1n, 100n), yes]);
  const words = new Uint32Array(rig.policies.stateWords);
  t.ok(rig.policies.wantsSpans(words, 0));
  words[0] = 0b01;
  t.ok(rig.policies.wantsSpans(words, 0));
  words[0] = 0b11;
  t.notOk(rig.policies.wantsSpans(words, 0));
  t.notOk(new PolicyRig([yes, no]).policies.wantsSpans(new Uint32Array(1), 0));
  t.end();
});

tap.test('two policies that ask the same of spans share one state', (t) => {
  const latency = (name: string): PolicyConfig => ({ type: 'latency', name, thresholdMs: 5, upperThresholdMs: 0 });
  t.equal(new PolicyRig([latency('a'), latency('b')]).policies.stateWords, new PolicyRig([latency('a')]).policies.stateWords);
  t.end();
});

tap.test('span-ingest: a drop policy that did not match keeps the trace pending', (t) => {
  const drop: PolicyConfig = { type: 'drop', name: 'd', subPolicies: [tagged(1n, 100n)] };
  const ingest = (policies: PolicyConfig[], request: Uint8Array) => {
    const rig = new PolicyRig(policies);
    rig.take(request);
    return rig.decideOnIngest(hexId).decision;
  };
  t.equal(ingest([no], count(1)), Decision.pending);
  t.equal(ingest([no, yes], count(1)), S);
  t.equal(ingest([yes, drop], count(1)), Decision.pending);
  t.equal(ingest([yes, drop], onSpan({ tag: 1 })), D);
  t.end();
});

tap.test('ottl_condition asks each span and each of its events', (t) => {
  const condition = (span: readonly string[], spanevent: readonly string[] = []): Bare => ({
    type: 'ottl_condition',
    errorMode: 'propagate',
    span,
    spanevent,
  });
  const attribute = [onSpan({ attr_k_1: 'attr_v_1' })];
  const event = [spans({ events: [{ name: 'an event', attributes: { event_attr_k_1: 'event_attr_v_1' } }] })];
  const service = [
    requestBytes({ 'service.name': 'checkout' }, { scopeName: 'my-scope', spans: [{ traceId: id, events: [{ name: 'e' }] }] }),
  ];
  check(t, [
    [condition(['attributes["attr_k_1"] == "attr_v_1"']), attribute, S],
    [condition(['span.attributes["attr_k_1"] == "attr_v_1"']), attribute, S],
    [condition(['attributes["attr_k_1"] != "attr_v_1"']), attribute, N],
    [condition(['attributes["attr_k_1"] != "attr_v_2"']), attribute, S],
    [condition(['attributes["attr_k_1"] == "other"', 'attributes["attr_k_1"] == "attr_v_1"']), attribute, S],
    [condition([], ['attributes["event_attr_k_1"] == "event_attr_v_1"']), event, S],
    [condition([], ['spanevent.name != "incorrect event name"']), event, S],
    [condition([], ['name == "another"']), event, N],
    [condition([], ['name != "incorrect event name"']), [count(1)], N],
    [condition(['resource.attributes["service.name"] == "checkout"']), service, S],
    [condition([], ['resource.attributes["service.name"] == "checkout"']), service, S],
    [condition(['scope.name == "my-scope"']), service, S],
    [condition([], ['instrumentation_scope.name == "my-scope"']), service, S],
  ]);
});

tap.test('an error of a condition is an error of the policy, a warning, or nothing, by error_mode', (t) => {
  const failing = (errorMode: 'propagate' | 'ignore' | 'silent', span: readonly string[]): PolicyConfig => ({
    type: 'ottl_condition',
    name: 'o',
    errorMode,
    span,
    spanevent: [],
  });
  const ask = (policy: PolicyConfig) => {
    const rig = new PolicyRig([policy]);
    rig.take(onSpan({ k: 'text' }));
    return { decision: rig.decide(hexId).decision, counters: rig.policies.counters };
  };
  const broken = 'attributes[1] == "test"';
  const propagated = ask(failing('propagate', [broken, 'true']));
  t.match(propagated, { decision: N, counters: { evaluationErrors: 1, lastErrorPolicy: 0, ignoredErrors: 0 } });
  t.match(propagated.counters.lastError, /failed to eval condition: attributes\[1\] == "test"/);
  t.match(ask(failing('ignore', [broken])), { decision: N, counters: { evaluationErrors: 0, ignoredErrors: 1 } });
  t.match(ask(failing('ignore', [broken, 'true'])), { decision: S });
  t.match(ask(failing('silent', [broken])), { decision: N, counters: { evaluationErrors: 0, ignoredErrors: 0 } });
  const negated = ask({ type: 'not', name: 'n', subPolicy: failing('propagate', [broken]) } as PolicyConfig);
  t.match(negated, { decision: N, counters: { evaluationErrors: 1 } }, 'not passes errors');
  t.end();
});
