/** A request as text for people: the Collector's `normal` and `detailed` forms. Main thread; decodes, so nothing hot calls it. */

import { exportTraceServiceRequest } from '../../../shared/otlp/messages.ts';

/** Decoded with 64-bit integers as decimal texts; everything may be absent. */
interface Value {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string;
  doubleValue?: number;
  arrayValue?: { values?: Value[] };
  kvlistValue?: { values?: KeyValue[] };
  bytesValue?: Uint8Array;
}
interface KeyValue {
  key?: string;
  value?: Value | null;
}
interface SpanEvent {
  timeUnixNano?: string;
  name?: string;
  attributes?: KeyValue[];
  droppedAttributesCount?: number;
}
interface SpanLink {
  traceId?: Uint8Array;
  spanId?: Uint8Array;
  traceState?: string;
  attributes?: KeyValue[];
  droppedAttributesCount?: number;
}
interface Span extends SpanLink {
  parentSpanId?: Uint8Array;
  name?: string;
  kind?: number;
  startTimeUnixNano?: string;
  endTimeUnixNano?: string;
  events?: SpanEvent[];
  links?: SpanLink[];
  droppedEventsCount?: number;
  droppedLinksCount?: number;
  status?: { code?: number; message?: string };
}
interface Scope {
  name?: string;
  version?: string;
  attributes?: KeyValue[];
}
interface Request {
  resourceSpans?: {
    schemaUrl?: string;
    resource?: { attributes?: KeyValue[] };
    scopeSpans?: { schemaUrl?: string; scope?: Scope; spans?: Span[] }[];
  }[];
}

function decode(bytes: Uint8Array): Request {
  // protobufjs reads texts through Buffer, which refuses shared memory: a copy.
  const message = exportTraceServiceRequest.decode(Uint8Array.from(bytes));
  return exportTraceServiceRequest.toObject(message, { longs: String }) as Request;
}

/** Top-level fields 1 of a well-formed request. */
export function resourceSpansCount(bytes: Uint8Array): number {
  let count = 0;
  for (let position = 0; position < bytes.length; count++) {
    while ((bytes[position++] as number) >= 0x80);
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[position++] as number;
      length += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    position += length;
  }
  return count;
}

