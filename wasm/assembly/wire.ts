/**
 * Protobuf wire primitives over linear memory: one field's tag, length and end.
 *
 * Positions are u32 and greater than 0, so 0 says failure. `end` is at most 2^32 - 65,536 (the arena never hands out the last page),
 * so adding a small constant to a position cannot wrap; lengths from the wire are compared with the room that is left instead of being added.
 */

import { ERROR_FIELD_NUMBER, ERROR_TRUNCATED, ERROR_VARINT, ERROR_WIRE_TYPE } from "./rows";

export const WIRE_VARINT: u32 = 0;
export const WIRE_I64: u32 = 1;
export const WIRE_LEN: u32 = 2;
export const WIRE_I32: u32 = 5;

export let errorAt: u32 = 0;
export let errorCode: u32 = 0;

/** Remembers the first malformed field: the position of its tag and what is wrong. */
export function fail(at: u32, code: u32): u32 {
  errorAt = at;
  errorCode = code;
  return 0;
}

export let varintValue: u64 = 0;

/** Reads a varint at `p`, which belongs to the field at `at`; returns the position after it. Ten bytes at most; bits above 64 are dropped, as everywhere. */
export function varint(p: u32, end: u32, at: u32): u32 {
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 70; shift += 7) {
    if (p >= end) return fail(at, ERROR_TRUNCATED);
    const byte = <u64>load<u8>(p++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      varintValue = value;
      return p;
    }
  }
  return fail(at, ERROR_VARINT);
}

export let fieldNumber: u32 = 0;
export let fieldWire: u32 = 0;
/** After the tag, and for a length-delimited field after the length. */
export let fieldBody: u32 = 0;

/**
 * Reads the field at `p` as far as its tag says: number, wire type, body, and returns its end, or 0.
 * A tag above 32 bits would be another field number for a parser that reads 32 than for one that reads 64, so it is refused.
 */
export function open(p: u32, end: u32): u32 {
  const at = p;
  p = varint(p, end, at);
  if (!p) return 0;
  const tag = varintValue;
  const number = <u32>(tag >> 3);
  if (number == 0 || tag > 0xffffffff) return fail(at, ERROR_FIELD_NUMBER);
  fieldNumber = number;
  const wire = <u32>tag & 7;
  fieldWire = wire;
  fieldBody = p;
  if (wire == WIRE_LEN) {
    p = varint(p, end, at);
    if (!p) return 0;
    fieldBody = p;
    return varintValue > <u64>(end - p) ? fail(at, ERROR_TRUNCATED) : p + <u32>varintValue;
  }
  if (wire == WIRE_VARINT) return varint(p, end, at);
  if (wire == WIRE_I64) return end - p < 8 ? fail(at, ERROR_TRUNCATED) : p + 8;
  if (wire == WIRE_I32) return end - p < 4 ? fail(at, ERROR_TRUNCATED) : p + 4;
  return fail(at, ERROR_WIRE_TYPE);
}

/** Bytes of the length-delimited field with a one-byte tag at `p` if its length has one byte and fits, else 0. Needs two bytes at `p`. */
// @ts-ignore: decorator
@inline
export function shortBytes(p: u32, end: u32): u32 {
  const length = <u32>load<u8>(p + 1);
  return length < 0x80 && length <= end - p - 2 ? length + 2 : 0;
}

/** Bytes of `value` as a varint. */
// @ts-ignore: decorator
@inline
export function varintBytes(value: u32): u32 {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
}

export function writeVarint(out: u32, value: u32): u32 {
  while (value >= 0x80) {
    store<u8>(out++, value | 0x80);
    value >>>= 7;
  }
  store<u8>(out++, value);
  return out;
}
