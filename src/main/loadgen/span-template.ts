/** A span as bytes in which only ids and times change, so that sending one more is a copy and a few stores. Main thread. */

import { Buffer } from 'node:buffer';
import {
  type Attributes,
  attributesField,
  bytesField,
  fixed32Field,
  fixed64Zero,
  stringField,
  varint,
  varintField,
} from './wire-writer.ts';

export const SpanKind = { internal: 1, server: 2, client: 3 } as const;
/** As OTLP has them; the command line's numbers are others. */
export const SpanStatus = { unset: 0, ok: 1, error: 2 } as const;
export type SpanStatus = (typeof SpanStatus)[keyof typeof SpanStatus];

/** Sampled, and "it is known whether the parent is remote"; then, that it is. Source: SpanFlags of opentelemetry-proto. */
export const localParentFlags = 0x101;
export const remoteParentFlags = 0x301;

export interface SpanShape {
  readonly name: string;
  readonly kind: number;
  readonly hasParent: boolean;
  readonly attributes: Attributes;
  readonly status: SpanStatus;
  readonly flags: number;
  readonly linkCount: number;
}

/** Source: the default span limits of the OpenTelemetry SDKs. */
const attributesMax = 128;
const linksMax = 128;

/**
 * ScopeSpans.spans = 2 (Span):
 *   trace_id = 1, span_id = 2, parent_span_id = 4, name = 5, kind = 6, start = 7, end = 8 (fixed64), attributes = 9, dropped_attributes_count = 10,
 *   links = 13 (trace_id = 1, span_id = 2, attributes = 4, flags = 6), dropped_links_count = 14, status = 15 (code = 3), flags = 16 (fixed32)
 */
export class SpanTemplate {
  /** One `spans` field, tag and length included. */
  readonly bytes: Uint8Array;
  /** Positions in `bytes`; 0 is "not there". */
  readonly traceId: number;
  readonly spanId: number;
  readonly parentSpanId: number;
  readonly start: number;
  readonly end: number;
  /** Of each link's trace id; its span id follows 18 bytes later. */
  readonly links: readonly number[];

  constructor(shape: SpanShape) {
    const parts: Buffer[] = [];
    let length = 0;
    /** Returns where the field's last `bodyLength` bytes begin. */
    const add = (field: Buffer, bodyLength = 0): number => {
      parts.push(field);
      length += field.length;
      return length - bodyLength;
    };
    const traceId = add(bytesField(1, Buffer.alloc(16)), 16);
    const spanId = add(bytesField(2, Buffer.alloc(8)), 8);
    const parentSpanId = shape.hasParent ? add(bytesField(4, Buffer.alloc(8)), 8) : undefined;
    add(stringField(5, shape.name));
    add(varintField(6, shape.kind));
    const start = add(fixed64Zero(7), 8);
    const end = add(fixed64Zero(8), 8);
    add(attributesField(9, shape.attributes.slice(0, attributesMax)));
    if (shape.attributes.length > attributesMax) add(varintField(10, shape.attributes.length - attributesMax));
    const links: number[] = [];
    for (let index = 0; index < Math.min(shape.linkCount, linksMax); index++) {
      const link = linkField(index);
      links.push(add(link, link.length - link.indexOf(linkIds) - 2));
    }
    if (shape.linkCount > linksMax) add(varintField(14, shape.linkCount - linksMax));
    add(shape.status === SpanStatus.unset ? bytesField(15) : bytesField(15, varintField(3, shape.status)));
    add(fixed32Field(16, shape.flags));
    const head = Buffer.concat([varint(2 * 8 + 2), varint(length)]);
    this.bytes = Buffer.concat([head, ...parts]);
    this.traceId = head.length + traceId;
    this.spanId = head.length + spanId;
    this.parentSpanId = parentSpanId === undefined ? 0 : head.length + parentSpanId;
    this.start = head.length + start;
    this.end = head.length + end;
    this.links = links.map((position) => head.length + position);
  }
}

/** The two id fields of a link, zeroed. */
const linkIds = Buffer.concat([bytesField(1, Buffer.alloc(16)), bytesField(2, Buffer.alloc(8))]);

function linkField(index: number): Buffer {
  const attributes = attributesField(4, [
    ['link.type', 'random'],
    ['link.index', BigInt(index)],
  ]);
  return bytesField(13, linkIds, attributes, fixed32Field(6, localParentFlags));
}
