/** Token buckets, limiters and composites with a clock (spec 5.1, 5.2), alone and shared between workers. */

import t from 'tap';
import type { PolicyConfig } from '../../../src/shared/policy-config.ts';
import { compilePolicies, sharedRegionBytes } from '../../../src/workers/policies/compile-policies.ts';
import { Decision } from '../../../src/workers/policies/compiled-policies.ts';
import { RegionCursor } from '../../../src/workers/policies/shared-region.ts';
import { TokenBucket } from '../../../src/workers/policies/token-bucket.ts';
import { plainContext } from '../../support/policy-rig.ts';

const startMs = 1_700_000_000_000;
const always: PolicyConfig = { type: 'always_sample', name: 'all' };

/** Answers for traces of so many spans, each at its own time: S or N. */
function answers(policies: ReturnType<typeof compilePolicies>, traces: readonly (readonly [spans: number, atMs: number])[]): string {
  return traces
    .map(([spanCount, atMs]) => {
      const facts = { traceId: 0, spanCount, sizeBytes: 0, bytes: new Uint8Array(16), firstRun: 0 };
      const { decision } = policies.decide(facts, new Uint32Array(policies.stateWords + 1), 0, startMs + atMs);
      return decision === Decision.sampled ? 'S' : 'N';
    })
    .join('');
}
const limiter = (spansPerSecond: number, burstCapacity: number): PolicyConfig => ({
  type: 'rate_limiting',
  name: 'r',
  spansPerSecond,
  burstCapacity,
});
const ask = (policy: PolicyConfig, ...traces: readonly (readonly [number, number])[]) =>
  answers(compilePolicies([policy], plainContext), traces);

t.test('rate_limiting takes a trace whole or not at all', (t) => {
  t.equal(ask(limiter(3, 3), [3, 0], [1, 0]), 'SN');
  t.equal(ask(limiter(3, 2), [3, 0]), 'N');
  t.equal(ask(limiter(2, 0), [1, 0], [1, 0], [1, 0], [1, 0], [1, 0]), 'SSSSN');
  t.equal(ask(limiter(4, 2), [2, 0], [2, 0], [2, 600]), 'SNS');
  t.equal(ask(limiter(0, 3), [2, 0], [2, 5000], [1, 5000]), 'SNS', 'without a rate there is the first burst alone');
  t.equal(ask(limiter(0, 0), [1, 0]), 'N');
  t.equal(ask(limiter(1, 2), [2, 0], [2, -60_000], [2, 2000]), 'SNS', 'a clock set back refills nothing');
  t.end();
});

t.test('a deficit made up in less than a nanosecond is none', (t) => {
  const bucket = new TokenBucket(1e10, 10, new RegionCursor());
  t.ok(bucket.take(7, startMs));
  t.ok(bucket.take(4, startMs), 'one token takes a tenth of a nanosecond');
  t.end();
});

t.test('tokens are spent though another policy samples, and inside and only when earlier subs sample', (t) => {
  const never: PolicyConfig = { type: 'probabilistic', name: 'n', hashSalt: '', samplingPercentage: -1 };
  const both = compilePolicies([always, limiter(1, 1)], plainContext);
  answers(both, [
    [1, 0],
    [1, 0],
  ]);
  t.same([...both.counters.traces].slice(3), [1, 1, 0]);
  const guarded = compilePolicies([{ type: 'and', name: 'a', subPolicies: [never, limiter(1, 1)] }, limiter(1, 1)], plainContext);
  t.equal(answers(guarded, [[1, 0]]), 'S');
  t.end();
});

t.test('composite gives each sub-policy its share of every second', (t) => {
  const composite = (max: number, ...shares: readonly (readonly [PolicyConfig, number])[]): PolicyConfig => ({
    type: 'composite',
    name: 'c',
    maxTotalSpansPerSecond: max,
    subPolicies: shares.map(([policy], index) => ({ ...policy, name: `sub-${index}` })),
    rateAllocation: shares.map(([, percent], index) => ({ policy: `sub-${index}`, percent })),
  });
  const times = (n: number, atMs: number) => Array.from({ length: n }, () => [1, atMs] as const);
  const traces = [...times(20, 0), ...times(10, 1000)];
  t.equal(ask(composite(10, [always, 100]), ...traces), `${'S'.repeat(10)}${'N'.repeat(10)}${'S'.repeat(10)}`);
  const never: PolicyConfig = { type: 'probabilistic', name: 'n', hashSalt: '', samplingPercentage: -1 };
  t.equal(ask(composite(10, [never, 50], [always, 50]), ...times(10, 0), ...times(25, 1000)), `SSSSSNNNNNSSSSS${'N'.repeat(20)}`);
  t.equal(ask(composite(10, [always, 200]), ...times(12, 0)), 'SSSSSSSSSSNN', 'no share goes beyond the maximum');
  t.equal(ask(composite(1000, [always, 25]), [250, 0], [1, 0]), 'SN');
  t.equal(ask(composite(1000, [always, 0], [never, 1]), [1000, 0], [1, 0]), 'NS', 'without a percentage half of it');
  t.end();
});

t.test('the first sub-policy that samples decides, and later ones are not tried', (t) => {
  const policies = compilePolicies(
    [
      {
        type: 'composite',
        name: 'c',
        maxTotalSpansPerSecond: 100,
        subPolicies: [
          { ...always, name: 'first' },
          { ...always, name: 'second' },
        ],
        rateAllocation: [{ policy: 'first', percent: 1 }],
      },
    ],
    plainContext,
  );
  t.equal(
    answers(policies, [
      [1, 0],
      [1, 0],
    ]),
    'SN',
  );
  t.end();
});

t.test('workers that share a region spend one budget; with otelcol compatibility each shard has its part', (t) => {
  const policies: PolicyConfig[] = [
    limiter(8, 8),
    { type: 'composite', name: 'c', maxTotalSpansPerSecond: 8, subPolicies: [limiter(1, 1)], rateAllocation: [] },
  ];
  const bytes = sharedRegionBytes(policies, { otelcolCompatibility: false, shards: 4 });
  const shared = new Int32Array(new SharedArrayBuffer(bytes));
  const context = { ...plainContext, shards: 4, shared };
  const one = compilePolicies([policies[0]!], context);
  const other = compilePolicies([policies[0]!], { ...context, shardIndex: 3 });
  t.equal(
    answers(one, [[5, 0]]) +
      answers(other, [
        [5, 0],
        [3, 0],
      ]),
    'SNS',
  );
  const ownRegion = new Int32Array(new SharedArrayBuffer(sharedRegionBytes(policies, { otelcolCompatibility: true, shards: 4 })));
  const shard = (shardIndex: number) =>
    compilePolicies([policies[0]!], { ...context, otelcolCompatibility: true, shared: ownRegion, shardIndex });
  t.equal(
    answers(shard(0), [
      [8, 0],
      [1, 0],
      [2, 1000],
      [1, 1000],
    ]),
    'SNSN',
    'two a second, with the undivided burst',
  );
  t.equal(answers(shard(3), [[8, 0]]), 'S');
  t.end();
});
