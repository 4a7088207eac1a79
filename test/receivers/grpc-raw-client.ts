/** A gRPC client on bare node:http2 for tests: it sends whatever frames it is told to, and reports all that comes back. */

import http2, { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';

export const exportPath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

export interface RawAnswer {
  readonly httpStatus: number | undefined;
  /** grpc-status of the trailers, or of the headers when the answer is trailers-only; undefined without any. */
  readonly status: number | undefined;
  readonly message: string;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** HTTP/2 error code of the stream. */
  readonly resetCode: number;
}

/** Length-Prefixed-Message. */
export function framed(message: Uint8Array, isCompressed = false): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = isCompressed ? 1 : 0;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

export class RawClient {
  readonly session: ClientHttp2Session;

  constructor(port: number, options: http2.SecureClientSessionOptions = {}, scheme: 'http' | 'https' = 'http') {
    this.session = http2.connect(`${scheme}://127.0.0.1:${port}`, { maxSessionMemory: 100, ...options });
    this.session.on('error', () => {});
  }

  open(headers: Readonly<Record<string, string>> = {}): ClientHttp2Stream {
    const stream = this.session.request({
      ':method': 'POST',
      ':path': exportPath,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    stream.on('error', () => {});
    return stream;
  }

  /** Sends the pieces one after the other, each in a DATA frame of its own, and ends. */
  async call(pieces: readonly Uint8Array[], headers: Readonly<Record<string, string>> = {}): Promise<RawAnswer> {
    const stream = this.open(headers);
    const answer = answerOf(stream);
    for (const piece of pieces) await new Promise<void>((resolve) => stream.write(piece, () => resolve()));
    if (!stream.destroyed) stream.end();
    return answer;
  }

  async close(): Promise<void> {
    if (this.session.destroyed) return;
    await new Promise<void>((resolve) => {
      this.session.once('close', resolve);
      this.session.destroy();
    });
  }
}

export function answerOf(stream: ClientHttp2Stream): Promise<RawAnswer> {
  return new Promise((resolve) => {
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    const body: Buffer[] = [];
    stream.on('response', (received) => {
      headers = received;
    });
    stream.on('trailers', (received) => {
      trailers = received;
    });
    stream.on('data', (chunk: Buffer) => body.push(chunk));
    stream.on('close', () => {
      const status = trailers['grpc-status'] ?? headers['grpc-status'];
      const message = String(trailers['grpc-message'] ?? headers['grpc-message'] ?? '');
      resolve({
        httpStatus: headers[':status'] === undefined ? undefined : Number(headers[':status']),
        status: status === undefined ? undefined : Number(status),
        message: decodeURIComponent(message),
        headers,
        trailers,
        body: Buffer.concat(body),
        resetCode: stream.rstCode ?? 0,
      });
    });
  });
}
