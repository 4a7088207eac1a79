/** Frames runs whose spans get a sampling threshold into their tracestate: gate `usetracestate` only, span by span. Whichever thread runs the shard. */

import { resourceRow, runRow, scopeRow } from '../../shared/arena/rows.ts';
import { WireReader } from '../../shared/otlp/wire-reader.ts';
import type { ShardMemory } from '../../shared/trace-table/shard-memory.ts';
import { parseOtelTraceState, withThreshold } from '../policies/otel-trace-state.ts';

/** ResourceSpans, ScopeSpans and Span stand in fields 1, 2 and 2 of their parents; Span.trace_state = 3. */
const resourceSpansTag = 0x0a;
const scopeSpansTag = 0x12;
const spanTag = 0x12;
const traceStateTag = 0x1a;

/** A span grows by at most `ot=th:` and 14 digits, a comma, the field's tag and length, and longer lengths around it. */
const spanGrowthBytesMax = 48;

const reader = new WireReader();

export class TraceStateFramer {
  /** Spans whose tracestate could not be parsed, which stay as they are, since the last reset. */
  unparseable = 0;
  readonly #memory: ShardMemory;
  readonly #itemsMax: number;

  constructor(memory: ShardMemory, itemsMax: number) {
    this.#memory = memory;
    this.#itemsMax = itemsMax;
  }

  /** Room that `frame` of a chain can need, of which the kernel needs `plainBytes` without any threshold. */
  static bytesMax(plainBytes: number, spans: number): number {
    return plainBytes + spans * spanGrowthBytesMax;
  }

  /**
   * Writes ResourceSpans fields for a chain of runs as the kernel's `frame` does, each span with `threshold` as its `th` unless its own is stricter.
   * Returns the position after the last byte. Bounds: needs `bytesMax` at `at`.
   */
  frame(firstRun: number, at: number, threshold: bigint): number {
    const { words, bytes } = this.#memory;
    let end = at;
    let run = firstRun;
    while (run !== 0) {
      const resource = words[(words[(run + runRow.scope) / 4] + scopeRow.resource) / 4];
      const parts: Uint8Array[] = this.#pieces(resource, resourceRow);
      while (run !== 0 && words[(words[(run + runRow.scope) / 4] + scopeRow.resource) / 4] === resource) {
        const scope = words[(run + runRow.scope) / 4];
        const mark = words[(run + runRow.mark) / 4];
        const ofScope: Uint8Array[] = this.#pieces(scope, scopeRow);
        while (run !== 0 && words[(run + runRow.scope) / 4] === scope && words[(run + runRow.mark) / 4] === mark) {
          this.#spans(run, threshold, ofScope);
          run = words[(run + runRow.next) / 4];
        }
        if (mark !== 0) ofScope.push(bytes.subarray(mark + 4, mark + 4 + words[mark / 4]));
        parts.push(...field(scopeSpansTag, ofScope));
      }
      for (const part of field(resourceSpansTag, parts)) {
        bytes.set(part, end);
        end += part.length;
      }
    }
    return end;
  }

  #pieces(row: number, layout: typeof resourceRow | typeof scopeRow): Uint8Array[] {
    const { words, bytes } = this.#memory;
    const piece = (at: number, length: number) => bytes.subarray(words[(row + at) / 4], words[(row + at) / 4] + words[(row + length) / 4]);
    return [piece(layout.firstPiece, layout.firstLength), piece(layout.secondPiece, layout.secondLength)];
  }

  #spans(run: number, threshold: bigint, parts: Uint8Array[]): void {
    const { words, bytes } = this.#memory;
    let position = words[(run + runRow.spans) / 4];
    const end = position + words[(run + runRow.spansLength) / 4];
    while (position < end) {
      reader.at(bytes, position);
      const tag = reader.varint();
      if (tag !== spanTag) {
        reader.skip(tag);
        parts.push(bytes.subarray(position, reader.position));
        position = reader.position;
        continue;
      }
      const length = reader.varint();
      const body = reader.position;
      const rewritten = this.#rewritten(body, body + length, threshold);
      if (rewritten === undefined) parts.push(bytes.subarray(position, body + length));
      else parts.push(...field(spanTag, rewritten));
      position = body + length;
    }
  }

  /** The span's body in parts, or undefined when it stays as it is. Of several tracestates the last counts, as protobuf says, and takes the place of all. */
  #rewritten(from: number, to: number, threshold: bigint): Uint8Array[] | undefined {
    const { bytes } = this.#memory;
    const kept: Uint8Array[] = [];
    let text = '';
    let keptFrom = from;
    reader.at(bytes, from);
    while (reader.position < to) {
      const start = reader.position;
      const tag = reader.varint();
      if (tag !== traceStateTag) {
        reader.skip(tag);
        continue;
      }
      const length = reader.varint();
      text = Buffer.from(bytes.buffer, bytes.byteOffset + reader.position, length).toString('latin1');
      reader.position += length;
      kept.push(bytes.subarray(keptFrom, start));
      keptFrom = reader.position;
    }
    const state = parseOtelTraceState(text, this.#itemsMax);
    if (state === undefined) {
      this.unparseable++;
      return undefined;
    }
    const wanted = withThreshold(state, threshold);
    if (wanted === undefined) return undefined;
    return [...kept, ...field(traceStateTag, [Buffer.from(wanted, 'latin1')]), bytes.subarray(keptFrom, to)];
  }
}

/** Tag and length, then the parts. */
function field(tag: number, parts: readonly Uint8Array[]): Uint8Array[] {
  const header = [tag];
  for (let rest = parts.reduce((total, part) => total + part.length, 0); ; rest = Math.floor(rest / 128)) {
    header.push(rest < 128 ? rest : (rest % 128) | 128);
    if (rest < 128) break;
  }
  return [Uint8Array.from(header), ...parts];
}
