/** Finds the values of all attribute keys that the policies name together, in one walk over a span's or a resource's bytes. Worker thread. */

import { WireReader } from '../../shared/otlp/wire-reader.ts';

/** What an attribute's value is; `absent` when the attribute is not there, `empty` when it is there without a value. */
export const ValueKind = { absent: 0, empty: 1, string: 2, bool: 3, int: 4, double: 5, array: 6, kvlist: 7, bytes: 8 } as const;

/**
 * Tags of the fields that hold attributes.
 *
 *     Span.attributes = 9, Resource.attributes = 1: repeated KeyValue { key = 1 string, value = 2 AnyValue }
 *     AnyValue: string_value = 1, bool_value = 2, int_value = 3, double_value = 4, array_value = 5, kvlist_value = 6, bytes_value = 7
 */
export const attributesTag = { span: 0x4a, resource: 0x0a } as const;
const keyTag = 0x0a;
const valueTag = 0x12;

const reader = new WireReader();

/**
 * One slot per distinct key. After `walk`, a slot's `kind` says what was found, and `first` and `second` hold
 * string, bytes, array, kvlist: position and length; int: low and high word; double: position of its 8 bytes; bool: 0 or 1.
 * Of several attributes with one key the first counts, as in the Collector's maps.
 */
export class AttributeSlots {
  readonly kind: Uint8Array;
  readonly first: Uint32Array;
  readonly second: Uint32Array;
  readonly #keys: readonly Uint8Array[];
  /** Slots by the byte length of their keys. */
  readonly #byLength: (number[] | undefined)[] = [];
  readonly #slotOf = new Map<string, number>();

  constructor(keys: Iterable<string>) {
    const encoder = new TextEncoder();
    const encoded: Uint8Array[] = [];
    for (const key of keys) {
      if (this.#slotOf.has(key)) continue;
      const slot = encoded.length;
      const bytes = encoder.encode(key);
      this.#slotOf.set(key, slot);
      encoded.push(bytes);
      (this.#byLength[bytes.length] ??= []).push(slot);
    }
    this.#keys = encoded;
    this.kind = new Uint8Array(encoded.length);
    this.first = new Uint32Array(encoded.length);
    this.second = new Uint32Array(encoded.length);
  }

  slotOf(key: string): number {
    return this.#slotOf.get(key) ?? -1;
  }

  /** Forgets what the last walks found. */
  clear(): void {
    this.kind.fill(ValueKind.absent);
  }

  /**
   * Fills the slots whose keys occur among the fields in [from, to) that have tag `tag`; other fields are passed.
   * Returns whether every slot is filled. Slots filled by an earlier walk keep what they have.
   */
  walk(bytes: Uint8Array, from: number, to: number, tag: number): boolean {
    let missing = 0;
    for (let slot = 0; slot < this.kind.length; slot++) if (this.kind[slot] === ValueKind.absent) missing++;
    reader.at(bytes, from);
    while (missing > 0 && reader.position < to) {
      const next = reader.varint();
      if (next !== tag) {
        reader.skip(next);
        continue;
      }
      const length = reader.varint();
      const end = reader.position + length;
      if (this.#takeKeyValue(bytes, end)) missing--;
      reader.position = end;
    }
    return missing === 0;
  }

  /** Reads the KeyValue from the reader's position to `end`; true when it filled a slot. */
  #takeKeyValue(bytes: Uint8Array, end: number): boolean {
    const start = reader.position;
    let key = 0;
    let keyLength = 0;
    let hasValue = false;
    while (reader.position < end) {
      const tag = reader.varint();
      if (tag === keyTag) {
        keyLength = reader.varint();
        key = reader.position;
        reader.position += keyLength;
      } else {
        if (tag === valueTag) hasValue = true;
        reader.skip(tag);
      }
    }
    const slot = this.#match(bytes, key, keyLength);
    if (slot < 0 || this.kind[slot] !== ValueKind.absent) return false;
    this.kind[slot] = ValueKind.empty;
    if (hasValue) {
      reader.position = start;
      while (reader.position < end) {
        const tag = reader.varint();
        if (tag !== valueTag) {
          reader.skip(tag);
          continue;
        }
        const length = reader.varint();
        this.#takeValue(slot, reader.position + length);
      }
    }
    return true;
  }

  #match(bytes: Uint8Array, at: number, length: number): number {
    const candidates = this.#byLength[length];
    if (candidates === undefined) return -1;
    for (const slot of candidates) {
      const key = this.#keys[slot];
      let index = 0;
      while (index < length && bytes[at + index] === key[index]) index++;
      if (index === length) return slot;
    }
    return -1;
  }

  /** Reads the AnyValue from the reader's position to `end`; of several values the last counts, as protobuf says of a oneof. */
  #takeValue(slot: number, end: number): void {
    while (reader.position < end) {
      const tag = reader.varint();
      switch (tag) {
        case 0x0a:
          this.#takeRange(slot, ValueKind.string);
          break;
        case 0x10:
          reader.varint64();
          this.kind[slot] = ValueKind.bool;
          this.first[slot] = (reader.low | reader.high) === 0 ? 0 : 1;
          break;
        case 0x18:
          reader.varint64();
          this.kind[slot] = ValueKind.int;
          this.first[slot] = reader.low;
          this.second[slot] = reader.high;
          break;
        case 0x21:
          this.kind[slot] = ValueKind.double;
          this.first[slot] = reader.position;
          reader.position += 8;
          break;
        case 0x2a:
          this.#takeRange(slot, ValueKind.array);
          break;
        case 0x32:
          this.#takeRange(slot, ValueKind.kvlist);
          break;
        case 0x3a:
          this.#takeRange(slot, ValueKind.bytes);
          break;
        default:
          reader.skip(tag);
      }
    }
  }

  #takeRange(slot: number, kind: number): void {
    const length = reader.varint();
    this.kind[slot] = kind;
    this.first[slot] = reader.position;
    this.second[slot] = length;
    reader.position += length;
  }
}
