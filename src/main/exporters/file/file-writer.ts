/** Appends records to one file, in order and whole, and sets the file aside when it is full. Main thread. */

import { constants } from 'node:fs';
import { type FileHandle, open, rename, stat } from 'node:fs/promises';
import type { Clock } from '../../../shared/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { oldFileName, type RotationLimits, removeOldFiles } from './old-files.ts';

export interface FileWriterOptions {
  readonly path: string;
  /** False: the file is emptied when it is opened. */
  readonly append: boolean;
  /** Undefined: one file for ever. */
  readonly rotation: (RotationLimits & { readonly fileBytesMax: number }) | undefined;
}

interface Waiting {
  readonly pieces: readonly Uint8Array[];
  readonly byteLength: number;
  readonly settle: (error: Error | undefined) => void;
}

const fileMode = 0o644;
/** Each write goes to the end, also after half a record was cut off. */
const appending = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;
/** Records that wait while a write is under way go out together, up to this. */
const writeBytesMax = 4 * 1024 * 1024;
/** The most pieces that one writev takes. Source: IOV_MAX of Linux. */
const piecesMax = 1024;

/** One write at a time; what arrives meanwhile is written together by the next. */
export class FileWriter {
  readonly #options: FileWriterOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #file: FileHandle | undefined;
  /** Length of the file up to the last whole record. */
  #size = 0;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  constructor(settings: { readonly clock: Clock; readonly logger: Logger }, options: FileWriterOptions) {
    this.#options = options;
    this.#clock = settings.clock;
    this.#logger = settings.logger;
  }

  /** Errors: rejects when the file cannot be opened. */
  async open(): Promise<void> {
    const { path, append, rotation } = this.#options;
    this.#file = await open(path, append || rotation !== undefined ? appending : appending | constants.O_TRUNC, fileMode);
    this.#size = (await this.#file.stat()).size;
    if (rotation !== undefined) await this.#removeOld(rotation);
  }

  /**
   * Resolves when the record is in the file, with the reason when it is not.
   *
   * Life:  the bytes of `pieces` are lent until then.
   */
  append(pieces: readonly Uint8Array[]): Promise<Error | undefined> {
    const byteLength = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const { rotation } = this.#options;
    if (rotation !== undefined && byteLength > rotation.fileBytesMax)
      return Promise.resolve(new Error(`write length ${byteLength} exceeds maximum file size ${rotation.fileBytesMax}`));
    return new Promise((settle) => {
      this.#waiting.push({ pieces, byteLength, settle });
      this.#writing ??= this.#write();
    });
  }

  /** Writes what waits, and closes the file. */
  async close(): Promise<void> {
    await this.idle();
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async idle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      let error: Error | undefined;
      try {
        await this.#writeBatch(batch);
      } catch (caught) {
        error = caught as Error;
      }
      for (const record of batch) record.settle(error);
    }
    this.#writing = undefined;
  }

  /** Records that fit into one write and, when there is rotation, into one file. */
  #take(): Waiting[] {
    const { rotation } = this.#options;
    const room = rotation === undefined ? Infinity : rotation.fileBytesMax - this.#size;
    const bytesMax = Math.min(writeBytesMax, room);
    let count = 0;
    let pieces = 0;
    for (let byteLength = 0; count < this.#waiting.length; count++) {
      const record = this.#waiting[count]!;
      byteLength += record.byteLength;
      pieces += record.pieces.length;
      if (count > 0 && (byteLength > bytesMax || pieces > piecesMax)) break;
    }
    return this.#waiting.splice(0, count);
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    const byteLength = batch.reduce((sum, record) => sum + record.byteLength, 0);
    const { rotation } = this.#options;
    if (rotation !== undefined && this.#size > 0 && this.#size + byteLength > rotation.fileBytesMax) await this.#rotate(rotation);
    // A file that could not be opened again after it was set aside is tried again with each write.
    const file = (this.#file ??= await open(this.#options.path, appending, fileMode));
    try {
      await writeAll(
        file,
        batch.flatMap((record) => record.pieces),
      );
      this.#size += byteLength;
    } catch (error) {
      // Half a record would make everything behind it unreadable.
      await file.truncate(this.#size).catch(() => undefined);
      throw error;
    }
  }

  async #rotate(rotation: RotationLimits): Promise<void> {
    const { path } = this.#options;
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
    await rename(path, await this.#freeName(rotation));
    this.#size = 0;
    this.#file = await open(path, appending, fileMode);
    await this.#removeOld(rotation);
  }

  /** Files that fill within one millisecond get the next ones. */
  async #freeName(rotation: RotationLimits): Promise<string> {
    for (let wallMs = this.#clock.wallMs(); ; wallMs++) {
      const name = oldFileName(this.#options.path, wallMs, rotation.localTime);
      const isTaken = await stat(name).then(
        () => true,
        () => false,
      );
      if (!isTaken) return name;
    }
  }

  async #removeOld(rotation: RotationLimits): Promise<void> {
    try {
      await removeOldFiles(this.#options.path, rotation, this.#clock.wallMs());
    } catch (error) {
      this.#logger.warn({ error: (error as Error).message }, 'An old file could not be removed.');
    }
  }
}

/** writev may write less than all. */
async function writeAll(file: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  let rest = pieces;
  while (rest.length > 0) {
    let { bytesWritten } = await file.writev(rest as Uint8Array<ArrayBuffer>[]);
    let whole = 0;
    while (whole < rest.length && bytesWritten >= rest[whole]!.length) bytesWritten -= rest[whole++]!.length;
    rest = rest.slice(whole);
    if (rest.length > 0 && bytesWritten > 0) rest = [rest[0]!.subarray(bytesWritten), ...rest.slice(1)];
  }
}
