/** Reads back what a file exporter wrote, ours or the Collector's: request after request, whatever its form. Main thread. */

import { Buffer } from 'node:buffer';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { JsonFault, transcodeJson } from '../receivers/otlp/json-transcoder.ts';
import { decompress } from '../transport/compression/decompress.ts';

/** One request of the file. */
export interface ReplayRecord {
  readonly bytes: Uint8Array;
  readonly spanCount: number;
}

/** The file is not what a file exporter writes; the message says where. */
export class ReplayFault extends Error {}

/** A longer record is taken for a broken length. */
const recordBytesMax = 256 * 1024 * 1024;
const lengthBytes = 4;
const zstdMagic = 0x28b52ffd;
const openBrace = 0x7b;
const lineFeed = 0x0a;

/**
 * Shape: lines of OTLP/JSON; or requests, in protobuf or JSON, each compressed with zstd or not, behind four bytes of length, big endian;
 * or either of them as one stream of zstd. What holds no spans (metrics, logs, empty lines) is passed over.
 * Errors: ReplayFault; the system's own errors when the file cannot be read.
 */
export async function* readReplayFile(path: string): AsyncGenerator<ReplayRecord> {
  let number = 0;
  for await (const body of bodiesOf(path)) {
    number += 1;
    const record = await recordOf(body, `record ${number} of ${path}`);
    if (record.spanCount > 0) yield record;
  }
}

async function recordOf(body: Buffer, place: string): Promise<ReplayRecord> {
  try {
    const isCompressed = body.length >= 4 && body.readUInt32BE(0) === zstdMagic;
    const plain = isCompressed ? await decompress('zstd', body, recordBytesMax) : body;
    const isJson = plain[firstVisible(plain)] === openBrace;
    const bytes = isJson ? transcodeJson(plain) : plain;
    const spanCount = countSpans(bytes);
    if (spanCount === undefined) throw new ReplayFault(`${place} is no ExportTraceServiceRequest`);
    return { bytes, spanCount };
  } catch (error) {
    if (error instanceof ReplayFault) throw error;
    const what = error instanceof JsonFault ? 'cannot be read as OTLP/JSON' : 'cannot be read';
    throw new ReplayFault(`${place} ${what}: ${(error as Error).message}`, { cause: error });
  }
}

function firstVisible(bytes: Buffer): number {
  let at = 0;
  while (at < bytes.length && bytes[at]! <= 0x20) at++;
  return at;
}

/** Lines, or what stands behind lengths. */
async function* bodiesOf(path: string): AsyncGenerator<Buffer> {
  const input = new ByteQueue(chunksOf(path));
  try {
    yield* (await input.peek()) === openBrace ? linesOf(input) : messagesOf(input, path);
  } finally {
    await input.close();
  }
}

async function* linesOf(input: ByteQueue): AsyncGenerator<Buffer> {
  for (let line = await input.line(); line !== undefined; line = await input.line()) if (firstVisible(line) < line.length) yield line;
}

async function* messagesOf(input: ByteQueue, path: string): AsyncGenerator<Buffer> {
  for (let number = 1; (await input.peek()) !== undefined; number++) {
    const prefix = await input.take(lengthBytes);
    const byteLength = prefix?.readUInt32BE(0) ?? 0;
    if (byteLength > recordBytesMax)
      throw new ReplayFault(
        `record ${number} of ${path} says it has ${byteLength} bytes; neither lines of JSON nor requests behind their length`,
      );
    const body = prefix === undefined ? undefined : await input.take(byteLength);
    if (body === undefined) throw new ReplayFault(`${path} ends within record ${number}`);
    yield body;
  }
}

/** The file's bytes; a file that is one stream of zstd is decompressed on the way. */
async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    const source = file.createReadStream({ start: 0, autoClose: false, highWaterMark: 1 << 18 });
    if (bytesRead < 4 || buffer.readUInt32BE(0) !== zstdMagic) {
      yield* source as AsyncIterable<Buffer>;
      return;
    }
    const plain = createZstdDecompress();
    const whole = pipeline(source, plain);
    // The reader of `plain` hears of a fault first.
    whole.catch(() => undefined);
    yield* plain as AsyncIterable<Buffer>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith('Z') === true)
      throw new ReplayFault(`${path} is no whole zstd stream`, { cause: error });
    throw error;
  } finally {
    await file.close();
  }
}

/** Bytes that come in chunks and are taken in lines or lengths. */
class ByteQueue {
  readonly #source: AsyncIterator<Buffer>;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next byte without taking it; undefined at the end. */
  async peek(): Promise<number | undefined> {
    if (this.#heldBytes === 0 && !(await this.#pull())) return undefined;
    return this.#held[0]![0];
  }

  /** Undefined when fewer are left. */
  async take(byteLength: number): Promise<Buffer | undefined> {
    while (this.#heldBytes < byteLength) if (!(await this.#pull())) return undefined;
    const all = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held, this.#heldBytes);
    const rest = all.subarray(byteLength);
    this.#held = rest.length > 0 ? [rest] : [];
    this.#heldBytes = rest.length;
    return all.subarray(0, byteLength);
  }

  /** Without its line feed; the last line needs none. */
  async line(): Promise<Buffer | undefined> {
    for (let index = 0, before = 0; ; index++) {
      if (index === this.#held.length && !(await this.#pull())) return this.#heldBytes === 0 ? undefined : this.take(this.#heldBytes);
      const at = this.#held[index]!.indexOf(lineFeed);
      if (at >= 0) return (await this.take(before + at + 1))!.subarray(0, -1);
      before += this.#held[index]!.length;
      if (before > recordBytesMax) throw new ReplayFault(`a line is longer than ${recordBytesMax} bytes`);
    }
  }

  /** The source ends, also in the middle. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #pull(): Promise<boolean> {
    for (;;) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      if (next.value.length === 0) continue;
      this.#held.push(next.value);
      this.#heldBytes += next.value.length;
      return true;
    }
  }
}

/** ExportTraceServiceRequest.resource_spans = 1, ResourceSpans.scope_spans = 2, ScopeSpans.spans = 2. */
const spanPath = [1, 2, 2] as const;

/** Undefined when the bytes are no such message; spans themselves are not looked into. */
export function countSpans(bytes: Uint8Array, start = 0, end = bytes.length, depth = 0): number | undefined {
  let count = 0;
  for (let at = start; at < end; ) {
    const tag = readVarint(bytes, at, end);
    if (tag === undefined || tag.value >>> 3 === 0) return undefined;
    at = tag.next;
    const wireType = tag.value & 7;
    if (wireType === 1 || wireType === 5) at += wireType === 1 ? 8 : 4;
    else {
      const value = wireType === 0 || wireType === 2 ? readVarint(bytes, at, end) : undefined;
      if (value === undefined) return undefined;
      at = value.next;
      if (wireType === 0) continue;
      if (value.value > end - at) return undefined;
      if (tag.value >>> 3 === spanPath[depth]) {
        const below = depth === spanPath.length - 1 ? 1 : countSpans(bytes, at, at + value.value, depth + 1);
        if (below === undefined) return undefined;
        count += below;
      }
      at += value.value;
    }
    if (at > end) return undefined;
  }
  return count;
}

function readVarint(bytes: Uint8Array, start: number, end: number): { readonly value: number; readonly next: number } | undefined {
  let value = 0;
  let scale = 1;
  for (let at = start; at < end && at < start + 10; at++, scale *= 128) {
    value += (bytes[at]! & 0x7f) * scale;
    if (bytes[at]! < 0x80) return { value, next: at + 1 };
  }
  return undefined;
}
