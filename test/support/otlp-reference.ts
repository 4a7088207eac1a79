/** A slow, plain reading of the OTLP grammar that shares no code with the kernel: what it refuses where, and which bytes belong to which span. */

import { KernelError } from '../../src/shared/arena/rows.ts';
import { hex } from './otlp.ts';

export class GrammarFault extends Error {
  readonly offset: number;
  readonly code: number;

  constructor(offset: number, code: number) {
    super(`offset ${offset}, code ${code}`);
    this.offset = offset;
    this.code = code;
  }
}

export interface ReferenceField {
  readonly number: number;
  readonly wire: number;
  /** Tag, end of the field, and where its bytes begin after tag and length. */
  readonly at: number;
  readonly body: number;
  readonly end: number;
}

type Kind = 'varint' | 'i64' | 'i32' | 'bytes' | 'traceId' | 'spanId' | keyof typeof schema;

const wireOfKind: Record<string, number> = { varint: 0, i64: 1, i32: 5 };

const schema = {
  Request: { 1: 'ResourceSpans' },
  ResourceSpans: { 1: 'Resource', 2: 'ScopeSpans', 3: 'bytes', 1000: 'ScopeSpans' },
  Resource: { 1: 'KeyValue', 2: 'varint', 3: 'EntityRef' },
  EntityRef: { 1: 'bytes', 2: 'bytes', 3: 'bytes', 4: 'bytes' },
  ScopeSpans: { 1: 'Scope', 2: 'Span', 3: 'bytes' },
  Scope: { 1: 'bytes', 2: 'bytes', 3: 'KeyValue', 4: 'varint' },
  Span: {
    ...{ 1: 'traceId', 2: 'spanId', 3: 'bytes', 4: 'spanId', 5: 'bytes', 6: 'varint', 7: 'i64', 8: 'i64', 9: 'KeyValue' },
    ...{ 10: 'varint', 11: 'Event', 12: 'varint', 13: 'Link', 14: 'varint', 15: 'Status', 16: 'i32' },
  },
  Event: { 1: 'i64', 2: 'bytes', 3: 'KeyValue', 4: 'varint' },
  Link: { 1: 'traceId', 2: 'spanId', 3: 'bytes', 4: 'KeyValue', 5: 'varint', 6: 'i32' },
  Status: { 2: 'bytes', 3: 'varint' },
  KeyValue: { 1: 'bytes', 2: 'AnyValue', 3: 'varint' },
  AnyValue: { 1: 'bytes', 2: 'varint', 3: 'varint', 4: 'i64', 5: 'ArrayValue', 6: 'KeyValueList', 7: 'bytes', 8: 'varint' },
  ArrayValue: { 1: 'AnyValue' },
  KeyValueList: { 1: 'KeyValue' },
} as const satisfies Record<string, Record<number, string>>;

function readVarint(bytes: Uint8Array, p: number, end: number, at: number): [value: bigint, next: number] {
  let value = 0n;
  for (let i = 0; i < 10; i++) {
    if (p >= end) throw new GrammarFault(at, KernelError.truncated);
    const byte = bytes[p++]!;
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) return [BigInt.asUintN(64, value), p];
  }
  throw new GrammarFault(at, KernelError.varint);
}

function readField(bytes: Uint8Array, at: number, end: number): ReferenceField {
  const [tag, afterTag] = readVarint(bytes, at, end, at);
  if (tag < 8n || tag >= 2n ** 32n) throw new GrammarFault(at, KernelError.fieldNumber);
  const number = Number(tag >> 3n);
  const wire = Number(tag & 7n);
  const fixed = (length: number) => {
    if (end - afterTag < length) throw new GrammarFault(at, KernelError.truncated);
    return { number, wire, at, body: afterTag, end: afterTag + length };
  };
  if (wire === 0) return { number, wire, at, body: afterTag, end: readVarint(bytes, afterTag, end, at)[1] };
  if (wire === 1) return fixed(8);
  if (wire === 5) return fixed(4);
  if (wire !== 2) throw new GrammarFault(at, KernelError.wireType);
  const [length, body] = readVarint(bytes, afterTag, end, at);
  if (length > BigInt(end - body)) throw new GrammarFault(at, KernelError.truncated);
  return { number, wire, at, body, end: body + Number(length) };
}

/** All fields of the message in [p, end), in wire order. */
export function fieldsOf(bytes: Uint8Array, p = 0, end = bytes.length): ReferenceField[] {
  const fields: ReferenceField[] = [];
  while (p < end) {
    const field = readField(bytes, p, end);
    fields.push(field);
    p = field.end;
  }
  return fields;
}

function check(bytes: Uint8Array, message: keyof typeof schema, p: number, end: number, depth: number): void {
  const kinds = schema[message] as Record<number, Kind>;
  while (p < end) {
    const field = readField(bytes, p, end);
    p = field.end;
    const kind = kinds[field.number];
    if (kind === undefined) continue;
    if (field.wire !== (wireOfKind[kind] ?? 2)) throw new GrammarFault(field.at, KernelError.wireType);
    const length = field.end - field.body;
    if (kind === 'traceId' && length !== 0 && length !== 16) throw new GrammarFault(field.at, KernelError.traceIdLength);
    if (kind === 'spanId' && length !== 0 && length !== 8) throw new GrammarFault(field.at, KernelError.spanIdLength);
    if (!(kind in schema)) continue;
    const inner = kind === 'AnyValue' ? depth + 1 : depth;
    if (inner > 128) throw new GrammarFault(field.at, KernelError.depth);
    check(bytes, kind as keyof typeof schema, field.body, field.end, inner);
  }
}

export interface ReferenceSpan {
  readonly traceId: string;
  /** All fields of the ResourceSpans (ScopeSpans) but its scope_spans (spans), concatenated, in hex. */
  readonly resource: string;
  readonly scope: string;
  /** The Span message's bytes in hex. */
  readonly span: string;
  /** Offset of the Span message's bytes. */
  readonly body: number;
}

function headerOf(bytes: Uint8Array, fields: readonly ReferenceField[], without: readonly number[]): string {
  return fields
    .filter(({ number }) => !without.includes(number))
    .map(({ at, end }) => hex(bytes.subarray(at, end)))
    .join('');
}

function traceIdIn(bytes: Uint8Array, span: ReferenceField): string {
  const id = fieldsOf(bytes, span.body, span.end).findLast(({ number }) => number === 1);
  return id === undefined || id.end === id.body ? '0'.repeat(32) : hex(bytes.subarray(id.body, id.end));
}

/** Every span with the bytes that belong to it, in wire order; refuses what `validate` refuses. Errors: throws GrammarFault. */
export function referenceSpans(bytes: Uint8Array): ReferenceSpan[] {
  check(bytes, 'Request', 0, bytes.length, 0);
  const spans: ReferenceSpan[] = [];
  for (const resourceField of fieldsOf(bytes).filter(({ number }) => number === 1)) {
    const inResource = fieldsOf(bytes, resourceField.body, resourceField.end);
    const scopeNumber = inResource.some(({ number }) => number === 2) ? 2 : 1000;
    const resource = headerOf(bytes, inResource, [2, 1000]);
    for (const scopeField of inResource.filter(({ number }) => number === scopeNumber)) {
      const inScope = fieldsOf(bytes, scopeField.body, scopeField.end);
      const scope = headerOf(bytes, inScope, [2]);
      for (const span of inScope.filter(({ number }) => number === 2)) {
        const body = bytes.subarray(span.body, span.end);
        spans.push({ traceId: traceIdIn(bytes, span), resource, scope, span: hex(body), body: span.body });
      }
    }
  }
  return spans;
}
