/** Compiles the policies of one tail_sampling instance into one fold over spans and one decision. Worker thread. */

import { type Clock, systemClock } from '../../shared/clock.ts';
import type { LeafPolicyConfig, PolicyConfig } from '../../shared/policy-config.ts';
import { and } from './and.ts';
import { AttributeSlots } from './attribute-slots.ts';
import { compileLeaf } from './compile-leaf.ts';
import type { CompiledPolicies } from './compiled-policies.ts';
import { Composite, compositeBytes, compositeShares } from './composite.ts';
import { divideRates } from './divide-rates.ts';
import { drop } from './drop.ts';
import { LeafNode } from './leaf-node.ts';
import { Not } from './not.ts';
import { membersMax } from './otel-trace-state.ts';
import type { OttlSettings } from './ottl-condition.ts';
import type { PolicyNode } from './policy.ts';
import { PolicyCounters } from './policy-counters.ts';
import { type DecidingPolicy, PolicySet } from './policy-set.ts';
import { RegionCursor, type SharedRegion } from './shared-region.ts';
import { SizeFold } from './size-fold.ts';
import { AttributeFold } from './span-fold.ts';
import { tokenBucketBytes } from './token-bucket.ts';
import { TraceRandomness } from './trace-randomness.ts';

export const traceStateGate = 'processor.tailsamplingprocessor.usetracestate';

export interface PolicyContext {
  readonly sampleOnFirstMatch: boolean;
  readonly otelcolCompatibility: boolean;
  readonly featureGates: ReadonlySet<string>;
  readonly shards: number;
  readonly shardIndex: number;
  /** `sampling_strategy: trace-complete`, and facts of traces that can show all spans again. */
  readonly atDecision?: boolean;
  /** Whether the processor wants sizes itself (`maximum_trace_size_bytes`, the bytes metric). */
  readonly needsSizes?: boolean;
  /** Budgets that workers and shards share, `sharedRegionBytes` large. Absent: this instance keeps them for itself. */
  readonly shared?: SharedRegion;
  /** Times one decision in 64; absent: no policy is timed. */
  readonly clock?: Clock;
}

/**
 * Compiles `policies`, which the configuration check has found right. Every worker that compiles the same gets the same layout of state and shared memory.
 *
 * Budgets: by default all shards share them whole. Under `--compatibility otelcol` each shard has its own, with rates divided as spec 1.9 says.
 */
export function compilePolicies(policies: readonly PolicyConfig[], context: PolicyContext): CompiledPolicies {
  const divided = context.otelcolCompatibility && context.shards > 1;
  const region = new RegionCursor(context.shared);
  if (divided) region.skip(context.shardIndex * oneSetBytes(policies));
  const compiler = new PolicyCompiler(region, context, policies.length);
  const wanted = divided ? policies.map((policy) => divideRates(policy, context.shards)) : policies;
  return compiler.finish(wanted.map((policy) => compiler.policy(policy)));
}

/** Bytes of shared memory that the policies need, a multiple of 8; 0 for most. */
export function sharedRegionBytes(
  policies: readonly PolicyConfig[],
  context: Pick<PolicyContext, 'otelcolCompatibility' | 'shards'>,
): number {
  return oneSetBytes(policies) * (context.otelcolCompatibility ? Math.max(1, context.shards) : 1);
}

function oneSetBytes(policies: readonly PolicyConfig[]): number {
  return policies.reduce((total, policy) => total + regionBytes(policy), 0);
}

function regionBytes(policy: PolicyConfig): number {
  switch (policy.type) {
    case 'rate_limiting':
    case 'bytes_limiting':
      return tokenBucketBytes;
    case 'composite':
      return compositeBytes(policy.subPolicies.length) + oneSetBytes(policy.subPolicies);
    case 'and':
    case 'drop':
      return oneSetBytes(policy.subPolicies);
    case 'not':
      return regionBytes(policy.subPolicy);
    default:
      return 0;
  }
}

class PolicyCompiler {
  readonly #region: RegionCursor;
  readonly #context: PolicyContext;
  /** Leaves that only look at spans, by what they look for: two policies that ask the same share one state. */
  readonly #pure = new Map<string, LeafNode>();
  readonly #leaves: LeafNode[] = [];
  readonly #randomness: TraceRandomness | undefined;
  readonly #counters: PolicyCounters;

  constructor(region: RegionCursor, context: PolicyContext, policies: number) {
    this.#region = region;
    this.#context = context;
    this.#counters = new PolicyCounters(policies);
    const { featureGates, otelcolCompatibility } = context;
    if (featureGates.has(traceStateGate))
      this.#randomness = new TraceRandomness(otelcolCompatibility ? membersMax.otelcol : membersMax.w3c);
  }

  get #ottl(): OttlSettings {
    const { featureGates, clock = systemClock, atDecision = false } = this.#context;
    return { featureGates, clock, atDecision, warn: (text) => this.#counters.ignore(text) };
  }

