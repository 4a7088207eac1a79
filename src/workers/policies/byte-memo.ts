/** Remembers an answer per byte string, for answers that are dear to find again. Worker thread. */

const keyBytesMax = 4096;
const ways = 2;

/**
 * Two-way set-associative: a key has two places, and a new key takes the one used longer ago. Nothing but a new key allocates.
 *
 * Bounds: about `entriesMax` entries, rounded up to a power of two; keys beyond 4 KiB are not remembered.
 */
export class ByteMemo {
  readonly #mask: number;
  readonly #keys: (Uint8Array | undefined)[];
  readonly #answers: Uint8Array;
  /** Per set: the way that was used last. */
  readonly #recent: Uint8Array;

  constructor(entriesMax: number) {
    const sets = 2 ** Math.ceil(Math.log2(Math.max(1, entriesMax / ways)));
    this.#mask = sets - 1;
    this.#keys = new Array(sets * ways).fill(undefined);
    this.#answers = new Uint8Array(sets * ways);
    this.#recent = new Uint8Array(sets);
  }

  /** The answer remembered for bytes[at, at + length), or what `find` says of it. */
  ask(bytes: Uint8Array, at: number, length: number, find: (bytes: Uint8Array, at: number, length: number) => boolean): boolean {
    if (length > keyBytesMax) return find(bytes, at, length);
    const set = hashOf(bytes, at, length) & this.#mask;
    for (let way = 0; way < ways; way++) {
      const key = this.#keys[set * ways + way];
      if (key !== undefined && equalBytes(key, bytes, at, length)) {
        this.#recent[set] = way;
        return this.#answers[set * ways + way] === 1;
      }
    }
    const answer = find(bytes, at, length);
    const way = 1 - this.#recent[set];
    this.#keys[set * ways + way] = bytes.slice(at, at + length);
    this.#answers[set * ways + way] = answer ? 1 : 0;
    this.#recent[set] = way;
    return answer;
  }
}

/** Whether bytes[at, at + length) are the key's. */
export function equalBytes(key: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  if (key.length !== length) return false;
  let index = 0;
  while (index < length && key[index] === bytes[at + index]) index++;
  return index === length;
}

/** FNV-1a, 32 bits. */
function hashOf(bytes: Uint8Array, at: number, length: number): number {
  let hash = 0x811c9dc5;
  for (let index = at; index < at + length; index++) hash = Math.imul(hash ^ bytes[index], 0x01000193);
  return hash >>> 0;
}
