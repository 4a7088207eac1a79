/** Serialized OTLP to OTLP/JSON text, in the Collector's form. Pure; any thread. */

import { Buffer } from 'node:buffer';
import { WireReader, WireType } from './wire-reader.ts';

type Kind = 'text' | 'hex' | 'base64' | 'bool' | 'double' | 'int64' | 'fixed64' | 'int32' | 'uint32' | 'fixed32';

interface JsonField {
  readonly name: string;
  readonly number: number;
  readonly kind: Kind | MessageName;
  readonly repeated?: boolean;
  /** An embedded message that the Collector writes though it is empty. */
  readonly always?: boolean;
}

type MessageName =
  | 'ExportTraceServiceRequest'
  | 'ResourceSpans'
  | 'Resource'
  | 'EntityRef'
  | 'ScopeSpans'
  | 'InstrumentationScope'
  | 'Span'
  | 'SpanEvent'
  | 'SpanLink'
  | 'SpanStatus'
  | 'KeyValue'
  | 'AnyValue'
  | 'ArrayValue'
  | 'KeyValueList';

const field = (name: string, number: number, kind: Kind | MessageName): JsonField => ({ name, number, kind });
const always = (name: string, number: number, kind: MessageName): JsonField => ({ name, number, kind, always: true });
const repeated = (name: string, number: number, kind: Kind | MessageName): JsonField => ({ name, number, kind, repeated: true });

/**
 * The wire grammar in the order in which the Collector writes the fields.
 *
 * Source: opentelemetry-proto 1.8; OTLP's JSON Protobuf Encoding (ids in hex, enums as numbers, 64-bit integers as strings, defaults left out).
 */
const tables: Readonly<Record<MessageName, readonly JsonField[]>> = {
  ExportTraceServiceRequest: [repeated('resourceSpans', 1, 'ResourceSpans')],
  ResourceSpans: [always('resource', 1, 'Resource'), repeated('scopeSpans', 2, 'ScopeSpans'), field('schemaUrl', 3, 'text')],
  Resource: [repeated('attributes', 1, 'KeyValue'), field('droppedAttributesCount', 2, 'uint32'), repeated('entityRefs', 3, 'EntityRef')],
  EntityRef: [
    field('schemaUrl', 1, 'text'),
    field('type', 2, 'text'),
    repeated('idKeys', 3, 'text'),
    repeated('descriptionKeys', 4, 'text'),
  ],
  ScopeSpans: [always('scope', 1, 'InstrumentationScope'), repeated('spans', 2, 'Span'), field('schemaUrl', 3, 'text')],
  InstrumentationScope: [
    field('name', 1, 'text'),
    field('version', 2, 'text'),
    repeated('attributes', 3, 'KeyValue'),
    field('droppedAttributesCount', 4, 'uint32'),
  ],
  Span: [
    field('traceId', 1, 'hex'),
    field('spanId', 2, 'hex'),
    field('traceState', 3, 'text'),
    field('parentSpanId', 4, 'hex'),
    field('flags', 16, 'fixed32'),
    field('name', 5, 'text'),
    field('kind', 6, 'int32'),
    field('startTimeUnixNano', 7, 'fixed64'),
    field('endTimeUnixNano', 8, 'fixed64'),
    repeated('attributes', 9, 'KeyValue'),
    field('droppedAttributesCount', 10, 'uint32'),
    repeated('events', 11, 'SpanEvent'),
    field('droppedEventsCount', 12, 'uint32'),
    repeated('links', 13, 'SpanLink'),
    field('droppedLinksCount', 14, 'uint32'),
    always('status', 15, 'SpanStatus'),
  ],
  SpanEvent: [
    field('timeUnixNano', 1, 'fixed64'),
    field('name', 2, 'text'),
    repeated('attributes', 3, 'KeyValue'),
    field('droppedAttributesCount', 4, 'uint32'),
  ],
  SpanLink: [
    field('traceId', 1, 'hex'),
    field('spanId', 2, 'hex'),
    field('traceState', 3, 'text'),
    repeated('attributes', 4, 'KeyValue'),
    field('droppedAttributesCount', 5, 'uint32'),
    field('flags', 6, 'fixed32'),
  ],
  SpanStatus: [field('message', 2, 'text'), field('code', 3, 'int32')],
  KeyValue: [field('key', 1, 'text'), always('value', 2, 'AnyValue')],
  AnyValue: [
    field('stringValue', 1, 'text'),
    field('boolValue', 2, 'bool'),
    field('intValue', 3, 'int64'),
    field('doubleValue', 4, 'double'),
    field('arrayValue', 5, 'ArrayValue'),
    field('kvlistValue', 6, 'KeyValueList'),
    field('bytesValue', 7, 'base64'),
  ],
  ArrayValue: [repeated('values', 1, 'AnyValue')],
  KeyValueList: [repeated('values', 1, 'KeyValue')],
};

/** A message's fields by number, with their place in its text. */
interface Plan {
  readonly fields: readonly JsonField[];
  readonly slotOf: Int8Array;
  readonly isOneof: boolean;
}

const plans = Object.fromEntries(
  Object.entries(tables).map(([name, fields]): [string, Plan] => {
    const slotOf = new Int8Array(17).fill(-1);
    for (const [slot, { number }] of fields.entries()) slotOf[number] = slot;
    return [name, { fields, slotOf, isOneof: name === 'AnyValue' }];
  }),
) as unknown as Readonly<Record<MessageName, Plan>>;

