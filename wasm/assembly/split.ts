/**
 * Splits one request into runs of adjacent spans of one trace, without looking into a span further than its trace id.
 *
 * Output, from `out` on:   ├ run rows ─┼ resource rows ─┼ scope rows ─┼ copied headers ┤
 *
 * How many runs there are is known only at the end, so the rows behind them are first written where they would stand if every span were a
 * run of its own, and then moved down and their positions corrected; when every span is a run, nothing moves.
 */

import {
  CONTEXT_BYTES,
  CONTEXT_FIRST_LENGTH,
  CONTEXT_FIRST_PIECE,
  CONTEXT_SECOND_LENGTH,
  CONTEXT_SECOND_PIECE,
  ERROR_TRACE_ID_LENGTH,
  ERROR_WIRE_TYPE,
  RUN_BYTES,
  RUN_HASH,
  RUN_MARK,
  RUN_NEXT,
  RUN_SCOPE,
  RUN_SPANS,
  RUN_SPANS_LENGTH,
  RUN_SPANS_MAX,
  RUN_SPAN_COUNT,
  RUN_TRACE_ID,
  SCOPE_RESOURCE,
  ZERO_TRACE_ID,
} from "./rows";
import { LEGACY_SCOPE_SPANS } from "./schema";
import { WIRE_LEN, fail, fieldBody, fieldNumber, fieldWire, open, shortBytes } from "./wire";

let spanTotal: u32 = 0;
let scopeTotal: u32 = 0;
let resourceTotal: u32 = 0;

// Where the next row of each sort goes.
let runAt: u32 = 0;
let resourceAt: u32 = 0;
let scopeAt: u32 = 0;
let copyAt: u32 = 0;

let usedBytes: u32 = 0;

export function splitUsedBytes(): u32 {
  return usedBytes;
}

/** 32 bits of a trace id for tables and shards. Source: the finalizer of MurmurHash3 by Austin Appleby, public domain, over both halves. */
// @ts-ignore: decorator
@inline
function hashOf(low: u64, high: u64): u32 {
  let mixed = low ^ (high * 0x9e3779b97f4a7c15);
  mixed = (mixed ^ (mixed >> 33)) * 0xff51afd7ed558ccd;
  mixed = (mixed ^ (mixed >> 33)) * 0xc4ceb9fe1a85ec53;
  return <u32>(mixed ^ (mixed >> 33));
}

/**
 * End of the length-delimited field whose one-byte tag at `p` is already known, if its length has one or two bytes; else 0. Sets `fieldBody`.
 * The bet: a span is shorter than 16 KiB.
 */
// @ts-ignore: decorator
@inline
function shortEnd(p: u32, end: u32): u32 {
  const room = end - p;
  if (room < 3) return 0;
  const first = <u32>load<u8>(p + 1);
  if (first < 0x80) {
    fieldBody = p + 2;
    return first <= room - 2 ? p + 2 + first : 0;
  }
  const second = <u32>load<u8>(p + 2);
  const length = (first & 0x7f) | (second << 7);
  fieldBody = p + 3;
  return second < 0x80 && length <= room - 3 ? p + 3 + length : 0;
}

/** The field number under which this ResourceSpans holds its ScopeSpans: the old one only if the present one does not occur. 0 on malformed bytes. */
function scopeSpansNumber(p: u32, end: u32): u32 {
  while (p < end) {
    p = open(p, end);
    if (!p) return 0;
    if (fieldNumber == 2) return 2;
  }
  return LEGACY_SCOPE_SPANS;
}

/** Counts what `split` will write, so that the rows' places are known. */
function measure(p: u32, end: u32): bool {
  spanTotal = scopeTotal = resourceTotal = 0;
  while (p < end) {
    const next = open(p, end);
    if (!next) return false;
    if (fieldNumber == 1) {
      if (fieldWire != WIRE_LEN) return <bool>fail(p, ERROR_WIRE_TYPE);
      resourceTotal++;
      if (!measureResource(fieldBody, next)) return false;
    }
    p = next;
  }
  return true;
}

function measureResource(p: u32, end: u32): bool {
  const wanted = scopeSpansNumber(p, end);
  if (!wanted) return false;
  while (p < end) {
    const next = open(p, end);
    if (!next) return false;
    if (fieldNumber == wanted) {
      if (fieldWire != WIRE_LEN) return <bool>fail(p, ERROR_WIRE_TYPE);
      scopeTotal++;
      let at = fieldBody;
      while (at < next) {
        const spanEnd = load<u8>(at) == 0x12 ? shortEnd(at, next) : 0;
        if (spanEnd) {
          spanTotal++;
          at = spanEnd;
          continue;
        }
        at = open(at, next);
        if (!at) return false;
        if (fieldNumber == 2) spanTotal++;
      }
    }
    p = next;
  }
  return true;
}