  policy(config: PolicyConfig): DecidingPolicy {
    const node = this.#node(config);
    const composite = node instanceof Composite ? node : undefined;
    const subPolicyNames = config.type === 'composite' ? config.subPolicies.map((sub) => sub.name) : [];
    return {
      name: config.name,
      isDrop: config.type === 'drop',
      node,
      subPolicyNames,
      paths: pathsOf(config),
      ...(composite && { composite }),
    };
  }

  #node(config: PolicyConfig): PolicyNode {
    switch (config.type) {
      case 'and':
        return and(config.subPolicies.map((sub) => this.#node(sub)));
      case 'drop':
        return drop(config.subPolicies.map((sub) => this.#node(sub)));
      case 'not':
        return new Not(this.#node(config.subPolicy));
      case 'composite': {
        const { subPolicies, maxTotalSpansPerSecond, rateAllocation } = config;
        const shares = compositeShares(
          maxTotalSpansPerSecond,
          subPolicies.map((sub) => sub.name),
          rateAllocation,
        );
        const subs = subPolicies.map((sub, index) => ({ node: this.#node(sub), share: shares[index] }));
        return new Composite(subs, maxTotalSpansPerSecond, this.#region);
      }
      default:
        return this.#leaf(config);
    }
  }

  #leaf(config: LeafPolicyConfig): LeafNode {
    const spends = config.type === 'rate_limiting' || config.type === 'bytes_limiting';
    const key = spends ? '' : JSON.stringify({ ...config, name: '' }, (_key, value) => (typeof value === 'bigint' ? `${value}n` : value));
    const known = this.#pure.get(key);
    if (known !== undefined) return known;
    const node = new LeafNode(compileLeaf(config, { region: this.#region, ottl: this.#ottl, randomness: this.#randomness }));
    this.#leaves.push(node);
    if (!spends) this.#pure.set(key, node);
    return node;
  }

  /** Lays out the state: settled bits (attribute tests first), sizes, then the leaves' own words. */
  finish(policies: readonly DecidingPolicy[]): CompiledPolicies {
    const { usesRandomness } = this;
    if (usesRandomness !== undefined) this.#leaves.push(usesRandomness);
    const tested = this.#leaves.filter((node) => node.leaf.attribute !== undefined);
    const folded = this.#leaves.filter((node) => node.leaf.fold !== undefined);
    const learning = [...tested, ...folded];
    const settledBits = new Uint32Array((learning.length + 31) >>> 5);
    learning.forEach((_node, bit) => {
      settledBits[bit >>> 5] |= 1 << (bit & 31);
    });
    let words = settledBits.length;
    const needsSizes = this.#context.needsSizes === true || this.#leaves.some((node) => node.leaf.readsTracesBytes !== undefined);
    const sizes = needsSizes ? new SizeFold(words) : undefined;
    words += sizes?.stateWords ?? 0;
    learning.forEach((node, bit) => {
      node.place(bit, words);
      words += node.leaf.stateWords;
    });
    if (usesRandomness !== undefined) this.#randomness!.place(usesRandomness.own);
    if (sizes !== undefined) for (const node of this.#leaves) node.leaf.readsTracesBytes?.(sizes);
    const tests = tested.map((node) => node.leaf.attribute!);
    const slots = new AttributeSlots(tests.map((test) => test.key));
    return new PolicySet({
      policies,
      stateWords: words,
      settledBits,
      attributes: tests.length > 0 ? new AttributeFold(slots, tests) : undefined,
      leaves: folded.map((node) => ({ leaf: node.leaf, bit: node.bit, at: node.own })),
      sizes,
      sampleOnFirstMatch: this.#context.sampleOnFirstMatch,
      namesUncreditedComposite: this.#context.otelcolCompatibility,
      clock: this.#context.clock,
      counters: this.#counters,
      reportsThresholds: this.#randomness !== undefined,
    });
  }

  /** The leaf that reads randomness, if any other leaf asks for what it finds. */
  get usesRandomness(): LeafNode | undefined {
    const isAsked = this.#leaves.some((node) => node.leaf.threshold !== undefined);
    return this.#randomness !== undefined && isAsked ? new LeafNode(this.#randomness) : undefined;
  }
}

/** How a decision by this policy reads: the policy, and the sub-policies that answered for it. One path, or one for each sub-policy of a composite. */
function pathsOf(config: PolicyConfig): string[] {
  const label = (policy: PolicyConfig): string => {
    const own = policy.name === '' ? policy.type : policy.name;
    if (policy.type === 'not') return `${own}/not(${label(policy.subPolicy)})`;
    return policy.type === 'and' || policy.type === 'drop' ? `${own}(${policy.subPolicies.map(label).join(', ')})` : own;
  };
  return config.type === 'composite' ? config.subPolicies.map((sub) => `${config.name}/${label(sub)}`) : [label(config)];
}
