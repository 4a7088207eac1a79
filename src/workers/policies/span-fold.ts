/** Folds one span into the states of all leaf policies, each settled one left out. Worker thread. */

import { factBits, factRow, resourceRow } from '../../shared/arena/rows.ts';
import { WireReader } from '../../shared/otlp/wire-reader.ts';
import { type AttributeSlots, attributesTag, ValueKind } from './attribute-slots.ts';
import type { AttributeTest, LeafPolicy } from './policy.ts';
import type { SpanCursor } from './span-cursor.ts';

/** A leaf with its place: `bit` is its settled bit, counted from the first state word; `at` where its own words begin. */
export interface PlacedLeaf {
  readonly leaf: LeafPolicy;
  readonly bit: number;
  readonly at: number;
}

const bitsWord = factRow.bits / 4;
const attributesWord = factRow.attributes / 4;
const attributesEndWord = factRow.attributesEnd / 4;
/** ResourceSpans.resource = 1. */
const resourceTag = 0x0a;
const noResource = -1;
const reader = new WireReader();

/** Leaves that are told each span. Settled bits stand in the first words of the trace's state. */
export function foldSpans(leaves: readonly PlacedLeaf[], span: SpanCursor, words: Uint32Array, at: number): void {
  for (let index = 0; index < leaves.length; index++) {
    const { leaf, bit, at: own } = leaves[index];
    const word = at + (bit >>> 5);
    const mask = 1 << (bit & 31);
    if ((words[word] & mask) === 0 && leaf.fold!(span, words, at + own)) words[word] |= mask;
  }
}

/**
 * Leaves that test one attribute of the resource, then of each span. Their bits are the first ones. A resource is looked at once for all its spans of a request,
 * a span's attributes are walked once for all leaves, and not at all when no leaf is left that could learn from them.
 */
export class AttributeFold {
  readonly #slots: AttributeSlots;
  readonly #tests: readonly AttributeTest[];
  readonly #slotOf: Uint32Array;
  readonly #bitWords: number;
  readonly #allBits: Uint32Array;
  /** Settled bits that the resource at `#resource` gives to each of its traces. */
  readonly #resourceBits: Uint32Array;
  #resource = noResource;

  constructor(slots: AttributeSlots, tests: readonly AttributeTest[]) {
    this.#slots = slots;
    this.#tests = tests;
    this.#slotOf = Uint32Array.from(tests, (test) => slots.slotOf(test.key));
    this.#bitWords = (tests.length + 31) >>> 5;
    this.#resourceBits = new Uint32Array(this.#bitWords);
    this.#allBits = new Uint32Array(this.#bitWords);
    for (let bit = 0; bit < tests.length; bit++) this.#allBits[bit >>> 5] |= 1 << (bit & 31);
  }

  /** Row positions mean nothing beyond a request. */
  forgetResource(): void {
    this.#resource = noResource;
  }

  fold(span: SpanCursor, words: Uint32Array, at: number): void {
    if (span.resourceRow !== this.#resource) this.#learnResource(span);
    let open = 0;
    for (let word = 0; word < this.#bitWords; word++) {
      words[at + word] |= this.#resourceBits[word];
      open |= ~words[at + word] & this.#allBits[word];
    }
    if (open === 0 || (span.words[span.fact + bitsWord] & factBits.hasAttributes) === 0) return;
    this.#slots.clear();
    this.#slots.walk(span.bytes, span.words[span.fact + attributesWord], span.words[span.fact + attributesEndWord], attributesTag.span);
    this.#settle(span.bytes, words, at, false);
  }

  #settle(bytes: Uint8Array, words: Uint32Array, at: number, ofResource: boolean): void {
    const { kind } = this.#slots;
    for (let bit = 0; bit < this.#tests.length; bit++) {
      const slot = this.#slotOf[bit];
      if (kind[slot] === ValueKind.absent) continue;
      const word = at + (bit >>> 5);
      const mask = 1 << (bit & 31);
      if ((words[word] & mask) === 0 && this.#tests[bit].matches(this.#slots, slot, bytes, ofResource)) words[word] |= mask;
    }
  }

  #learnResource(span: SpanCursor): void {
    this.#resource = span.resourceRow;
    this.#resourceBits.fill(0);
    this.#slots.clear();
    const row = span.resourceRow / 4;
    this.#walkPiece(span.bytes, span.words[row + resourceRow.firstPiece / 4], span.words[row + resourceRow.firstLength / 4]);
    this.#walkPiece(span.bytes, span.words[row + resourceRow.secondPiece / 4], span.words[row + resourceRow.secondLength / 4]);
    this.#settle(span.bytes, this.#resourceBits, 0, true);
  }

  /** A resource may come in several fields, whose attributes then follow each other. */
  #walkPiece(bytes: Uint8Array, at: number, length: number): void {
    let position = at;
    while (position < at + length) {
      reader.at(bytes, position);
      const tag = reader.varint();
      if (tag === resourceTag) {
        const bodyLength = reader.varint();
        const body = reader.position;
        this.#slots.walk(bytes, body, body + bodyLength, attributesTag.resource);
        position = body + bodyLength;
      } else {
        reader.skip(tag);
        position = reader.position;
      }
    }
  }
}
