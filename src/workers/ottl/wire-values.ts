/** Reads attribute values and maps in place from serialized OTLP, decoding only what is asked for. Worker thread. */

import { nilBytes, type PData, type PMap, type PSlice } from './values.ts';

/**
 * | message | fields |
 * |---|---|
 * | KeyValue | key = 1 string, value = 2 AnyValue |
 * | AnyValue | string = 1, bool = 2, int = 3 varint, double = 4 fixed64, array = 5 { values = 1 }, kvlist = 6 { values = 1 }, bytes = 7 |
 *
 * The bytes were validated when they were received (depth, lengths, wire types of known fields), so that readers only keep within their range.
 */
const smallInts: readonly bigint[] = Array.from({ length: 1024 }, (_, i) => BigInt(i));
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const floatBytes = new DataView(new ArrayBuffer(8));

/** An int64 without an allocation where it is small, which status codes, kinds and counts are. */
export function smallBigInt(value: number): bigint {
  return value >= 0 && value < 1024 ? smallInts[value]! : BigInt(value);
}

/** Position behind the last varint that was read; readers of one thread take turns. */
let after = 0;
export function afterRead(): number {
  return after;
}

/** The low 32 bits of a varint (a tag, a length, a bool or a 32-bit number). */
export function readVarint32(bytes: Uint8Array, at: number): number {
  let byte = bytes[at++]!;
  let value = byte & 0x7f;
  for (let shift = 7; byte >= 0x80 && shift < 70; shift += 7) {
    byte = bytes[at++]!;
    if (shift < 32) value |= (byte & 0x7f) << shift;
  }
  after = at;
  return value >>> 0;
}

export function readVarint64(bytes: Uint8Array, at: number): bigint {
  let byte = bytes[at]!;
  if (byte < 0x80) {
    after = at + 1;
    return smallInts[byte]!;
  }
  let low = 0;
  let shift = 0;
  const end = at + 4;
  for (; at < end; at++, shift += 7) {
    byte = bytes[at]!;
    low |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      after = at + 1;
      return smallBigInt(low);
    }
  }
  let value = BigInt(low);
  let bigShift = 28n;
  for (; bigShift < 70n; bigShift += 7n) {
    byte = bytes[at++]!;
    value |= BigInt(byte & 0x7f) << bigShift;
    if (byte < 0x80) break;
  }
  after = at;
  return BigInt.asIntN(64, value);
}

/** A little-endian u64 as Go's int64. */
export function readFixed64(bytes: Uint8Array, at: number): bigint {
  const low = (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  const high = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
  return (BigInt(high) << 32n) | BigInt(low);
}

export function readFixed32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function readDouble(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < 8; i++) floatBytes.setUint8(i, bytes[at + i]!);
  return floatBytes.getFloat64(0, true);
}

/** Text of a range; short ASCII, which most is, without the decoder's call and copy (it refuses shared memory). */
export function readText(bytes: Uint8Array, from: number, to: number): string {
  if (to - from <= 32) {
    let text = '';
    let at = from;
    for (; at < to && bytes[at]! < 0x80; at++) text += String.fromCharCode(bytes[at]!);
    if (at === to) return text;
  }
  return decoder.decode(bytes.slice(from, to));
}

/** Position of the end of the field whose tag ends at `at`, from its wire type; `end` where the type is unknown. */
export function skipField(bytes: Uint8Array, wireType: number, at: number, end: number): number {
  switch (wireType) {
    case 0:
      readVarint32(bytes, at);
      return after;
    case 1:
      return at + 8;
    case 2: {
      const length = readVarint32(bytes, at);
      return after + length;
    }
    case 5:
      return at + 4;
    default:
      return end;
  }
}

/** Value of the AnyValue in [at, end): of several fields the last one holds. */
export function readAnyValue(bytes: Uint8Array, at: number, end: number): PData {
  let value: PData = null;
  while (at < end) {
    const tag = readVarint32(bytes, at);
    at = after;
    if ((tag & 7) === 2) {
      const length = readVarint32(bytes, at);
      const from = after;
      const to = Math.min(from + length, end);
      const number = tag >>> 3;
      if (number === 1) value = readText(bytes, from, to);
      else if (number === 5) value = new WireSlice(bytes, from, to);
      else if (number === 6) value = new WireMap(bytes, from, to, 1);
      else if (number === 7) value = from === to ? nilBytes : bytes.slice(from, to);
      at = to;
      continue;
    }
    if (tag === 0x10) value = readVarint32(bytes, at) !== 0;
    else if (tag === 0x18) value = readVarint64(bytes, at);
    else if (tag === 0x21) value = readDouble(bytes, at);
    at = skipField(bytes, tag & 7, at, end);
  }
  return value;
}

