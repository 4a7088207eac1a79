/** Takes the spans that no parser can read out of a request whose framing is sound, and leaves every other byte as it is. Main thread; the slow path of intake. */

import type { Kernel } from '../../../shared/kernel.ts';

export interface UsableSpans {
  /** What is left, from the same position on. */
  readonly byteLength: number;
  readonly rejectedSpans: number;
}

/** How deep a field stands: ExportTraceServiceRequest, ResourceSpans, ScopeSpans. */
type Level = 0 | 1 | 2;

/** ResourceSpans 1; ScopeSpans 2, and 1000 before OTLP 0.15; Span 2. */
function isNested(level: Level, number: number): boolean {
  return level === 0 ? number === 1 : number === 2 || (level === 1 && number === 1000);
}

/**
 * Rewrites [pointer, pointer + byteLength) of `memory` in place: unusable spans go, the lengths around them shrink.
 *
 * Shape:  `faultOffset` is where `kernel.validate` found the first malformed field; nothing that ends before it is looked at again.
 * Errors: undefined when the framing of ResourceSpans, ScopeSpans or spans is broken; the bytes are then spoilt. Resources and scopes are not
 *         judged here: `kernel.validate` of what is left does it.
 */
export function dropUnusableSpans(kernel: Kernel, pointer: number, byteLength: number, faultOffset: number): UsableSpans | undefined {
  const rewriter = new Rewriter(kernel, pointer, pointer + faultOffset);
  if (!rewriter.message(0, pointer, pointer + byteLength)) return undefined;
  return { byteLength: rewriter.written - pointer, rejectedSpans: rewriter.rejectedSpans };
}

class Rewriter {
  rejectedSpans = 0;
  /** Everything before it is in its final place; never ahead of what is being read. */
  written: number;
  readonly #kernel: Kernel;
  readonly #bytes: Uint8Array;
  readonly #faultAt: number;
  /** The varint read last. */
  #value = 0;

  constructor(kernel: Kernel, start: number, faultAt: number) {
    this.#kernel = kernel;
    this.#bytes = new Uint8Array(kernel.memory.buffer);
    this.#faultAt = faultAt;
    this.written = start;
  }

  /** Moves the fields of one message, without its unusable spans, to where the written bytes end. Returns false when a field is broken. */
  message(level: Level, start: number, end: number): boolean {
    let keptFrom = start;
    for (let at = start; at < end; ) {
      const lengthAt = this.#varint(at, end);
      if (lengthAt === 0 || this.#value < 8 || this.#value > 0xffff_ffff) return false;
      const number = Math.floor(this.#value / 8);
      const wire = this.#value % 8;
      const body = wire === 2 ? this.#varint(lengthAt, end) : lengthAt;
      if (body === 0) return false;
      const next = wire === 2 ? body + this.#value : this.#scalarEnd(wire, body, end);
      if (next === 0 || next > end) return false;
      if (wire === 2 && next > this.#faultAt && isNested(level, number)) {
        this.#keep(keptFrom, at);
        keptFrom = at;
        if (level < 2) {
          if (!this.#nested((level + 1) as Level, at, lengthAt, body, next)) return false;
          keptFrom = next;
        } else if (!this.#kernel.validateSpan(body, next - body)) {
          this.rejectedSpans++;
          keptFrom = next;
        }
      }
      at = next;
    }
    this.#keep(keptFrom, end);
    return true;
  }

  /** A message within: its tag, its length as it then is, its body. A length that did not change stays as it was written. */
  #nested(level: Level, at: number, lengthAt: number, body: number, next: number): boolean {
    const rejectedBefore = this.rejectedSpans;
    this.#keep(at, body);
    const target = this.written;
    if (!this.message(level, body, next)) return false;
    if (this.rejectedSpans === rejectedBefore) return true;
    const bodyBytes = this.written - target;
    let written = target - (body - lengthAt);
    for (let rest = bodyBytes; ; rest >>>= 7) {
      this.#bytes[written++] = rest >= 128 ? (rest & 0x7f) | 0x80 : rest;
      if (rest < 128) break;
    }
    this.#bytes.copyWithin(written, target, this.written);
    this.written = written + bodyBytes;
    return true;
  }

  #keep(start: number, end: number): void {
    if (start !== this.written) this.#bytes.copyWithin(this.written, start, end);
    this.written += end - start;
  }

  /** Returns the position after the varint at `at`, or 0. A value beyond 2^53 is inexact, and larger than any room. */
  #varint(at: number, end: number): number {
    let value = 0;
    let factor = 1;
    for (let position = at; position < end && position < at + 10; factor *= 128) {
      const byte = this.#bytes[position++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 128) {
        this.#value = value;
        return position;
      }
    }
    return 0;
  }

  #scalarEnd(wire: number, body: number, end: number): number {
    if (wire === 0) return this.#varint(body, end);
    return wire === 1 ? body + 8 : wire === 5 ? body + 4 : 0;
  }
}
