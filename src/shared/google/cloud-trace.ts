/** Messages of Cloud Trace v2 as protobufjs types. Any thread. */

import protobuf from 'protobufjs';

type Fields = Record<string, { id: number; type: string; rule?: 'repeated'; keyType?: string }>;

const field = (id: number, type: string) => ({ id, type });
const repeated = (id: number, type: string) => ({ id, type, rule: 'repeated' as const });

/**
 * The wire grammar, one table per message; fields that Ringtail neither writes nor compares (stack traces, message events) are left out.
 *
 * Source: google/devtools/cloudtrace/v2/tracing.proto and trace.proto, google/rpc/status.proto, google/protobuf/{timestamp,wrappers}.proto.
 */
const tables: Record<string, Fields> = {
  BatchWriteSpansRequest: { name: field(1, 'string'), spans: repeated(2, 'Span') },
  Span: {
    name: field(1, 'string'),
    spanId: field(2, 'string'),
    parentSpanId: field(3, 'string'),
    displayName: field(4, 'TruncatableString'),
    startTime: field(5, 'Timestamp'),
    endTime: field(6, 'Timestamp'),
    attributes: field(7, 'Attributes'),
    timeEvents: field(9, 'TimeEvents'),
    links: field(10, 'Links'),
    status: field(11, 'Status'),
    sameProcessAsParentSpan: field(12, 'BoolValue'),
    spanKind: field(14, 'int32'),
  },
  TruncatableString: { value: field(1, 'string'), truncatedByteCount: field(2, 'int32') },
  Attributes: {
    attributeMap: { id: 1, type: 'AttributeValue', keyType: 'string' },
    droppedAttributesCount: field(2, 'int32'),
  },
  AttributeValue: { stringValue: field(1, 'TruncatableString'), intValue: field(2, 'int64'), boolValue: field(3, 'bool') },
  TimeEvents: { timeEvent: repeated(1, 'TimeEvent'), droppedAnnotationsCount: field(2, 'int32') },
  TimeEvent: { time: field(1, 'Timestamp'), annotation: field(2, 'Annotation') },
  Annotation: { description: field(1, 'TruncatableString'), attributes: field(2, 'Attributes') },
  Links: { link: repeated(1, 'Link'), droppedLinksCount: field(2, 'int32') },
  Link: { traceId: field(1, 'string'), spanId: field(2, 'string'), type: field(3, 'int32'), attributes: field(4, 'Attributes') },
  Status: { code: field(1, 'int32'), message: field(2, 'string') },
  Timestamp: { seconds: field(1, 'int64'), nanos: field(2, 'int32') },
  BoolValue: { value: field(1, 'bool') },
};

const oneofs: Record<string, protobuf.IOneOf> = { value: { oneof: Object.keys(tables.AttributeValue!) } };

const root = protobuf.Root.fromJSON({
  nested: Object.fromEntries(
    Object.entries(tables).map(([name, fields]) => [name, name === 'AttributeValue' ? { fields, oneofs } : { fields }]),
  ),
}).resolveAll();

export const batchWriteSpansRequest = root.lookupType('BatchWriteSpansRequest');
export const cloudTraceSpan = root.lookupType('Span');
export const batchWriteSpansPath = '/google.devtools.cloudtrace.v2.TraceService/BatchWriteSpans';

/** Source: google.devtools.cloudtrace.v2.Span.SpanKind. */
export const CloudSpanKind = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;

export interface CloudText {
  readonly value: string;
  readonly truncatedByteCount: number;
}
export interface CloudAttributeValue {
  readonly stringValue?: CloudText;
  readonly intValue?: protobuf.Long;
  readonly boolValue?: boolean;
}
export interface CloudAttributes {
  readonly attributeMap: Record<string, CloudAttributeValue>;
  readonly droppedAttributesCount: number;
}
export interface CloudTime {
  readonly seconds: number;
  readonly nanos: number;
}
/** Plain data in the shape of the message, as `encode` takes it. */
export interface CloudSpan {
  readonly name: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly displayName: CloudText;
  readonly startTime: CloudTime;
  readonly endTime: CloudTime;
  readonly attributes: CloudAttributes;
  readonly timeEvents?: {
    readonly timeEvent: readonly { time: CloudTime; annotation: { description: CloudText; attributes?: CloudAttributes } }[];
    readonly droppedAnnotationsCount: number;
  };
  readonly links?: {
    readonly link: readonly { traceId: string; spanId: string; attributes?: CloudAttributes }[];
    readonly droppedLinksCount: number;
  };
  readonly status?: { readonly code: number; readonly message?: string };
  readonly sameProcessAsParentSpan: { readonly value: boolean };
  readonly spanKind: number;
}
