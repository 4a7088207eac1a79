/** One request being put together: spans of one service, appended as copies of their templates. Main thread. */

import { Buffer } from 'node:buffer';
import type { SpanTemplate } from './span-template.ts';
import { type Attributes, attributesField, bytesField, stringField, varint } from './wire-writer.ts';

/** Ids as 32-bit words, so that they are stored without objects in between. */
export type TraceIdWords = readonly [number, number, number, number];
export type SpanIdWords = readonly [number, number];

export interface SpanContext {
  readonly traceId: TraceIdWords;
  readonly spanId: SpanIdWords;
}

/** What a span does not share with its template. Times are nanoseconds after `epochNanos` of the trace, below 2^53. */
export interface SpanFacts {
  readonly traceId: TraceIdWords;
  readonly spanId: SpanIdWords;
  readonly parentSpanId: SpanIdWords;
  readonly startNanos: number;
  readonly endNanos: number;
  /** The trace's epoch as two words. */
  readonly epochHigh: number;
  readonly epochLow: number;
}

const initialBytes = 64 * 1024;
const word = 4_294_967_296;

export class SpanBuffer {
  #bytes = new Uint8Array(initialBytes);
  #view = new DataView(this.#bytes.buffer);
  byteLength = 0;
  spanCount = 0;

  append(template: SpanTemplate, facts: SpanFacts, links: readonly SpanContext[]): void {
    const at = this.byteLength;
    this.#reserve(at + template.bytes.length);
    this.#bytes.set(template.bytes, at);
    this.byteLength = at + template.bytes.length;
    this.spanCount += 1;
    this.#storeTraceId(at + template.traceId, facts.traceId);
    this.#storeSpanId(at + template.spanId, facts.spanId);
    if (template.parentSpanId !== 0) this.#storeSpanId(at + template.parentSpanId, facts.parentSpanId);
    this.#storeTime(at + template.start, facts, facts.startNanos);
    this.#storeTime(at + template.end, facts, facts.endNanos);
    for (let index = 0; index < template.links.length; index++) {
      const link = links[index]!;
      this.#storeTraceId(at + template.links[index]!, link.traceId);
      this.#storeSpanId(at + template.links[index]! + 18, link.spanId);
    }
  }

  /** Lent until `clear`. */
  spans(): Uint8Array {
    return this.#bytes.subarray(0, this.byteLength);
  }

  clear(): void {
    this.byteLength = 0;
    this.spanCount = 0;
  }

  #reserve(bytesMin: number): void {
    if (bytesMin <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(bytesMin, 2 * this.#bytes.length));
    grown.set(this.spans());
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }

  #storeTraceId(at: number, id: TraceIdWords): void {
    for (let index = 0; index < 4; index++) this.#view.setUint32(at + 4 * index, id[index]!);
  }

  #storeSpanId(at: number, id: SpanIdWords): void {
    this.#view.setUint32(at, id[0]);
    this.#view.setUint32(at + 4, id[1]);
  }

  #storeTime(at: number, facts: SpanFacts, nanos: number): void {
    const low = facts.epochLow + nanos;
    this.#view.setUint32(at, low % word, true);
    this.#view.setUint32(at + 4, facts.epochHigh + Math.floor(low / word), true);
  }
}

/** Source: the semantic conventions that telemetrygen v0.161 names. */
const schemaUrl = 'https://opentelemetry.io/schemas/1.40.0';

/**
 * The bytes around a request's spans.
 *
 * ExportTraceServiceRequest.resource_spans = 1: resource = 1 (attributes = 1), scope_spans = 2 (scope = 1 (name = 1), spans = 2), schema_url = 3
 */
export class RequestFrame {
  readonly #resource: Buffer;
  readonly #scope: Buffer;
  readonly #trailer = stringField(3, schemaUrl);

  constructor(resourceAttributes: Attributes, scopeName: string) {
    this.#resource = bytesField(1, attributesField(1, resourceAttributes));
    this.#scope = bytesField(1, stringField(1, scopeName));
  }

  /** Together one ExportTraceServiceRequest. */
  around(spans: Uint8Array): readonly Uint8Array[] {
    const scopeSpansLength = this.#scope.length + spans.length;
    const scopeSpansHead = Buffer.concat([varint(2 * 8 + 2), varint(scopeSpansLength)]);
    const length = this.#resource.length + scopeSpansHead.length + scopeSpansLength + this.#trailer.length;
    const head = Buffer.concat([varint(1 * 8 + 2), varint(length), this.#resource, scopeSpansHead, this.#scope]);
    return [head, spans, this.#trailer];
  }
}
