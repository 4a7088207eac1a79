/** One file of a storage log: its records as they are found at start, and its handle while it is read or written. Main thread. */

import type { Buffer } from 'node:buffer';
import { type FileHandle, open, readFile, rm, truncate } from 'node:fs/promises';
import type { Logger } from '../../telemetry/logger.ts';
import { decodeRecord, headerBytes, nextRecord, type RecordHeader } from './record-codec.ts';

const readWriteMode = 0o600;

export class Segment {
  readonly path: string;
  readonly number: number;
  /** Bytes written; a write that failed left nothing behind that counts. */
  byteLength = 0;
  liveCount = 0;
  removed = false;
  #handle: Promise<FileHandle> | undefined;
  #users = 0;

  constructor(path: string, number: number) {
    this.path = path;
    this.number = number;
  }

  /** Appends all of `buffers`. Errors: rejects with what the system says; the file ends where it did before. */
  async append(buffers: readonly Uint8Array[], byteLength: number, fsync: boolean): Promise<void> {
    await this.#use(async (handle) => {
      try {
        await writeAll(handle, buffers, this.byteLength);
        if (fsync) await handle.datasync();
      } catch (error) {
        await handle.truncate(this.byteLength).catch(() => {});
        throw error;
      }
    });
    this.byteLength += byteLength;
  }

  /** Errors: false when the file ends before `target` is full; rejects with what the system says. */
  read(target: Uint8Array, position: number): Promise<boolean> {
    return this.#use(async (handle) => {
      let filled = 0;
      while (filled < target.length) {
        const { bytesRead } = await handle.read(target, filled, target.length - filled, position + filled);
        if (bytesRead === 0) return false;
        filled += bytesRead;
      }
      return true;
    });
  }

  /** Closes the handle as soon as nobody uses it. */
  async close(): Promise<void> {
    if (this.#users > 0) return;
    const handle = this.#handle;
    this.#handle = undefined;
    await (await handle)?.close();
  }

  async remove(): Promise<void> {
    this.removed = true;
    await rm(this.path, { force: true });
    await this.close();
  }

  /**
   * Calls `onRecord` for every good record, in file order; `bodyAt` is the position of its body.
   * What is damaged is passed over and said; a torn end, which every kill may leave, is cut off.
   */
  async scan(logger: Logger, onRecord: (record: RecordHeader & { readonly crc: number }, bodyAt: number) => void): Promise<void> {
    const bytes: Buffer = await readFile(this.path);
    let position = 0;
    while (position < bytes.length) {
      const record = decodeRecord(bytes, position);
      if (record !== undefined) {
        onRecord(record, position + headerBytes);
        position += headerBytes + record.byteLength;
        continue;
      }
      const next = nextRecord(bytes, position + 1);
      const fields = { file: this.path, position, bytes: next - position };
      if (next === bytes.length) {
        logger.warn(fields, 'The last write to a storage file was not finished; its end is cut off.');
        await truncate(this.path, position);
        break;
      }
      logger.error(fields, 'A storage file is damaged; what cannot be read is passed over.');
      position = next;
    }
    this.byteLength = position;
  }

  async #use<Result>(work: (handle: FileHandle) => Promise<Result>): Promise<Result> {
    this.#users++;
    // Never created here but by the first append: `a` would ignore positions.
    this.#handle ??= open(this.path, this.byteLength === 0 ? 'w+' : 'r+', readWriteMode);
    const opening = this.#handle;
    try {
      return await work(await opening);
    } catch (error) {
      // A file that could not be opened is tried again at the next use.
      await opening.catch(() => {
        if (this.#handle === opening) this.#handle = undefined;
      });
      throw error;
    } finally {
      this.#users--;
      if (this.removed) await this.close();
    }
  }
}

async function writeAll(handle: FileHandle, buffers: readonly Uint8Array[], start: number): Promise<void> {
  let rest = buffers;
  let position = start;
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest, position);
    position += bytesWritten;
    rest = behind(rest, bytesWritten);
  }
}

/** What is left of `buffers` when so many bytes are gone. */
function behind(buffers: readonly Uint8Array[], byteLength: number): readonly Uint8Array[] {
  let gone = byteLength;
  let index = 0;
  while (index < buffers.length && gone >= buffers[index]!.length) gone -= buffers[index++]!.length;
  if (index === buffers.length) return [];
  return [buffers[index]!.subarray(gone), ...buffers.slice(index + 1)];
}
