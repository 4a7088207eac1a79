/** OTLP trace messages as protobufjs types, for what is not on the hot path: JSON transcoding, responses, status details, the demo and tests. Any thread. */

import protobuf from 'protobufjs';

type Fields = Record<string, { id: number; type: string; rule?: 'repeated' }>;

const field = (id: number, type: string) => ({ id, type });
const repeated = (id: number, type: string) => ({ id, type, rule: 'repeated' as const });

/**
 * The wire grammar, one table per message. Names are the camelCase ones of OTLP/JSON.
 *
 * Source: opentelemetry-proto 1.8 (collector/trace/v1, trace/v1, common/v1, resource/v1), google/rpc/status.proto, google/rpc/error_details.proto.
 */
const tables: Record<string, Fields> = {
  ExportTraceServiceRequest: { resourceSpans: repeated(1, 'ResourceSpans') },
  ExportTraceServiceResponse: { partialSuccess: field(1, 'ExportTracePartialSuccess') },
  ExportTracePartialSuccess: { rejectedSpans: field(1, 'int64'), errorMessage: field(2, 'string') },
  ResourceSpans: { resource: field(1, 'Resource'), scopeSpans: repeated(2, 'ScopeSpans'), schemaUrl: field(3, 'string') },
  Resource: { attributes: repeated(1, 'KeyValue'), droppedAttributesCount: field(2, 'uint32'), entityRefs: repeated(3, 'EntityRef') },
  EntityRef: {
    schemaUrl: field(1, 'string'),
    type: field(2, 'string'),
    idKeys: repeated(3, 'string'),
    descriptionKeys: repeated(4, 'string'),
  },
  ScopeSpans: { scope: field(1, 'InstrumentationScope'), spans: repeated(2, 'Span'), schemaUrl: field(3, 'string') },
  InstrumentationScope: {
    name: field(1, 'string'),
    version: field(2, 'string'),
    attributes: repeated(3, 'KeyValue'),
    droppedAttributesCount: field(4, 'uint32'),
  },
  Span: {
    traceId: field(1, 'bytes'),
    spanId: field(2, 'bytes'),
    traceState: field(3, 'string'),
    parentSpanId: field(4, 'bytes'),
    name: field(5, 'string'),
    kind: field(6, 'int32'),
    startTimeUnixNano: field(7, 'fixed64'),
    endTimeUnixNano: field(8, 'fixed64'),
    attributes: repeated(9, 'KeyValue'),
    droppedAttributesCount: field(10, 'uint32'),
    events: repeated(11, 'SpanEvent'),
    droppedEventsCount: field(12, 'uint32'),
    links: repeated(13, 'SpanLink'),
    droppedLinksCount: field(14, 'uint32'),
    status: field(15, 'SpanStatus'),
    flags: field(16, 'fixed32'),
  },
  SpanEvent: {
    timeUnixNano: field(1, 'fixed64'),
    name: field(2, 'string'),
    attributes: repeated(3, 'KeyValue'),
    droppedAttributesCount: field(4, 'uint32'),
  },
  SpanLink: {
    traceId: field(1, 'bytes'),
    spanId: field(2, 'bytes'),
    traceState: field(3, 'string'),
    attributes: repeated(4, 'KeyValue'),
    droppedAttributesCount: field(5, 'uint32'),
    flags: field(6, 'fixed32'),
  },
  SpanStatus: { message: field(2, 'string'), code: field(3, 'int32') },
  KeyValue: { key: field(1, 'string'), value: field(2, 'AnyValue') },
  AnyValue: {
    stringValue: field(1, 'string'),
    boolValue: field(2, 'bool'),
    intValue: field(3, 'int64'),
    doubleValue: field(4, 'double'),
    arrayValue: field(5, 'ArrayValue'),
    kvlistValue: field(6, 'KeyValueList'),
    bytesValue: field(7, 'bytes'),
  },
  ArrayValue: { values: repeated(1, 'AnyValue') },
  KeyValueList: { values: repeated(1, 'KeyValue') },
  RpcStatus: { code: field(1, 'int32'), message: field(2, 'string'), details: repeated(3, 'Any') },
  Any: { type_url: field(1, 'string'), value: field(2, 'bytes') },
  RetryInfo: { retryDelay: field(1, 'Duration') },
  Duration: { seconds: field(1, 'int64'), nanos: field(2, 'int32') },
};

/** Members of a oneof in the table's own order; AnyValue is the only message that has one. */
const oneofs: Record<string, protobuf.IOneOf> = { value: { oneof: Object.keys(tables.AnyValue!) } };

const root = protobuf.Root.fromJSON({
  nested: Object.fromEntries(Object.entries(tables).map(([name, fields]) => [name, name === 'AnyValue' ? { fields, oneofs } : { fields }])),
}).resolveAll();

export const exportTraceServiceRequest = root.lookupType('ExportTraceServiceRequest');
export const exportTraceServiceResponse = root.lookupType('ExportTraceServiceResponse');
export const exportTracePartialSuccess = root.lookupType('ExportTracePartialSuccess');
export const resourceSpans = root.lookupType('ResourceSpans');
export const scopeSpans = root.lookupType('ScopeSpans');
export const resource = root.lookupType('Resource');
export const instrumentationScope = root.lookupType('InstrumentationScope');
export const span = root.lookupType('Span');
export const spanEvent = root.lookupType('SpanEvent');
export const spanLink = root.lookupType('SpanLink');
export const spanStatus = root.lookupType('SpanStatus');
export const keyValue = root.lookupType('KeyValue');
export const anyValue = root.lookupType('AnyValue');
/** google.rpc.Status: the body of an OTLP/HTTP error and of grpc-status-details-bin. */
export const rpcStatus = root.lookupType('RpcStatus');
/** google.protobuf.Any; its `type_url` keeps the wire name. */
export const any = root.lookupType('Any');
/** google.rpc.RetryInfo: how long a refused client should wait. */
export const retryInfo = root.lookupType('RetryInfo');
export const retryInfoTypeUrl = 'type.googleapis.com/google.rpc.RetryInfo';
