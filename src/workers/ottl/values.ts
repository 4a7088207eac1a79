/**
 * The values that OTTL expressions yield, one JavaScript shape per Go type that the Collector's rules tell apart. Worker thread; main at the configuration check.
 *
 * | Go | here |
 * |---|---|
 * | nil, bool, string | null, boolean, string |
 * | int64, float64 | bigint, number |
 * | []byte | Uint8Array (`nilBytes` for a nil slice) |
 * | time.Time, time.Duration | Time, Duration |
 * | pcommon.Map, pcommon.Slice, pcommon.Value | PMap, PSlice, PValue |
 * | map[string]any, []any | Map, array |
 * | int | PlainInt |
 * | []string, []int64, []float64, []bool | TypedSlice |
 * | TraceID, SpanID, ProfileID | Id |
 * | ptrace.Status, SpanEventSlice, SpanLinkSlice | Opaque |
 */

import { formatFloatG, formatFloatGoccy, formatFloatJson } from './go-text.ts';

/** A condition that could not be evaluated; errors are values here, because data decides whether they happen. */
export class OttlError {
  readonly message: string;
  /** Whether it says no more than "this is of another type", unwrapped; the type checks answer false to it. */
  readonly isTypeError: boolean;
  constructor(message: string, isTypeError = false) {
    this.message = message;
    this.isTypeError = isTypeError;
  }
}

/** A place on Earth's clocks: the offset from UTC at a moment, in seconds, and its abbreviation. */
export interface Zone {
  offsetSeconds(unixSeconds: bigint): number;
  abbreviation(unixSeconds: bigint): string;
}

export const utcZone: Zone = { offsetSeconds: () => 0, abbreviation: () => 'UTC' };

/** Units: nanoseconds since the Unix epoch, unbounded. */
export class Time {
  readonly unixNano: bigint;
  readonly zone: Zone;
  constructor(unixNano: bigint, zone: Zone = utcZone) {
    this.unixNano = unixNano;
    this.zone = zone;
  }
}

/** Units: nanoseconds, as Go's int64. */
export class Duration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export type IdType = 'pcommon.TraceID' | 'pcommon.SpanID' | 'pprofile.ProfileID';
export class Id {
  readonly type: IdType;
  readonly bytes: Uint8Array;
  constructor(type: IdType, bytes: Uint8Array) {
    this.type = type;
    this.bytes = bytes;
  }
}

/** A message without an OTTL value of its own; two are equal when they are the same message. */
export class Opaque {
  readonly type: 'ptrace.Status' | 'ptrace.SpanEventSlice' | 'ptrace.SpanLinkSlice';
  readonly identity: number;
  readonly length: number;
  constructor(type: Opaque['type'], identity: number, length: number) {
    this.type = type;
    this.identity = identity;
    this.length = length;
  }
}

export class TypedSlice {
  readonly element: 'string' | 'int64' | 'float64' | 'bool';
  readonly items: readonly OttlValue[];
  constructor(element: TypedSlice['element'], items: readonly OttlValue[]) {
    this.element = element;
    this.items = items;
  }
}

