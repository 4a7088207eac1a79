/** The spans that the Collector's recorded answers are about, as views. Test support. */

import { readFileSync } from 'node:fs';
import { exportTraceServiceRequest } from '../../../src/shared/otlp/messages.ts';
import { SpanView } from '../../../src/workers/ottl/span-view.ts';
import { eachField } from '../../../src/workers/ottl/wire-values.ts';

type Range = [number, number];

function firstField(bytes: Uint8Array, [from, to]: Range, number: number): Range {
  let found: Range | undefined;
  eachField(bytes, from, to, number, (at, end) => {
    found ??= [at, end];
  });
  return found ?? [0, 0];
}

/** A view of the first span of a serialized ExportTraceServiceRequest. */
export function viewOfFirstSpan(bytes: Uint8Array): SpanView {
  const resourceSpans = firstField(bytes, [0, bytes.length], 1);
  const scopeSpans = firstField(bytes, resourceSpans, 2);
  const view = new SpanView();
  view.atRaw({ bytes, span: firstField(bytes, scopeSpans, 2), scopeSpans, resourceSpans });
  return view;
}

export function encodeRequest(json: object): Uint8Array {
  return exportTraceServiceRequest.encode(exportTraceServiceRequest.fromObject(json)).finish();
}

export function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as T;
}

/** By name, each an encoded request with one span. */
export function sampleSpans(): ReadonlyMap<string, Uint8Array> {
  return new Map(Object.entries(fixture<Record<string, object>>('spans')).map(([name, json]) => [name, encodeRequest(json)]));
}
