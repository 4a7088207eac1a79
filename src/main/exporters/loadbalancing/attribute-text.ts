/** OTLP attribute values as the text that the Collector makes of them for routing keys. Main thread. */

import { Buffer } from 'node:buffer';
import { WireReader } from '../../../shared/otlp/wire-reader.ts';

/** An AnyValue as plain data: what pcommon's AsRaw gives. `null` is the empty value. */
type RawValue = null | string | boolean | bigint | number | Uint8Array | readonly RawValue[] | ReadonlyMap<string, RawValue>;

/** A value that JSON has no word for makes the whole value the empty text, as Go's encoder does. */
class Unencodable extends Error {}

/**
 * AnyValue: string_value = 1, bool_value = 2, int_value = 3, double_value = 4, array_value = 5 (values = 1), kvlist_value = 6 (values = 1),
 * bytes_value = 7. Bounds: validated bytes; nesting is bounded by the kernel's check. Source: pdata's Value.AsString.
 */
export function valueText(memory: Uint8Array, at: number, end: number): string {
  return textOf(readValue(memory, at, end));
}

function textOf(value: RawValue): string {
  if (value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return numberText(value);
  if (value instanceof Uint8Array) return base64(value);
  if (typeof value === 'object') {
    try {
      return jsonOf(value);
    } catch (error) {
      if (error instanceof Unencodable) return '';
      throw error;
    }
  }
  return String(value);
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

/** Go's encoding/json without HTML escapes: keys sorted by bytes, U+2028 and U+2029 escaped. */
function jsonOf(value: RawValue): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return jsonString(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Unencodable();
    return numberText(value);
  }
  if (value instanceof Uint8Array) return jsonString(base64(value));
  if (value instanceof Map) {
    const keys = [...value.keys()].sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
    return `{${keys.map((key) => `${jsonString(key)}:${jsonOf(value.get(key)!)}`).join(',')}}`;
  }
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(',')}]`;
  return String(value);
}

function jsonString(text: string): string {
  return JSON.stringify(text).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

function readValue(memory: Uint8Array, at: number, end: number): RawValue {
  const reader = new WireReader();
  reader.at(memory, at);
  let value: RawValue = null;
  while (reader.position < end) {
    const tag = reader.varint();
    const field = tag >>> 3;
    if (field === 2) {
      reader.varint64();
      value = (reader.low | reader.high) !== 0;
    } else if (field === 3) {
      reader.varint64();
      value = BigInt.asIntN(64, (BigInt(reader.high) << 32n) | BigInt(reader.low));
    } else if (field === 4) {
      value = new DataView(memory.buffer, memory.byteOffset + reader.position, 8).getFloat64(0, true);
      reader.position += 8;
    } else if (field === 1 || (field >= 5 && field <= 7)) {
      const length = reader.varint();
      const start = reader.position;
      reader.position += length;
      value = readNested(memory, field, start, start + length);
    } else reader.skip(tag);
  }
  return value;
}

function readNested(memory: Uint8Array, field: number, start: number, end: number): RawValue {
  if (field === 1) return utf8(memory, start, end);
  if (field === 7) return memory.subarray(start, end);
  const map = new Map<string, RawValue>();
  const list: RawValue[] = [];
  const reader = new WireReader();
  reader.at(memory, start);
  while (reader.position < end) {
    const tag = reader.varint();
    if (tag !== 10) {
      reader.skip(tag);
      continue;
    }
    const length = reader.varint();
    const itemEnd = reader.position + length;
    if (field === 5) list.push(readValue(memory, reader.position, itemEnd));
    else {
      const pair = readPair(memory, reader.position, itemEnd);
      map.set(pair.key, pair.valueEnd === 0 ? null : readValue(memory, pair.value, pair.valueEnd));
    }
    reader.position = itemEnd;
  }
  return field === 5 ? list : map;
}

export function utf8(memory: Uint8Array, start: number, end: number): string {
  return Buffer.from(memory.buffer, memory.byteOffset + start, end - start).toString('utf8');
}

export interface PairPlace {
  readonly key: string;
  readonly value: number;
  /** 0 when the pair has no value. */
  readonly valueEnd: number;
}

/** KeyValue: key = 1, value = 2. */
export function readPair(memory: Uint8Array, start: number, end: number): PairPlace {
  const reader = new WireReader();
  reader.at(memory, start);
  let key = '';
  let value = 0;
  let valueEnd = 0;
  while (reader.position < end) {
    const tag = reader.varint();
    if (tag !== 10 && tag !== 18) {
      reader.skip(tag);
      continue;
    }
    const length = reader.varint();
    if (tag === 10) key = utf8(memory, reader.position, reader.position + length);
    else {
      value = reader.position;
      valueEnd = reader.position + length;
    }
    reader.position += length;
  }
  return { key, value, valueEnd };
}
