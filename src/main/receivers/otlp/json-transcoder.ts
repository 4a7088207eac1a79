/** OTLP/JSON to the one currency: the bytes of an ExportTraceServiceRequest. Main thread. */

import { Buffer } from 'node:buffer';
import protobuf from 'protobufjs';
import { exportTraceServiceRequest } from '../../../shared/otlp/messages.ts';
import type { RejectedSpans } from '../../pipeline/consume-outcome.ts';
import { rejectedSpans } from './export-response.ts';

/** The text is no JSON, or no ExportTraceServiceRequest; the message names the place, as `resourceSpans[0].scopeSpans[1].spans[2].traceId`. */
export class JsonFault extends Error {
  #what: string;
  #path = '';
  constructor(what: string) {
    super(what);
    this.#what = what;
  }
  /** Whether the place lies in one span. */
  get isInSpan(): boolean {
    return /^resourceSpans\[\d+\]\.scopeSpans\[\d+\]\.spans\[/.test(this.#path);
  }
  /** Called on the way out, innermost first. */
  under(step: string): this {
    this.#path = this.#path === '' || this.#path.startsWith('[') ? step + this.#path : `${step}.${this.#path}`;
    this.message = `${this.#path}: ${this.#what}`;
    return this;
  }
}

/** Source: JSON Protobuf Encoding of OTLP: ids are hex, other bytes base64, enums numbers or names. */
const hexIdBytes: Readonly<Record<string, number>> = { traceId: 16, spanId: 8, parentSpanId: 8 };
const spanKinds = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'].map((name) => `SPAN_KIND_${name}`);
const statusCodes = ['UNSET', 'OK', 'ERROR'].map((name) => `STATUS_CODE_${name}`);
const enumNames: Readonly<Record<string, readonly string[]>> = { 'Span.kind': spanKinds, 'SpanStatus.code': statusCodes };

/** Nested attribute values; the kernel's own bound. */
const depthMax = 128;

type Write = (writer: protobuf.Writer, value: unknown, depth: number) => void;

interface FieldPlan {
  readonly name: string;
  /** The name in the .proto file, which the Collector reads too. */
  readonly snakeName: string;
  readonly isRepeated: boolean;
  readonly write: Write;
  /** proto3 leaves defaults of plain scalars out; members of a oneof are always written. */
  isDefault(value: unknown): boolean;
}

interface MessagePlan {
  /** By field number. */
  readonly fields: readonly FieldPlan[];
  /** Only one field may be set; the last one written in the text counts. */
  readonly oneof: ReadonlyMap<string, FieldPlan> | undefined;
}

const plans = new Map<protobuf.Type, MessagePlan>();
const requestPlan = planOf(exportTraceServiceRequest);

/**
 * Unknown fields are ignored; field names in lowerCamelCase or as in the .proto file; 64-bit integers as strings or numbers, exact in both.
 *
 * Shape:  UTF-8 text of one ExportTraceServiceRequest; fields come out in the order of their numbers.
 * Errors: JsonFault.
 */
export function transcodeJson(text: Buffer): Uint8Array {
  return requestOf(parse(text));
}

/**
 * The same, without the spans that cannot be read, if there are others.
 *
 * Errors: JsonFault when more than spans is wrong, or no span is right: the first fault in the text.
 */
export function transcodeUsableJson(text: Buffer): { readonly bytes: Uint8Array; readonly rejected?: RejectedSpans } {
  const request = parse(text);
  try {
    return { bytes: requestOf(request) };
  } catch (error) {
    if (!(error instanceof JsonFault) || !error.isInSpan) throw error;
    const counts = { kept: 0, dropped: 0 };
    const usable = withUsableSpans(request, counts);
    if (counts.kept === 0) throw error;
    return { bytes: requestOf(usable), rejected: rejectedSpans(counts.dropped, error.message) };
  }
}

function requestOf(value: unknown): Uint8Array {
  const writer = protobuf.Writer.create();
  writeMessage(requestPlan, writer, value, 0);
  return writer.finish();
}

const spanSteps = ['resourceSpans', 'scopeSpans', 'spans'] as const;
const spanPlan = planOf(exportTraceServiceRequest.root.lookupType('Span'));

/** A copy of the lists on the way to the spans, without the spans that cannot be written. What else is wrong stays. */
function withUsableSpans(value: unknown, counts: { kept: number; dropped: number }, level = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (level === spanSteps.length) return value;
  const name = spanSteps[level]!;
  const object = value as Record<string, unknown>;
  const children = object[name] ?? object[snakeNameOf(name)];
  if (!Array.isArray(children)) return value;
  if (level < spanSteps.length - 1) return { ...object, [name]: children.map((child) => withUsableSpans(child, counts, level + 1)) };
  const usable = children.filter(isUsableSpan);
  counts.kept += usable.length;
  counts.dropped += children.length - usable.length;
  return { ...object, [name]: usable };
}

function isUsableSpan(span: unknown): boolean {
  try {
    writeMessage(spanPlan, protobuf.Writer.create(), span, spanSteps.length);
    return true;
  } catch (error) {
    if (error instanceof JsonFault) return false;
    throw error;
  }
}

/** An integer that a double may not hold, standing as a number in the text. */
const bigNumber = /[[:,\s]-?\d{16,}[\s,\]}]/;

function parse(bytes: Buffer): unknown {
  if (bytes.length >= scanBytesMin && nestsDeeper(bytes, bracketsMax))
    throw new JsonFault(`brackets are nested deeper than ${bracketsMax}`);
  const text = bytes.toString('utf8');
  try {
    return bigNumber.test(text) ? JSON.parse(text, keepBigNumber as never) : JSON.parse(text);
  } catch (error) {
    throw new JsonFault((error as Error).message);
  }
}

/** A message and the list that it stands in, for each level of nesting. */
const bracketsMax = 2 * depthMax + 16;
/** Below this, brackets alone cannot hold the loop for long. */
const scanBytesMin = 65_536;

/** JSON.parse takes seconds for megabytes of nothing but open brackets; this takes milliseconds, and ends at the first that is too deep. */
function nestsDeeper(text: Buffer, max: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]!;
    if (byte === 0x22) {
      for (at++; at < text.length && text[at] !== 0x22; at++) if (text[at] === 0x5c) at++;
    } else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > max) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return false;
}

