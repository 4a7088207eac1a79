/** Getters: compiled expressions, and the checks and conversions that converters put on their arguments. Worker thread; built at compile time. */

import { parseGoFloat, parseGoInt } from './go-numbers.ts';
import type { SpanView } from './span-view.ts';
import {
  asRaw,
  asString,
  Duration,
  fromRaw,
  ItemSlice,
  isPMap,
  isPSlice,
  OttlError,
  type OttlValue,
  type PData,
  PlainInt,
  type PMap,
  type PSlice,
  PValue,
  pdataTypeName,
  Time,
  TypedSlice,
  toJson,
  typeName,
} from './values.ts';

/** A condition that names something that is not there, or uses it wrongly. Thrown while compiling, caught by compileConditions. */
export class CompileFault {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** An expression. A literal one has its value at compile time already. */
export interface Getter<T = OttlValue> {
  readonly literal: boolean;
  readonly value?: T;
  get(view: SpanView): T | OttlError;
}

export function literalGetter<T>(value: T): Getter<T> {
  return { literal: true, value, get: () => value };
}

export function dynamicGetter<T>(get: (view: SpanView) => T | OttlError): Getter<T> {
  return { literal: false, get };
}

/** Checks or converts a value; the error is the Go getter's own, not wrapped. */
type Check<T> = (value: OttlValue, getterName: string) => T | OttlError;

const typeError = (text: string) => new OttlError(text, true);

/** The checks that want a type: a nil and another type are type errors, a pdata value is looked into. */
function wants<T extends OttlValue>(goType: string, is: (value: OttlValue) => value is T): Check<T> {
  return (value) => {
    if (is(value)) return value;
    if (value === null) return typeError(`expected ${goType} but got nil`);
    if (value instanceof PValue && goType !== 'time' && goType !== 'duration') {
      if (is(value.held)) return value.held;
      return typeError(`expected ${goType} but got ${pdataTypeName(value.held)}`);
    }
    return typeError(`expected ${goType} but got ${typeName(value)}`);
  };
}

const toPSlice: Check<PSlice> = (value) => {
  if (isPSlice(value)) return value;
  if (value instanceof PValue && isPSlice(value.held)) return value.held;
  if (value instanceof TypedSlice) return new ItemSlice(value.items as readonly PData[]);
  if (Array.isArray(value)) return fromRaw(value) as PSlice | OttlError;
  return typeError(
    `expected pcommon.Slice but got ${value === null ? 'nil' : value instanceof PValue ? pdataTypeName(value.held) : typeName(value)}`,
  );
};

const toPMap: Check<PMap> = (value) => {
  if (isPMap(value)) return value;
  if (value instanceof PValue && isPMap(value.held)) return value.held;
  if (value instanceof Map) return fromRaw(value) as PMap | OttlError;
  return typeError(
    `expected pcommon.Map but got ${value === null ? 'nil' : value instanceof PValue ? pdataTypeName(value.held) : typeName(value)}`,
  );
};

const unsupported = (value: OttlValue): OttlError =>
  typeError(value instanceof PValue ? `unsupported value type: ${pdataTypeName(value.held)}` : `unsupported type: ${typeName(value)}`);

/** What "like" conversions look at: a pdata value counts as what it holds. */
const opened = (value: OttlValue): OttlValue => (value instanceof PValue ? value.held : value);

export function toStringLike(value: OttlValue): string | OttlError {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (value instanceof PValue) return asString(value.held);
  const json = toJson(isPMap(value) || isPSlice(value) ? asRaw(value) : value);
  if (!(json instanceof OttlError) || isPMap(value) || isPSlice(value)) return json;
  return typeError(`unsupported type: ${typeName(value)}`);
}

function toFloatLike(value: OttlValue): number | OttlError {
  const held = opened(value);
  if (typeof held === 'number') return held;
  if (typeof held === 'bigint') return Number(held);
  if (typeof held === 'string') return parseGoFloat(held);
  if (typeof held === 'boolean') return held ? 1 : 0;
  return unsupported(value);
}

/** Go's conversion on amd64: what does not fit becomes the least int64. */
export function truncateToInt64(value: number): bigint {
  if (!(value >= -(2 ** 63) && value < 2 ** 63)) return -(2n ** 63n);
  return BigInt(Math.trunc(value));
}

function toIntLike(value: OttlValue): bigint | OttlError {
  const held = opened(value);
  if (typeof held === 'bigint') return held;
  if (typeof held === 'number') return truncateToInt64(held);
  if (typeof held === 'string') return parseGoInt(held, 10);
  if (typeof held === 'boolean') return held ? 1n : 0n;
  return unsupported(value);
}

const trueTexts = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const falseTexts = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

function toBoolLike(value: OttlValue): boolean | OttlError {
  const held = opened(value);
  if (typeof held === 'boolean') return held;
  if (typeof held === 'bigint') return held !== 0n;
  if (held instanceof PlainInt) return held.value !== 0n;
  if (typeof held === 'number') return held !== 0;
  if (typeof held === 'string') {
    if (trueTexts.has(held)) return true;
    if (falseTexts.has(held)) return false;
    return new OttlError(`strconv.ParseBool: parsing ${JSON.stringify(held)}: invalid syntax`);
  }
  return unsupported(value);
}

function toBytesLike(value: OttlValue): Uint8Array | OttlError {
  const held = opened(value);
  if (held instanceof Uint8Array) return held;
  if (typeof held === 'string') return new TextEncoder().encode(held);
  if (typeof held === 'boolean') return Uint8Array.of(held ? 1 : 0);
  if (typeof held === 'bigint' || typeof held === 'number') {
    const bytes = new Uint8Array(8);
    if (typeof held === 'bigint') new DataView(bytes.buffer).setBigInt64(0, held);
    else new DataView(bytes.buffer).setFloat64(0, held);
    return bytes;
  }
  return unsupported(value);
}

const like =
  <T>(convert: (value: OttlValue) => T | OttlError): Check<T | null> =>
  (value) =>
    value === null ? null : convert(value);

/** Every typed getter by its name in the Collector, which stands in texts. Those ending in Like answer null to nil. */
const checks = {
  StringGetter: wants('string', (value) => typeof value === 'string'),
  IntGetter: wants('int64', (value) => typeof value === 'bigint'),
  FloatGetter: wants('float64', (value) => typeof value === 'number'),
  BoolGetter: wants('bool', (value) => typeof value === 'boolean'),
  TimeGetter: wants('time', (value): value is Time => value instanceof Time),
  DurationGetter: wants('duration', (value): value is Duration => value instanceof Duration),
  PMapGetter: toPMap,
  PSliceGetter: toPSlice,
  StringLikeGetter: like(toStringLike),
  FloatLikeGetter: like(toFloatLike),
  IntLikeGetter: like(toIntLike),
  BoolLikeGetter: like(toBoolLike),
  ByteSliceLikeGetter: like(toBytesLike),
} satisfies Record<string, Check<unknown>>;

export type GetterName = keyof typeof checks;
type Checked<N extends GetterName> = Exclude<ReturnType<(typeof checks)[N]>, OttlError>;
export type TypedGetter<N extends GetterName> = Getter<Checked<N>>;

/**
 * Puts the check `name` on a getter. `contextType` is the Go type that the Collector's texts name.
 *
 * Errors: throws CompileFault when a literal fails its check.
 */
export function typedGetter<N extends GetterName>(name: N, getter: Getter, contextType: string): TypedGetter<N> {
  const check = checks[name] as unknown as Check<Checked<N>>;
  if (getter.literal) {
    const value = check(getter.value as OttlValue, name);
    if (value instanceof OttlError) throw new CompileFault(value.message);
    return literalGetter(value);
  }
  const prefix = `error getting value in ottl.Standard${name}[${contextType}]: `;
  return dynamicGetter((view) => {
    const value = getter.get(view);
    if (value instanceof OttlError) return new OttlError(prefix + value.message);
    return check(value, name);
  });
}

/** The check alone, for values that a converter already has. */
export function checkValue<N extends GetterName>(name: N, value: OttlValue): Checked<N> | OttlError {
  return (checks[name] as unknown as Check<Checked<N>>)(value, name);
}
