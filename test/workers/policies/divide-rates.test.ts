/** The Collector's cases of dividing rates by shards (spec 1.9, 5.3). */

import t from 'tap';
import type { PolicyConfig } from '../../../src/shared/policy-config.ts';
import { divideRates } from '../../../src/workers/policies/divide-rates.ts';

const rate = (spansPerSecond: number, burstCapacity: number): PolicyConfig => ({
  type: 'rate_limiting',
  name: 'r',
  spansPerSecond,
  burstCapacity,
});

t.test('rates are divided, bursts are not, and an unset burst is pinned first', (t) => {
  t.match(divideRates(rate(1000, 100), 4), { spansPerSecond: 250, burstCapacity: 100 });
  t.match(divideRates(rate(2, 0), 4), { spansPerSecond: 1, burstCapacity: 4 });
  t.match(divideRates(rate(0, 0), 4), { spansPerSecond: 0, burstCapacity: 0 });
  t.match(divideRates({ type: 'bytes_limiting', name: 'b', bytesPerSecond: 4000, burstCapacity: 0 }, 4), {
    bytesPerSecond: 1000,
    burstCapacity: 8000,
  });
  t.end();
});

t.test('limiters inside other policies are divided too', (t) => {
  t.match(divideRates({ type: 'and', name: 'a', subPolicies: [rate(400, 0)] }, 4), { subPolicies: [{ spansPerSecond: 100 }] });
  t.match(divideRates({ type: 'not', name: 'n', subPolicy: rate(400, 0) }, 4), { subPolicy: { spansPerSecond: 100 } });
  const composite: PolicyConfig = {
    type: 'composite',
    name: 'c',
    maxTotalSpansPerSecond: 800,
    subPolicies: [rate(40, 0)],
    rateAllocation: [],
  };
  t.match(divideRates(composite, 4), { maxTotalSpansPerSecond: 200, subPolicies: [{ spansPerSecond: 10 }] });
  t.end();
});