/** Go's int, which is no int64 and therefore in no comparison with one. */
export class PlainInt {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** What a pdata value can hold. */
export type PData = null | boolean | bigint | number | string | Uint8Array | PMap | PSlice;

/** A pdata map: keys in order, the first of equal ones is found. */
export interface PMap {
  readonly kind: 'map';
  entries(): readonly (readonly [string, PData])[];
  /** undefined when there is no such key. */
  get(key: string): PData | undefined;
}

export interface PSlice {
  readonly kind: 'slice';
  items(): readonly PData[];
}

/** A pdata value that was not unwrapped; Go's texts and a few functions tell it from what it holds. */
export class PValue {
  readonly held: PData;
  constructor(held: PData) {
    this.held = held;
  }
}

export class EntryMap implements PMap {
  readonly kind = 'map';
  readonly #entries: readonly (readonly [string, PData])[];
  constructor(entries: readonly (readonly [string, PData])[]) {
    this.#entries = entries;
  }
  entries(): readonly (readonly [string, PData])[] {
    return this.#entries;
  }
  get(key: string): PData | undefined {
    return this.#entries.find((entry) => entry[0] === key)?.[1];
  }
}

export class ItemSlice implements PSlice {
  readonly kind = 'slice';
  readonly #items: readonly PData[];
  constructor(items: readonly PData[]) {
    this.#items = items;
  }
  items(): readonly PData[] {
    return this.#items;
  }
}

/** A lambda argument; converters that take one know its class, nothing else does. */
export interface LambdaValue {
  readonly kind: 'lambda';
}

export type RawMap = Map<string, OttlValue>;
export type OttlValue =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Time
  | Duration
  | Id
  | Opaque
  | TypedSlice
  | PlainInt
  | PMap
  | PSlice
  | PValue
  | LambdaValue
  | RawMap
  | readonly OttlValue[];

export const nilBytes = new Uint8Array(0);
export const emptyMap: PMap = new EntryMap([]);

export function isPMap(value: OttlValue | OttlError | undefined): value is PMap {
  return typeof value === 'object' && value !== null && (value as PMap).kind === 'map';
}
export function isPSlice(value: OttlValue | OttlError | undefined): value is PSlice {
  return typeof value === 'object' && value !== null && (value as PSlice).kind === 'slice';
}

/** `%T`. */
export function typeName(value: OttlValue): string {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int64';
    case 'number':
      return 'float64';
    case 'string':
      return 'string';
  }
  if (value === null) return '<nil>';
  if (value instanceof Uint8Array) return '[]uint8';
  if (value instanceof Time) return 'time.Time';
  if (value instanceof Duration) return 'time.Duration';
  if (value instanceof Id || value instanceof Opaque) return value.type;
  if (value instanceof TypedSlice) return `[]${value.element}`;
  if (value instanceof PlainInt) return 'int';
  if (value instanceof PValue) return 'pcommon.Value';
  if (value instanceof Map) return 'map[string]interface {}';
  if (Array.isArray(value)) return '[]interface {}';
  if (isPMap(value)) return 'pcommon.Map';
  if (isPSlice(value)) return 'pcommon.Slice';
  return '*ottl.LambdaExpression';
}

/** pcommon.ValueType.String(). */
export function pdataTypeName(value: PData): string {
  if (value === null) return 'Empty';
  switch (typeof value) {
    case 'string':
      return 'Str';
    case 'boolean':
      return 'Bool';
    case 'bigint':
      return 'Int';
    case 'number':
      return 'Double';
  }
  if (value instanceof Uint8Array) return 'Bytes';
  return value.kind === 'map' ? 'Map' : 'Slice';
}

/** Map.AsRaw, Slice.AsRaw and Value.AsRaw: pdata as plain Go values. */
export function asRaw(value: PData): OttlValue {
  if (isPMap(value)) return new Map(value.entries().map(([key, held]) => [key, asRaw(held)]));
  if (isPSlice(value)) return value.items().map(asRaw);
  if (value instanceof Uint8Array && value.length === 0) return nilBytes;
  return value;
}

/** Value.FromRaw: plain Go values as pdata. Errors: a type that pdata does not hold. */
export function fromRaw(value: OttlValue): PData | OttlError {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value as PData;
  if (value instanceof PlainInt) return value.value;
  if (value instanceof Map) {
    const entries: [string, PData][] = [];
    for (const [key, held] of value) {
      const converted = fromRaw(held);
      if (converted instanceof OttlError) return converted;
      entries.push([key, converted]);
    }
    return new EntryMap(entries);
  }
  if (Array.isArray(value)) {
    const items: PData[] = [];
    for (const held of value) {
      const converted = fromRaw(held);
      if (converted instanceof OttlError) return converted;
      items.push(converted);
    }
    return new ItemSlice(items);
  }
  return new OttlError(`<Invalid value type ${typeName(value as OttlValue)}>`);
}

