/** The telemetry paths of the span and spanevent contexts, checked at compile time and turned into readers. Any thread. */

import { CompileFault, dynamicGetter, type Getter, literalGetter } from './getter.ts';
import { goQuote } from './go-text.ts';
import { type IndexKey, indexedMap, mapKey } from './indexing.ts';
import type { SpanView } from './span-view.ts';
import * as view from './span-view.ts';
import { traceStateValue } from './trace-state.ts';
import { emptyMap, Id, type IdType, Opaque, OttlError, type OttlValue, Time } from './values.ts';
import { afterRead, findValue, readFixed32, readFixed64, readVarint32, smallBigInt, WireMap } from './wire-values.ts';

export type OttlContext = 'span' | 'spanevent';

/** The context names that paths may start with. */
export const contextNames: Record<OttlContext, readonly string[]> = {
  span: ['span', 'resource', 'instrumentation_scope', 'scope', 'otelcol'],
  spanevent: ['spanevent', 'span', 'resource', 'instrumentation_scope', 'scope', 'otelcol'],
};

const docs = 'https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/pkg/ottl/contexts/ottl';

/** One segment of a path; it notes what the context has looked at, and what it has not is a fault. */
export class PathSegment {
  readonly name: string;
  readonly fullText: string;
  readonly #keys: readonly IndexKey[] | undefined;
  readonly #next: PathSegment | undefined;
  #used = false;
  #keysUsed = false;

  constructor(name: string, keys: readonly IndexKey[] | undefined, next: PathSegment | undefined, fullText: string) {
    this.name = name;
    this.fullText = fullText;
    this.#keys = keys;
    this.#next = next;
  }

  use(): this {
    this.#used = true;
    return this;
  }
  next(): PathSegment | undefined {
    return this.#next?.use();
  }
  keys(): readonly IndexKey[] | undefined {
    this.#keysUsed = true;
    return this.#keys;
  }
  /** Errors: throws CompileFault for the first part that nobody used. */
  assertUsed(): void {
    if (!this.#used) {
      throw new CompileFault(
        `the path section ${goQuote(this.name)} was not used by the context - this likely means you are using extra path sections`,
      );
    }
    if (this.#keys !== undefined && !this.#keysUsed) {
      throw new CompileFault(
        `the keys indexing ${goQuote(this.name)} were not used by the context - this likely means you are trying to index a path that does not support indexing`,
      );
    }
    this.#next?.assertUsed();
  }
}

function unknown(segment: PathSegment, context: string): CompileFault {
  return new CompileFault(
    `segment ${goQuote(segment.name)} from path ${goQuote(segment.fullText)} is not a valid path nor a valid OTTL keyword for the ${context} context - review ${docs}${context} to see all valid paths`,
  );
}

type Read = (view: SpanView) => OttlValue;
/** A varint field of the span, 0 when it is absent. */
function spanUint32(v: SpanView, number: number): number {
  const at = v.field(number);
  return at < 0 ? 0 : readVarint32(v.bytes, at);
}

function spanFixed64(v: SpanView, number: number): bigint {
  const at = v.field(number);
  return at < 0 ? 0n : readFixed64(v.bytes, at);
}

const reader = (read: Read): Getter => dynamicGetter(read);

const text = (number: number): Getter => reader((v) => view.textAt(v.bytes, v.field(number), v.spanTo));
const count = (number: number): Getter => reader((v) => smallBigInt(spanUint32(v, number)));
const nanos = (number: number): Getter => reader((v) => spanFixed64(v, number));
const time = (number: number): Getter => reader((v) => new Time(spanFixed64(v, number)));

function idBytes(v: SpanView, number: number, length: number): Uint8Array {
  const bytes = view.bytesAt(v.bytes, v.field(number), v.spanTo);
  return bytes.length === length ? bytes : new Uint8Array(length);
}

/** trace_id, span_id and parent_span_id, each with `.string`; an absent id reads as zeros. */
function idPath(segment: PathSegment, number: number, type: IdType, length: number): Getter {
  const next = segment.next();
  if (next === undefined) return reader((v) => new Id(type, idBytes(v, number, length)));
  if (next.name !== 'string') throw unknown(next, 'span');
  return reader((v) => Buffer.from(idBytes(v, number, length)).toString('hex'));
}

const kindNames = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
const kindOf = (v: SpanView): number => spanUint32(v, 6) | 0;

