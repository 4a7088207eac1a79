/** Divides the rates of policies by the number of shards, as the Collector does (spec 1.9). Worker thread. */

import type { PolicyConfig } from '../../shared/policy-config.ts';

/** A positive rate stays at least 1; zero and less mean what they meant. */
function divided(rate: number, shards: number): number {
  return rate <= 0 ? rate : Math.max(1, Math.trunc(rate / shards));
}

/** An unset burst is first pinned to twice the undivided rate, so that the largest trace that can pass does not depend on the shards. */
function pinned(burst: number, rate: number): number {
  return burst <= 0 && rate > 0 ? 2 * rate : burst;
}

export function divideRates(policy: PolicyConfig, shards: number): PolicyConfig {
  switch (policy.type) {
    case 'rate_limiting': {
      const { spansPerSecond, burstCapacity } = policy;
      return { ...policy, spansPerSecond: divided(spansPerSecond, shards), burstCapacity: pinned(burstCapacity, spansPerSecond) };
    }
    case 'bytes_limiting': {
      const { bytesPerSecond, burstCapacity } = policy;
      return { ...policy, bytesPerSecond: divided(bytesPerSecond, shards), burstCapacity: pinned(burstCapacity, bytesPerSecond) };
    }
    case 'composite':
      return {
        ...policy,
        maxTotalSpansPerSecond: divided(policy.maxTotalSpansPerSecond, shards),
        subPolicies: policy.subPolicies.map((sub) => divideRates(sub, shards)),
      };
    case 'and':
    case 'drop':
      return { ...policy, subPolicies: policy.subPolicies.map((sub) => divideRates(sub, shards)) };
    case 'not':
      return { ...policy, subPolicy: divideRates(policy.subPolicy, shards) };
    default:
      return policy;
  }
}
