/** One gRPC call on an HTTP/2 stream: checks its headers, receives its message, answers it once. Main thread. */

import { Buffer } from 'node:buffer';
import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { assertNever } from '../../../shared/assert-never.ts';
import type { RequestMetadata } from '../../pipeline/component.ts';
import { type ConsumeOutcome, GrpcStatus, type RejectedSpans } from '../../pipeline/consume-outcome.ts';
import { CompressionError, decompress, type Encoding } from '../../transport/compression/decompress.ts';
import { encodeRpcStatus } from '../../transport/rpc-status.ts';
import { encodePartialSuccess } from './export-response.ts';
import { type FramingFault, GrpcMessageReader } from './grpc-message-reader.ts';
import { exportPath, type GrpcServerSettings } from './grpc-server.ts';
import type { Http2SessionGuard } from './http2-session-guard.ts';
import type { RefusalReason } from './intake.ts';
import type { Upload, UploadBudget } from './upload-budget.ts';

export const grpcEncodings: readonly Encoding[] = ['gzip', 'zstd', 'deflate', 'snappy'];
const acceptEncoding = ['identity', ...grpcEncodings].join(',');

/** The message of a successful answer: an empty ExportTraceServiceResponse, uncompressed. */
const okBody = Buffer.from([0, 0, 0, 0, 0]);
const okHeaders: OutgoingHttpHeaders = Object.freeze({ ':status': 200, 'content-type': 'application/grpc' });
const okTrailers: OutgoingHttpHeaders = Object.freeze({ 'grpc-status': '0' });
const okOptions = Object.freeze({ waitForTrailers: true, sendDate: false });
const lastOptions = Object.freeze({ endStream: true, sendDate: false });

/** What a call needs of its server. */
export interface CallHost {
  readonly settings: GrpcServerSettings;
  readonly messageBytesMax: number;
  readonly uploads: UploadBudget;
  /** The call is answered or gone, and the pipeline has let go of its bytes. */
  release(call: GrpcCall): void;
}

const callOf = Symbol('grpc call');
type CallStream = ServerHttp2Stream & { [callOf]?: GrpcCall };

function onData(this: CallStream, chunk: Buffer): void {
  this[callOf]!.receive(chunk);
}
function onEnd(this: CallStream): void {
  this[callOf]!.finish();
}
function onTrailers(this: CallStream): void {
  this.sendTrailers(okTrailers);
}
function onClose(this: CallStream): void {
  this[callOf]!.closed();
}
/** A reset by the peer; `close` follows. */
function onError(): void {}

export class GrpcCall implements Upload {
  readonly #host: CallHost;
  readonly #stream: CallStream;
  readonly #encoding: Encoding | undefined;
  readonly #metadata: RequestMetadata | undefined;
  readonly #reader: GrpcMessageReader;
  /** Units: milliseconds of the monotonic clock; Infinity without grpc-timeout. */
  readonly deadlineMs: number;
  /** Set by the server: who counts the calls of the connection. */
  guard: Http2SessionGuard | undefined;
  #isUploading = false;
  #isAnswered = false;
  #isInPipeline = false;
  #isClosed = false;

  constructor(
    host: CallHost,
    stream: ServerHttp2Stream,
    encoding: Encoding | undefined,
    metadata: RequestMetadata | undefined,
    deadlineMs: number,
  ) {
    this.#host = host;
    this.#stream = stream;
    this.#encoding = encoding;
    this.#metadata = metadata;
    this.deadlineMs = deadlineMs;
    this.#reader = new GrpcMessageReader(host.messageBytesMax);
    this.#stream[callOf] = this;
    stream.on('data', onData);
    stream.on('end', onEnd);
    stream.on('close', onClose);
  }

