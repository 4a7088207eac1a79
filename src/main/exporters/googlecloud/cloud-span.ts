/** From an OTLP span to a Cloud Trace span. Main thread. */

import { Buffer } from 'node:buffer';
import type protobuf from 'protobufjs';
import {
  type CloudAttributes,
  type CloudAttributeValue,
  type CloudSpan,
  CloudSpanKind,
  type CloudText,
  type CloudTime,
} from '../../../shared/google/cloud-trace.ts';
import { type MonitoredResource, monitoredResourceOf } from './monitored-resource.ts';
import { type Attribute, type AttributeScalar, noSpanId, type SpanContext, type SpanFields } from './span-fields.ts';

/** Source: exporter/trace v1.37.0 of opentelemetry-operations-go, trace_proto.go. */
const eventsMax = 256;
const linksMax = 128;
const displayNameBytesMax = 1024;
const descriptionBytesMax = 1024;
const keyBytesMax = 512;
const valueBytesMax = 65_536;

const projectKey = 'gcp.project.id';
const agentKey = 'g.co/agent';

export interface CloudSpanOptions {
  /** Where spans go whose resource names no project. */
  readonly project: string;
  /** Who writes, where a span does not say so itself. */
  readonly agent: string;
  /** OTLP key → Cloud Trace key. */
  readonly renames: ReadonlyMap<string, string>;
}

/** Attributes that the console of Cloud Trace shows by names of its own. */
export const defaultRenames: ReadonlyMap<string, string> = new Map([
  ['http.path', '/http/path'],
  ['http.host', '/http/host'],
  ['http.method', '/http/method'],
  ['http.user_agent', '/http/user_agent'],
  ['http.status_code', '/http/status_code'],
]);

/** What all spans of a scope share. */
export interface CloudContext {
  readonly project: string;
  /** Resource and scope, in the order in which they yield to a span's own. */
  readonly shared: readonly Attribute[];
  readonly monitored: MonitoredResource | undefined;
}

export function cloudContextOf(context: SpanContext, options: CloudSpanOptions): CloudContext {
  const { resource, scopeName, scopeVersion } = context;
  if (resource.length === 0) return { project: options.project, shared: [], monitored: undefined };
  const named = resource.find(({ key }) => key === projectKey)?.value;
  const shared = [...resource];
  if (!resource.some(({ key }) => key === 'otel.scope.name')) shared.push({ key: 'otel.scope.name', value: scopeName });
  if (scopeVersion !== '' && !resource.some(({ key }) => key === 'otel.scope.version'))
    shared.push({ key: 'otel.scope.version', value: scopeVersion });
  // An empty name, which the source takes as it is, is no project that spans could be written to.
  const project = typeof named === 'string' && named !== '' ? named : options.project;
  return { project, shared, monitored: monitoredResourceOf(resource) };
}

export function cloudSpanOf(span: SpanFields, context: CloudContext, options: CloudSpanOptions): CloudSpan {
  const { project, shared, monitored } = context;
  const own = new Set(span.attributes.map(({ key }) => key));
  const all = [...span.attributes, ...shared.filter(({ key }) => !own.has(key))];
  for (const [label, value] of monitored?.labels ?? []) all.push({ key: `g.co/r/${monitored!.type}/${label}`, value });
  const attributes = cloudAttributesOf(all, options) ?? { attributeMap: {}, droppedAttributesCount: 0 };
  if (!Object.hasOwn(attributes.attributeMap, agentKey)) setAttribute(attributes, agentKey, options.agent);
  return {
    name: `projects/${project}/traces/${span.traceId}/spans/${span.spanId}`,
    spanId: span.spanId,
    ...(span.parentSpanId === noSpanId || span.parentSpanId === span.spanId ? {} : { parentSpanId: span.parentSpanId }),
    displayName: cut(span.name, displayNameBytesMax),
    startTime: timeOf(span.start),
    endTime: timeOf(span.end),
    attributes,
    ...timeEventsOf(span, options),
    ...linksOf(span, options),
    ...statusOf(span),
    sameProcessAsParentSpan: { value: true },
    spanKind: kindOf(span.kind),
  };
}

