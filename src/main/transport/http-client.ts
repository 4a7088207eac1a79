/** An HTTP/1.1 client over undici: one POST with a deadline and a bounded answer. Main thread. The one importer of undici among the stages. */

import { Buffer } from 'node:buffer';
import type { ConnectionOptions } from 'node:tls';
import { Agent, type buildConnector, type Dispatcher, ProxyAgent } from 'undici';
import type { Clock } from '../../shared/clock.ts';

export interface HttpClientOptions {
  /** For https targets. Undefined: the system's certificates. */
  readonly tls: ConnectionOptions | undefined;
  /** Empty: no proxy. */
  readonly proxyUrl: string;
  /** Connections to one host at the same time; 0 = no limit. */
  readonly connectionsMax: number;
  /** False: one request per connection. */
  readonly keepAlive: boolean;
  /** An unused connection is closed after this time, or before the time that the server announces. */
  readonly idleMs: number;
}

export interface HttpRequest {
  readonly url: URL;
  /** Names in any case; values are sent as they are. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Lent until the promise settles. May lie in shared memory. */
  readonly body: Uint8Array;
  /** On the monotonic clock; Infinity is none. */
  readonly deadlineMs: number;
  /** What is kept of the answer's body; the rest is dropped. */
  readonly responseBytesMax: number;
}

export type HttpOutcome =
  | { readonly kind: 'response'; readonly status: number; readonly headers: HttpResponseHeaders; readonly body: Buffer }
  /** Nothing is known of what the server did with the request. */
  | { readonly kind: 'failed'; readonly message: string; readonly timedOut: boolean }
  /** No server would be sent this: a header that is none. */
  | { readonly kind: 'unsendable'; readonly message: string };

/** Lower-case names; a repeated header is a list. */
export type HttpResponseHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export function headerText(headers: HttpResponseHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

const connectTimeoutMs = 30_000;

export class HttpClient {
  readonly #clock: Clock;
  readonly #dispatcher: Dispatcher;
  #closing: Promise<void> | undefined;

  constructor(clock: Clock, options: HttpClientOptions) {
    this.#clock = clock;
    const tls = (options.tls ?? {}) as buildConnector.BuildOptions;
    const agentOptions: Agent.Options = {
      connections: options.connectionsMax === 0 ? null : options.connectionsMax,
      pipelining: options.keepAlive ? 1 : 0,
      keepAliveTimeout: Math.max(1, options.idleMs),
      keepAliveMaxTimeout: Math.max(1, options.idleMs),
      // The deadline of a request is its caller's; the library's own timers would cut it short.
      headersTimeout: 0,
      bodyTimeout: 0,
      allowH2: false,
      connect: { ...tls, timeout: connectTimeoutMs },
    };
    this.#dispatcher =
      options.proxyUrl === ''
        ? new Agent(agentOptions)
        : // As Go does it: a plain request goes to the proxy itself, an encrypted one through a tunnel.
          new ProxyAgent({
            ...agentOptions,
            uri: options.proxyUrl,
            requestTls: tls,
            proxyTunnel: options.tls !== undefined,
          });
  }

  /** Never rejects. */
  async post(request: HttpRequest): Promise<HttpOutcome> {
    const { url, deadlineMs } = request;
    const leftMs = deadlineMs - this.#clock.monotonicMs();
    if (leftMs <= 0) return { kind: 'failed', message: deadlineText, timedOut: true };
    const abort = new AbortController();
    let timedOut = false;
    const expire = (): void => {
      timedOut = true;
      abort.abort(new Error(deadlineText));
    };
    const timer = deadlineMs === Infinity ? undefined : this.#clock.after(leftMs, expire);
    try {
      const response = await this.#dispatcher.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: 'POST',
        headers: request.headers.flat() as string[],
        body: Buffer.from(request.body.buffer, request.body.byteOffset, request.body.length),
        signal: abort.signal,
      });
      const body = await readUpTo(response.body, request.responseBytesMax);
      return { kind: 'response', status: response.statusCode, headers: response.headers, body };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'UND_ERR_INVALID_ARG') return { kind: 'unsendable', message: messageOf(error) };
      return { kind: 'failed', message: timedOut ? deadlineText : messageOf(error), timedOut };
    } finally {
      timer?.cancel();
    }
  }

  /** Cuts off what is in flight. Any number of times. */
  close(): Promise<void> {
    this.#closing ??= this.#dispatcher.destroy();
    return this.#closing;
  }
}

const deadlineText = 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';

async function readUpTo(body: AsyncIterable<Buffer>, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let byteLength = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    byteLength += chunk.length;
    // Leaving the loop closes the connection: a server that says more than this is not worth keeping.
    if (byteLength > bytesMax) break;
  }
  return Buffer.concat(chunks, Math.min(byteLength, bytesMax));
}

/** Several addresses that all failed come as one error without a text of its own. */
function messageOf(error: unknown): string {
  const { message, code, errors } = error as NodeJS.ErrnoException & { errors?: readonly Error[] };
  if (errors !== undefined && errors.length > 0) return errors.map((one) => one.message).join('; ');
  return message || code || String(error);
}
