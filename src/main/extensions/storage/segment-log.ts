/** A storage log as a row of append-only files: group writes, acknowledgements in the same files, removal from the front. Main thread. */

import { Buffer } from 'node:buffer';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AppendOutcome, StorageLog, StoredRecord } from '../../pipeline/storage-extension.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { crcOf, encodeHeader, headerBytes, isIntact, RecordKind } from './record-codec.ts';
import { Segment } from './segment.ts';

export interface SegmentLogSettings {
  readonly logger: Logger;
  readonly directory: string;
  /** Every write is flushed to the disk before it counts, so that it survives the machine too. */
  readonly fsync: boolean;
  /** 0 is none. */
  readonly bytesMax: number;
  /** A file is full at this size; a larger record has a file to itself. */
  readonly segmentBytes?: number;
}

const segmentBytesDefault = 16 * 1024 * 1024;
/** One write carries up to so much; what came meanwhile goes into the next. */
const groupBytesMax = 4 * 1024 * 1024;
/** Files are rewritten when they hold so many times what is alive in them, and some more. */
const deadFactor = 4;
const segmentName = /^(\d{16})\.log$/;

/** Where a record lies now: rewriting moves it. */
interface Place extends StoredRecord {
  segment: Segment;
  bodyAt: number;
  crc: number;
}

interface Append {
  readonly chunks: readonly Uint8Array[];
  readonly byteLength: number;
  readonly itemCount: number;
  readonly settle: (outcome: AppendOutcome) => void;
}

/**
 *      front                                            back
 *      ├ 0…07.log ┼ 0…08.log ┼ 0…09.log ┤ ◄─ items and acknowledgements in the order of events
 *
 * A file goes when it is the first and nothing in it is alive. Its acknowledgements speak of items in itself or in files before it, so they go with it for
 * nothing. When old items hold up many dead bytes, those of the first file are written again at the back under their old sequence.
 */
export class SegmentLog implements StorageLog {
  readonly #settings: SegmentLogSettings;
  readonly #segmentBytes: number;
  readonly #live = new Map<number, Place>();
  #segments: Segment[] = [];
  /** Takes writes; always the last of `#segments`. */
  #current: Segment | undefined;
  #lastRead: Segment | undefined;
  #appends: Append[] = [];
  #acknowledged: Place[] = [];
  #liveBytes = 0;
  #diskBytes = 0;
  #nextSequence = 1;
  #nextNumber = 1;
  #writing: Promise<void> | undefined;
  #closed = false;
  recovered: readonly StoredRecord[] = [];

  private constructor(settings: SegmentLogSettings) {
    this.#settings = settings;
    this.#segmentBytes = settings.segmentBytes ?? segmentBytesDefault;
  }

  /** Errors: rejects with what the system says when the directory or a file in it cannot be read. */
  static async open(settings: SegmentLogSettings): Promise<SegmentLog> {
    const log = new SegmentLog(settings);
    await log.#recover();
    return log;
  }