/** One line for each resource, scope and span. */
export function normalText(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (const [index, group] of (decode(bytes).resourceSpans ?? []).entries()) {
    lines.push(`ResourceTraces #${index}${bracketed(group.schemaUrl)}${pairs(group.resource?.attributes)}`);
    for (const [scopeIndex, { scope, schemaUrl, spans }] of (group.scopeSpans ?? []).entries()) {
      const named = `${scope?.name ?? ''}${scope?.version ? `@${scope.version}` : ''}`;
      lines.push(`ScopeTraces #${scopeIndex}${named === '' ? '' : ` ${named}`}${bracketed(schemaUrl)}${pairs(scope?.attributes)}`);
      for (const span of spans ?? []) lines.push(`${span.name ?? ''} ${hex(span.traceId)} ${hex(span.spanId)}${pairs(span.attributes)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function bracketed(schemaUrl: string | undefined): string {
  return schemaUrl ? ` [${schemaUrl}]` : '';
}

function pairs(attributes: readonly KeyValue[] | undefined): string {
  return (attributes ?? []).map(({ key, value }) => ` ${key ?? ''}=${plainText(value)}`).join('');
}

/** Every field on a line of its own. */
export function detailedText(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (const [index, group] of (decode(bytes).resourceSpans ?? []).entries()) {
    lines.push(`ResourceSpans #${index}`, `Resource SchemaURL: ${group.schemaUrl ?? ''}`);
    attributeLines(lines, 'Resource attributes', group.resource?.attributes);
    for (const [scopeIndex, { scope, schemaUrl, spans }] of (group.scopeSpans ?? []).entries()) {
      lines.push(`ScopeSpans #${scopeIndex}`, `ScopeSpans SchemaURL: ${schemaUrl ?? ''}`);
      lines.push(`InstrumentationScope ${scope?.name ?? ''} ${scope?.version ?? ''}`);
      attributeLines(lines, 'InstrumentationScope attributes', scope?.attributes);
      for (const [spanIndex, span] of (spans ?? []).entries()) spanLines(lines, spanIndex, span);
    }
  }
  return `${lines.join('\n')}\n`;
}

const kinds = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
const statusCodes = ['Unset', 'Ok', 'Error'];

function spanLines(lines: string[], index: number, span: Span): void {
  const line = (name: string, value: string) => lines.push(`    ${name.padEnd(15)}: ${value}`);
  lines.push(`Span #${index}`);
  line('Trace ID', hex(span.traceId));
  line('Parent ID', hex(span.parentSpanId));
  line('ID', hex(span.spanId));
  line('Name', span.name ?? '');
  line('Kind', kinds[span.kind ?? 0] ?? '');
  if (span.traceState) line('TraceState', span.traceState);
  line('Start time', timeText(span.startTimeUnixNano));
  line('End time', timeText(span.endTimeUnixNano));
  line('Status code', statusCodes[span.status?.code ?? 0] ?? '');
  line('Status message', span.status?.message ?? '');
  line('DroppedAttributesCount', String(span.droppedAttributesCount ?? 0));
  line('DroppedEventsCount', String(span.droppedEventsCount ?? 0));
  line('DroppedLinksCount', String(span.droppedLinksCount ?? 0));
  attributeLines(lines, 'Attributes', span.attributes);
  if (span.events?.length) lines.push('Events:');
  for (const [eventIndex, event] of (span.events ?? []).entries()) {
    lines.push(`SpanEvent #${eventIndex}`, `     -> Name: ${event.name ?? ''}`, `     -> Timestamp: ${timeText(event.timeUnixNano)}`);
    lines.push(`     -> DroppedAttributesCount: ${event.droppedAttributesCount ?? 0}`);
    attributeLines(lines, '     -> Attributes:', event.attributes);
  }
  if (span.links?.length) lines.push('Links:');
  for (const [linkIndex, link] of (span.links ?? []).entries()) {
    lines.push(`SpanLink #${linkIndex}`, `     -> Trace ID: ${hex(link.traceId)}`, `     -> ID: ${hex(link.spanId)}`);
    lines.push(`     -> TraceState: ${link.traceState ?? ''}`, `     -> DroppedAttributesCount: ${link.droppedAttributesCount ?? 0}`);
    attributeLines(lines, '     -> Attributes:', link.attributes);
  }
}

function attributeLines(lines: string[], header: string, attributes: readonly KeyValue[] | undefined): void {
  if (!attributes?.length) return;
  const indent = header.startsWith('     ') ? '     ' : '';
  lines.push(`${header}:`);
  for (const { key, value } of attributes) lines.push(`${indent}     -> ${key ?? ''}: ${typeName(value)}(${plainText(value)})`);
}

function typeName(value: Value | null | undefined): string {
  if (value?.stringValue !== undefined) return 'Str';
  if (value?.boolValue !== undefined) return 'Bool';
  if (value?.intValue !== undefined) return 'Int';
  if (value?.doubleValue !== undefined) return 'Double';
  if (value?.arrayValue !== undefined) return 'Slice';
  if (value?.kvlistValue !== undefined) return 'Map';
  return value?.bytesValue !== undefined ? 'Bytes' : 'Empty';
}

function plainText(value: Value | null | undefined): string {
  const plain = plainValue(value);
  if (plain === null) return '';
  return typeof plain === 'object' ? JSON.stringify(plain) : String(plain);
}

function plainValue(value: Value | null | undefined): unknown {
  if (value?.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(plainValue);
  if (value?.kvlistValue !== undefined) {
    return Object.fromEntries((value.kvlistValue.values ?? []).map((pair) => [pair.key ?? '', plainValue(pair.value)]));
  }
  if (value?.bytesValue !== undefined) return Buffer.from(value.bytesValue).toString('base64');
  return value?.stringValue ?? value?.boolValue ?? value?.intValue ?? value?.doubleValue ?? null;
}

function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : Buffer.from(bytes).toString('hex');
}

/** Go's form of a time in UTC, to the nanosecond: `2026-01-31 10:20:30.000000001 +0000 UTC`. */
function timeText(nanoseconds: string | undefined): string {
  const count = BigInt(nanoseconds ?? '0');
  const seconds = new Date(Number(count / 1_000_000_000n) * 1000);
  if (Number.isNaN(seconds.getTime())) return `${count} ns`;
  const fraction = (count % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  const [date, time] = seconds.toISOString().replace('.000Z', '').split('T');
  return `${date} ${time}${fraction === '' ? '' : `.${fraction}`} +0000 UTC`;
}