/**
 * Position of the last trace id of the span [p, end), or of sixteen zero bytes; 0 on malformed bytes.
 * The bet is `validate`'s: the straight line of fields that SDKs write.
 */
function traceIdOf(p: u32, end: u32): u32 {
  let id = ZERO_TRACE_ID;
  while (p < end) {
    const start = p;
    if (end - p >= 18 && load<u16>(p) == 0x100a) {
      id = p + 2;
      p += 18;
    }
    if (end - p >= 10 && load<u16>(p) == 0x0812) p += 10;
    if (end - p >= 10 && load<u16>(p) == 0x0822) p += 10;
    if (end - p >= 2 && load<u8>(p) == 0x2a) p += shortBytes(p, end);
    if (end - p >= 2 && load<u8>(p) == 0x30 && load<u8>(p + 1) < 0x80) p += 2;
    if (end - p >= 9 && load<u8>(p) == 0x39) p += 9;
    if (end - p >= 9 && load<u8>(p) == 0x41) p += 9;
    while (end - p >= 2 && load<u8>(p) == 0x4a) {
      const bytes = shortBytes(p, end);
      if (!bytes) break;
      p += bytes;
    }
    if (end - p >= 2 && load<u8>(p) == 0x7a) p += shortBytes(p, end);
    if (end - p >= 6 && load<u16>(p) == 0x0185) p += 6;
    if (p != start) continue;
    p = open(p, end);
    if (!p) return 0;
    if (fieldNumber == 1) {
      const length = p - fieldBody;
      if (fieldWire != WIRE_LEN || (length != 0 && length != 16)) return fail(start, ERROR_TRACE_ID_LENGTH);
      id = length ? fieldBody : ZERO_TRACE_ID;
    }
  }
  return id;
}

// The header of the message being split: how many pieces so far, and where the last one begins and ends.
let pieces: u32 = 0;
let pieceStart: u32 = 0;
let pieceEnd: u32 = 0;

/** Begins the row of a message: no pieces, and for a scope row its resource. */
// @ts-ignore: decorator
@inline
function openContext(row: u32, resource: u32): void {
  pieces = 0;
  store<u64>(row, 0);
  store<u64>(row + 8, 0);
  store<u64>(row + 16, resource);
}

/** Adds the field [p, next) to the row's header; pieces beyond the second are only counted. */
function addToContext(row: u32, p: u32, next: u32): void {
  if (pieces == 0 || pieceEnd != p) {
    pieces++;
    pieceStart = p;
  }
  pieceEnd = next;
  if (pieces > 2) return;
  const slot = row + (pieces == 1 ? CONTEXT_FIRST_PIECE : CONTEXT_SECOND_PIECE);
  store<u32>(slot, pieceStart);
  store<u32>(slot + 4, next - pieceStart);
}

/** A header in more than two pieces: copied behind the rows, so that it is one. The bytes were walked before and are well formed. */
function copyHeader(row: u32, p: u32, end: u32, without: u32, alsoWithout: u32): void {
  const start = copyAt;
  let out = start;
  while (p < end) {
    const next = open(p, end);
    if (!next) break;
    if (fieldNumber != without && fieldNumber != alsoWithout) {
      memory.copy(out, p, next - p);
      out += next - p;
    }
    p = next;
  }
  copyAt = (out + 7) & ~7;
  store<u32>(row, start, CONTEXT_FIRST_PIECE);
  store<u32>(row, out - start, CONTEXT_FIRST_LENGTH);
  store<u32>(row, 0, CONTEXT_SECOND_PIECE);
  store<u32>(row, 0, CONTEXT_SECOND_LENGTH);
}