  receive(chunk: Buffer): void {
    if (this.#isAnswered) return;
    const fault = this.#reader.push(chunk);
    if (fault !== undefined) {
      this.#refuseFraming(fault);
      return;
    }
    // Most requests are complete with their first chunk; only the others are an upload to watch.
    if (!this.#reader.isComplete || this.#isUploading) {
      this.#isUploading = true;
      this.#host.uploads.grow(this, chunk.length);
    }
  }

  /** The client has sent everything. */
  finish(): void {
    if (this.#isAnswered) return;
    if (!this.#reader.isComplete) {
      const what = this.#reader.hasPrefix ? 'message is cut short' : 'message is missing';
      this.refuse(GrpcStatus.internal, `the request's ${what}`, 'protocol');
      return;
    }
    this.#isInPipeline = true;
    this.#settleUpload();
    if (this.#reader.isCompressed) void this.#exportCompressed();
    else void this.#export(this.#reader.chunks, this.#reader.byteLength);
  }

  closed(): void {
    this.#isClosed = true;
    this.#isAnswered = true;
    this.#letGo();
  }

  /** Answers without the pipeline. What the client still sends is thrown away. */
  refuse(code: GrpcStatus, message: string, reason: RefusalReason): void {
    if (this.#isAnswered) return;
    this.#host.settings.countRefusal(reason);
    this.#answerStatus({ kind: 'refused', retryable: false, code, message });
  }

  /** The client's own deadline has passed; it is told, although it has probably gone. */
  expire(): void {
    if (!this.#isAnswered)
      this.#answerStatus({ kind: 'refused', retryable: true, code: GrpcStatus.deadlineExceeded, message: 'deadline exceeded' });
  }

  refuseForMemory(): void {
    if (this.#isAnswered) return;
    this.#host.settings.countRefusal('no_memory');
    const message = 'too many unfinished uploads';
    this.#answerStatus({ kind: 'refused', retryable: true, code: GrpcStatus.resourceExhausted, message, retryAfterMs: 1_000 });
  }

  async #export(chunks: readonly Uint8Array[], byteLength: number): Promise<void> {
    const promise = this.#host.settings.exportTraces(chunks, byteLength, this.#metadata);
    this.#reader.clear();
    this.#answer(await promise);
  }

  async #exportCompressed(): Promise<void> {
    const outcome = await this.#decompress();
    if (!('code' in outcome)) {
      await this.#export([outcome], outcome.length);
      return;
    }
    this.#isInPipeline = false;
    this.#reader.clear();
    this.refuse(outcome.code, outcome.message, outcome.reason);
    this.#letGo();
  }

  async #decompress(): Promise<Buffer | { readonly code: GrpcStatus; readonly message: string; readonly reason: RefusalReason }> {
    if (this.#encoding === undefined) {
      return { code: GrpcStatus.internal, message: 'grpc: compressed flag set with identity or empty encoding', reason: 'compression' };
    }
    const bytesMax = this.#host.messageBytesMax;
    try {
      const { chunks, byteLength } = this.#reader;
      return await decompress(this.#encoding, chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, byteLength), bytesMax);
    } catch (error) {
      // Whatever a decoder throws, it is the client's bytes that made it.
      if (error instanceof CompressionError && error.tooLarge) {
        return {
          code: GrpcStatus.resourceExhausted,
          message: `grpc: message after decompression larger than max ${bytesMax}`,
          reason: 'too_large',
        };
      }
      const message = `grpc: failed to decompress the received message: ${(error as Error).message}`;
      return { code: GrpcStatus.internal, message, reason: 'compression' };
    }
  }

  #refuseFraming(fault: FramingFault): void {
    switch (fault) {
      case 'flag':
        this.refuse(GrpcStatus.internal, 'grpc: received unexpected payload format', 'protocol');
        break;
      case 'too large': {
        const { byteLength } = this.#reader;
        const message = `grpc: received message larger than max (${byteLength} vs. ${this.#host.messageBytesMax})`;
        this.refuse(GrpcStatus.resourceExhausted, message, 'too_large');
        break;
      }
      case 'extra bytes':
        this.refuse(GrpcStatus.internal, 'a unary call has one request message, received more', 'protocol');
        break;
      default:
        assertNever(fault);
    }
  }

  #answer(outcome: ConsumeOutcome): void {
    this.#isInPipeline = false;
    if (this.#isAnswered) {
      this.#letGo();
      return;
    }
    if (outcome.kind === 'refused') {
      this.#answerStatus(outcome);
      return;
    }
    this.#isAnswered = true;
    if (isWritable(this.#stream)) {
      this.#stream.on('wantTrailers', onTrailers);
      this.#stream.respond(okHeaders, okOptions);
      this.#stream.end(outcome.rejected === undefined ? okBody : partialBody(outcome.rejected));
    }
    this.#letGo();
  }

  #answerStatus(status: Extract<ConsumeOutcome, { kind: 'refused' }>): void {
    this.#isAnswered = true;
    this.#settleUpload();
    if (!this.#isInPipeline) this.#reader.clear();
    answerTrailersOnly(this.#stream, status.code, status.message, status.retryAfterMs);
    this.#letGo();
  }

  #settleUpload(): void {
    if (!this.#isUploading) return;
    this.#isUploading = false;
    this.#host.uploads.end(this);
  }

  /** The call counts as under way while its bytes are lent to the pipeline, even when nobody waits for the answer. */
  #letGo(): void {
    this.#settleUpload();
    if (this.#isClosed && !this.#isInPipeline) this.#reader.clear();
    if (!this.#isInPipeline && this.#isAnswered) this.#host.release(this);
  }
}

function partialBody(rejected: RejectedSpans): Buffer {
  const message = encodePartialSuccess(rejected);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function isWritable(stream: ServerHttp2Stream): boolean {
  return !stream.destroyed && !stream.closed && !stream.headersSent;
}

/** Shape: one HEADERS frame that ends the stream. A client that is still sending is told to stop, without an error. */
function answerTrailersOnly(stream: ServerHttp2Stream, code: GrpcStatus, message: string, retryAfterMs: number | undefined): void {
  if (!isWritable(stream)) return;
  const headers: OutgoingHttpHeaders = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(code) };
  if (message !== '') headers['grpc-message'] = percentEncode(message);
  if (retryAfterMs !== undefined)
    headers['grpc-status-details-bin'] = encodeRpcStatus({ code, message, retryAfterMs }).toString('base64').replace(/=+$/, '');
  if (code === GrpcStatus.unimplemented) headers['grpc-accept-encoding'] = acceptEncoding;
  stream.respond(headers, lastOptions);
  if (!stream.readableEnded) setImmediate(stopClient, stream);
}

/** A reset in the same turn as the answer would overtake it. */
function stopClient(stream: ServerHttp2Stream): void {
  if (!stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
}

/** Source: gRPC over HTTP2, Status-Message: printable ASCII without %, everything else as %XX of its UTF-8 bytes. */
export function percentEncode(message: string): string {
  if (/^[\x20-\x24\x26-\x7e]*$/.test(message)) return message;
  let encoded = '';
  for (const byte of Buffer.from(message, 'utf8')) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

const timeoutUnitsMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Units: milliseconds. Shape: at most eight digits and a unit. Errors: undefined. */
export function parseGrpcTimeout(text: string): number | undefined {
  const unit = timeoutUnitsMs[text.charAt(text.length - 1)];
  if (unit === undefined || text.length < 2 || text.length > 9) return undefined;
  let value = 0;
  for (let index = 0; index < text.length - 1; index++) {
    const digit = text.charCodeAt(index) - 48;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    value = value * 10 + digit;
  }
  return value * unit;
}

/** Begins a call, or answers a stream that is none. Returns undefined when it is answered already. */
export function openCall(host: CallHost, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): GrpcCall | undefined {
  stream.on('error', onError);
  const contentType = headers['content-type'];
  if (headers[':method'] !== 'POST' || contentType === undefined || !isGrpcContentType(contentType)) {
    host.settings.countRefusal('protocol');
    stream.respond({ ':status': headers[':method'] !== 'POST' ? 405 : 415 }, lastOptions);
    setImmediate(stopClient, stream);
    return undefined;
  }
  const { settings } = host;
  const refuse = (code: GrpcStatus, message: string, reason: RefusalReason): undefined => {
    settings.countRefusal(reason);
    answerTrailersOnly(stream, code, message, undefined);
  };
  if (headers[':path'] !== exportPath) {
    return refuse(GrpcStatus.unimplemented, unknownPathMessage(headers[':path'] ?? ''), 'protocol');
  }
  const encodingName = headers['grpc-encoding'];
  let encoding: Encoding | undefined;
  if (encodingName !== undefined && encodingName !== 'identity') {
    encoding = grpcEncodings.find((known) => known === encodingName);
    if (encoding === undefined) {
      return refuse(
        GrpcStatus.unimplemented,
        `grpc: Decompressor is not installed for grpc-encoding "${String(encodingName)}"`,
        'compression',
      );
    }
  }
  let deadlineMs = Number.POSITIVE_INFINITY;
  const timeout = headers['grpc-timeout'];
  if (timeout !== undefined) {
    const timeoutMs = parseGrpcTimeout(String(timeout));
    if (timeoutMs === undefined) return refuse(GrpcStatus.internal, `malformed grpc-timeout: "${String(timeout)}"`, 'protocol');
    deadlineMs = settings.clock.monotonicMs() + timeoutMs;
  }
  let metadata: RequestMetadata | undefined;
  if (settings.authenticator !== undefined || settings.config.include_metadata) metadata = metadataOf(headers);
  if (settings.authenticator !== undefined) {
    const outcome = settings.authenticator.authenticate(metadata!);
    if (!outcome.ok) return refuse(GrpcStatus.unauthenticated, outcome.error, 'unauthenticated');
    if (!settings.config.include_metadata) metadata = undefined;
  }
  return new GrpcCall(host, stream, encoding, metadata, deadlineMs);
}

function isGrpcContentType(contentType: string): boolean {
  if (contentType === 'application/grpc') return true;
  if (!contentType.startsWith('application/grpc')) return false;
  const next = contentType.charAt('application/grpc'.length);
  return next === '+' || next === ';';
}

function unknownPathMessage(path: string): string {
  const [, service = '', method = ''] = path.split('/');
  const known = exportPath.split('/')[1];
  return service === known ? `unknown method ${method} for service ${service}` : `unknown service ${service}`;
}

function metadataOf(headers: IncomingHttpHeaders): RequestMetadata {
  const metadata = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(':')) continue;
    metadata.set(name, Array.isArray(value) ? value : [value]);
  }
  const authority = headers[':authority'];
  if (authority !== undefined && !metadata.has('host')) metadata.set('host', [authority]);
  return metadata;
}