function keepBigNumber(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context.source === undefined || !/^-?\d+$/.test(context.source))
    return value;
  return BigInt(context.source);
}

function planOf(type: protobuf.Type): MessagePlan {
  const known = plans.get(type);
  if (known !== undefined) return known;
  const fields: FieldPlan[] = [];
  const isOneof = type.oneofsArray.length > 0;
  const oneof = isOneof ? new Map<string, FieldPlan>() : undefined;
  const plan: MessagePlan = { fields, oneof };
  plans.set(type, plan); // Before the fields: values nest in values.
  for (const field of [...type.fieldsArray].sort((a, b) => a.id - b.id)) {
    const snakeName = snakeNameOf(field.name);
    const fieldPlan: FieldPlan = {
      name: field.name,
      snakeName,
      isRepeated: field.repeated,
      write: field.resolvedType instanceof protobuf.Type ? messageWriter(field, field.resolvedType) : scalarWriter(type, field),
      isDefault: isOneof || field.repeated || field.resolvedType !== null ? () => false : isScalarDefault,
    };
    fields.push(fieldPlan);
    oneof?.set(field.name, fieldPlan).set(snakeName, fieldPlan);
  }
  return plan;
}

function snakeNameOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function isScalarDefault(value: unknown): boolean {
  return value === 0 || value === '' || value === false || value === '0' || value === 0n;
}

function messageWriter(field: protobuf.Field, type: protobuf.Type): Write {
  const tag = (field.id << 3) | 2;
  const plan = planOf(type);
  return (writer, value, depth) => {
    writer.uint32(tag).fork();
    writeMessage(plan, writer, value, depth + 1);
    writer.ldelim();
  };
}

function writeMessage(plan: MessagePlan, writer: protobuf.Writer, value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new JsonFault(`expected an object, found ${kindOf(value)}`);
  if (depth > depthMax) throw new JsonFault(`values are nested deeper than ${depthMax}`);
  const object = value as Record<string, unknown>;
  if (plan.oneof !== undefined) {
    let last: FieldPlan | undefined;
    for (const key in object) if (object[key] !== null && plan.oneof.has(key)) last = plan.oneof.get(key)!;
    if (last !== undefined) writeField(last, writer, object[last.name] ?? object[last.snakeName], depth);
    return;
  }
  for (const field of plan.fields) {
    const written = object[field.name] ?? object[field.snakeName];
    if (written !== undefined && written !== null) writeField(field, writer, written, depth);
  }
}

function writeField(field: FieldPlan, writer: protobuf.Writer, value: unknown, depth: number): void {
  let index = -1;
  try {
    if (!field.isRepeated) {
      if (!field.isDefault(value)) field.write(writer, value, depth);
      return;
    }
    if (!Array.isArray(value)) throw new JsonFault(`expected an array, found ${kindOf(value)}`);
    for (index = 0; index < value.length; index++) field.write(writer, value[index], depth);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    if (index >= 0) error.under(`[${index}]`);
    throw error.under(field.name);
  }
}

