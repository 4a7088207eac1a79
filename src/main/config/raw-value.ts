/** Configuration values between YAML and the components' schemas, and how Go names their types in messages. Pure. */

/**
 * A scalar, list or map that came out of `${…}`. A string target takes `text`, any other target takes `value`.
 *
 * Source: confmap's ExpandedValue; an expanded null gives the target's zero value where a written null gives its default.
 */
export class ExpandedValue {
  readonly value: unknown;
  readonly text: string;
  constructor(value: unknown, text: string) {
    this.value = value;
    this.text = text;
  }
}

/** What a target other than a string sees. */
export function resolved(raw: unknown): unknown {
  return raw instanceof ExpandedValue ? raw.value : raw;
}

/** Undefined and null both mean "not written"; a reference that gave null does not: it stands for the zero value. */
export function isAbsent(raw: unknown): raw is null | undefined {
  return raw === undefined || raw === null;
}

/** A YAML float such as `100.0`, which JavaScript alone could not tell from the integer 100. */
export class FloatValue {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

export type RawMap = { readonly [key: string]: unknown };

export function isRawMap(raw: unknown): raw is RawMap {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw) && !(raw instanceof ExpandedValue) && !(raw instanceof FloatValue);
}

/** A number of YAML as number or bigint (integers beyond 2^53 stay exact); undefined when it is no number. */
export function numberOf(raw: unknown): number | bigint | undefined {
  const value = resolved(raw);
  if (value instanceof FloatValue) return value.value;
  return typeof value === 'number' || typeof value === 'bigint' ? value : undefined;
}

/** Go's name for the type that YAML gave, as the Collector's messages print it. */
export function goTypeName(raw: unknown): string {
  const value = resolved(raw);
  if (isAbsent(value)) return 'nil';
  if (value instanceof FloatValue) return 'float64';
  if (typeof value === 'bigint') return 'int64';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  if (typeof value === 'boolean') return 'bool';
  if (Array.isArray(value)) return '[]interface {}';
  return typeof value === 'string' ? 'string' : 'map[string]interface {}';
}

/** The value without the wrappers: what `--print` shows and what an opaque field hands out. */
export function plainValue(raw: unknown): unknown {
  const value = resolved(raw);
  if (value instanceof FloatValue) return value.value;
  if (Array.isArray(value)) return value.map(plainValue);
  if (isRawMap(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainValue(item)]));
  return value;
}
