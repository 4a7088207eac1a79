/** Reads of each span of a run what cheap policies ask for. The bytes were validated, so nothing is reported here; malformed bytes end a span early. */

import {
  FACT_ATTRIBUTES,
  FACT_ATTRIBUTES_END,
  FACT_BITS,
  FACT_BYTES,
  FACT_END,
  FACT_EVENTS,
  FACT_EVENTS_END,
  FACT_FLAGS,
  FACT_KIND,
  FACT_SPAN,
  FACT_SPAN_LENGTH,
  FACT_START,
  FACT_STATUS_CODE,
  FACT_TRACE_STATE,
  FACT_TRACE_STATE_LENGTH,
  HAS_ATTRIBUTES,
  HAS_EVENTS,
  HAS_PARENT,
  HAS_TRACE_STATE,
  RUN_SPANS,
  RUN_SPANS_LENGTH,
  RUN_SPAN_COUNT,
} from "./rows";
import { WIRE_VARINT, fieldBody, fieldNumber, fieldWire, open, shortBytes, varint, varintValue } from "./wire";

/** Status code of a status message, `code` if it says none: a repeated status field merges. */
function statusCode(p: u32, end: u32, code: u32): u32 {
  while (p < end) {
    const next = open(p, end);
    if (!next) return code;
    if (fieldNumber == 3 && fieldWire == WIRE_VARINT) {
      varint(fieldBody, next, p);
      code = <u32>varintValue;
    }
    p = next;
  }
  return code;
}

/** One field of the span whose row is at `row`. `at` is its tag, [body, end) what follows (after the length, if it has one). */
function fact(row: u32, number: u32, at: u32, body: u32, end: u32): void {
  switch (number) {
    case 3:
      store<u32>(row, end == body ? 0 : body, FACT_TRACE_STATE);
      store<u32>(row, end - body, FACT_TRACE_STATE_LENGTH);
      break;
    case 4: {
      // A parent id of eight zero bytes is no parent, as in the Collector.
      const bits = load<u32>(row, FACT_BITS) & ~HAS_PARENT;
      store<u32>(row, end - body == 8 && load<u64>(body) != 0 ? bits | HAS_PARENT : bits, FACT_BITS);
      break;
    }
    case 6:
      varint(body, end, at);
      store<u32>(row, <u32>varintValue, FACT_KIND);
      break;
    case 7:
      store<u64>(row, load<u64>(body), FACT_START);
      break;
    case 8:
      store<u64>(row, load<u64>(body), FACT_END);
      break;
    case 9:
      if (!load<u32>(row, FACT_ATTRIBUTES)) store<u32>(row, at, FACT_ATTRIBUTES);
      store<u32>(row, end, FACT_ATTRIBUTES_END);
      break;
    case 11:
      if (!load<u32>(row, FACT_EVENTS)) store<u32>(row, at, FACT_EVENTS);
      store<u32>(row, end, FACT_EVENTS_END);
      break;
    case 15:
      store<u32>(row, statusCode(body, end, load<u32>(row, FACT_STATUS_CODE)), FACT_STATUS_CODE);
      break;
    case 16:
      store<u32>(row, load<u32>(body), FACT_FLAGS);
      break;
    default:
      break;
  }
}

/** The bet is `validate`'s: the straight line of fields that SDKs write. */
function spanFacts(row: u32, p: u32, end: u32): void {
  for (let i: u32 = 0; i < FACT_BYTES; i += 16) v128.store(row + i, i64x2.splat(0));
  store<u32>(row, p, FACT_SPAN);
  store<u32>(row, end - p, FACT_SPAN_LENGTH);
  while (p < end) {
    const at = p;
    if (end - p >= 18 && load<u16>(p) == 0x100a) p += 18;
    if (end - p >= 10 && load<u16>(p) == 0x0812) p += 10;
    if (end - p >= 10 && load<u16>(p) == 0x0822) {
      fact(row, 4, p, p + 2, p + 10);
      p += 10;
    }
    if (end - p >= 2 && load<u8>(p) == 0x2a) p += shortBytes(p, end);
    if (end - p >= 2 && load<u8>(p) == 0x30 && load<u8>(p + 1) < 0x80) {
      store<u32>(row, load<u8>(p + 1), FACT_KIND);
      p += 2;
    }
    if (end - p >= 9 && load<u8>(p) == 0x39) {
      store<u64>(row, load<u64>(p + 1), FACT_START);
      p += 9;
    }
    if (end - p >= 9 && load<u8>(p) == 0x41) {
      store<u64>(row, load<u64>(p + 1), FACT_END);
      p += 9;
    }
    const attributes = p;
    while (end - p >= 2 && load<u8>(p) == 0x4a) {
      const bytes = shortBytes(p, end);
      if (!bytes) break;
      p += bytes;
    }
    if (p != attributes) {
      if (!load<u32>(row, FACT_ATTRIBUTES)) store<u32>(row, attributes, FACT_ATTRIBUTES);
      store<u32>(row, p, FACT_ATTRIBUTES_END);
    }
    if (end - p >= 4 && load<u16>(p) == 0x027a && load<u8>(p + 2) == 0x18 && load<u8>(p + 3) < 0x80) {
      store<u32>(row, load<u8>(p + 3), FACT_STATUS_CODE);
      p += 4;
    }
    if (end - p >= 6 && load<u16>(p) == 0x0185) {
      store<u32>(row, load<u32>(p + 2), FACT_FLAGS);
      p += 6;
    }
    if (p != at) continue;
    const next = open(p, end);
    if (!next) break;
    fact(row, fieldNumber, p, fieldBody, next);
    p = next;
  }
  let bits = load<u32>(row, FACT_BITS);
  if (load<u32>(row, FACT_TRACE_STATE_LENGTH)) bits |= HAS_TRACE_STATE;
  if (load<u32>(row, FACT_ATTRIBUTES)) bits |= HAS_ATTRIBUTES;
  if (load<u32>(row, FACT_EVENTS)) bits |= HAS_EVENTS;
  store<u32>(row, bits, FACT_BITS);
}

/** Returns the number of rows written. */
export function runFacts(run: u32, out: u32): i32 {
  let p = load<u32>(run, RUN_SPANS);
  const end = p + load<u32>(run, RUN_SPANS_LENGTH);
  const count = load<u32>(run, RUN_SPAN_COUNT);
  let written: u32 = 0;
  while (p < end && written < count) {
    const next = open(p, end);
    if (!next) break;
    spanFacts(out, fieldBody, next);
    out += FACT_BYTES;
    written++;
    p = next;
  }
  return <i32>written;
}