function splitScope(p: u32, end: u32, scope: u32, resource: u32, uniform: bool): bool {
  const start = p;
  openContext(scope, resource);
  let run: u32 = 0;
  let runEnd: u32 = 0;
  let low: u64 = 0;
  let high: u64 = 0;
  while (p < end) {
    const at = p;
    p = load<u8>(at) == 0x12 ? shortEnd(at, end) : 0;
    if (!p) {
      p = open(at, end);
      if (!p) return false;
      if (fieldNumber != 2) {
        addToContext(scope, at, p);
        continue;
      }
      if (fieldWire != WIRE_LEN) return <bool>fail(at, ERROR_WIRE_TYPE);
    }
    const body = fieldBody;
    const id = uniform && p - body >= 18 ? body + 2 : traceIdOf(body, p);
    if (!id) return false;
    const idLow = load<u64>(id);
    const idHigh = load<u64>(id + 8);
    if (runEnd == at && idLow == low && idHigh == high && load<u32>(run, RUN_SPAN_COUNT) < RUN_SPANS_MAX) {
      store<u32>(run, load<u32>(run, RUN_SPAN_COUNT) + 1, RUN_SPAN_COUNT);
      store<u32>(run, p - load<u32>(run, RUN_SPANS), RUN_SPANS_LENGTH);
    } else {
      run = runAt;
      runAt += RUN_BYTES;
      low = idLow;
      high = idHigh;
      store<u32>(run, 0, RUN_NEXT);
      store<u32>(run, at, RUN_SPANS);
      store<u32>(run, p - at, RUN_SPANS_LENGTH);
      store<u32>(run, 1, RUN_SPAN_COUNT);
      store<u32>(run, scope, RUN_SCOPE);
      store<u32>(run, hashOf(low, high), RUN_HASH);
      store<u32>(run, id, RUN_TRACE_ID);
      store<u32>(run, 0, RUN_MARK);
    }
    runEnd = p;
  }
  if (pieces > 2) copyHeader(scope, start, end, 2, 2);
  return true;
}

function splitResource(p: u32, end: u32, uniform: bool): bool {
  const wanted = scopeSpansNumber(p, end);
  if (!wanted) return false;
  const row = resourceAt;
  resourceAt += CONTEXT_BYTES;
  openContext(row, 0);
  for (let at = p; at < end; ) {
    const next = open(at, end);
    if (!next) return false;
    if (fieldNumber != 2 && fieldNumber != LEGACY_SCOPE_SPANS) addToContext(row, at, next);
    at = next;
  }
  if (pieces > 2) copyHeader(row, p, end, 2, LEGACY_SCOPE_SPANS);
  while (p < end) {
    const next = open(p, end);
    if (!next) return false;
    if (fieldNumber == wanted) {
      const scope = scopeAt;
      scopeAt += CONTEXT_BYTES;
      if (!splitScope(fieldBody, next, scope, row, uniform)) return false;
    }
    p = next;
  }
  return true;
}

/** Moves everything behind the run rows down by `gap` bytes and corrects the positions in it and in the runs. */
function closeGap(out: u32, rows: u32, rowsEnd: u32, copiesEnd: u32, gap: u32, scopes: u32): void {
  for (let run = out; run < rows - gap; run += RUN_BYTES) store<u32>(run, load<u32>(run, RUN_SCOPE) - gap, RUN_SCOPE);
  for (let row = rows; row < rowsEnd; row += CONTEXT_BYTES) {
    const piece = load<u32>(row, CONTEXT_FIRST_PIECE);
    if (piece >= rowsEnd && piece < copiesEnd) store<u32>(row, piece - gap, CONTEXT_FIRST_PIECE);
    if (row >= scopes) store<u32>(row, load<u32>(row, SCOPE_RESOURCE) - gap, SCOPE_RESOURCE);
  }
  memory.copy(rows - gap, rows, copiesEnd - rows);
}

/** Returns the number of runs, or -1. */
export function splitRequest(p: u32, end: u32, out: u32, uniform: bool): i32 {
  usedBytes = 0;
  if (!measure(p, end)) return -1;
  const rows = out + spanTotal * RUN_BYTES;
  const scopes = rows + resourceTotal * CONTEXT_BYTES;
  const rowsEnd = scopes + scopeTotal * CONTEXT_BYTES;
  runAt = out;
  resourceAt = rows;
  scopeAt = scopes;
  copyAt = rowsEnd;
  while (p < end) {
    const next = open(p, end);
    if (!next) return -1;
    if (fieldNumber == 1 && !splitResource(fieldBody, next, uniform)) return -1;
    p = next;
  }
  const gap = rows - runAt;
  if (gap) closeGap(out, rows, rowsEnd, copyAt, gap, scopes);
  usedBytes = copyAt - gap - out;
  return <i32>((runAt - out) / RUN_BYTES);
}
