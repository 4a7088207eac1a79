/** Every policy folded at arrival answers as the same policy evaluated at the end over the decoded trace. */

import t from 'tap';
import type { LeafPolicyConfig, PolicyConfig } from '../../src/shared/policy-config.ts';
import { seededPrng } from '../../src/shared/prng.ts';
import { Decision } from '../../src/workers/policies/compiled-policies.ts';
import { addRequest, type NaiveTrace, naiveResourceSpansSize, naiveTracesSize, naiveVerdict } from '../support/naive-policies.ts';
import {
  type Attributes,
  type AttributeValue,
  concat,
  Dice,
  randomRequest,
  requestBytes,
  type SpanSpec,
  spanIdOf,
  traceIdOf,
} from '../support/otlp.ts';
import { PolicyRig } from '../support/policy-rig.ts';

const second = 1_000_000_000n;
const origin = 1_700_000_000n * second;
const keys = ['k', 'key', 'http.status', 'x'];

function randomValue(dice: Dice): AttributeValue {
  return dice.pick<AttributeValue>([
    '',
    'a',
    'abc',
    'value',
    0n,
    1n,
    -1n,
    5n,
    200n,
    404n,
    2n ** 63n - 1n,
    -(2n ** 63n),
    0.5,
    true,
    false,
    ['a'],
    { k: 'abc' },
    new Uint8Array([97]),
  ]);
}

const randomAttributes = (dice: Dice): Attributes =>
  Object.fromEntries(Array.from({ length: dice.below(4) }, () => [dice.pick(keys), randomValue(dice)]));

const traceStates = ['', 'k=a', 'k=abc,x=1', 'x=1, k=value ', 'k=a,k=b', 'K=a', 'k=', 'a@b=c,k=abc', 'k', ' k=a', 'k =a', 'k=a b,,x=2'];

function randomTime(dice: Dice): bigint {
  if (dice.chance(0.1)) return dice.pick([0n, 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 62n]);
  return origin + BigInt(dice.below(12_000_000)) * 1000n;
}

function randomSpanSpec(dice: Dice, trace: number): SpanSpec {
  return {
    traceId: traceIdOf(trace),
    spanId: spanIdOf(dice.below(1e6)),
    ...(dice.chance(0.5) && { traceState: dice.pick(traceStates) }),
    startNanos: randomTime(dice),
    endNanos: randomTime(dice),
    attributes: randomAttributes(dice),
    statusCode: dice.pick([0, 0, 1, 2, 3]),
    flags: dice.pick([0, 0, 256, 257, 3]),
  };
}

/** Traces cut into scopes, resources and requests at random. */
function randomRequests(dice: Dice): Uint8Array[] {
  return Array.from({ length: 1 + dice.below(3) }, () =>
    concat(
      ...Array.from({ length: 1 + dice.below(3) }, () =>
        requestBytes(
          randomAttributes(dice),
          ...Array.from({ length: dice.below(3) }, () => ({
            scopeName: 'scope',
            spans: Array.from({ length: dice.below(5) }, () => randomSpanSpec(dice, dice.below(4))),
          })),
        ),
      ),
    ),
  );
}

function randomLeaf(dice: Dice): LeafPolicyConfig {
  const name = `leaf-${dice.below(1000)}`;
  const key = dice.pick(keys);
  const invertMatch = dice.chance(0.3);
  const bound = () => dice.pick([0n, 1n, -1n, 5n, 200n, 404n, -(2n ** 63n), 2n ** 63n - 1n]);
  return dice.pick<LeafPolicyConfig>([
    { type: 'always_sample', name },
    {
      type: 'latency',
      name,
      thresholdMs: dice.pick([0, 1, 1500, 5000, -1, -3000, 2 ** 53]),
      upperThresholdMs: dice.pick([0, 0, 6000, 9000, -1]),
    },
    { type: 'status_code', name, statusCodes: dice.pick([['ERROR'], ['OK', 'UNSET'], ['OK'], ['UNSET']]) },
    { type: 'probabilistic', name, hashSalt: dice.pick(['', 'salt']), samplingPercentage: dice.pick([0, 25, 50, 75, 100, -5, 150]) },
    { type: 'span_count', name, minSpans: dice.below(6), maxSpans: dice.pick([0, 0, 3, 8, -1]) },
    { type: 'trace_flags', name },
    { type: 'trace_state', name, key: dice.pick(['k', 'x', 'K']), values: dice.pick([['a'], ['abc', 'value'], [], ['']]) },
    { type: 'numeric_attribute', name, key, minValue: bound(), maxValue: bound(), invertMatch },
    { type: 'boolean_attribute', name, key, value: dice.chance(0.5), invertMatch },
    {
      type: 'string_attribute',
      name,
      key,
      values: dice.pick([['a'], ['abc', ''], [], ['value', 'x']]),
      enabledRegexMatching: false,
      cacheMaxSize: 0,
      invertMatch,
    },
    {
      type: 'string_attribute',
      name,
      key,
      values: dice.pick([['^a'], ['b', 'lu'], ['^$'], []]),
      enabledRegexMatching: true,
      cacheMaxSize: dice.below(3),
      invertMatch,
    },
  ]);
}

