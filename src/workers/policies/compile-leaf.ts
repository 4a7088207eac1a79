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
import { probabilistic } from './probabilistic.ts';
import { rateLimiting } from './rate-limiting.ts';
import type { RegionCursor } from './shared-region.ts';
import { spanCount } from './span-count.ts';
import { statusCode } from './status-code.ts';
import { stringAttribute } from './string-attribute.ts';
import { traceFlags } from './trace-flags.ts';
import { traceState } from './trace-state.ts';

export function compileLeaf(config: LeafPolicyConfig, region: RegionCursor, ottl: OttlSettings): LeafPolicy {
  switch (config.type) {
    case 'always_sample':
      return alwaysSample();
    case 'latency':
      return latency(config);
    case 'numeric_attribute':
      return numericAttribute(config);
    case 'probabilistic':
      return probabilistic(config);
    case 'status_code':
      return statusCode(config);
    case 'string_attribute':
      return stringAttribute(config);
    case 'boolean_attribute':
      return booleanAttribute(config);
    case 'rate_limiting':
      return rateLimiting(config, region);
    case 'bytes_limiting':
      return bytesLimiting(config, region);
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
