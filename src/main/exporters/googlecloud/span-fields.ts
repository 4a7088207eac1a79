/** Reads the spans of a request with the values that Google's exporter library sees. Main thread. */

import { Buffer } from 'node:buffer';
import { WireReader, WireType } from '../../../shared/otlp/wire-reader.ts';
import { readPair, valueText } from '../loadbalancing/attribute-text.ts';

/** Values of other kinds (bytes, lists, maps, none) come as the text that the Collector makes of them. */
export type AttributeScalar = string | boolean | bigint | number;
export interface Attribute {
  readonly key: string;
  readonly value: AttributeScalar;
}

export interface SpanFields {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  kind: number;
  /** Nanoseconds since the epoch; beyond 2^63 they are negative, as in Go. */
  start: bigint;
  end: bigint;
  statusCode: number;
  statusMessage: string;
  readonly attributes: Attribute[];
  readonly events: { readonly time: bigint; readonly name: string; readonly attributes: Attribute[] }[];
  readonly links: { readonly traceId: string; readonly spanId: string; readonly attributes: Attribute[] }[];
}

export interface SpanContext {
  readonly resource: readonly Attribute[];
  readonly scopeName: string;
  readonly scopeVersion: string;
}

type Visit = (field: number, wireType: number, start: number, end: number) => void;

/** Calls `visit` with each field of a message; for fields of bytes, with their content. Bounds: validated bytes. */
function eachField(bytes: Buffer, start: number, end: number, visit: Visit): void {
  const reader = new WireReader();
  reader.at(bytes, start);
  while (reader.position < end) {
    const tag = reader.varint();
    const wireType = tag & 7;
    if (wireType === WireType.bytes) {
      const length = reader.varint();
      const from = reader.position;
      reader.position += length;
      visit(tag >>> 3, wireType, from, reader.position);
    } else {
      const from = reader.position;
      reader.skip(tag);
      visit(tag >>> 3, wireType, from, reader.position);
    }
  }
}

const scalars = new WireReader();
function varintAt(bytes: Buffer, at: number): number {
  scalars.at(bytes, at);
  return scalars.varint();
}
function int64At(bytes: Buffer, at: number): bigint {
  scalars.at(bytes, at);
  scalars.varint64();
  return (BigInt(scalars.high | 0) << 32n) | BigInt(scalars.low);
}

/**
 * Shape:  resource_spans = 1 {resource = 1 {attributes = 1}, scope_spans = 2 {scope = 1 {name = 1, version = 2}, spans = 2}}.
 * Bounds: validated bytes.
 */
export function eachSpan(payload: Uint8Array, visit: (span: SpanFields, context: SpanContext) => void): void {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  eachField(bytes, 0, bytes.length, (field, _wire, start, end) => {
    if (field === 1) eachSpanOfResource(bytes, start, end, visit);
  });
}

function eachSpanOfResource(bytes: Buffer, start: number, end: number, visit: (span: SpanFields, context: SpanContext) => void): void {
  const attributes: Attribute[] = [];
  eachField(bytes, start, end, (field, _wire, from, to) => {
    if (field === 1) readAttributes(bytes, from, to, 1, attributes);
  });
  const resource = asResource(attributes);
  eachField(bytes, start, end, (field, _wire, from, to) => {
    if (field !== 2) return;
    let scopeName = '';
    let scopeVersion = '';
    eachField(bytes, from, to, (inner, _innerWire, at, until) => {
      if (inner !== 1) return;
      eachField(bytes, at, until, (part, _partWire, textStart, textEnd) => {
        if (part === 1) scopeName = validText(bytes, textStart, textEnd);
        else if (part === 2) scopeVersion = validText(bytes, textStart, textEnd);
      });
    });
    const context = { resource, scopeName, scopeVersion };
    eachField(bytes, from, to, (inner, _innerWire, at, until) => {
      if (inner === 2) visit(readSpan(bytes, at, until), context);
    });
  });
}

/** A set: sorted by key, and the last value of a key counts. Source: sdk/resource and attribute.NewSet of OpenTelemetry Go. */
function asResource(attributes: readonly Attribute[]): readonly Attribute[] {
  const byKey = new Map(attributes.map((attribute) => [attribute.key, attribute]));
  return [...byKey.values()].sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
}

/** Attributes of a service that say nothing are left out wherever they stand. */
const leftOutWhenEmpty = new Set(['service.name', 'service.namespace', 'service.instance.id']);

function readAttributes(bytes: Buffer, start: number, end: number, fieldNumber: number, into: Attribute[]): void {
  eachField(bytes, start, end, (field, _wire, from, to) => {
    if (field === fieldNumber) readAttribute(bytes, from, to, into);
  });
}

function readAttribute(bytes: Buffer, start: number, end: number, into: Attribute[]): void {
  const pair = readPair(bytes, start, end);
  const value = pair.valueEnd === 0 ? '' : readScalar(bytes, pair.value, pair.valueEnd);
  if (value === '' && leftOutWhenEmpty.has(pair.key)) return;
  into.push({ key: pair.key.includes('\ufffd') ? keyText(bytes, start, end) : pair.key, value });
}

