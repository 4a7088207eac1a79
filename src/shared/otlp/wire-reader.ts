/** Reads protobuf primitives from bytes that the kernel has validated, without allocating. Both threads. */

export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/**
 * A position in bytes and the primitives that move it. One instance serves a whole module: point it with `at`, then read.
 * Bounds: none are checked; the bytes were validated to the last nested field when their request was received.
 * Source: protobuf encoding guide.
 */
export class WireReader {
  bytes: Uint8Array = new Uint8Array(0);
  position = 0;
  /** Words of the last `varint64`. */
  low = 0;
  high = 0;

  at(bytes: Uint8Array, position: number): void {
    this.bytes = bytes;
    this.position = position;
  }

  /** Low 32 bits of a varint of up to ten bytes. Tags and lengths are nearly always one byte. */
  varint(): number {
    const bytes = this.bytes;
    let byte = bytes[this.position++];
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let shift = 7; shift < 70; shift += 7) {
      byte = bytes[this.position++];
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value >>> 0;
  }

  /** All 64 bits of a varint, into `low` and `high`. */
  varint64(): void {
    const bytes = this.bytes;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[this.position++];
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 0x80) break;
    }
    this.low = low >>> 0;
    this.high = high >>> 0;
  }

  /** Passes the field whose tag was just read. */
  skip(tag: number): void {
    switch (tag & 7) {
      case WireType.varint:
        while (this.bytes[this.position++] >= 0x80);
        return;
      case WireType.fixed64:
        this.position += 8;
        return;
      case WireType.bytes: {
        const length = this.varint();
        this.position += length;
        return;
      }
      default:
        this.position += 4;
    }
  }
}
