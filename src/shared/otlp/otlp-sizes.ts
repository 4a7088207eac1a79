/** The size that the Collector would give to a span, a resource or a scope if it encoded them again, computed from wire bytes. Both threads. */

import { WireReader } from './wire-reader.ts';

/**
 * What differs from the wire: unknown fields and explicit default values are gone, varints are minimal, and trace id, span id, parent span id and status are
 * always written. Of a scalar written twice the last counts. Source: spec 1.5, pdata v1.67 SizeProto.
 */
const reader = new WireReader();

/** Bytes of a minimal varint. */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

function varint64Bytes(high: number, low: number): number {
  return high === 0 ? varintBytes(low) : Math.ceil((64 - Math.clz32(high)) / 7);
}

/** Bytes of a length-delimited field with a one-byte tag. */
export function fieldBytes(length: number): number {
  return 1 + varintBytes(length) + length;
}

/** Reads a uint32 scalar, which has no high word when it is encoded again. */
function uint32Field(): number {
  reader.varint64();
  return reader.low === 0 ? 0 : 1 + varintBytes(reader.low);
}

/** Reads an int32 scalar (an enumeration), whose negative values take ten bytes. */
function int32Field(): number {
  reader.varint64();
  if (reader.low === 0) return 0;
  return reader.low >= 0x80000000 ? 11 : 1 + varintBytes(reader.low);
}

function textField(): number {
  const length = reader.varint();
  reader.position += length;
  return length === 0 ? 0 : fieldBytes(length);
}

/** Reads a fixed scalar of `length` bytes; `size` when it is not zero. */
function fixedField(length: number, size: number): number {
  let some = 0;
  for (let index = 0; index < length; index++) some |= reader.bytes[reader.position + index];
  reader.position += length;
  return some === 0 ? 0 : size;
}

/** Reads an id; its field's bytes, written even when it is empty or all zeros. */
function idField(): number {
  const length = reader.varint();
  return 2 + fixedField(length, length);
}

/** Reads a sub-message's length and then, up to its end, its body by `body`. */
function messageField(body: (end: number) => number): number {
  const length = reader.varint();
  return fieldBytes(body(reader.position + length));
}

/** AnyValue: string_value = 1, bool_value = 2, int_value = 3, double_value = 4, array_value = 5, kvlist_value = 6, bytes_value = 7. The last one set counts. */
function anyValueBody(end: number): number {
  let size = 0;
  while (reader.position < end) {
    const tag = reader.varint();
    switch (tag) {
      case 0x0a:
      case 0x3a: {
        const length = reader.varint();
        reader.position += length;
        size = fieldBytes(length);
        break;
      }
      case 0x10:
        reader.skip(tag);
        size = 2;
        break;
      case 0x18:
        reader.varint64();
        size = 1 + varint64Bytes(reader.high, reader.low);
        break;
      case 0x21:
        reader.position += 8;
        size = 9;
        break;
      case 0x2a:
        size = messageField(arrayBody);
        break;
      case 0x32:
        size = messageField(kvlistBody);
        break;
      default:
        reader.skip(tag);
    }
  }
  return size;
}

/** ArrayValue.values = 1: AnyValue. */
function arrayBody(end: number): number {
  let size = 0;
  while (reader.position < end) {
    const tag = reader.varint();
    if (tag === 0x0a) size += messageField(anyValueBody);
    else reader.skip(tag);
  }
  return size;
}

/** KeyValueList.values = 1: KeyValue. */
function kvlistBody(end: number): number {
  let size = 0;
  while (reader.position < end) {
    const tag = reader.varint();
    if (tag === 0x0a) size += messageField(keyValueBody);
    else reader.skip(tag);
  }
  return size;
}

/** KeyValue: key = 1, value = 2 (always written). */
function keyValueBody(end: number): number {
  let key = 0;
  let value = 2;
  while (reader.position < end) {
    const tag = reader.varint();
    if (tag === 0x0a) key = textField();
    else if (tag === 0x12) value = messageField(anyValueBody);
    else reader.skip(tag);
  }
  return key + value;
}

/** Span.Event: time_unix_nano = 1, name = 2, attributes = 3, dropped_attributes_count = 4. */
function eventBody(end: number): number {
  let time = 0;
  let name = 0;
  let dropped = 0;
  let repeated = 0;
  while (reader.position < end) {
    const tag = reader.varint();
    if (tag === 0x09) time = fixedField(8, 9);
    else if (tag === 0x12) name = textField();
    else if (tag === 0x1a) repeated += messageField(keyValueBody);
    else if (tag === 0x20) dropped = uint32Field();
    else reader.skip(tag);
  }
  return time + name + dropped + repeated;
}

