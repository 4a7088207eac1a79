/** Walks one ExportTraceServiceRequest to its last nested field, refuses what the Collector would refuse, and measures what `split` will need. */

import { CONTEXT_BYTES, ERROR_DEPTH, ERROR_SPAN_ID_LENGTH, ERROR_TRACE_ID_LENGTH, ERROR_WIRE_TYPE, RUN_BYTES } from "./rows";
import { ANY_VALUE, KEY_VALUE, LEGACY_SCOPE_SPANS, RESOURCE_SPANS, SCOPE_SPANS, SPAN, SPAN_ID, STATUS, TRACE_ID, UNKNOWN, kindOf } from "./schema";
import { WIRE_LEN, fail, fieldBody, fieldNumber, fieldWire, open, shortBytes } from "./wire";

/** Nested values (a list in a list …) deeper than this are refused: the walk recurses, and no peer may choose how deep our stack goes. */
const DEPTH_MAX: u32 = 128;

let spanCount: u32 = 0;
let roomBytes: u64 = 0;
let uniform: bool = true;

/** Room for `split` of the bytes validated last; more than 4 GiB reads as the largest u32, which no arena grants. */
export function measuredBytes(): u32 {
  return roomBytes > 0xffffffff ? 0xffffffff : <u32>roomBytes;
}

/** Whether each span of the bytes validated last begins with its only trace id, sixteen bytes, canonically encoded. */
export function measuredUniform(): bool {
  return uniform;
}

/** Checks the field at `p` of `message` and everything in it; returns its end, or 0. `depth` counts the AnyValues around it. */
function field(message: u32, p: u32, end: u32, depth: u32): u32 {
  const at = p;
  const next = open(p, end);
  if (!next) return 0;
  const kind = kindOf(message, fieldNumber);
  if (kind == UNKNOWN) return next;
  if (fieldWire != (kind & 7)) return fail(at, ERROR_WIRE_TYPE);
  if (kind < 8) return next;
  const body = fieldBody;
  const length = next - body;
  if (kind == TRACE_ID) {
    if (message == SPAN) uniform = false;
    return length == 0 || length == 16 ? next : fail(at, ERROR_TRACE_ID_LENGTH);
  }
  if (kind == SPAN_ID) return length == 0 || length == 8 ? next : fail(at, ERROR_SPAN_ID_LENGTH);
  const inner = kind >> 6;
  if (inner == ANY_VALUE && ++depth > DEPTH_MAX) return fail(at, ERROR_DEPTH);
  return fields(inner, body, next, depth) ? next : 0;
}

function fields(message: u32, p: u32, end: u32, depth: u32): bool {
  while (p < end) {
    p = field(message, p, end, depth);
    if (!p) return false;
  }
  return true;
}

/** Whether [p, end) is a key, then a value, both shorter than 128 bytes, nothing else, and the value a string, a boolean, an integer below 16,384 or a double. */
// @ts-ignore: decorator
@inline
function isPlainKeyValue(p: u32, end: u32): bool {
  if (end - p < 6 || load<u8>(p) != 0x0a) return false;
  const keyBytes = <u32>load<u8>(p + 1);
  if (keyBytes >= 0x80 || keyBytes > end - p - 6) return false;
  const q = p + 2 + keyBytes;
  const length = <u32>load<u8>(q + 1);
  if (load<u8>(q) != 0x12 || length >= 0x80 || q + 2 + length != end) return false;
  const tag = load<u8>(q + 2);
  const first = <u32>load<u8>(q + 3);
  if (tag == 0x0a) return first + 2 == length;
  if (tag == 0x18 || tag == 0x10) {
    if (length == 2) return first < 0x80;
    return length == 3 && first >= 0x80 && load<u8>(q + 4) < 0x80;
  }
  return tag == 0x21 && length == 9;
}

/**
 * The bet: fields in the order of their numbers, as SDKs write them, one-byte lengths, and most of them of one possible length, so that the next
 * position does not wait for a load. All else goes through `field`, one field at a time, and the straight line is tried again from there.
 */
