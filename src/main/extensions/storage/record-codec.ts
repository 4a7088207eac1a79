/** The records of a storage log as bytes: headers, checksums, and finding the next good record behind damage. Pure. */

import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';

/**
 * Record, little endian:
 *
 *      0       4       8       12      16         24            28
 *      ├ magic ┼ crc32 ┼ kind ─┼ items ┼ sequence ┼ byte length ┼ body …
 *
 * crc32 covers everything behind it, the body included. An acknowledgement has the sequence of the item it ends and no body.
 */
export const headerBytes = 28;
const at = { magic: 0, crc: 4, kind: 8, items: 12, sequence: 16, byteLength: 24 } as const;
const magic = Buffer.from('RTQ1', 'latin1');

export const RecordKind = { item: 1, acknowledgement: 2 } as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

export interface RecordHeader {
  readonly kind: RecordKind;
  readonly itemCount: number;
  readonly sequence: number;
  readonly byteLength: number;
}

/** The header of a record whose body is the concatenation of `chunks`. */
export function encodeHeader(record: RecordHeader, chunks: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header, at.magic);
  header.writeUInt32LE(record.kind, at.kind);
  header.writeUInt32LE(record.itemCount, at.items);
  header.writeBigUInt64LE(BigInt(record.sequence), at.sequence);
  header.writeUInt32LE(record.byteLength, at.byteLength);
  header.writeUInt32LE(checksum(header, chunks), at.crc);
  return header;
}

/** Whether `body` is what `record` was written with, `crc` being what its header said. */
export function isIntact(record: RecordHeader, body: Uint8Array, crc: number): boolean {
  return encodeHeader(record, [body]).readUInt32LE(at.crc) === crc;
}

export function crcOf(header: Buffer): number {
  return header.readUInt32LE(at.crc);
}

/**
 * Reads the record at `position`.
 *
 * Errors: undefined when there is none: bytes that end too early, that are no record, or that are not what was written.
 */
export function decodeRecord(bytes: Buffer, position: number): (RecordHeader & { readonly crc: number }) | undefined {
  if (position + headerBytes > bytes.length || bytes.compare(magic, 0, 4, position, position + 4) !== 0) return undefined;
  const header = bytes.subarray(position, position + headerBytes);
  const kind = header.readUInt32LE(at.kind);
  const byteLength = header.readUInt32LE(at.byteLength);
  if ((kind !== RecordKind.item && kind !== RecordKind.acknowledgement) || position + headerBytes + byteLength > bytes.length)
    return undefined;
  const crc = crcOf(header);
  if (checksum(header, [bytes.subarray(position + headerBytes, position + headerBytes + byteLength)]) !== crc) return undefined;
  return { kind, itemCount: header.readUInt32LE(at.items), sequence: Number(header.readBigUInt64LE(at.sequence)), byteLength, crc };
}

/** Position of the next good record at or behind `position`; the end when there is none. */
export function nextRecord(bytes: Buffer, position: number): number {
  for (let found = bytes.indexOf(magic, position); found >= 0; found = bytes.indexOf(magic, found + 1)) {
    if (decodeRecord(bytes, found) !== undefined) return found;
  }
  return bytes.length;
}

function checksum(header: Buffer, chunks: readonly Uint8Array[]): number {
  let crc = crc32(header.subarray(at.kind));
  for (const chunk of chunks) crc = crc32(chunk, crc);
  return crc;
}