const jsonEscapes: Record<string, string> = { '\u2028': '\\u2028', '\u2029': '\\u2029', '<': '\\u003c', '>': '\\u003e', '&': '\\u0026' };

/**
 * JSON as the Collector writes it: sorted keys, bytes in base64. `forConverters`: with HTML characters escaped and floats as goccy/go-json has them;
 * otherwise as encoding/json does without HTML escapes, which is what pdata's AsString gives.
 *
 * Errors: NaN and infinities.
 */
export function toJson(value: OttlValue, forConverters = true): string | OttlError {
  if (value === null) return 'null';
  if (typeof value === 'string') return jsonString(value, forConverters);
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return forConverters ? formatFloatGoccy(value) : formatFloatJson(value);
    return new OttlError(`json: unsupported value: ${formatFloatG(value)}`);
  }
  if (typeof value !== 'object') return String(value);
  if (value instanceof Uint8Array) return value === nilBytes ? 'null' : `"${Buffer.from(value).toString('base64')}"`;
  if (value instanceof Duration) return String(value.nanos);
  if (value instanceof PlainInt) return String(value.value);
  if (value instanceof Time) return `"${formatRfc3339(value)}"`;
  if (value instanceof Id) return `[${value.bytes.join(',')}]`;
  if (value instanceof Opaque || value instanceof PValue || isPMap(value) || isPSlice(value)) return '{}';
  if (value instanceof Map) {
    const parts: string[] = [];
    for (const key of [...value.keys()].sort(byBytes)) {
      const held = toJson(value.get(key)!, forConverters);
      if (held instanceof OttlError) return held;
      parts.push(`${jsonString(key, forConverters)}:${held}`);
    }
    return `{${parts.join(',')}}`;
  }
  const items = value instanceof TypedSlice ? value.items : (value as readonly OttlValue[]);
  const parts: string[] = [];
  for (const item of items) {
    const held = toJson(item, forConverters);
    if (held instanceof OttlError) return held;
    parts.push(held);
  }
  return `[${parts.join(',')}]`;
}

function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

function jsonString(text: string, escapeHtml: boolean): string {
  const plain = JSON.stringify(text).replaceAll('\\b', '\\u0008').replaceAll('\\f', '\\u000c');
  return escapeHtml
    ? plain.replace(/[\u2028\u2029<>&]/g, (char) => jsonEscapes[char]!)
    : plain.replace(/[\u2028\u2029]/g, (char) => jsonEscapes[char]!);
}

export function isZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false;
  return true;
}

/** Value.AsString. */
export function asString(value: PData): string {
  if (value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return jsonFloat(value);
  if (typeof value !== 'object') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  const json = toJson(asRaw(value), false);
  return json instanceof OttlError ? '' : json;
}

function jsonFloat(value: number): string {
  if (!Number.isFinite(value)) return `json: unsupported value: ${formatFloatG(value)}`;
  return formatFloatJson(value);
}

const secondNanos = 1_000_000_000n;

/** Floor division; Go's clocks count from the floor, also before 1970. */
export function unixSeconds(time: Time): bigint {
  const whole = time.unixNano / secondNanos;
  return time.unixNano < 0n && whole * secondNanos !== time.unixNano ? whole - 1n : whole;
}

function formatRfc3339(time: Time): string {
  const seconds = unixSeconds(time);
  const nanos = time.unixNano - seconds * secondNanos;
  const offset = time.zone.offsetSeconds(seconds);
  const local = new Date(Number(seconds + BigInt(offset)) * 1000);
  const stamp = Number.isNaN(local.getTime()) ? '' : local.toISOString().slice(0, 19);
  const fraction = nanos === 0n ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`;
  const minutes = Math.abs(Math.trunc(offset / 60));
  const sign = offset < 0 ? '-' : '+';
  const zone = offset === 0 ? 'Z' : `${sign}${String(Math.trunc(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
  return `${stamp}${fraction}${zone}`;
}