function kindPath(segment: PathSegment): Getter {
  const next = segment.next();
  if (next === undefined) return reader((v) => smallBigInt(kindOf(v)));
  if (next.name === 'string') return reader((v) => kindNames[kindOf(v)] ?? '');
  if (next.name !== 'deprecated_string') throw unknown(next, 'span');
  return reader((v) => {
    const name = kindNames[kindOf(v)];
    return name === undefined ? '' : `SPAN_KIND_${name.toUpperCase()}`;
  });
}

let statusFrom = 0;
let statusTo = 0;
/** Finds the span's Status; an absent one is an empty range. */
function findStatus(v: SpanView): void {
  const at = v.field(15);
  const length = at < 0 ? 0 : readVarint32(v.bytes, at);
  statusFrom = at < 0 ? 0 : afterRead();
  statusTo = statusFrom + length;
}

function statusPath(segment: PathSegment): Getter {
  const next = segment.next();
  if (next === undefined) return reader((v) => new Opaque('ptrace.Status', v.spanFrom, 0));
  if (next.name === 'code') {
    return reader((v) => {
      findStatus(v);
      return smallBigInt(view.uint32In(v.bytes, statusFrom, statusTo, 3) | 0);
    });
  }
  if (next.name !== 'message') throw unknown(next, 'span');
  return reader((v) => {
    findStatus(v);
    return view.textIn(v.bytes, statusFrom, statusTo, 2);
  });
}

function traceStatePath(segment: PathSegment): Getter {
  const keys = segment.keys();
  if (keys === undefined) return text(3);
  const key = keys[0]!;
  if (keys.length !== 1) throw new CompileFault('must provide exactly 1 key when accessing trace_state');
  return dynamicGetter((v) => {
    const value = traceStateValue(view.textAt(v.bytes, v.field(3), v.spanTo), key.text ?? '');
    if (value === null || key.text !== undefined) return value;
    return new OttlError('trace_state indexing type must be a string');
  });
}

function spanPath(segment: PathSegment): Getter {
  switch (segment.name) {
    case 'trace_id':
      return idPath(segment, 1, 'pcommon.TraceID', 16);
    case 'span_id':
      return idPath(segment, 2, 'pcommon.SpanID', 8);
    case 'parent_span_id':
      return idPath(segment, 4, 'pcommon.SpanID', 8);
    case 'trace_state':
      return traceStatePath(segment);
    case 'name':
      return text(5);
    case 'kind':
      return kindPath(segment);
    case 'start_time_unix_nano':
      return nanos(7);
    case 'end_time_unix_nano':
      return nanos(8);
    case 'start_time':
      return time(7);
    case 'end_time':
      return time(8);
    case 'attributes': {
      const keys = segment.keys();
      if (keys === undefined) return reader((v) => new WireMap(v.bytes, v.spanFrom, v.spanTo, 9));
      return indexedMap(keys, (v, key) => findValue(v.bytes, v.attributesFrom(), v.spanTo, 9, key));
    }
    case 'dropped_attributes_count':
      return count(10);
    case 'events':
      return reader((v) => new Opaque('ptrace.SpanEventSlice', v.spanFrom, view.countIn(v.bytes, v.spanFrom, v.spanTo, 11)));
    case 'dropped_events_count':
      return count(12);
    case 'links':
      return reader((v) => new Opaque('ptrace.SpanLinkSlice', v.spanFrom, view.countIn(v.bytes, v.spanFrom, v.spanTo, 13)));
    case 'dropped_links_count':
      return count(14);
    case 'status':
      return statusPath(segment);
    case 'flags':
      return reader((v) => smallBigInt(v.field(16) < 0 ? 0 : readFixed32(v.bytes, v.field(16))));
  }
  throw unknown(segment, 'span');
}

function spanEventPath(segment: PathSegment): Getter {
  switch (segment.name) {
    case 'event_index':
      return dynamicGetter<OttlValue>(() => new OttlError("no 'event_index' property has been set"));
    case 'time_unix_nano':
      return reader((v) => view.fixed64In(v.bytes, v.eventFrom, v.eventTo, 1));
    case 'time':
      return reader((v) => new Time(view.fixed64In(v.bytes, v.eventFrom, v.eventTo, 1)));
    case 'name':
      return reader((v) => view.textIn(v.bytes, v.eventFrom, v.eventTo, 2));
    case 'attributes': {
      const keys = segment.keys();
      if (keys === undefined) return reader((v) => new WireMap(v.bytes, v.eventFrom, v.eventTo, 3));
      return indexedMap(keys, (v, key) => findValue(v.bytes, v.eventFrom, v.eventTo, 3, key));
    }
    case 'dropped_attributes_count':
      return reader((v) => smallBigInt(view.uint32In(v.bytes, v.eventFrom, v.eventTo, 4)));
  }
  throw unknown(segment, 'spanevent');
}