function randomPolicy(dice: Dice, index: number): PolicyConfig {
  const name = `policy-${index}`;
  const negatable = () => (dice.chance(0.3) ? ({ type: 'not', name: '', subPolicy: randomLeaf(dice) } as const) : randomLeaf(dice));
  const subPolicies = Array.from({ length: dice.below(4) }, negatable);
  const kind = dice.below(8);
  if (kind === 0) return { type: 'and', name, subPolicies };
  if (kind === 1 && subPolicies.length > 1) return { type: 'drop', name, subPolicies };
  if (kind === 2) return { type: 'not', name, subPolicy: randomLeaf(dice) };
  return { ...randomLeaf(dice), name };
}

/** Spec 1.6 over verdicts. */
function naiveDecision(policies: readonly PolicyConfig[], trace: NaiveTrace): { decision: number; policy: number } {
  const verdicts = policies.map((policy) => naiveVerdict(policy, trace));
  const dropped = verdicts.indexOf('dropped');
  if (dropped >= 0) return { decision: Decision.dropped, policy: dropped };
  const sampled = verdicts.indexOf('sampled');
  return sampled >= 0 ? { decision: Decision.sampled, policy: sampled } : { decision: Decision.notSampled, policy: -1 };
}

t.test('folds decide as the naive evaluation of whole traces does', async (t) => {
  const seen = [0, 0, 0, 0];
  for (let seed = 1; seed <= 400; seed++) {
    const dice = new Dice(seededPrng(seed));
    const policies = Array.from({ length: 1 + dice.below(12) }, (_, index) => randomPolicy(dice, index));
    const rig = new PolicyRig(policies);
    const traces = new Map<string, NaiveTrace>();
    for (const request of randomRequests(dice)) {
      rig.take(request);
      addRequest(traces, request);
    }
    for (const [id, trace] of traces) {
      const expected = naiveDecision(policies, trace);
      const { decision, policy } = rig.decide(id);
      seen[decision]!++;
      if (decision !== expected.decision || policy !== expected.policy) {
        t.same({ decision, policy }, expected, `seed ${seed}, trace ${id}, ${policies.map((p) => naiveVerdict(p, trace))}`);
        return;
      }
    }
  }
  t.ok(
    seen[Decision.sampled]! > 300 && seen[Decision.notSampled]! > 50 && seen[Decision.dropped]! > 20,
    `every decision occurred: ${seen}`,
  );
});

t.test('each single policy decides as its naive twin', async (t) => {
  const seen = new Map<string, Set<number>>();
  for (let seed = 1; seed <= 600; seed++) {
    const dice = new Dice(seededPrng(seed * 7919));
    const policy = randomLeaf(dice);
    const rig = new PolicyRig([policy]);
    const traces = new Map<string, NaiveTrace>();
    for (const request of randomRequests(dice)) {
      rig.take(request);
      addRequest(traces, request);
    }
    for (const [id, trace] of traces) {
      const expected = naiveVerdict(policy, trace) === 'sampled' ? Decision.sampled : Decision.notSampled;
      const { decision } = rig.decide(id);
      seen.set(policy.type, (seen.get(policy.type) ?? new Set()).add(decision));
      if (decision !== expected)
        return t.equal(decision, expected, `seed ${seed}, trace ${id}, ${JSON.stringify({ ...policy, minValue: 0, maxValue: 0 })}`);
    }
  }
  for (const [type, decisions] of seen) t.ok(type === 'always_sample' || decisions.size === 2, `${type} answered both ways`);
  t.equal(seen.size, 10);
});

t.test('sizes kept span by span are those of the decoded trace, whatever the encoding', async (t) => {
  let compared = 0;
  for (let seed = 1; seed <= 150; seed++) {
    const dice = new Dice(seededPrng(seed));
    const policies: PolicyConfig[] = [{ type: 'bytes_limiting', name: 'b', bytesPerSecond: 0, burstCapacity: 1 }];
    const rig = new PolicyRig(policies);
    const traces = new Map<string, NaiveTrace>();
    for (const request of Array.from({ length: 3 }, () => randomRequest(dice, { traces: 3 }))) {
      rig.take(request);
      addRequest(traces, request);
    }
    for (const [id, trace] of traces) {
      const key = id.padEnd(32, '0');
      const expected = trace.resourceSpans.reduce((total, fragment) => total + naiveResourceSpansSize(fragment), 0);
      compared++;
      if (rig.sizeBytes(key) !== expected)
        return t.equal(rig.sizeBytes(key), expected, `seed ${seed}, trace ${id}, ${naiveTracesSize(trace)}`);
    }
  }
  t.ok(compared > 300, `${compared} traces`);
});