function scalarWriter(type: protobuf.Type, field: protobuf.Field): Write {
  const { id } = field;
  const names = enumNames[`${type.name}.${field.name}`];
  const idBytes = hexIdBytes[field.name];
  switch (field.type) {
    case 'string':
      return (writer, value) => writer.uint32((id << 3) | 2).string(textOf(value).toWellFormed());
    case 'bytes':
      return idBytes === undefined
        ? (writer, value) => writer.uint32((id << 3) | 2).bytes(base64Of(textOf(value)))
        : (writer, value) => writer.uint32((id << 3) | 2).bytes(hexOf(textOf(value), idBytes));
    case 'bool':
      return (writer, value) => {
        if (typeof value !== 'boolean') throw new JsonFault(`expected true or false, found ${kindOf(value)}`);
        writer.uint32(id << 3).bool(value);
      };
    case 'double':
      return (writer, value) => writer.uint32((id << 3) | 1).double(doubleOf(value));
    case 'int32':
      return (writer, value) => writer.uint32(id << 3).int32(names === undefined ? int32Of(value) : enumOf(value, names));
    case 'uint32':
      return (writer, value) => writer.uint32(id << 3).uint32(uint32Of(value));
    case 'fixed32':
      return (writer, value) => writer.uint32((id << 3) | 5).fixed32(uint32Of(value));
    case 'int64':
      return (writer, value) => writer.uint32(id << 3).int64(longOf(integerOf(value, -(2n ** 63n), 2n ** 63n - 1n)));
    case 'fixed64':
      return (writer, value) => writer.uint32((id << 3) | 1).fixed64(longOf(integerOf(value, 0n, 2n ** 64n - 1n)));
    default:
      throw new Error(`no JSON form for ${type.name}.${field.name} of type ${field.type}`);
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'bigint') return `the number ${value}`;
  if (typeof value === 'object') return 'an object';
  const text = JSON.stringify(value);
  return `the ${typeof value} ${text.length > 40 ? `${text.slice(0, 40)}…` : text}`;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new JsonFault(`expected a string, found ${kindOf(value)}`);
}

function hexOf(text: string, byteLength: number): Buffer {
  if (text.length !== byteLength * 2 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new JsonFault(`expected ${byteLength * 2} hexadecimal digits, found ${kindOf(text)}`);
  }
  return Buffer.from(text, 'hex');
}

function base64Of(text: string): Buffer {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw new JsonFault(`expected base64, found ${kindOf(text)}`);
  return Buffer.from(text, 'base64');
}

function doubleOf(value: unknown): number {
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
  if (typeof value === 'string') {
    const named: Record<string, number> = { NaN: Number.NaN, Infinity: Number.POSITIVE_INFINITY, '-Infinity': Number.NEGATIVE_INFINITY };
    if (Object.hasOwn(named, value)) return named[value]!;
    if (/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(value)) return Number(value);
  }
  throw new JsonFault(`expected a number, found ${kindOf(value)}`);
}

function integerOf(value: unknown, min: bigint, max: bigint): bigint {
  let integer: bigint | undefined;
  if (typeof value === 'bigint') integer = value;
  else if (typeof value === 'number' && Number.isInteger(value)) integer = BigInt(value);
  else if (typeof value === 'string' && value.length <= 20 && /^[-+]?\d+$/.test(value)) integer = BigInt(value.replace('+', ''));
  if (integer === undefined || integer < min || integer > max)
    throw new JsonFault(`expected an integer from ${min} to ${max}, found ${kindOf(value)}`);
  return integer;
}

function int32Of(value: unknown): number {
  return Number(integerOf(value, -(2n ** 31n), 2n ** 31n - 1n));
}

function uint32Of(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return value;
  return Number(integerOf(value, 0n, 2n ** 32n - 1n));
}

function enumOf(value: unknown, names: readonly string[]): number {
  if (typeof value !== 'string') return int32Of(value);
  const number = names.indexOf(value);
  if (number < 0) throw new JsonFault(`expected a number or one of ${names.join(', ')}, found ${kindOf(value)}`);
  return number;
}

/** protobufjs takes 64 bits as two halves. */
function longOf(value: bigint): protobuf.Long {
  const low = Number(BigInt.asUintN(32, value)) | 0;
  const high = Number(BigInt.asUintN(32, value >> 32n)) | 0;
  return { low, high, unsigned: false } as protobuf.Long;
}
