/** What conditions see of one span or span event: lazy readers over its serialized bytes and those of its scope and resource. Worker thread. */

import { factRow, resourceRow, scopeRow } from '../../shared/arena/rows.ts';
import type { SpanCursor } from '../policies/span-cursor.ts';
import { EntryMap, type PData, type PMap } from './values.ts';
import { afterRead, eachField, findValue, readFixed64, readText, readVarint32, skipField, WireMap } from './wire-values.ts';

/** A message as up to two ranges of whole fields, merged in that order; without a range it is empty. */
export interface Ranges {
  from: number;
  to: number;
  secondFrom: number;
  secondTo: number;
}

const emptyBytes = new Uint8Array(0);
const noRanges = (): Ranges => ({ from: 0, to: 0, secondFrom: 0, secondTo: 0 });

/** Shape: positions of [start, end) pairs in one buffer, for tests and for bytes that no kernel has split. */
export interface RawSpan {
  readonly bytes: Uint8Array;
  readonly span: readonly [number, number];
  readonly scopeSpans: readonly [number, number];
  readonly resourceSpans: readonly [number, number];
}

/**
 * One mutable instance per worker: `atSpan` for a span, then `nextEvent` until it answers false for its events.
 * Values that it returns are views of the moment and must not outlive the next `atSpan`.
 *
 * | message | fields |
 * |---|---|
 * | ResourceSpans | resource = 1 { attributes = 1, dropped = 2 }, schema_url = 3 |
 * | ScopeSpans | scope = 1 { name = 1, version = 2, attributes = 3, dropped = 4 }, schema_url = 3 |
 * | Span | trace_id = 1, span_id = 2, trace_state = 3, parent = 4, name = 5, kind = 6, start = 7, end = 8, attributes = 9, dropped = 10, events = 11, dropped = 12, links = 13, dropped = 14, status = 15 { message = 2, code = 3 }, flags = 16 |
 * | Event | time = 1, name = 2, attributes = 3, dropped = 4 |
 */
export class SpanView {
  bytes: Uint8Array = emptyBytes;
  spanFrom = 0;
  spanTo = 0;
  eventFrom = 0;
  eventTo = 0;
  readonly #scopeSpans = noRanges();
  readonly #resourceSpans = noRanges();
  #nextEventAt = 0;
  /** Where the last field of each number starts behind its tag, -1 without one; found in one walk when the first scalar is asked for. */
  readonly #fields = new Int32Array(17);
  #fieldsKnown = false;
  #firstAttribute = 0;
  /** Arguments of the lambdas that are being evaluated; a slot per parameter, assigned at compile time. */
  readonly locals: unknown[] = [];

