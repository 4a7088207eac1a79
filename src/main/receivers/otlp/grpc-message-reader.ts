/** Reads the one length-prefixed message of a unary gRPC call out of chunks of any size. Main thread. */

/** What is wrong with the framing, before any protobuf is looked at. */
export type FramingFault = 'flag' | 'too large' | 'extra bytes';

/**
 * Length-Prefixed-Message: compressed flag (1, 0 or 1), length (4, big endian), message.
 *
 * Source: gRPC over HTTP2.
 */
export class GrpcMessageReader {
  readonly #bytesMax: number;
  /** Views of what came in, together the message's bytes so far. */
  readonly chunks: Uint8Array[] = [];
  isCompressed = false;
  /** As announced; meaningless until the prefix is complete. */
  byteLength = 0;
  #prefixBytes = 0;
  #receivedBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isComplete(): boolean {
    return this.#prefixBytes === 5 && this.#receivedBytes === this.byteLength;
  }

  get hasPrefix(): boolean {
    return this.#prefixBytes === 5;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  push(chunk: Uint8Array): FramingFault | undefined {
    let position = 0;
    while (this.#prefixBytes < 5) {
      if (position === chunk.length) return undefined;
      const byte = chunk[position++]!;
      if (this.#prefixBytes++ === 0) {
        if (byte > 1) return 'flag';
        this.isCompressed = byte === 1;
        continue;
      }
      this.byteLength = this.byteLength * 256 + byte;
      if (this.#prefixBytes === 5 && this.byteLength > this.#bytesMax) return 'too large';
    }
    const length = chunk.length - position;
    if (length === 0) return undefined;
    if (length > this.byteLength - this.#receivedBytes) return 'extra bytes';
    this.#receivedBytes += length;
    this.chunks.push(position === 0 ? chunk : chunk.subarray(position));
    return undefined;
  }

  /** Lets go of the bytes. */
  clear(): void {
    this.chunks.length = 0;
  }
}