function resourcePath(segment: PathSegment): Getter {
  switch (segment.name) {
    case 'attributes': {
      const keys = segment.keys();
      if (keys === undefined) return reader((v) => view.mapInRanges(v.bytes, v.resource(), 1));
      return indexedMap(keys, (v, key) => view.findInRanges(v.bytes, v.resource(), 1, key));
    }
    case 'dropped_attributes_count':
      return reader((v) => smallBigInt(view.uint32InRanges(v.bytes, v.resource(), 2)));
    case 'schema_url':
      return reader((v) => view.textInRanges(v.bytes, v.resourceSpans(), 3));
  }
  throw unknown(segment, 'resource');
}

function scopePath(segment: PathSegment): Getter {
  switch (segment.name) {
    case 'name':
      return reader((v) => view.textInRanges(v.bytes, v.scope(), 1));
    case 'version':
      return reader((v) => view.textInRanges(v.bytes, v.scope(), 2));
    case 'attributes': {
      const keys = segment.keys();
      if (keys === undefined) return reader((v) => view.mapInRanges(v.bytes, v.scope(), 3));
      return indexedMap(keys, (v, key) => view.findInRanges(v.bytes, v.scope(), 3, key));
    }
    case 'dropped_attributes_count':
      return reader((v) => smallBigInt(view.uint32InRanges(v.bytes, v.scope(), 4)));
    case 'schema_url':
      return reader((v) => view.textInRanges(v.bytes, v.scopeSpans(), 3));
  }
  throw unknown(segment, 'scope');
}

/** A key into a map that is always empty here; the key itself is still resolved, as its errors count. */
function emptyIndexed(keys: readonly IndexKey[], prefix: string): Getter {
  return dynamicGetter((v) => {
    const key = mapKey(keys[0]!, v);
    return key instanceof OttlError ? new OttlError(prefix + key.message) : null;
  });
}

/** What the Collector knows of the client: at decision time, nothing, for the request is long gone. */
function otelcolPath(segment: PathSegment): Getter {
  const fail = (at: PathSegment) => unknown(at, 'otelcol');
  if (segment.name !== 'client' && segment.name !== 'grpc') throw fail(segment);
  const next = segment.next();
  if (next === undefined) throw fail(segment);
  if (segment.name === 'grpc') {
    if (next.name !== 'metadata') throw fail(next);
    const keys = next.keys();
    return keys === undefined ? literalFree(emptyMap) : literalFree(null);
  }
  switch (next.name) {
    case 'addr': {
      const after = next.next();
      if (after !== undefined) throw fail(after);
      if (next.keys() !== undefined) throw fail(next);
      return literalFree(null);
    }
    case 'metadata': {
      const after = next.next();
      if (after !== undefined) throw fail(after);
      const keys = next.keys();
      return keys === undefined ? literalFree(emptyMap) : emptyIndexed(keys, 'cannot get map value: ');
    }
    case 'auth': {
      const attributes = next.next();
      if (attributes === undefined) throw fail(next);
      if (attributes.name !== 'attributes') throw fail(attributes);
      const keys = attributes.keys();
      return keys === undefined ? literalFree(emptyMap) : emptyIndexed(keys, '');
    }
  }
  throw fail(next);
}

/** A constant that is a path all the same: it is not folded. */
function literalFree(value: OttlValue): Getter {
  return { ...literalGetter(value), literal: false };
}

function cachePath(segment: PathSegment): Getter {
  const keys = segment.keys();
  return keys === undefined ? literalFree(emptyMap) : emptyIndexed(keys, 'cannot get map value: ');
}

/**
 * The reader of a path. `own` is the context of the condition list, `pathContext` the name before the first dot.
 *
 * Errors: throws CompileFault with the Collector's text.
 */
export function compilePath(own: OttlContext, pathContext: string, path: PathSegment): Getter {
  path.use();
  const getter = contextPath(own, pathContext, path);
  path.assertUsed();
  return getter;
}

function contextPath(own: OttlContext, pathContext: string, path: PathSegment): Getter {
  if (path.name === 'cache') {
    if (pathContext === own) return cachePath(path);
    const better = path.fullText.replace(`${pathContext}.`, `${own}.`);
    throw new CompileFault(
      `access to cache must be performed using the same context, please replace ${goQuote(path.fullText)} with ${goQuote(better)}`,
    );
  }
  switch (pathContext) {
    case 'span':
      return spanPath(path);
    case 'spanevent':
      return spanEventPath(path);
    case 'resource':
      return resourcePath(path);
    case 'otelcol':
      return otelcolPath(path);
    default:
      return scopePath(path);
  }
}