/** Span.Link: trace_id = 1, span_id = 2 (both always written), trace_state = 3, attributes = 4, dropped_attributes_count = 5, flags = 6 (fixed32). */
function linkBody(end: number): number {
  let traceId = 2;
  let spanId = 2;
  let traceState = 0;
  let dropped = 0;
  let flags = 0;
  let repeated = 0;
  while (reader.position < end) {
    const tag = reader.varint();
    if (tag === 0x0a) traceId = idField();
    else if (tag === 0x12) spanId = idField();
    else if (tag === 0x1a) traceState = textField();
    else if (tag === 0x22) repeated += messageField(keyValueBody);
    else if (tag === 0x28) dropped = uint32Field();
    else if (tag === 0x35) flags = fixedField(4, 5);
    else reader.skip(tag);
  }
  return traceId + spanId + traceState + dropped + flags + repeated;
}

/** Fields of the span's status so far: its message may come in several pieces, which merge. */
let statusMessage = 0;
let statusCode = 0;

/** Status: message = 2, code = 3. */
function statusBody(end: number): number {
  while (reader.position < end) {
    const tag = reader.varint();
    if (tag === 0x12) statusMessage = textField();
    else if (tag === 0x18) statusCode = int32Field();
    else reader.skip(tag);
  }
  return statusMessage + statusCode;
}

/** Singular fields of the span being measured, by field number; the last of each counts. One span at a time. */
const spanFields = new Uint32Array(17);

/**
 * Span: trace_id = 1, span_id = 2, trace_state = 3, parent_span_id = 4, name = 5, kind = 6, start = 7, end = 8, attributes = 9, dropped_attributes_count = 10,
 * events = 11, dropped_events_count = 12, links = 13, dropped_links_count = 14, status = 15, flags = 16 (fixed32, a tag of two bytes).
 */
export function spanBodyBytes(bytes: Uint8Array, at: number, length: number): number {
  const end = at + length;
  const fields = spanFields.fill(0);
  fields[1] = fields[2] = fields[4] = fields[15] = 2;
  statusMessage = statusCode = 0;
  let size = 0;
  reader.at(bytes, at);
  while (reader.position < end) {
    const tag = reader.varint();
    switch (tag) {
      case 0x0a:
      case 0x12:
      case 0x22:
        fields[tag >>> 3] = idField();
        break;
      case 0x1a:
      case 0x2a:
        fields[tag >>> 3] = textField();
        break;
      case 0x30:
        fields[6] = int32Field();
        break;
      case 0x39:
      case 0x41:
        fields[tag >>> 3] = fixedField(8, 9);
        break;
      case 0x4a:
        size += messageField(keyValueBody);
        break;
      case 0x50:
      case 0x60:
      case 0x70:
        fields[tag >>> 3] = uint32Field();
        break;
      case 0x5a:
        size += messageField(eventBody);
        break;
      case 0x6a:
        size += messageField(linkBody);
        break;
      case 0x7a:
        fields[15] = messageField(statusBody);
        break;
      case 0x85:
        fields[16] = fixedField(4, 6);
        break;
      default:
        reader.skip(tag);
    }
  }
  for (let field = 1; field < fields.length; field++) size += fields[field];
  return size;
}

/** EntityRef: schema_url = 1, type = 2, id_keys = 3, description_keys = 4 (repeated texts, written even when empty). */
function entityRefBody(end: number): number {
  let size = 0;
  while (reader.position < end) {
    const tag = reader.varint();
    if (tag === 0x0a || tag === 0x12) size += textField();
    else if (tag === 0x1a || tag === 0x22) size += Math.max(2, textField());
    else reader.skip(tag);
  }
  return size;
}

/** Resource: attributes = 1, dropped_attributes_count = 2, entity_refs = 3. The part of its body that stands in this piece. */
function resourceBody(end: number): number {
  let size = 0;
  while (reader.position < end) {
    const tag = reader.varint();
    if (tag === 0x0a) size += messageField(keyValueBody);
    else if (tag === 0x10) size += uint32Field();
    else if (tag === 0x1a) size += messageField(entityRefBody);
    else reader.skip(tag);
  }
  return size;
}

/** InstrumentationScope: name = 1, version = 2, attributes = 3, dropped_attributes_count = 4. */
function scopeBody(end: number): number {
  let size = 0;
  while (reader.position < end) {
    const tag = reader.varint();
    if (tag === 0x0a || tag === 0x12) size += textField();
    else if (tag === 0x1a) size += messageField(keyValueBody);
    else if (tag === 0x20) size += uint32Field();
    else reader.skip(tag);
  }
  return size;
}

/**
 * Body size of the resource (ResourceSpans.resource = 1) or the scope (ScopeSpans.scope = 1) in a piece of a header: whole fields other than spans.
 * Bodies that come in several fields or pieces merge, so their sizes add up. Schema URLs do not count: the Collector's processor loses them.
 */
export function headerBodyBytes(kind: 'resource' | 'scope', bytes: Uint8Array, at: number, length: number): number {
  const body = kind === 'resource' ? resourceBody : scopeBody;
  let size = 0;
  reader.at(bytes, at);
  while (reader.position < at + length) {
    const tag = reader.varint();
    if (tag !== 0x0a) {
      reader.skip(tag);
      continue;
    }
    const bodyLength = reader.varint();
    size += body(reader.position + bodyLength);
  }
  return size;
}