  append(chunks: readonly Uint8Array[], byteLength: number, itemCount: number): Promise<AppendOutcome> {
    if (this.#closed) return Promise.resolve({ kind: 'failed', message: 'the storage is closed' });
    return new Promise((settle) => {
      this.#appends.push({ chunks, byteLength, itemCount, settle });
      this.#write();
    });
  }

  async read(record: StoredRecord, target: Uint8Array): Promise<boolean> {
    const place = record as Place;
    const { segment, bodyAt, crc } = place;
    try {
      const whole = await segment.read(target, bodyAt);
      if (whole && isIntact({ ...place, kind: RecordKind.item }, target, crc)) return true;
      this.#settings.logger.error({ file: segment.path, position: bodyAt }, 'A record in a storage file is damaged.');
    } catch (error) {
      this.#settings.logger.error({ file: segment.path, error: (error as Error).message }, 'A storage file cannot be read.');
    } finally {
      await this.#keepOpen(segment);
    }
    return false;
  }

  acknowledge(record: StoredRecord): void {
    const place = record as Place;
    if (this.#closed || !this.#live.delete(place.sequence)) return;
    place.segment.liveCount--;
    this.#liveBytes -= place.byteLength;
    this.#acknowledged.push(place);
    this.#write();
  }

  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  /** Writes what is open and closes the files; an empty log leaves none behind. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    const segments = this.#segments;
    const empty = this.#live.size === 0;
    this.#segments = [];
    this.#current = undefined;
    for (const segment of segments) await (empty ? segment.remove() : segment.close());
  }

  async #recover(): Promise<void> {
    const { directory, logger } = this.#settings;
    const names = (await readdir(directory)).filter((name) => segmentName.test(name)).sort();
    for (const name of names) {
      const segment = new Segment(join(directory, name), Number.parseInt(name, 10));
      this.#nextNumber = segment.number + 1;
      await segment.scan(logger, (record, bodyAt) => {
        this.#nextSequence = Math.max(this.#nextSequence, record.sequence + 1);
        this.#forget(record.sequence);
        if (record.kind === RecordKind.acknowledgement) return;
        const { sequence, itemCount, byteLength, crc } = record;
        this.#live.set(sequence, { sequence, itemCount, byteLength, segment, bodyAt, crc });
        segment.liveCount++;
        this.#liveBytes += byteLength;
      });
      this.#diskBytes += segment.byteLength;
      if (segment.byteLength > 0) this.#segments.push(segment);
      else await rm(segment.path, { force: true });
    }
    await this.#removeDead();
    this.recovered = [...this.#live.values()].sort((left, right) => left.sequence - right.sequence);
  }

  #forget(sequence: number): void {
    const known = this.#live.get(sequence);
    if (known === undefined) return;
    this.#live.delete(sequence);
    known.segment.liveCount--;
    this.#liveBytes -= known.byteLength;
  }

  #write(): void {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    // One turn later: what comes in this one shares a write.
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (;;) {
      const appends = this.#takeAppends();
      const acknowledged = this.#acknowledged.filter((place) => !place.segment.removed);
      this.#acknowledged = [];
      if (appends.length === 0 && acknowledged.length === 0) return;
      const written = await this.#writeGroup(appends, acknowledged);
      // Without room for acknowledgements they wait for the next append; removing files needs none.
      if (!written) this.#acknowledged.push(...acknowledged);
      await this.#removeDead();
      if (written) await this.#rewriteFront();
      else if (this.#appends.length === 0) return;
    }
  }

  #takeAppends(): readonly Append[] {
    let count = 0;
    let byteLength = 0;
    const bytesMax = Math.min(groupBytesMax, this.#segmentBytes);
    while (count < this.#appends.length && (count === 0 || byteLength + this.#appends[count]!.byteLength <= bytesMax)) {
      byteLength += this.#appends[count++]!.byteLength;
    }
    return this.#appends.splice(0, count);
  }

  /** Returns whether everything was written. */
  async #writeGroup(appends: readonly Append[], acknowledged: readonly Place[]): Promise<boolean> {
    let byteLength = acknowledged.length * headerBytes;
    for (const append of appends) byteLength += headerBytes + append.byteLength;
    const { bytesMax } = this.#settings;
    if (appends.length > 0 && bytesMax > 0 && this.#diskBytes + byteLength > bytesMax) {
      for (const append of appends) append.settle({ kind: 'failed', message: `the storage holds max_size (${bytesMax} bytes)` });
      return this.#writeGroup([], acknowledged);
    }
    const buffers: Uint8Array[] = [];
    const places: Omit<Place, 'segment'>[] = [];
    let position = 0;
    for (const { chunks, byteLength: bodyLength, itemCount } of appends) {
      const sequence = this.#nextSequence++;
      const header = encodeHeader({ kind: RecordKind.item, itemCount, sequence, byteLength: bodyLength }, chunks);
      buffers.push(header, ...chunks);
      places.push({ sequence, itemCount, byteLength: bodyLength, bodyAt: position + headerBytes, crc: crcOf(header) });
      position += headerBytes + bodyLength;
    }
    for (const { sequence } of acknowledged) buffers.push(acknowledgementOf(sequence));
    const start = await this.#append(buffers, byteLength);
    if (typeof start === 'string') {
      for (const append of appends) append.settle({ kind: 'failed', message: start });
      return false;
    }
    appends.forEach((append, index) => {
      const place = { ...places[index]!, segment: start.segment, bodyAt: start.position + places[index]!.bodyAt };
      this.#live.set(place.sequence, place);
      place.segment.liveCount++;
      this.#liveBytes += place.byteLength;
      append.settle({ kind: 'stored', record: place });
    });
    return true;
  }

  /** Writes behind the last byte, in a new file when the last is full. Errors: a text that says why not. */
  async #append(buffers: readonly Uint8Array[], byteLength: number): Promise<{ segment: Segment; position: number } | string> {
    const { directory, fsync, logger } = this.#settings;
    const full = this.#current !== undefined && this.#current.byteLength > 0 && this.#current.byteLength + byteLength > this.#segmentBytes;
    try {
      if (this.#current === undefined || full) await this.#roll(directory, fsync);
      const segment = this.#current!;
      const position = segment.byteLength;
      await segment.append(buffers, byteLength, fsync);
      this.#diskBytes += byteLength;
      return { segment, position };
    } catch (error) {
      const { message } = error as Error;
      logger.error({ directory, error: message }, 'The storage cannot be written.');
      return `the storage cannot be written: ${message}`;
    }
  }

  async #roll(directory: string, fsync: boolean): Promise<void> {
    const last = this.#current;
    const number = this.#nextNumber++;
    this.#current = new Segment(join(directory, `${String(number).padStart(16, '0')}.log`), number);
    this.#segments.push(this.#current);
    if (last !== undefined && last !== this.#lastRead) await last.close();
    if (!fsync) return;
    await this.#current.append([], 0, true);
    const handle = await open(directory, 'r');
    await handle.sync().finally(() => handle.close());
  }

  async #removeDead(): Promise<void> {
    while (this.#segments.length > 0 && this.#segments[0] !== this.#current && this.#segments[0]!.liveCount === 0) {
      const segment = this.#segments.shift()!;
      this.#diskBytes -= segment.byteLength;
      await segment.remove();
    }
  }