function span(p: u32, end: u32): bool {
  if (end - p < 18 || load<u16>(p) != 0x100a) uniform = false;
  else p += 18;
  while (p < end) {
    const at = p;
    if (end - p >= 10 && load<u16>(p) == 0x0812) p += 10; // span_id
    if (end - p >= 10 && load<u16>(p) == 0x0822) p += 10; // parent_span_id
    if (end - p >= 2 && load<u8>(p) == 0x2a) p += shortBytes(p, end); // name
    if (end - p >= 2 && load<u8>(p) == 0x30 && load<u8>(p + 1) < 0x80) p += 2; // kind
    if (end - p >= 9 && load<u8>(p) == 0x39) p += 9; // start_time_unix_nano
    if (end - p >= 9 && load<u8>(p) == 0x41) p += 9; // end_time_unix_nano
    while (end - p >= 2 && load<u8>(p) == 0x4a) {
      const bytes = shortBytes(p, end);
      if (!bytes) break;
      if (!isPlainKeyValue(p + 2, p + bytes) && !fields(KEY_VALUE, p + 2, p + bytes, 0)) return false;
      p += bytes;
    }
    if (end - p >= 4 && load<u16>(p) == 0x027a && load<u8>(p + 2) == 0x18 && load<u8>(p + 3) < 0x80) p += 4; // status with a code alone
    else if (end - p >= 2 && load<u16>(p) == 0x007a) p += 2; // status without anything
    if (end - p >= 6 && load<u16>(p) == 0x0185) p += 6; // flags
    if (p != at) continue;
    p = field(SPAN, p, end, 0);
    if (!p) return false;
  }
  return true;
}

/** Walks one Span alone, for a request in which some span is malformed: rare, so without the straight line of `span`, which stays inlined in its one place. */
export function isSpanUsable(p: u32, end: u32): bool {
  return fields(SPAN, p, end, 0);
}

/** Room for a header that lies in more than two pieces: `split` copies it, 8-byte aligned. */
// @ts-ignore: decorator
@inline
function copyBytes(pieces: u32, headerBytes: u32): u32 {
  return pieces > 2 ? (headerBytes + 7) & ~7 : 0;
}

function scopeSpans(p: u32, end: u32): bool {
  let pieces: u32 = 0;
  let headerBytes: u32 = 0;
  let inPiece = false;
  let count: u32 = 0;
  while (p < end) {
    const at = p;
    const next = open(p, end);
    if (!next) return false;
    if (fieldNumber == 2) {
      if (fieldWire != WIRE_LEN) return <bool>fail(at, ERROR_WIRE_TYPE);
      if (!span(fieldBody, next)) return false;
      count++;
      inPiece = false;
    } else {
      if (!field(SCOPE_SPANS, at, end, 0)) return false;
      if (!inPiece) pieces++;
      inPiece = true;
      headerBytes += next - at;
    }
    p = next;
  }
  spanCount += count;
  roomBytes += <u64>count * RUN_BYTES + CONTEXT_BYTES + copyBytes(pieces, headerBytes);
  return true;
}

function resourceSpans(p: u32, end: u32): bool {
  let pieces: u32 = 0;
  let headerBytes: u32 = 0;
  let inPiece = false;
  let modern = false;
  let legacySpans: u32 = 0;
  let legacyBytes: u64 = 0;
  while (p < end) {
    const at = p;
    const next = open(p, end);
    if (!next) return false;
    const number = fieldNumber;
    if (number == 2 || number == LEGACY_SCOPE_SPANS) {
      if (fieldWire != WIRE_LEN) return <bool>fail(at, ERROR_WIRE_TYPE);
      const spansBefore = spanCount;
      const bytesBefore = roomBytes;
      if (!scopeSpans(fieldBody, next)) return false;
      if (number == 2) modern = true;
      else {
        legacySpans += spanCount - spansBefore;
        legacyBytes += roomBytes - bytesBefore;
        spanCount = spansBefore;
        roomBytes = bytesBefore;
      }
      inPiece = false;
    } else {
      if (!field(RESOURCE_SPANS, at, end, 0)) return false;
      if (!inPiece) pieces++;
      inPiece = true;
      headerBytes += next - at;
    }
    p = next;
  }
  if (!modern) {
    spanCount += legacySpans;
    roomBytes += legacyBytes;
  }
  roomBytes += <u64>CONTEXT_BYTES + copyBytes(pieces, headerBytes);
  return true;
}

/** Returns the number of spans, or -1. */
export function validateRequest(p: u32, end: u32): i32 {
  spanCount = 0;
  roomBytes = 0;
  uniform = true;
  while (p < end) {
    const at = p;
    const next = open(p, end);
    if (!next) return -1;
    if (fieldNumber == 1) {
      if (fieldWire != WIRE_LEN) {
        fail(at, ERROR_WIRE_TYPE);
        return -1;
      }
      if (!resourceSpans(fieldBody, next)) return -1;
    }
    p = next;
  }
  return <i32>spanCount;
}