  /** Points the view at the span under `cursor`; it reads the bytes of the cursor's memory, which may move on afterwards. */
  atSpan(cursor: SpanCursor): void {
    const { words, fact } = cursor;
    this.bytes = cursor.bytes;
    this.spanFrom = words[fact + (factRow.span >> 2)]!;
    this.spanTo = this.spanFrom + words[fact + (factRow.spanLength >> 2)]!;
    this.#nextEventAt = this.spanFrom;
    this.#fieldsKnown = false;
    setPieces(this.#scopeSpans, words, cursor.scopeRow >> 2, scopeRow);
    setPieces(this.#resourceSpans, words, cursor.resourceRow >> 2, resourceRow);
  }

  /** Points the view at a span by plain ranges. */
  atRaw(raw: RawSpan): void {
    this.bytes = raw.bytes;
    this.spanFrom = raw.span[0];
    this.spanTo = raw.span[1];
    this.#nextEventAt = this.spanFrom;
    this.#fieldsKnown = false;
    Object.assign(this.#scopeSpans, { from: raw.scopeSpans[0], to: raw.scopeSpans[1], secondFrom: 0, secondTo: 0 });
    Object.assign(this.#resourceSpans, { from: raw.resourceSpans[0], to: raw.resourceSpans[1], secondFrom: 0, secondTo: 0 });
  }

  /** Position of the span's last field `number`, behind its tag; -1 without one. Scalars that occur twice: the last one holds. */
  field(number: number): number {
    if (!this.#fieldsKnown) this.#findFields();
    return this.#fields[number]!;
  }

  /** Where the walk for an attribute starts. */
  attributesFrom(): number {
    return this.#fieldsKnown ? this.#firstAttribute : this.spanFrom;
  }

  #findFields(): void {
    const { bytes, spanTo } = this;
    const fields = this.#fields.fill(-1);
    this.#firstAttribute = spanTo;
    for (let at = this.spanFrom; at < spanTo; ) {
      const start = at;
      const tag = readVarint32(bytes, at);
      at = afterRead();
      const number = tag >>> 3;
      if (number <= 16) fields[number] = at;
      if (number === 9 && this.#firstAttribute === spanTo) this.#firstAttribute = start;
      at = skipField(bytes, tag & 7, at, spanTo);
    }
    this.#fieldsKnown = true;
  }

  /** Moves on to the span's next event; false when there is none left. */
  nextEvent(): boolean {
    const { bytes, spanTo } = this;
    let at = this.#nextEventAt;
    while (at < spanTo) {
      const tag = readVarint32(bytes, at);
      at = afterRead();
      if (tag !== 0x5a) {
        at = skipField(bytes, tag & 7, at, spanTo);
        continue;
      }
      const length = readVarint32(bytes, at);
      this.eventFrom = afterRead();
      this.eventTo = Math.min(this.eventFrom + length, spanTo);
      this.#nextEventAt = this.eventTo;
      return true;
    }
    this.#nextEventAt = spanTo;
    return false;
  }

  scopeSpans(): Ranges {
    return this.#scopeSpans;
  }
  resourceSpans(): Ranges {
    return this.#resourceSpans;
  }
  /** The Resource message; several occurrences are one message, of which the first and the last are read. */
  resource(): Ranges {
    return subMessage(this.bytes, this.#resourceSpans, resourceRanges);
  }
  scope(): Ranges {
    return subMessage(this.bytes, this.#scopeSpans, scopeRanges);
  }
}

const resourceRanges = noRanges();
const scopeRanges = noRanges();

function setPieces(ranges: Ranges, words: Uint32Array, row: number, layout: typeof resourceRow | typeof scopeRow): void {
  ranges.from = words[row + (layout.firstPiece >> 2)]!;
  ranges.to = ranges.from + words[row + (layout.firstLength >> 2)]!;
  ranges.secondFrom = words[row + (layout.secondPiece >> 2)]!;
  ranges.secondTo = ranges.secondFrom + words[row + (layout.secondLength >> 2)]!;
}

function subMessage(bytes: Uint8Array, parent: Ranges, into: Ranges): Ranges {
  into.from = into.to = into.secondFrom = into.secondTo = 0;
  const note = (from: number, to: number) => {
    if (into.to === 0) {
      into.from = from;
      into.to = to;
    } else {
      into.secondFrom = from;
      into.secondTo = to;
    }
  };
  eachField(bytes, parent.from, parent.to, 1, note);
  eachField(bytes, parent.secondFrom, parent.secondTo, 1, note);
  return into;
}

/** Start of the last field with `tag` in [from, to), behind its tag; -1 when there is none. Scalars that occur twice: the last one holds. */
export function lastField(bytes: Uint8Array, from: number, to: number, tag: number): number {
  let found = -1;
  for (let at = from; at < to; ) {
    const read = readVarint32(bytes, at);
    at = afterRead();
    if (read === tag) found = at;
    at = skipField(bytes, read & 7, at, to);
  }
  return found;
}

/** Text of the length-delimited field whose length stands at `at`; '' for -1. */
export function textAt(bytes: Uint8Array, at: number, to: number): string {
  if (at < 0) return '';
  const length = readVarint32(bytes, at);
  const start = afterRead();
  return readText(bytes, start, Math.min(start + length, to));
}

/** Last text of field `number`, '' when it is absent. */
export function textIn(bytes: Uint8Array, from: number, to: number, number: number): string {
  return textAt(bytes, lastField(bytes, from, to, (number << 3) | 2), to);
}

/** Bytes of the length-delimited field whose length stands at `at`, copied; none for -1. */
export function bytesAt(bytes: Uint8Array, at: number, to: number): Uint8Array {
  if (at < 0) return emptyBytes;
  const length = readVarint32(bytes, at);
  const start = afterRead();
  return bytes.slice(start, Math.min(start + length, to));
}

export function uint32In(bytes: Uint8Array, from: number, to: number, number: number): number {
  const at = lastField(bytes, from, to, number << 3);
  return at < 0 ? 0 : readVarint32(bytes, at);
}

export function fixed64In(bytes: Uint8Array, from: number, to: number, number: number): bigint {
  const at = lastField(bytes, from, to, (number << 3) | 1);
  return at < 0 ? 0n : readFixed64(bytes, at);
}

export function textInRanges(bytes: Uint8Array, ranges: Ranges, number: number): string {
  const tag = (number << 3) | 2;
  if (ranges.secondTo > 0 && lastField(bytes, ranges.secondFrom, ranges.secondTo, tag) >= 0)
    return textIn(bytes, ranges.secondFrom, ranges.secondTo, number);
  return textIn(bytes, ranges.from, ranges.to, number);
}

export function uint32InRanges(bytes: Uint8Array, ranges: Ranges, number: number): number {
  const second = uint32In(bytes, ranges.secondFrom, ranges.secondTo, number);
  return second !== 0 ? second : uint32In(bytes, ranges.from, ranges.to, number);
}

export function findInRanges(bytes: Uint8Array, ranges: Ranges, number: number, key: Uint8Array): PData | undefined {
  const value = findValue(bytes, ranges.from, ranges.to, number, key);
  return value === undefined && ranges.secondTo > 0 ? findValue(bytes, ranges.secondFrom, ranges.secondTo, number, key) : value;
}

export function mapInRanges(bytes: Uint8Array, ranges: Ranges, number: number): PMap {
  const first = new WireMap(bytes, ranges.from, ranges.to, number);
  if (ranges.secondTo === 0) return first;
  return new EntryMap([...first.entries(), ...new WireMap(bytes, ranges.secondFrom, ranges.secondTo, number).entries()]);
}

/** How many fields `number` there are. */
export function countIn(bytes: Uint8Array, from: number, to: number, number: number): number {
  let count = 0;
  eachField(bytes, from, to, number, () => count++);
  return count;
}
