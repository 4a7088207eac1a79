/** The YAML blocks of the sampling policies, one per type, before they are judged. Main thread. */

import { field } from '../../config/field.ts';
import { bool, type FieldSchema, float, type Infer, int, int64, list, object, string, stringList } from '../../config/fields.ts';
import { nearest } from '../../config/nearest.ts';
import { isRawMap, resolved } from '../../config/raw-value.ts';

export type OttlErrorMode = 'propagate' | 'ignore' | 'silent';

const errorModes: readonly string[] = ['propagate', 'ignore', 'silent'];

/** Not written means silent; anything written, an empty text too, has to be one of the modes, in any case. */
function ottlErrorMode(): FieldSchema<OttlErrorMode> {
  return field({ type: 'string', json: { enum: errorModes } }, (raw, context) => {
    if (raw === undefined) return 'silent';
    const text = resolved(raw);
    const mode = typeof text === 'string' ? text.toLowerCase() : '';
    if (errorModes.includes(mode)) return mode as OttlErrorMode;
    context.fault(`unknown error mode ${String(text)}; write propagate, ignore or silent`);
    return 'silent';
  });
}

const latency = object({
  threshold_ms: int({ type: 'int64' }).describe('Sampled above this duration.'),
  upper_threshold_ms: int({ type: 'int64' }).describe(
    'And at most this one; 0 = no upper bound. Looked at after each span, so the order of spans matters.',
  ),
});
const numericAttribute = object({
  key: string(),
  min_value: int64().describe('0 = no lower bound.'),
  max_value: int64().describe('0 = no upper bound.'),
  invert_match: bool(),
});
const probabilistic = object({
  hash_salt: string().describe('Samplers with one salt sample the same traces.'),
  sampling_percentage: float(),
});
const statusCode = object({ status_codes: stringList().describe('Of OK, ERROR and UNSET.') });
const stringAttribute = object({
  key: string(),
  values: stringList().describe('Exact texts, or RE2 expressions searched anywhere in the value.'),
  enabled_regex_matching: bool(),
  cache_max_size: int().describe('Values whose answers are remembered; 0 = 128.'),
  invert_match: bool(),
});
const booleanAttribute = object({ key: string(), value: bool(), invert_match: bool() });
const rateLimiting = object({
  spans_per_second: int({ type: 'int64' }),
  burst_capacity: int({ type: 'int64' }).describe('Spans; 0 = twice the rate. A larger trace never passes.'),
});
const bytesLimiting = object({
  bytes_per_second: int({ type: 'int64' }),
  burst_capacity: int({ type: 'int64' }).describe('Bytes; 0 = twice the rate. A larger trace never passes.'),
});
const spanCount = object({ min_spans: int({ type: 'int32' }), max_spans: int({ type: 'int32' }).describe('0 = no maximum.') });
const traceState = object({ key: string(), values: stringList() });
const ottlCondition = object({
  error_mode: ottlErrorMode(),
  span: stringList().describe('Conditions, of which one has to hold for a span.'),
  spanevent: stringList().describe('Conditions, of which one has to hold for an event of a span.'),
});

const leafShape = {
  name: string(),
  type: string(),
  latency,
  numeric_attribute: numericAttribute,
  probabilistic,
  status_code: statusCode,
  string_attribute: stringAttribute,
  boolean_attribute: booleanAttribute,
  rate_limiting: rateLimiting,
  bytes_limiting: bytesLimiting,
  span_count: spanCount,
  trace_state: traceState,
  ottl_condition: ottlCondition,
} as const;

/** Blocks as written below `not`, below `and` and `drop`, below `composite`, and at the top. */
const belowNot = entry(leafShape);
const notBlock = object({ not_sub_policy: belowNot });
const belowAnd = entry({ ...leafShape, not: notBlock });
const andBlock = object({ and_sub_policy: list(belowAnd) });
const dropBlock = object({ drop_sub_policy: list(belowAnd) });
const belowComposite = entry({ ...leafShape, and: andBlock });
const rateAllocation = object({ policy: string(), percent: int({ type: 'int64' }) });
const compositeBlock = object({
  max_total_spans_per_second: int({ type: 'int64' }),
  policy_order: stringList().describe('Read and not used, as in the Collector: the order of composite_sub_policy counts.'),
  composite_sub_policy: list(belowComposite),
  rate_allocation: list(rateAllocation),
});
export const policyEntry = entry({ ...leafShape, and: andBlock, not: notBlock, drop: dropBlock, composite: compositeBlock });

export type WrittenLeaf = Infer<typeof belowNot>;
export type WrittenComposite = Infer<typeof compositeBlock>;
/** An entry of any level; a group's block is there only where the level allows it. */
export type WrittenPolicy = WrittenLeaf & Partial<Pick<Infer<typeof policyEntry>, 'and' | 'not' | 'drop' | 'composite'>>;

/** A policy entry. The Collector takes an unknown key that holds a map for an extension's block, so it loads, with a warning; anything else is refused. */
function entry<const Shape extends Readonly<Record<string, FieldSchema<unknown>>>>(shape: Shape) {
  const inner = object(shape, { unknownKeys: 'ignore' });
  const meta = { type: 'block', json: { type: 'object' }, shape, unknownKeys: 'warn' } as const;
  return field(meta, (raw, context): Infer<typeof inner> => {
    const written = resolved(raw);
    for (const [key, value] of isRawMap(written) ? Object.entries(written) : []) {
      if (Object.hasOwn(shape, key)) continue;
      const near = nearest(key, Object.keys(shape));
      const hint = near === undefined ? `known here: ${Object.keys(shape).join(', ')}` : `did you mean ${near}?`;
      const block = resolved(value);
      if (block === null || block === undefined || isRawMap(block)) context.warn(`unknown key ${key} is ignored; ${hint}`, [key]);
      else context.fault(`has invalid keys: ${key}; expected type 'map[string]interface {}' for what is not a known key; ${hint}`, [key]);
    }
    const result = inner.safeParse(raw);
    if (result.success) return result.data;
    for (const issue of result.error.issues) context.fault(issue.message, issue.path as (string | number)[]);
    return undefined as never;
  });
}
