/** From a leaf policy's configuration to the leaf: the one place that knows all types. Worker thread. */

import { assertNever } from '../../shared/assert-never.ts';
import type { LeafPolicyConfig } from '../../shared/policy-config.ts';
import { alwaysSample } from './always-sample.ts';
import { booleanAttribute } from './boolean-attribute.ts';
import { bytesLimiting } from './bytes-limiting.ts';
import { latency } from './latency.ts';
import { numericAttribute } from './numeric-attribute.ts';
import { type OttlSettings, ottlCondition } from './ottl-condition.ts';
import type { LeafPolicy } from './policy.ts';
import { probabilistic, probabilisticOverTraceState } from './probabilistic.ts';
import { rateLimiting } from './rate-limiting.ts';
import type { RegionCursor } from './shared-region.ts';
import { spanCount } from './span-count.ts';
import { statusCode } from './status-code.ts';
import { stringAttribute } from './string-attribute.ts';
import { traceFlags } from './trace-flags.ts';
import type { TraceRandomness } from './trace-randomness.ts';
import { traceState } from './trace-state.ts';

export interface LeafSettings {
  readonly region: RegionCursor;
  readonly ottl: OttlSettings;
  /** Gate `usetracestate`. */
  readonly randomness: TraceRandomness | undefined;
}

export function compileLeaf(config: LeafPolicyConfig, settings: LeafSettings): LeafPolicy {
  const { region, ottl, randomness } = settings;
  switch (config.type) {
    case 'always_sample':
      return alwaysSample();
    case 'latency':
      return latency(config);
    case 'numeric_attribute':
      return numericAttribute(config);
    case 'probabilistic':
      return randomness === undefined ? probabilistic(config) : probabilisticOverTraceState(config, randomness);
    case 'status_code':
      return statusCode(config);
    case 'string_attribute':
      return stringAttribute(config);
    case 'boolean_attribute':
      return booleanAttribute(config);
    case 'rate_limiting':
      return rateLimiting(config, region, randomness);
    case 'bytes_limiting':
      return bytesLimiting(config, region, randomness);
    case 'span_count':
      return spanCount(config);
    case 'trace_state':
      return traceState(config);
    case 'trace_flags':
      return traceFlags();
    case 'ottl_condition':
      return ottlCondition(config, ottl);
    default:
      return assertNever(config);
  }
}
