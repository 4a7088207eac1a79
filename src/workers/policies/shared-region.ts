/** Memory that all workers of one tail_sampling instance share: budgets under a lock of one word. Any thread. */

/**
 * A piece of memory for compiled policies: `byteLength` bytes from `byteOffset` (8-byte aligned), all zero when the instance starts.
 * Every worker that compiles the same policies is given the same piece. Zero means: nothing spent yet.
 */
export interface SharedRegion {
  readonly buffer: ArrayBufferLike;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** Hands out pieces of a region in the order in which policies are compiled, which is the same in every worker. */
export class RegionCursor {
  readonly #region: SharedRegion | undefined;
  #used = 0;

  /** Without a region each piece is private memory: one worker, or a test. */
  constructor(region?: SharedRegion) {
    this.#region = region;
  }

  /** Skips what belongs to others. */
  skip(byteLength: number): void {
    this.#used += byteLength;
  }

  take(byteLength: number): Float64Array {
    const at = this.#used;
    this.#used += byteLength;
    if (this.#region === undefined) return new Float64Array(byteLength / 8);
    if (this.#used > this.#region.byteLength)
      throw new Error(`shared region of ${this.#region.byteLength} bytes is too small for the policies`);
    return new Float64Array(this.#region.buffer, this.#region.byteOffset + at, byteLength / 8);
  }
}

const free = 0;
const held = 1;
/** A holder that does not let go for this long has died with its worker; its few words are at worst one trace behind. */
const holderLifeMs = 50;

/** A lock in the first word of a piece of shared memory. Held for a handful of instructions. */
export class RegionLock {
  readonly #word: Int32Array;
  readonly #shared: boolean;

  constructor(piece: Float64Array) {
    this.#word = new Int32Array(piece.buffer, piece.byteOffset, 1);
    this.#shared = !(piece.buffer instanceof ArrayBuffer);
  }

  acquire(): void {
    // Pairs with the store in `release`: what the last holder wrote is visible from here on.
    while (this.#shared && Atomics.compareExchange(this.#word, 0, free, held) !== free) {
      if (Atomics.wait(this.#word, 0, held, holderLifeMs) === 'timed-out') return;
    }
  }

  release(): void {
    if (!this.#shared) return;
    // Pairs with the compareExchange in `acquire`.
    Atomics.store(this.#word, 0, free);
    Atomics.notify(this.#word, 0, 1);
  }
}
