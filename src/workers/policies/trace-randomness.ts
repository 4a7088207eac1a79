/** Finds the randomness that the spans of a trace carry in their tracestate: gate `usetracestate` only. Worker thread. */

import { factBits, factRow } from '../../shared/arena/rows.ts';
import { parseOtelTraceState } from './otel-trace-state.ts';
import { type LeafPolicy, type TraceFacts, Verdict } from './policy.ts';

const bitsWord = factRow.bits / 4;
const textWord = factRow.traceState / 4;
const textLengthWord = factRow.traceStateLength / 4;

/**
 * State, u32 words.
 *
 *      0                                  1                2
 *      ├ 1: rv or th seen │ 2: rv seen ──┼ rv, high 24 ───┼ rv, low 32 ┤
 */
const seenSampling = 1;
const seenRandomness = 2;

/** A leaf that votes for nothing: other leaves read what it found. The first explicit `rv` in span order counts; it settles the leaf. */
export class TraceRandomness implements LeafPolicy {
  readonly stateWords = 3;
  readonly #itemsMax: number;
  #own = 0;

  constructor(itemsMax: number) {
    this.#itemsMax = itemsMax;
  }

  /** First own word, counted from the trace's first state word. */
  place(own: number): void {
    this.#own = own;
  }

  fold(span: Parameters<NonNullable<LeafPolicy['fold']>>[0], words: Uint32Array, at: number): boolean {
    if ((span.words[span.fact + bitsWord] & factBits.hasTraceState) === 0) return false;
    const text = span.words[span.fact + textWord];
    const state = parseOtelTraceState(latin1(span.bytes, text, span.words[span.fact + textLengthWord]), this.#itemsMax);
    if (state === undefined) return false;
    if (state.threshold !== undefined) words[at] |= seenSampling;
    if (state.randomness === undefined) return false;
    words[at] |= seenSampling | seenRandomness;
    words[at + 1] = Number(state.randomness >> 32n);
    words[at + 2] = Number(state.randomness & 0xffffffffn);
    return true;
  }

  read(): Verdict {
    return Verdict.notSampled;
  }

  /** Whether any span of the trace whose state begins at `at` carries `rv` or `th`. */
  hasSamplingInfo(words: Uint32Array, at: number): boolean {
    return words[at + this.#own] !== 0;
  }

  /** The explicit randomness, else the last 7 bytes of the trace id. */
  of(trace: TraceFacts, words: Uint32Array, at: number): bigint {
    const own = at + this.#own;
    if ((words[own] & seenRandomness) !== 0) return (BigInt(words[own + 1]) << 32n) | BigInt(words[own + 2]);
    let randomness = 0n;
    for (let index = 9; index < 16; index++) randomness = (randomness << 8n) | BigInt(trace.bytes[trace.traceId + index]);
    return randomness;
  }
}

/** One character a byte: what is beyond ASCII is valid in no tracestate. The bytes may lie in shared memory. */
export function latin1(bytes: Uint8Array, at: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString('latin1');
}