/** Where the value of the KeyValue in [at, end) lies, if its key is `key`; -1 otherwise. The end is in `valueEnd`. An absent value is an empty range. */
function matchingValue(bytes: Uint8Array, at: number, end: number, key: Uint8Array): number {
  let matches = key.length === 0;
  let valueAt = end;
  let valueTo = end;
  while (at < end) {
    const tag = readVarint32(bytes, at);
    at = after;
    if ((tag & 7) !== 2) {
      at = skipField(bytes, tag & 7, at, end);
      continue;
    }
    const length = readVarint32(bytes, at);
    at = after;
    if (tag === 0x0a) {
      matches = length === key.length;
      for (let i = 0; matches && i < length; i++) matches = bytes[at + i] === key[i];
      if (!matches && bytes[at + length] === 0x12) return -1;
    } else if (tag === 0x12) {
      valueAt = at;
      valueTo = Math.min(at + length, end);
    }
    at += length;
  }
  valueEnd = valueTo;
  return matches ? valueAt : -1;
}
let valueEnd = 0;

/**
 * Value of the first KeyValue with `key` among the fields `fieldNumber` of the message in [at, end); undefined when there is none.
 * Nothing is decoded but that value.
 */
export function findValue(bytes: Uint8Array, at: number, end: number, fieldNumber: number, key: Uint8Array): PData | undefined {
  const wanted = (fieldNumber << 3) | 2;
  while (at < end) {
    const tag = readVarint32(bytes, at);
    at = after;
    if (tag !== wanted) {
      at = skipField(bytes, tag & 7, at, end);
      continue;
    }
    const length = readVarint32(bytes, at);
    at = after;
    const found = matchingValue(bytes, at, Math.min(at + length, end), key);
    if (found >= 0) return readAnyValue(bytes, found, valueEnd);
    at += length;
  }
  return undefined;
}

function readKeyValue(bytes: Uint8Array, at: number, end: number): readonly [string, PData] {
  let key = '';
  let value: PData = null;
  while (at < end) {
    const tag = readVarint32(bytes, at);
    at = after;
    if ((tag & 7) !== 2) {
      at = skipField(bytes, tag & 7, at, end);
      continue;
    }
    const length = readVarint32(bytes, at);
    const from = after;
    const to = Math.min(from + length, end);
    if (tag === 0x0a) key = readText(bytes, from, to);
    else if (tag === 0x12) value = readAnyValue(bytes, from, to);
    at = to;
  }
  return [key, value];
}

/** Calls `visit` with the range of every length-delimited field `fieldNumber` of the message in [at, end). */
export function eachField(
  bytes: Uint8Array,
  at: number,
  end: number,
  fieldNumber: number,
  visit: (from: number, to: number) => void,
): void {
  const wanted = (fieldNumber << 3) | 2;
  while (at < end) {
    const tag = readVarint32(bytes, at);
    at = after;
    if (tag !== wanted) {
      at = skipField(bytes, tag & 7, at, end);
      continue;
    }
    const length = readVarint32(bytes, at);
    const from = after;
    at = from + length;
    visit(from, Math.min(at, end));
  }
}

/** The KeyValues in the fields `fieldNumber` of one message as a map. The bytes stay where they are; a view of the moment. */
export class WireMap implements PMap {
  readonly kind = 'map';
  readonly #bytes: Uint8Array;
  readonly #from: number;
  readonly #to: number;
  readonly #fieldNumber: number;
  #entries: (readonly [string, PData])[] | undefined;

  constructor(bytes: Uint8Array, from: number, to: number, fieldNumber: number) {
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
    this.#fieldNumber = fieldNumber;
  }

  entries(): readonly (readonly [string, PData])[] {
    if (this.#entries === undefined) {
      const entries: (readonly [string, PData])[] = [];
      eachField(this.#bytes, this.#from, this.#to, this.#fieldNumber, (from, to) => entries.push(readKeyValue(this.#bytes, from, to)));
      this.#entries = entries;
    }
    return this.#entries;
  }

  get(key: string): PData | undefined {
    return findValue(this.#bytes, this.#from, this.#to, this.#fieldNumber, Buffer.from(key));
  }
}

export class WireSlice implements PSlice {
  readonly kind = 'slice';
  readonly #bytes: Uint8Array;
  readonly #from: number;
  readonly #to: number;
  #items: PData[] | undefined;

  constructor(bytes: Uint8Array, from: number, to: number) {
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
  }

  items(): readonly PData[] {
    if (this.#items === undefined) {
      const items: PData[] = [];
      eachField(this.#bytes, this.#from, this.#to, 1, (from, to) => items.push(readAnyValue(this.#bytes, from, to)));
      this.#items = items;
    }
    return this.#items;
  }
}
