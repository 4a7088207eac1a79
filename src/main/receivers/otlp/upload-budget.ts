/** Bounds what unfinished uploads of all clients hold on the heap: beyond the budget the oldest one is refused. Main thread. */

/** An upload under way: a call or an exchange whose body is not complete. */
export interface Upload {
  /** Answers RESOURCE_EXHAUSTED with RetryInfo and takes the upload out of the budget. */
  refuseForMemory(): void;
}

export class UploadBudget {
  readonly #bytesMax: number;
  /** In the order in which they began, so that the slowest go first. */
  readonly #byteLengths = new Map<Upload, number>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get heldBytes(): number {
    return this.#bytes;
  }

  grow(upload: Upload, byteLength: number): void {
    this.#byteLengths.set(upload, (this.#byteLengths.get(upload) ?? 0) + byteLength);
    this.#bytes += byteLength;
    if (this.#bytes <= this.#bytesMax) return;
    for (const oldest of this.#byteLengths.keys()) {
      if (oldest === upload && this.#byteLengths.size > 1) continue;
      oldest.refuseForMemory();
      if (this.#bytes <= this.#bytesMax) return;
    }
  }

  /** The upload is complete, refused or gone. Any number of times. */
  end(upload: Upload): void {
    const byteLength = this.#byteLengths.get(upload);
    if (byteLength === undefined) return;
    this.#bytes -= byteLength;
    this.#byteLengths.delete(upload);
  }
}

/** Beside one request of the largest allowed size there is always room for more. */
export function uploadBytesMax(requestBytesMax: number): number {
  return Math.max(64 << 20, 4 * requestBytesMax);
}