const reader = new WireReader();
const emptyText = '{}';

/**
 * Shape:  `bytes` are one ExportTraceServiceRequest; unknown fields are left out, as JSON has no place for them.
 * Bounds: none are checked; the receiver has validated the bytes to the last nested field.
 */
export function jsonTextOf(bytes: Uint8Array): string {
  return messageText(plans.ExportTraceServiceRequest, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
}

/** Recursion ends where the receiver's walk ends: attribute values of a bounded depth. */
function messageText(plan: Plan, bytes: Buffer, start: number, end: number): string {
  const { fields, slotOf, isOneof } = plan;
  const texts: (string | undefined)[] = new Array(fields.length);
  /** Ranges of embedded messages that came in pieces. */
  let pieces: Buffer[][] | undefined;
  reader.at(bytes, start);
  while (reader.position < end) {
    const tag = reader.varint();
    const number = tag >>> 3;
    const slot = number < slotOf.length ? slotOf[number]! : -1;
    if (slot < 0 || !isKindOf(fields[slot]!.kind, tag & 7)) {
      reader.skip(tag);
      continue;
    }
    const { kind, repeated } = fields[slot]!;
    if (isOneof) texts.fill(undefined);
    if (!(kind in tables)) {
      const text = scalarText(kind as Kind, bytes, isOneof || repeated === true);
      texts[slot] = repeated && texts[slot] !== undefined ? `${texts[slot]},${text}` : text;
      continue;
    }
    const length = reader.varint();
    const from = reader.position;
    if (repeated || isOneof || texts[slot] === undefined) {
      const text = messageText(plans[kind as MessageName], bytes, from, from + length);
      texts[slot] = repeated && texts[slot] !== undefined ? `${texts[slot]},${text}` : text;
      if (!repeated && !isOneof) (pieces ??= [])[slot] = [bytes.subarray(from, from + length)];
    } else {
      // An embedded message in two pieces is the message of their concatenation.
      pieces![slot]!.push(bytes.subarray(from, from + length));
      const whole = Buffer.concat(pieces![slot]!);
      texts[slot] = messageText(plans[kind as MessageName], whole, 0, whole.length);
    }
    reader.at(bytes, from + length);
  }
  return objectText(fields, texts);
}

function objectText(fields: readonly JsonField[], texts: readonly (string | undefined)[]): string {
  let object = '';
  for (let slot = 0; slot < fields.length; slot++) {
    const { name, repeated, always: isAlways } = fields[slot]!;
    const text = texts[slot] ?? (isAlways ? emptyText : undefined);
    if (text === undefined || text === '') continue;
    object += `${object === '' ? '{' : ','}"${name}":${repeated ? `[${text}]` : text}`;
  }
  return object === '' ? emptyText : `${object}}`;
}

function isKindOf(kind: Kind | MessageName, wireType: number): boolean {
  switch (kind) {
    case 'bool':
    case 'int64':
    case 'int32':
    case 'uint32':
      return wireType === WireType.varint;
    case 'double':
    case 'fixed64':
      return wireType === WireType.fixed64;
    case 'fixed32':
      return wireType === WireType.fixed32;
    default:
      return wireType === WireType.bytes;
  }
}

/** Empty for a default that is left out. */
function scalarText(kind: Kind, bytes: Buffer, keepDefault: boolean): string {
  switch (kind) {
    case 'text':
    case 'hex':
    case 'base64': {
      const length = reader.varint();
      const from = reader.position;
      reader.position += length;
      if (kind === 'text') return length === 0 && !keepDefault ? '' : JSON.stringify(bytes.toString('utf8', from, from + length));
      if (kind === 'base64') return `"${bytes.toString('base64', from, from + length)}"`;
      return isZero(bytes, from, from + length) ? '' : `"${bytes.toString('hex', from, from + length)}"`;
    }
    case 'bool': {
      const value = reader.varint();
      return value === 0 ? (keepDefault ? 'false' : '') : 'true';
    }
    case 'int64':
      reader.varint64();
      return numberText((BigInt(reader.high | 0) << 32n) | BigInt(reader.low), keepDefault);
    case 'fixed64':
      reader.position += 8;
      return numberText(bytes.readBigUInt64LE(reader.position - 8), keepDefault);
    case 'double':
      reader.position += 8;
      return doubleText(bytes.readDoubleLE(reader.position - 8));
    case 'fixed32':
      reader.position += 4;
      return plainText(bytes.readUInt32LE(reader.position - 4), keepDefault);
    case 'uint32':
      return plainText(reader.varint(), keepDefault);
    case 'int32':
      return plainText(reader.varint() | 0, keepDefault);
  }
}

/** The Collector leaves out an id of zeros. */
function isZero(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}

const numberText = (value: bigint, keepDefault: boolean): string => (value === 0n && !keepDefault ? '' : `"${value}"`);
const plainText = (value: number, keepDefault: boolean): string => (value === 0 && !keepDefault ? '' : String(value));

/** Exponents of two digits at least, as Go writes them. */
function doubleText(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? '-0' : String(value).replace(/e([-+])(\d)$/, 'e$10$2');
}
