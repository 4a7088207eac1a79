/** Limiters that choose among all due traces by their randomness (spec 1.10, 5.4). */

import t from 'tap';
import type { PolicyConfig } from '../../../src/shared/policy-config.ts';
import { cutBatch } from '../../../src/workers/policies/batch-limiter.ts';
import { compilePolicies, traceStateGate } from '../../../src/workers/policies/compile-policies.ts';
import { Decision, noThreshold } from '../../../src/workers/policies/compiled-policies.ts';
import { neverThreshold } from '../../../src/workers/policies/otel-trace-state.ts';
import { requestBytes, spanIdOf } from '../../support/otlp.ts';
import { PolicyRig, plainContext } from '../../support/policy-rig.ts';

const startMs = 1_700_000_000_000;
const gated = { ...plainContext, featureGates: new Set([traceStateGate]) };
const limiter = (spansPerSecond: number, burstCapacity: number): PolicyConfig => ({
  type: 'rate_limiting',
  name: 'r',
  spansPerSecond,
  burstCapacity,
});
const wide: PolicyConfig = { type: 'span_count', name: 'n', minSpans: 2, maxSpans: 0 };

type Trace = readonly [randomness: number, spans: number];

/** Decides batches of traces without spans in memory: the randomness is that of their ids. Letters in the order of the traces; the thresholds beside them. */
function decideAll(policies: readonly PolicyConfig[], ...batches: readonly (readonly [atMs: number, ...traces: Trace[]])[]) {
  const compiled = compilePolicies(policies, gated);
  const stride = Math.max(1, compiled.stateWords);
  return batches.map(([atMs, ...traces]) => {
    const words = new Uint32Array(stride * (traces.length + 1));
    const batch = traces.map(([randomness, spanCount], index) => {
      const bytes = new Uint8Array(16);
      new DataView(bytes.buffer).setUint32(12, randomness);
      return { facts: { traceId: 0, spanCount, sizeBytes: 0, bytes, firstRun: 0 }, at: index * stride };
    });
    compiled.judgeBatch(batch, words, startMs + atMs);
    const results = batch.map(({ facts, at }) => ({ ...compiled.decide(facts, words, at, startMs + atMs) }));
    const letters = results
      .map(({ decision }) => (decision === Decision.sampled ? 'S' : decision === Decision.dropped ? 'D' : 'N'))
      .join('');
    return { letters, thresholds: results.map(({ threshold }) => threshold) };
  });
}

t.test('a budget keeps the highest randomness, and its threshold tells kept from rejected', (t) => {
  const cut = (budget: number, ...items: Trace[]) =>
    cutBatch(
      items.map(([randomness, cost]) => ({ randomness: BigInt(randomness), cost })),
      budget,
    );
  t.same(cut(5, [100, 2], [50, 2], [10, 2]), { threshold: 11n, spent: 4 });
  t.same(cut(3, [100, 2], [50, 1], [10, 2]), { threshold: 11n, spent: 3 });
  t.same(cut(2, [100, 1], [50, 1], [50, 1], [10, 1]), { threshold: 51n, spent: 1 }, 'what ties with the first rejected is rejected');
  t.same(cut(9, [100, 2], [50, 2]), { threshold: 0n, spent: 4 });
  t.same(cut(1, [100, 2], [50, 1]), { threshold: neverThreshold, spent: 0 }, 'nothing behind the first that does not fit');
  t.same(cut(9), { threshold: 0n, spent: 0 });
  t.end();
});

t.test('rate_limiting cuts each batch and refills between batches', (t) => {
  t.same(decideAll([limiter(1, 5)], [0, [10, 2], [100, 2], [50, 2]])[0], { letters: 'NSS', thresholds: [noThreshold, 11n, 11n] });
  t.same(
    decideAll([limiter(1, 4)], [0, [9, 1], [8, 1]], [0, [7, 1], [6, 1], [5, 1]]).map(({ letters }) => letters),
    ['SS', 'SSN'],
  );
  t.same(
    decideAll([limiter(1, 10)], [0, [200, 20], [100, 3], [50, 3]])[0]!.letters,
    'NSS',
    'a trace above the burst takes nothing from others',
  );
  t.same(decideAll([limiter(1, 4)], [0, [100, 5]])[0]!.letters, 'N');
  t.same(
    decideAll([limiter(1, 1)], [0, [100, 1]], [900, [100, 1]], [1000, [100, 1]]).map(({ letters }) => letters),
    ['S', 'N', 'S'],
    'only whole tokens count',
  );
  t.same(
    decideAll([limiter(1, 1)], [0], [0, [1, 1]]).map(({ letters }) => letters),
    ['', 'S'],
    'an empty batch spends nothing',
  );
  t.end();
});

t.test('inside and only traces that pass the other sub-policies use the budget, wherever the limiter stands', (t) => {
  for (const subPolicies of [
    [wide, limiter(1, 2)],
    [limiter(1, 2), wide],
  ]) {
    const result = decideAll([{ type: 'and', name: 'a', subPolicies }], [0, [100, 1], [50, 2], [10, 2]])[0]!;
    t.same(result, { letters: 'NSN', thresholds: [noThreshold, 11n, noThreshold] });
  }
  t.end();
});

