/** What the OTLP trace messages contain, as far as a parser can object to it: one number per field. */

import { WIRE_I32, WIRE_I64, WIRE_LEN, WIRE_VARINT } from "./wire";

/**
 * A field's kind: its wire type in the low three bits, above them what its bytes must be: nothing in particular, a trace id, a span id, or
 * message number `kind >> 6`.
 */
export const UNKNOWN: u32 = 7;
export const TRACE_ID: u32 = 8 | WIRE_LEN;
export const SPAN_ID: u32 = 16 | WIRE_LEN;

export const RESOURCE_SPANS: u32 = 1;
export const SCOPE_SPANS: u32 = 2;
export const SPAN: u32 = 3;
export const EVENT: u32 = 4;
export const LINK: u32 = 5;
export const STATUS: u32 = 6;
export const RESOURCE: u32 = 7;
export const SCOPE: u32 = 8;
export const ENTITY_REF: u32 = 9;
export const KEY_VALUE: u32 = 10;
export const ANY_VALUE: u32 = 11;
export const ARRAY_VALUE: u32 = 12;
export const KEY_VALUE_LIST: u32 = 13;

/** Field number of `scope_spans` before OTLP 0.15; a ResourceSpans without the new field is read from here, as the Collector does. */
export const LEGACY_SCOPE_SPANS: u32 = 1000;

// @ts-ignore: decorator
@inline
function message(number: u32): u32 {
  return (number << 6) | WIRE_LEN;
}

/**
 * | message              | fields                                                                                                        |
 * |----------------------|---------------------------------------------------------------------------------------------------------------|
 * | ResourceSpans        | 1 resource, 2 scope_spans, 3 schema_url, 1000 scope_spans of old                                                |
 * | ScopeSpans           | 1 scope, 2 spans, 3 schema_url                                                                                |
 * | Span                 | 1 trace_id, 2 span_id, 3 trace_state, 4 parent_span_id, 5 name, 6 kind, 7 start, 8 end, 9 attributes, 11 events, |
 * |                      | 13 links, 10 12 14 dropped counts, 15 status, 16 flags                                                        |
 * | Event                | 1 time, 2 name, 3 attributes, 4 dropped                                                                       |
 * | Link                 | 1 trace_id, 2 span_id, 3 trace_state, 4 attributes, 5 dropped, 6 flags                                        |
 * | Status               | 2 message, 3 code                                                                                             |
 * | Resource             | 1 attributes, 2 dropped, 3 entity_refs                                                                        |
 * | InstrumentationScope | 1 name, 2 version, 3 attributes, 4 dropped                                                                    |
 * | EntityRef            | 1 schema_url, 2 type, 3 id_keys, 4 description_keys                                                           |
 * | KeyValue             | 1 key, 2 value, 3 key_strindex                                                                                |
 * | AnyValue             | 1 string, 2 bool, 3 int, 4 double, 5 array, 6 kvlist, 7 bytes, 8 string_strindex                              |
 * | ArrayValue           | 1 values                                                                                                      |
 * | KeyValueList         | 1 values                                                                                                      |
 */
export function kindOf(parent: u32, number: u32): u32 {
  switch (parent) {
    case RESOURCE_SPANS:
      if (number == 1) return message(RESOURCE);
      if (number == 2 || number == LEGACY_SCOPE_SPANS) return message(SCOPE_SPANS);
      return number == 3 ? WIRE_LEN : UNKNOWN;
    case SCOPE_SPANS:
      if (number == 1) return message(SCOPE);
      if (number == 2) return message(SPAN);
      return number == 3 ? WIRE_LEN : UNKNOWN;
    case SPAN:
      return spanKind(number);
    case EVENT:
      if (number == 1) return WIRE_I64;
      if (number == 2) return WIRE_LEN;
      if (number == 3) return message(KEY_VALUE);
      return number == 4 ? WIRE_VARINT : UNKNOWN;
    case LINK:
      if (number == 1) return TRACE_ID;
      if (number == 2) return SPAN_ID;
      if (number == 3) return WIRE_LEN;
      if (number == 4) return message(KEY_VALUE);
      if (number == 5) return WIRE_VARINT;
      return number == 6 ? WIRE_I32 : UNKNOWN;
    case STATUS:
      if (number == 2) return WIRE_LEN;
      return number == 3 ? WIRE_VARINT : UNKNOWN;
    case RESOURCE:
      if (number == 1) return message(KEY_VALUE);
      if (number == 2) return WIRE_VARINT;
      return number == 3 ? message(ENTITY_REF) : UNKNOWN;
    case SCOPE:
      if (number == 1 || number == 2) return WIRE_LEN;
      if (number == 3) return message(KEY_VALUE);
      return number == 4 ? WIRE_VARINT : UNKNOWN;
    case ENTITY_REF:
      return number <= 4 ? WIRE_LEN : UNKNOWN;
    case KEY_VALUE:
      if (number == 1) return WIRE_LEN;
      if (number == 2) return message(ANY_VALUE);
      return number == 3 ? WIRE_VARINT : UNKNOWN;
    case ANY_VALUE:
      return anyValueKind(number);
    case ARRAY_VALUE:
      return number == 1 ? message(ANY_VALUE) : UNKNOWN;
    case KEY_VALUE_LIST:
      return number == 1 ? message(KEY_VALUE) : UNKNOWN;
    default:
      return UNKNOWN;
  }
}

function spanKind(number: u32): u32 {
  switch (number) {
    case 1:
      return TRACE_ID;
    case 2:
    case 4:
      return SPAN_ID;
    case 3:
    case 5:
      return WIRE_LEN;
    case 6:
    case 10:
    case 12:
    case 14:
      return WIRE_VARINT;
    case 7:
    case 8:
      return WIRE_I64;
    case 9:
      return message(KEY_VALUE);
    case 11:
      return message(EVENT);
    case 13:
      return message(LINK);
    case 15:
      return message(STATUS);
    case 16:
      return WIRE_I32;
    default:
      return UNKNOWN;
  }
}

function anyValueKind(number: u32): u32 {
  switch (number) {
    case 1:
    case 7:
      return WIRE_LEN;
    case 2:
    case 3:
    case 8:
      return WIRE_VARINT;
    case 4:
      return WIRE_I64;
    case 5:
      return message(ARRAY_VALUE);
    case 6:
      return message(KEY_VALUE_LIST);
    default:
      return UNKNOWN;
  }
}
