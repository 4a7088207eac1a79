/** One OTLP/HTTP request and its answer: the Collector's order of checks, its texts and its statuses. Main thread. */

import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { RequestMetadata } from '../../pipeline/component.ts';
import { type ConsumeOutcome, GrpcStatus, type RejectedSpans } from '../../pipeline/consume-outcome.ts';
import type { ServerAuthenticator } from '../../pipeline/server-authenticator.ts';
import { CompressionError, decompress, type Encoding } from '../../transport/compression/decompress.ts';
import { encodeRpcStatus, encodeRpcStatusJson, grpcStatusOf, httpStatusOf, type RpcStatus } from '../../transport/rpc-status.ts';
import type { Cors } from './cors.ts';
import { encodePartialSuccess, encodePartialSuccessJson } from './export-response.ts';
import type { RefusalReason } from './intake.ts';
import { JsonFault, transcodeJson, transcodeUsableJson } from './json-transcoder.ts';
import type { Upload, UploadBudget } from './upload-budget.ts';

const protobufType = 'application/x-protobuf';
const jsonType = 'application/json';
/** What the Collector writes; clients that compare texts exist. */
const emptyJson = Buffer.from('{"partialSuccess":{}}');
const emptyProtobuf = Buffer.alloc(0);
/** How much of a body that nobody wants is read, so that the client sees the answer before the connection ends. */
const discardedBytesMax = 1 << 20;
/** Up to here reading an unwanted body is cheaper than a new connection. */
const keptAliveBytesMax = 256 << 10;

export type ExportTraces = (
  chunks: readonly Uint8Array[],
  byteLength: number,
  metadata: RequestMetadata | undefined,
  rejected?: RejectedSpans,
) => Promise<ConsumeOutcome>;

/** A body as protobuf, and what of it could not be put that way. */
interface DecodedBody {
  readonly chunks: readonly Uint8Array[];
  readonly rejected?: RejectedSpans;
}

/** What an exchange needs of its server; all of it made once. */
export interface ExchangeHost {
  readonly path: string;
  readonly bodyBytesMax: number;
  /** Content-Encoding → decoder; '' stands for none. Undefined: bodies are taken as they are. */
  readonly encodings: ReadonlyMap<string, Encoding | undefined> | undefined;
  readonly cors: Cors | undefined;
  readonly responseHeaders: readonly (readonly [name: string, value: string])[];
  readonly authenticator: ServerAuthenticator | undefined;
  readonly authenticatedParameters: readonly string[];
  readonly includeMetadata: boolean;
  readonly uploads: UploadBudget;
  /** Whether one unusable span costs the whole request. */
  readonly isStrict: boolean;
  readonly exportTraces: ExportTraces;
  countRefusal(reason: RefusalReason): void;
  /** True while the server ends: answers then close their connection. */
  isDraining(): boolean;
  release(exchange: HttpExchange): void;
}

export class HttpExchange implements Upload {
  readonly #host: ExchangeHost;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #chunks: Buffer[] = [];
  #byteLength = 0;
  #contentType: typeof protobufType | typeof jsonType | '' = '';
  #encoding: Encoding | undefined;
  #isAnswered = false;
  #isInPipeline = false;

  constructor(host: ExchangeHost, request: IncomingMessage, response: ServerResponse) {
    this.#host = host;
    this.#request = request;
    this.#response = response;
    const closed = () => this.#closed();
    request.on('error', closed);
    response.on('error', closed);
    response.on('close', closed);
  }

