/** One unary gRPC call on an HTTP/2 stream: framing out, status in. Main thread. */

import { Buffer } from 'node:buffer';
import { type ClientHttp2Session, type ClientHttp2Stream, constants, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import { GrpcStatus } from '../../pipeline/consume-outcome.ts';
import { decodeRpcStatus } from '../../transport/rpc-status.ts';
import { partialSuccessOf } from './export-response.ts';
import type { CallOutcome } from './grpc-unary-client.ts';
import type { Http2Connection } from './http2-connection.ts';

/** An ExportTraceServiceResponse is a few hundred bytes; what is larger is not read to its end. */
const responseBytesMax = 4 * 1024 * 1024;
const prefixBytes = 5;

export const deadlineExceeded: CallOutcome = { status: GrpcStatus.deadlineExceeded, message: 'context deadline exceeded' };
export const clientClosed: CallOutcome = { status: GrpcStatus.unavailable, message: 'the client is closed', unsent: true };

export interface MessageToSend {
  readonly chunks: readonly Uint8Array[];
  readonly byteLength: number;
  readonly compressed: boolean;
}

/**
 * Life of the bytes: the stream reads the chunks from where they are; `onEnd` is called when it can no longer do so.
 *
 * A stream that we cancel while its bytes are still in the socket's write would go on reading them; `cancel` therefore ends only when the peer has answered
 * a ping sent behind them, or the connection is gone.
 */
export class Http2Call {
  readonly deadlineMs: number;
  readonly #connection: Http2Connection;
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  readonly #onEnd: (outcome: CallOutcome) => void;
  #headers: IncomingHttpHeaders | undefined;
  #trailers: IncomingHttpHeaders | undefined;
  #response: Buffer[] = [];
  #responseBytes = 0;
  #written = false;
  #cancelled: CallOutcome | undefined;
  #error: Error | undefined;
  #barrier = false;
  #closed = false;

  constructor(
    connection: Http2Connection,
    headers: OutgoingHttpHeaders,
    message: MessageToSend,
    deadlineMs: number,
    onEnd: (outcome: CallOutcome) => void,
  ) {
    this.deadlineMs = deadlineMs;
    this.#connection = connection;
    this.#session = connection.session;
    this.#onEnd = onEnd;
    const stream = this.#session.request(headers, { endStream: false });
    this.#stream = stream;
    stream.on('response', (incoming) => {
      this.#headers = incoming;
    });
    stream.on('trailers', (incoming) => {
      this.#trailers = incoming;
    });
    stream.on('data', (chunk: Buffer) => this.#read(chunk));
    stream.on('finish', () => {
      this.#written = true;
    });
    stream.on('error', (error) => {
      this.#error = error;
    });
    stream.on('close', () => {
      this.#closed = true;
      this.#endIfFree();
    });
    stream.cork();
    stream.write(prefixOf(message));
    for (const chunk of message.chunks) stream.write(chunk);
    stream.end();
    stream.uncork();
  }

  /** Gives the call up with `outcome`. It ends when its bytes are free: see above. Units: `graceMs` is the wait for the ping's answer. */
  cancel(outcome: CallOutcome, afterGrace: (giveUp: () => void) => void): void {
    if (this.#cancelled !== undefined || this.#closed) return;
    this.#cancelled = outcome;
    if (!this.#written && !this.#session.destroyed) {
      this.#barrier = true;
      const lift = (): void => {
        this.#barrier = false;
        this.#endIfFree();
      };
      this.#session.once('close', lift);
      const pinged = !this.#session.closed && this.#session.ping((error: Error | null) => void (error === null && lift()));
      afterGrace(() => {
        if (this.#barrier) this.#connection.destroy('the peer takes nothing more');
      });
      if (!pinged && this.#session.destroyed) lift();
    }
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #endIfFree(): void {
    if (!this.#closed || this.#barrier) return;
    this.#onEnd(this.#cancelled ?? this.#outcome());
  }

  #read(chunk: Buffer): void {
    this.#responseBytes += chunk.length;
    if (this.#responseBytes <= responseBytesMax) this.#response.push(chunk);
  }

  #outcome(): CallOutcome {
    const status = this.#trailers?.['grpc-status'] === undefined ? this.#headers : this.#trailers;
    const code = status?.['grpc-status'];
    if (code === undefined) return this.#outcomeWithoutStatus();
    const numeric = Number(code);
    if (numeric === GrpcStatus.ok) return okOutcome(Buffer.concat(this.#response));
    const details = status?.['grpc-status-details-bin'];
    const retryAfterMs = details === undefined ? undefined : decodeRpcStatus(Buffer.from(String(details), 'base64'))?.retryAfterMs;
    const message = percentDecoded(String(status?.['grpc-message'] ?? ''));
    const known = Number.isInteger(numeric) && numeric > 0 && numeric <= GrpcStatus.unauthenticated;
    return { status: known ? numeric : GrpcStatus.unknown, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }

  #outcomeWithoutStatus(): CallOutcome {
    const headers = this.#headers;
    if (headers !== undefined && Number(headers[':status']) !== 200) {
      return {
        status: statusOfHttp(Number(headers[':status'])),
        message: `unexpected HTTP status code received from server: ${headers[':status']}`,
      };
    }
    if (headers !== undefined && !String(headers['content-type'] ?? '').startsWith('application/grpc')) {
      return { status: GrpcStatus.unknown, message: `received unexpected content-type "${headers['content-type'] ?? ''}"` };
    }
    const code = this.#stream.rstCode ?? 0;
    const why = this.#error?.message ?? `stream ended without a status (HTTP/2 code ${code})`;
    const status = this.#session.destroyed ? GrpcStatus.unavailable : statusOfReset(code);
    const unsent =
      headers === undefined && (code === constants.NGHTTP2_REFUSED_STREAM || this.#stream.pending || this.#stream.id === undefined);
    return { status, message: why, ...(unsent ? { unsent } : {}) };
  }
}

/** Length-prefixed message: compressed flag (1 byte), length (4 bytes, big endian). Source: gRPC over HTTP2. */
function prefixOf(message: MessageToSend): Buffer {
  const prefix = Buffer.allocUnsafe(prefixBytes);
  prefix[0] = message.compressed ? 1 : 0;
  prefix.writeUInt32BE(message.byteLength, 1);
  return prefix;
}

function okOutcome(response: Buffer): CallOutcome {
  // The calls announce no encoding, so the message is plain; anything else is no reason to send the spans again.
  const partial = response.length >= prefixBytes && response[0] === 0 ? partialSuccessOf(response.subarray(prefixBytes)) : undefined;
  return partial === undefined ? { status: GrpcStatus.ok, message: '' } : { status: GrpcStatus.ok, message: '', partial };
}

/** Source: grpc/doc/http-grpc-status-mapping.md. */
function statusOfHttp(status: number): GrpcStatus {
  switch (status) {
    case 400:
      return GrpcStatus.internal;
    case 401:
      return GrpcStatus.unauthenticated;
    case 403:
      return GrpcStatus.permissionDenied;
    case 404:
      return GrpcStatus.unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcStatus.unavailable;
    default:
      return GrpcStatus.unknown;
  }
}

/** Source: gRPC over HTTP2, "Errors": HTTP/2 error code → status. */
function statusOfReset(code: number): GrpcStatus {
  switch (code) {
    case constants.NGHTTP2_REFUSED_STREAM:
      return GrpcStatus.unavailable;
    case constants.NGHTTP2_CANCEL:
      return GrpcStatus.cancelled;
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return GrpcStatus.resourceExhausted;
    case constants.NGHTTP2_INADEQUATE_SECURITY:
      return GrpcStatus.permissionDenied;
    case constants.NGHTTP2_NO_ERROR:
      return GrpcStatus.unavailable;
    default:
      return GrpcStatus.internal;
  }
}

/** A `%` that begins no escape stands for itself. */
export function percentDecoded(text: string): string {
  if (!text.includes('%')) return text;
  const bytes: number[] = [];
  for (let index = 0; index < text.length; index++) {
    const digits = text.slice(index + 1, index + 3);
    if (text[index] === '%' && /^[0-9a-fA-F]{2}$/.test(digits)) {
      bytes.push(Number.parseInt(digits, 16));
      index += 2;
    } else bytes.push(text.charCodeAt(index) & 0xff);
  }
  return Buffer.from(bytes).toString('utf8');
}