t.test('a dropped trace uses no budget, is counted once, and stays dropped', (t) => {
  const drop: PolicyConfig = { type: 'drop', name: 'd', subPolicies: [wide] };
  t.equal(decideAll([limiter(1, 2), drop], [0, [100, 2], [50, 1], [10, 1]])[0]!.letters, 'DSS');
  const compiled = compilePolicies([drop, limiter(1, 9)], gated);
  const words = new Uint32Array(compiled.stateWords + 1);
  const facts = { traceId: 0, spanCount: 2, sizeBytes: 0, bytes: new Uint8Array(16), firstRun: 0 };
  compiled.judgeBatch([{ facts, at: 0 }], words, startMs);
  t.equal(compiled.decide(facts, words, 0, startMs).decision, Decision.dropped);
  t.same([...compiled.counters.executions], [1, 0]);
  t.same([...compiled.counters.traces], [0, 0, 1, 0, 0, 0]);
  t.end();
});

t.test('inside not, composite and drop limiters take traces one by one, in the order of decisions', (t) => {
  const composite: PolicyConfig = {
    type: 'composite',
    name: 'c',
    maxTotalSpansPerSecond: 1000,
    subPolicies: [limiter(1, 1)],
    rateAllocation: [],
  };
  t.same(decideAll([composite], [0, [10, 1], [100, 1]])[0], { letters: 'SN', thresholds: [0n, noThreshold] });
  t.equal(decideAll([{ type: 'not', name: 'x', subPolicy: limiter(1, 1) }], [0, [10, 1], [100, 1]])[0]!.letters, 'NS');
  t.end();
});

t.test('the smallest threshold of all that sampled counts; a policy without one samples everything', (t) => {
  const result = decideAll(
    [limiter(1, 2), { type: 'and', name: 'a', subPolicies: [limiter(1, 1), wide] }],
    [0, [100, 1], [50, 1], [10, 1]],
  )[0]!;
  t.same(result.thresholds, [11n, 11n, noThreshold]);
  t.same(decideAll([limiter(1, 1), { type: 'always_sample', name: 'all' }], [0, [100, 1], [50, 1]])[0]!.thresholds, [0n, 0n]);
  t.end();
});

t.test('bytes_limiting cuts by encoded size, and rv takes the place of the id', (t) => {
  const span = (trace: number, rv: string, name: string) =>
    requestBytes({}, { spans: [{ traceId: new Uint8Array(16).fill(trace), spanId: spanIdOf(trace), name, traceState: `ot=rv:${rv}` }] });
  const small = 'a';
  const large = 'b'.repeat(100);
  const requests = [span(1, '00000000000064', small), span(2, '00000000000032', large), span(3, '0000000000000a', small)];
  const sizes = new PolicyRig([], { needsSizes: true });
  for (const request of requests) sizes.take(request);
  const [first, second] = sizes.traceIds().map((id) => sizes.sizeBytes(id) + 2);
  const bytesPerSecond = first! + second! - 1;
  const rig = new PolicyRig([{ type: 'bytes_limiting', name: 'b', bytesPerSecond, burstCapacity: bytesPerSecond }], gated);
  for (const request of requests) rig.take(request);
  rig.judgeBatch();
  const results = rig.traceIds().map((id) => ({ ...rig.decide(id) }));
  t.same(
    results.map(({ decision }) => decision === Decision.sampled),
    [true, false, false],
  );
  t.equal(results[0]!.threshold, 51n);
  t.end();
});

t.test('probabilistic follows rv and th where spans carry them, and the hash of the id otherwise', (t) => {
  const verdicts = (samplingPercentage: number, ...states: readonly string[]) => {
    const policy: PolicyConfig = { type: 'probabilistic', name: 'p', hashSalt: '', samplingPercentage };
    return [gated, plainContext].map((context) => {
      const rig = new PolicyRig([policy], context);
      const traceId = new Uint8Array(16).fill(0xff);
      rig.take(requestBytes({}, { spans: states.map((traceState, index) => ({ traceId, spanId: spanIdOf(index), traceState })) }));
      const { decision, threshold } = rig.decide(rig.traceIds()[0]!);
      return decision === Decision.sampled ? threshold : 'N';
    });
  };
  const th8 = 0x8n << 52n;
  // The id's own hash is above half of all hashes or not: what the plain context says.
  const plain = verdicts(50, '')[1];
  t.same(verdicts(50, 'ot=rv:ffffffffffffff')[0], th8);
  t.same(verdicts(50, 'ot=rv:40000000000000')[0], 'N');
  t.same(verdicts(100, 'ot=rv:40000000000000')[0], 0n);
  t.same(verdicts(0, 'ot=rv:ffffffffffffff')[0], 'N');
  t.same(verdicts(100, 'ot=th:8')[0], 0n, 'an incoming threshold does not decide');
  t.same(verdicts(50, 'ot=th:8')[0], th8, 'but has randomness taken from the id, which is all ones');
  t.same(verdicts(50, 'a=1', 'ot=rv:40000000000000')[0], 'N', 'rv on the second span');
  t.same(verdicts(50, 'ot=rv:40000000000000', 'ot=rv:ffffffffffffff')[0], 'N', 'the first rv counts');
  for (const malformed of ['ot=rv:123', 'ot=bad$', 'ot=rv:40000000000000,b==']) {
    t.same(verdicts(100, malformed)[0], 0n);
    t.equal(verdicts(50, malformed)[0] === 'N', plain === 'N', 'falls back to the hash');
  }
  t.same(verdicts(50, 'ot=rv:40000000000000')[1], plain, 'without the gate nothing of it counts');
  t.end();
});
