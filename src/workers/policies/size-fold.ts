/** Adds up, span by span, the size a trace has in the Collector (spec 1.5), in the trace's state. Worker thread. */

import { factRow, resourceRow, scopeRow } from '../../shared/arena/rows.ts';
import { fieldBytes, headerBodyBytes, spanBodyBytes } from '../../shared/otlp/otlp-sizes.ts';
import type { SpanCursor } from './span-cursor.ts';

/**
 * State, u32 words.
 *
 *      0        1          2              3               4           5
 *      ├ bodies ┼ traces ──┼ resource row ┼ resource body ┼ scope row ┼ scope body ┤
 *
 * bodies: Σ ResourceSpansSize, what `maximum_trace_size_bytes` and the bytes metric count. traces: TracesSize, what `bytes_limiting` counts.
 * The rest is the fragment being added to: the Collector makes one ResourceSpans of each source ResourceSpans that holds spans of the trace, with one ScopeSpans
 * for each source ScopeSpans. Row positions identify them while the trace is undecided, because its rows live as long. Totals stop at 4 GiB.
 */
const bodiesWord = 0;
const tracesWord = 1;
const resourceWord = 2;
const resourceBodyWord = 3;
const scopeWord = 4;
const scopeBodyWord = 5;
const wordCount = 6;

const uint32Max = 0xffffffff;

export class SizeFold {
  readonly stateWords = wordCount;
  readonly #offset: number;

  /** `offset`: first own word, counted from the trace's first state word. */
  constructor(offset: number) {
    this.#offset = offset;
  }

  /** Σ ResourceSpansSize of the trace whose state begins at `at`. */
  bodyBytes(words: Uint32Array, at: number): number {
    return words[at + this.#offset + bodiesWord];
  }

  /** TracesSize of the trace whose state begins at `at`. */
  tracesBytes(words: Uint32Array, at: number): number {
    return words[at + this.#offset + tracesWord];
  }

  fold(span: SpanCursor, words: Uint32Array, at: number): void {
    const own = at + this.#offset;
    const isNewResource = words[own + resourceWord] !== span.resourceRow;
    const before = isNewResource ? 0 : words[own + resourceBodyWord];
    let resourceBody = before;
    if (isNewResource) {
      words[own + resourceWord] = span.resourceRow;
      resourceBody = fieldBytes(headerBytes('resource', span, span.resourceRow));
    }
    const isNewScope = words[own + scopeWord] !== span.scopeRow;
    let scopeBody = isNewScope ? 0 : words[own + scopeBodyWord];
    if (isNewScope) {
      words[own + scopeWord] = span.scopeRow;
      scopeBody = fieldBytes(headerBytes('scope', span, span.scopeRow));
    } else {
      resourceBody -= fieldBytes(scopeBody);
    }
    const spanAt = span.words[span.fact + factRow.span / 4];
    scopeBody += fieldBytes(spanBodyBytes(span.bytes, spanAt, span.words[span.fact + factRow.spanLength / 4]));
    resourceBody += fieldBytes(scopeBody);
    words[own + scopeBodyWord] = scopeBody;
    words[own + resourceBodyWord] = resourceBody;
    words[own + bodiesWord] = Math.min(uint32Max, words[own + bodiesWord] + resourceBody - before);
    const fieldBefore = isNewResource ? 0 : fieldBytes(before);
    words[own + tracesWord] = Math.min(uint32Max, words[own + tracesWord] + fieldBytes(resourceBody) - fieldBefore);
  }
}

/** Resource and scope rows have the same pieces in the same places. */
function headerBytes(kind: 'resource' | 'scope', span: SpanCursor, rowPosition: number): number {
  const row = kind === 'resource' ? resourceRow : scopeRow;
  const at = rowPosition / 4;
  const { words, bytes } = span;
  return (
    headerBodyBytes(kind, bytes, words[at + row.firstPiece / 4], words[at + row.firstLength / 4]) +
    headerBodyBytes(kind, bytes, words[at + row.secondPiece / 4], words[at + row.secondLength / 4])
  );
}