function timeEventsOf(span: SpanFields, options: CloudSpanOptions): Pick<CloudSpan, 'timeEvents'> {
  if (span.events.length === 0) return {};
  const timeEvent = span.events.slice(0, eventsMax).map((event) => {
    const attributes = cloudAttributesOf(event.attributes, options);
    const description = cut(event.name, descriptionBytesMax);
    return { time: timeOf(event.time), annotation: attributes === undefined ? { description } : { description, attributes } };
  });
  return { timeEvents: { timeEvent, droppedAnnotationsCount: span.events.length - timeEvent.length } };
}

function linksOf(span: SpanFields, options: CloudSpanOptions): Pick<CloudSpan, 'links'> {
  if (span.links.length === 0) return {};
  const link = span.links.slice(0, linksMax).map(({ traceId, spanId, attributes: given }) => {
    const attributes = cloudAttributesOf(given, options);
    return attributes === undefined ? { traceId, spanId } : { traceId, spanId, attributes };
  });
  return { links: { link, droppedLinksCount: span.links.length - link.length } };
}

/** Source: google.rpc.Code. */
const codeOk = 0;
const codeUnknown = 2;

function statusOf(span: SpanFields): Pick<CloudSpan, 'status'> {
  if (span.statusCode === 1) return { status: { code: codeOk } };
  if (span.statusCode === 2) return { status: { code: codeUnknown, message: span.statusMessage } };
  return {};
}

function kindOf(kind: number): number {
  return kind >= CloudSpanKind.internal && kind <= CloudSpanKind.consumer ? kind : CloudSpanKind.internal;
}

/** Undefined for none. The last one of a key counts; keys that are too long are dropped and counted. */
function cloudAttributesOf(attributes: readonly Attribute[], options: CloudSpanOptions): CloudAttributes | undefined {
  if (attributes.length === 0) return undefined;
  const result = { attributeMap: {} as Record<string, CloudAttributeValue>, droppedAttributesCount: 0 };
  for (const { key: given, value } of attributes) {
    const key = options.renames.get(given) ?? given;
    if (key.length * 3 > keyBytesMax && Buffer.byteLength(key) > keyBytesMax) result.droppedAttributesCount++;
    else setAttribute(result, key, value);
  }
  return result;
}

/** `__proto__` is a key like any other. */
function setAttribute(attributes: CloudAttributes, key: string, value: AttributeScalar): void {
  Object.defineProperty(attributes.attributeMap, key, { value: cloudValueOf(value), enumerable: true, configurable: true, writable: true });
}

function cloudValueOf(value: AttributeScalar): CloudAttributeValue {
  switch (typeof value) {
    case 'boolean':
      return { boolValue: value };
    case 'bigint':
      return { intValue: longOf(value) };
    case 'number':
      return { stringValue: cut(decimalText(value), valueBytesMax) };
    default:
      return { stringValue: cut(value, valueBytesMax) };
  }
}

/** At most so many bytes, cut between characters. */
function cut(text: string, bytesMax: number): CloudText {
  if (text.length * 3 <= bytesMax) return { value: text, truncatedByteCount: 0 };
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= bytesMax) return { value: text, truncatedByteCount: 0 };
  let end = bytesMax;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return { value: bytes.toString('utf8', 0, end), truncatedByteCount: bytes.length - end };
}

/** Plain decimals without an exponent. Source: strconv.FormatFloat(value, 'f', -1, 64). */
export function decimalText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  const [mantissa, exponentText] = text.split('e') as [string, string?];
  if (exponentText === undefined) return text;
  const exponent = Number(exponentText);
  const sign = mantissa.startsWith('-') ? '-' : '';
  const [whole, fraction = ''] = mantissa.slice(sign.length).split('.') as [string, string?];
  const digits = whole + fraction;
  const point = whole.length + exponent;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return sign + digits.padEnd(point, '0');
}

const nanosPerSecond = 1_000_000_000n;

function timeOf(nanos: bigint): CloudTime {
  const rest = nanos % nanosPerSecond;
  const below = rest < 0n ? rest + nanosPerSecond : rest;
  return { seconds: Number((nanos - below) / nanosPerSecond), nanos: Number(below) };
}

/** protobufjs takes 64 bits as two halves. */
function longOf(value: bigint): protobuf.Long {
  const low = Number(BigInt.asUintN(32, value)) | 0;
  const high = Number(BigInt.asUintN(32, value >> 32n)) | 0;
  return { low, high, unsigned: false } as protobuf.Long;
}