function keyText(bytes: Buffer, start: number, end: number): string {
  let key = '';
  eachField(bytes, start, end, (field, _wire, from, to) => {
    if (field === 1) key = validText(bytes, from, to);
  });
  return key;
}

/** AnyValue: string = 1, bool = 2, int = 3, double = 4; the last member written counts. */
function readScalar(bytes: Buffer, start: number, end: number): AttributeScalar {
  let value: AttributeScalar = '';
  eachField(bytes, start, end, (field, _wire, from, to) => {
    switch (field) {
      case 1:
        value = validText(bytes, from, to);
        return;
      case 2:
        value = varintAt(bytes, from) !== 0;
        return;
      case 3:
        value = int64At(bytes, from);
        return;
      case 4:
        value = bytes.readDoubleLE(from);
        return;
      case 5:
      case 6:
      case 7:
        value = valueText(bytes, start, end);
    }
  });
  return value;
}

/** Span: the fields that Cloud Trace has room for. */
function readSpan(bytes: Buffer, start: number, end: number): SpanFields {
  const span: SpanFields = {
    traceId: noTraceId,
    spanId: noSpanId,
    parentSpanId: noSpanId,
    name: '',
    kind: 0,
    start: 0n,
    end: 0n,
    statusCode: 0,
    statusMessage: '',
    attributes: [],
    events: [],
    links: [],
  };
  eachField(bytes, start, end, (field, wireType, from, to) => {
    if (wireType === WireType.bytes) readSpanPart(span, field, bytes, from, to);
    else if (field === 6 && wireType === WireType.varint) span.kind = varintAt(bytes, from);
    else if (field === 7 && wireType === WireType.fixed64) span.start = bytes.readBigInt64LE(from);
    else if (field === 8 && wireType === WireType.fixed64) span.end = bytes.readBigInt64LE(from);
  });
  return span;
}

function readSpanPart(span: SpanFields, field: number, bytes: Buffer, from: number, to: number): void {
  switch (field) {
    case 1:
      span.traceId = idText(bytes, from, to, noTraceId);
      return;
    case 2:
      span.spanId = idText(bytes, from, to, noSpanId);
      return;
    case 4:
      span.parentSpanId = idText(bytes, from, to, noSpanId);
      return;
    case 5:
      span.name = validText(bytes, from, to);
      return;
    case 9:
      readAttribute(bytes, from, to, span.attributes);
      return;
    case 11:
      span.events.push(readEvent(bytes, from, to));
      return;
    case 13:
      span.links.push(readLink(bytes, from, to));
      return;
    case 15:
      eachField(bytes, from, to, (part, wireType, at, until) => {
        if (part === 2 && wireType === WireType.bytes) span.statusMessage = validText(bytes, at, until);
        else if (part === 3 && wireType === WireType.varint) span.statusCode = varintAt(bytes, at);
      });
  }
}

/** Event: time = 1, name = 2, attributes = 3. */
function readEvent(bytes: Buffer, start: number, end: number): SpanFields['events'][number] {
  let time = 0n;
  let name = '';
  const attributes: Attribute[] = [];
  eachField(bytes, start, end, (field, wireType, from, to) => {
    if (field === 1 && wireType === WireType.fixed64) time = bytes.readBigInt64LE(from);
    else if (field === 2) name = validText(bytes, from, to);
    else if (field === 3) readAttribute(bytes, from, to, attributes);
  });
  return { time, name, attributes };
}

/** Link: trace_id = 1, span_id = 2, attributes = 4. */
function readLink(bytes: Buffer, start: number, end: number): SpanFields['links'][number] {
  let traceId = noTraceId;
  let spanId = noSpanId;
  const attributes: Attribute[] = [];
  eachField(bytes, start, end, (field, _wire, from, to) => {
    if (field === 1) traceId = idText(bytes, from, to, noTraceId);
    else if (field === 2) spanId = idText(bytes, from, to, noSpanId);
    else if (field === 4) readAttribute(bytes, from, to, attributes);
  });
  return { traceId, spanId, attributes };
}

export const noTraceId = '0'.repeat(32);
export const noSpanId = '0'.repeat(16);

function idText(bytes: Buffer, from: number, to: number, none: string): string {
  return (to - from) * 2 === none.length ? bytes.toString('hex', from, to) : none;
}

/** Latin-1 text of UTF-8 bytes: one match per character. Source: RFC 3629, section 4. */
const utf8Characters =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: bytes from zero on are what it is about.
  /[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}/g;

/** Bytes that are no UTF-8 are left out. Source: sanitizeUTF8 of the exporter library. */
function validText(bytes: Buffer, from: number, to: number): string {
  const text = bytes.toString('utf8', from, to);
  if (!text.includes('\ufffd')) return text;
  const characters = bytes.toString('latin1', from, to).match(utf8Characters) ?? [];
  return Buffer.from(characters.join(''), 'latin1').toString('utf8');
}
