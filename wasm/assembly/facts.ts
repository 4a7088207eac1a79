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
import { WIRE_I64, WIRE_LEN, WIRE_VARINT, fieldBody, fieldNumber, fieldWire, open, varint, varintValue } from "./wire";

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
      if (end - body == 2 && load<u8>(body) == 0x18 && load<u8>(body + 1) < 0x80) store<u32>(row, load<u8>(body + 1), FACT_STATUS_CODE);
      else store<u32>(row, statusCode(body, end, load<u32>(row, FACT_STATUS_CODE)), FACT_STATUS_CODE);
      break;
    case 16:
      store<u32>(row, load<u32>(body), FACT_FLAGS);
      break;
    default:
      break;
  }
}

function spanFacts(row: u32, p: u32, end: u32): void {
  memory.fill(row, 0, FACT_BYTES);
  store<u32>(row, p, FACT_SPAN);
  store<u32>(row, end - p, FACT_SPAN_LENGTH);
  while (p < end) {
    const tag = <u32>load<u8>(p);
    const room = end - p;
    if (tag < 0x80 && tag >= 8 && room >= 2) {
      const wire = tag & 7;
      const length = <u32>load<u8>(p + 1);
      if (wire == WIRE_LEN) {
        if (length < 0x80 && length <= room - 2) {
          const next = p + 2 + length;
          // The attributes come in a row: only the first and the last matter.
          if (tag == 0x4a) {
            if (!load<u32>(row, FACT_ATTRIBUTES)) store<u32>(row, p, FACT_ATTRIBUTES);
            store<u32>(row, next, FACT_ATTRIBUTES_END);
          } else fact(row, tag >> 3, p, p + 2, next);
          p = next;
          continue;
        }
      } else if (wire == WIRE_I64) {
        if (room >= 9) {
          fact(row, tag >> 3, p, p + 1, p + 9);
          p += 9;
          continue;
        }
      } else if (wire == WIRE_VARINT && length < 0x80) {
        if (tag == 0x30) store<u32>(row, length, FACT_KIND);
        p += 2;
        continue;
      }
    }
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