  /** Moves what is alive in the first file to the back when too much that is dead stands behind it. */
  async #rewriteFront(): Promise<void> {
    const first = this.#segments[0];
    if (first === undefined || first === this.#current) return;
    if (this.#diskBytes <= deadFactor * (this.#liveBytes + this.#segmentBytes)) return;
    for (const place of [...this.#live.values()].filter((candidate) => candidate.segment === first)) {
      const body = Buffer.allocUnsafe(place.byteLength);
      if (!(await this.read(place, body))) {
        this.acknowledge(place);
        continue;
      }
      const header = encodeHeader({ ...place, kind: RecordKind.item }, [body]);
      const moved = await this.#append([header, body], headerBytes + place.byteLength);
      if (typeof moved === 'string') return;
      const alive = this.#live.has(place.sequence);
      if (alive) {
        first.liveCount--;
        moved.segment.liveCount++;
      }
      // An acknowledgement that came meanwhile is still to be written, behind the copy.
      place.segment = moved.segment;
      place.bodyAt = moved.position + headerBytes;
    }
    await this.#removeDead();
  }

  /** Of the files that are only read, the last one used stays open. */
  async #keepOpen(segment: Segment): Promise<void> {
    const last = this.#lastRead;
    this.#lastRead = segment;
    if (last !== undefined && last !== segment && last !== this.#current) await last.close();
  }
}

function acknowledgementOf(sequence: number): Buffer {
  return encodeHeader({ kind: RecordKind.acknowledgement, itemCount: 0, sequence, byteLength: 0 }, []);
}
