/** Policies of a `tail_sampling` instance, checked and complete, as the main thread sends them to the workers (plain data). Both threads. */

export type StatusCodeName = 'OK' | 'ERROR' | 'UNSET';

/** Leaf policies may stand anywhere; spec 1.3 has the nesting rules, which the configuration check enforces. Names: "" for a nameless sub-policy. */
export type LeafPolicyConfig =
  | { readonly type: 'always_sample'; readonly name: string }
  | { readonly type: 'latency'; readonly name: string; readonly thresholdMs: number; readonly upperThresholdMs: number }
  | {
      readonly type: 'numeric_attribute';
      readonly name: string;
      readonly key: string;
      readonly minValue: bigint;
      readonly maxValue: bigint;
      readonly invertMatch: boolean;
    }
  | { readonly type: 'probabilistic'; readonly name: string; readonly hashSalt: string; readonly samplingPercentage: number }
  | { readonly type: 'status_code'; readonly name: string; readonly statusCodes: readonly StatusCodeName[] }
  | {
      readonly type: 'string_attribute';
      readonly name: string;
      readonly key: string;
      readonly values: readonly string[];
      readonly enabledRegexMatching: boolean;
      readonly cacheMaxSize: number;
      readonly invertMatch: boolean;
    }
  | {
      readonly type: 'boolean_attribute';
      readonly name: string;
      readonly key: string;
      readonly value: boolean;
      readonly invertMatch: boolean;
    }
  | { readonly type: 'rate_limiting'; readonly name: string; readonly spansPerSecond: number; readonly burstCapacity: number }
  | { readonly type: 'bytes_limiting'; readonly name: string; readonly bytesPerSecond: number; readonly burstCapacity: number }
  | { readonly type: 'span_count'; readonly name: string; readonly minSpans: number; readonly maxSpans: number }
  | { readonly type: 'trace_state'; readonly name: string; readonly key: string; readonly values: readonly string[] }
  | { readonly type: 'trace_flags'; readonly name: string }
  | {
      readonly type: 'ottl_condition';
      readonly name: string;
      readonly errorMode: 'propagate' | 'ignore' | 'silent';
      readonly span: readonly string[];
      readonly spanevent: readonly string[];
    };

export type PolicyConfig =
  | LeafPolicyConfig
  | { readonly type: 'and'; readonly name: string; readonly subPolicies: readonly PolicyConfig[] }
  | { readonly type: 'drop'; readonly name: string; readonly subPolicies: readonly PolicyConfig[] }
  | { readonly type: 'not'; readonly name: string; readonly subPolicy: PolicyConfig }
  | {
      readonly type: 'composite';
      readonly name: string;
      readonly maxTotalSpansPerSecond: number;
      readonly subPolicies: readonly PolicyConfig[];
      readonly rateAllocation: readonly { readonly policy: string; readonly percent: number }[];
    };