  /** Checks the head of the request, in the Collector's order, and begins to read the body. */
  begin(): void {
    const { headers, method } = this.#request;
    for (const [name, value] of this.#host.responseHeaders) this.#response.setHeader(name, value);
    if (this.#host.cors?.handle(this.#request, this.#response)) {
      this.#isAnswered = true;
      return;
    }
    const mediaType = mediaTypeOf(headers['content-type']);
    this.#contentType = mediaType === protobufType || mediaType === jsonType ? mediaType : '';
    const [path = '', query = ''] = (this.#request.url ?? '').split('?', 2);
    const authError = this.#authenticate(query);
    if (authError !== undefined) {
      this.#refuseEarly(401, authError, 'unauthenticated');
      return;
    }
    const contentEncoding = headers['content-encoding'] ?? '';
    if (this.#host.encodings !== undefined) {
      if (!this.#host.encodings.has(contentEncoding)) {
        this.#refuseEarly(400, `unsupported Content-Encoding: ${contentEncoding}`, 'compression');
        return;
      }
      this.#encoding = this.#host.encodings.get(contentEncoding);
    }
    if (path !== this.#host.path) {
      this.#answerText(404, 'text/plain; charset=utf-8', '404 page not found\n');
      return;
    }
    if (method !== 'POST') {
      this.#answerText(405, 'text/plain', '405 method not allowed, supported: [POST]');
      return;
    }
    if (this.#contentType === '') {
      this.#answerText(415, 'text/plain', `415 unsupported media type, supported: [${jsonType}, ${protobufType}]`);
      return;
    }
    if (Number(headers['content-length'] ?? 0) > this.#host.bodyBytesMax) {
      this.#refuseTooLarge();
      return;
    }
    this.#request.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#request.on('end', () => void this.#finish());
  }

  refuseForMemory(): void {
    this.#host.countRefusal('no_memory');
    this.#answerStatus({ code: GrpcStatus.resourceExhausted, message: 'too many unfinished uploads', retryAfterMs: 1_000 });
  }

  #receive(chunk: Buffer): void {
    if (this.#isAnswered) return;
    this.#byteLength += chunk.length;
    if (this.#byteLength > this.#host.bodyBytesMax) {
      this.#refuseTooLarge();
      return;
    }
    this.#chunks.push(chunk);
    this.#host.uploads.grow(this, chunk.length);
  }

  async #finish(): Promise<void> {
    if (this.#isAnswered) return;
    this.#host.uploads.end(this);
    this.#isInPipeline = true;
    const decoded = await this.#decode();
    this.#chunks = [];
    if (decoded === undefined) {
      this.#isInPipeline = false;
      this.#letGo();
      return;
    }
    const { chunks, rejected } = decoded;
    let byteLength = 0;
    for (const chunk of chunks) byteLength += chunk.length;
    const metadata = this.#host.includeMetadata ? metadataOf(this.#request) : undefined;
    const outcome = await this.#host.exportTraces(chunks, byteLength, metadata, rejected);
    this.#isInPipeline = false;
    if (outcome.kind === 'refused') this.#answerStatus(outcome);
    else this.#answer(200, this.#contentType, this.#successBody(outcome.rejected));
    this.#letGo();
  }

  /** The request as protobuf; undefined when it could not be read and is answered. */
  async #decode(): Promise<DecodedBody | undefined> {
    let chunks: readonly Uint8Array[] = this.#chunks;
    try {
      if (this.#encoding !== undefined) {
        const body = Buffer.concat(this.#chunks, this.#byteLength);
        chunks = [await decompress(this.#encoding, body, this.#host.bodyBytesMax)];
      }
      if (this.#contentType !== jsonType) return { chunks };
      const text = Buffer.concat(chunks);
      if (this.#host.isStrict) return { chunks: [transcodeJson(text)] };
      const { bytes, rejected } = transcodeUsableJson(text);
      return rejected === undefined ? { chunks: [bytes] } : { chunks: [bytes], rejected };
    } catch (error) {
      // Whatever a decoder throws, it is the client's bytes that made it.
      const isTooLarge = error instanceof CompressionError && error.tooLarge;
      this.#host.countRefusal(isTooLarge ? 'too_large' : error instanceof JsonFault ? 'malformed' : 'compression');
      const message = isTooLarge ? 'http: request body too large' : (error as Error).message;
      this.#answerStatus({ code: GrpcStatus.invalidArgument, message });
      return undefined;
    }
  }

  #successBody(rejected: RejectedSpans | undefined): Buffer {
    if (this.#contentType === jsonType) return rejected === undefined ? emptyJson : encodePartialSuccessJson(rejected);
    return rejected === undefined ? emptyProtobuf : encodePartialSuccess(rejected);
  }

  #authenticate(query: string): string | undefined {
    const { authenticator, authenticatedParameters } = this.#host;
    if (authenticator === undefined) return undefined;
    const headers = metadataOf(this.#request);
    if (authenticatedParameters.length > 0) {
      const parameters = new URLSearchParams(query);
      for (const name of authenticatedParameters) if (parameters.has(name)) headers.set(name.toLowerCase(), parameters.getAll(name));
    }
    const outcome = authenticator.authenticate(headers);
    return outcome.ok ? undefined : outcome.error;
  }

  #refuseTooLarge(): void {
    this.#host.countRefusal('too_large');
    this.#answerStatus({ code: GrpcStatus.invalidArgument, message: 'http: request body too large' });
  }

  /** Source: the Collector's error handler of the layers before the receiver; it cannot write a status in an encoding it does not know. */
  #refuseEarly(httpStatus: number, message: string, reason: RefusalReason): void {
    this.#host.countRefusal(reason);
    const status = { code: grpcStatusOf(httpStatus), message };
    if (this.#contentType !== '') this.#answer(httpStatus, this.#contentType, this.#encode(status));
    else if (this.#request.headers['content-type'] === undefined) this.#answer(httpStatus, jsonType, encodeRpcStatusJson(status));
    else this.#answer(500, jsonType, Buffer.from('{"code": 13, "message": "failed to marshal error message"}'));
  }

  #answerStatus(status: RpcStatus): void {
    const httpStatus = httpStatusOf(status.code);
    if (status.retryAfterMs !== undefined && (httpStatus === 429 || httpStatus === 503) && !this.#response.headersSent) {
      this.#response.setHeader('Retry-After', String(Math.floor(status.retryAfterMs / 1000)));
    }
    this.#answer(httpStatus, this.#contentType, this.#encode(status));
  }

  #encode(status: RpcStatus): Buffer {
    return this.#contentType === protobufType ? encodeRpcStatus(status) : encodeRpcStatusJson(status);
  }

  #answerText(httpStatus: number, contentType: string, text: string): void {
    this.#host.countRefusal('protocol');
    this.#answer(httpStatus, contentType, Buffer.from(text));
  }

  #answer(httpStatus: number, contentType: string, body: Buffer): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#host.uploads.end(this);
    this.#chunks = [];
    const response = this.#response;
    if (response.destroyed || response.headersSent) return;
    const bytesLeft = this.#request.complete ? 0 : bodyBytesAnnounced(this.#request);
    // HTTP/2 has no such header: its streams end alone.
    const endsConnection = bytesLeft > keptAliveBytesMax || this.#host.isDraining();
    if (endsConnection && !isHttp2(this.#request)) response.setHeader('Connection', 'close');
    response.writeHead(httpStatus, { 'Content-Type': contentType, 'Content-Length': body.length });
    response.end(body);
    if (isHttp2(this.#request)) stopStream(this.#request);
    else if (bytesLeft > 0) discardRest(this.#request);
  }

  #closed(): void {
    this.#isAnswered = true;
    this.#host.uploads.end(this);
    this.#letGo();
  }

  #letGo(): void {
    if (this.#isAnswered && !this.#isInPipeline) {
      this.#chunks = [];
      this.#host.release(this);
    }
  }
}

type Http2Request = IncomingMessage & { readonly stream: ServerHttp2Stream };

function isHttp2(request: IncomingMessage): request is Http2Request {
  return request.httpVersionMajor === 2;
}

/** Once the answer is out, a client that is still sending is told to stop, without an error. Source: RFC 9113, section 8.1. */
function stopStream({ stream }: Http2Request): void {
  if (stream.readableEnded) return;
  const stop = () => {
    if (!stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
  };
  if (stream.writableFinished) stop();
  else stream.once('finish', stop);
}

/** Infinity for a chunked body. */
function bodyBytesAnnounced(request: IncomingMessage): number {
  const { headers } = request;
  if (headers['content-length'] !== undefined) return Number(headers['content-length']);
  return headers['transfer-encoding'] === undefined && !isHttp2(request) ? 0 : Number.POSITIVE_INFINITY;
}

function discardRest(request: IncomingMessage): void {
  let byteLength = 0;
  request.removeAllListeners('data');
  request.on('data', (chunk: Buffer) => {
    byteLength += chunk.length;
    if (byteLength > discardedBytesMax) request.destroy();
  });
  request.resume();
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const mediaTypePattern = new RegExp(`^\\s*(${token}/${token})\\s*(?:;\\s*(?:${token}=(?:${token}|"(?:[^"\\\\]|\\\\.)*"))?\\s*)*$`);

/** Lower case, without parameters; '' when absent or malformed. */
function mediaTypeOf(contentType: string | undefined): string {
  if (contentType === undefined || contentType.length > 1_024) return '';
  if (contentType === protobufType || contentType === jsonType) return contentType;
  return mediaTypePattern.exec(contentType)?.[1]?.toLowerCase() ?? '';
}

function metadataOf(request: IncomingMessage): Map<string, readonly string[]> {
  const metadata = new Map<string, readonly string[]>();
  // HTTP/2 requests have no headersDistinct; their pseudo-headers are no metadata.
  for (const [name, values] of Object.entries(request.headersDistinct ?? request.headers)) {
    if (values !== undefined && !name.startsWith(':')) metadata.set(name, typeof values === 'string' ? [values] : values);
  }
  const authority = request.headers[':authority'];
  if (typeof authority === 'string' && !metadata.has('host')) metadata.set('host', [authority]);
  return metadata;
}
