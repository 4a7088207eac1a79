/** The last stage of an OTLP/HTTP chain: encodes, compresses and posts one request, once. Main thread. */

import { Buffer } from 'node:buffer';
import type { Clock } from '../../../shared/clock.ts';
import { jsonTextOf } from '../../../shared/otlp/json-text.ts';
import { GrpcStatus, refusedPermanent, refusedRetryable } from '../../pipeline/consume-outcome.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { compress, joined, type SentEncoding } from '../../transport/compression/compress.ts';
import type { HttpClient } from '../../transport/http-client.ts';
import type { ClientAuthenticator } from '../otlp-grpc/auth-headers.ts';
import type { Sender, SendOutcome, SendRequest } from '../sender/send-request.ts';
import { readAnswer } from './http-answer.ts';

type HttpHeaders = readonly (readonly [name: string, value: string])[];

export interface HttpSenderOptions {
  readonly url: URL;
  readonly form: 'proto' | 'json';
  /** Undefined: none. */
  readonly encoding: SentEncoding | undefined;
  readonly level: number;
  /** Lower-case names. */
  readonly headers: HttpHeaders;
  readonly authenticator: ClientAuthenticator | undefined;
}

/** Source: otlphttpexporter's maxHTTPResponseReadBytes. */
const responseBytesMax = 64 * 1024;

export class HttpSender implements Sender {
  readonly #client: HttpClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #options: HttpSenderOptions;
  readonly #urlText: string;

  constructor(client: HttpClient, settings: { readonly clock: Clock; readonly logger: Logger }, options: HttpSenderOptions) {
    this.#client = client;
    this.#clock = settings.clock;
    this.#logger = settings.logger;
    this.#options = options;
    this.#urlText = withoutPassword(options.url);
  }

  async send(request: SendRequest): Promise<SendOutcome> {
    const { url, encoding } = this.#options;
    let headers: HttpHeaders;
    try {
      headers = await this.#headers();
    } catch (error) {
      return refusedRetryable(`no credentials for the request: ${(error as Error).message}`, { code: GrpcStatus.unauthenticated });
    }
    try {
      const message = joined(request.chunks, request.byteLength);
      const plain = this.#options.form === 'json' ? Buffer.from(jsonTextOf(message), 'utf8') : message;
      const body = encoding === undefined ? plain : await compress(encoding, plain, this.#options.level);
      const answer = await this.#client.post({ url, headers, body, deadlineMs: request.deadlineMs, responseBytesMax });
      if (answer.kind === 'unsendable') return refusedPermanent(`the request could not be made: ${answer.message}`);
      if (answer.kind === 'failed') {
        const code = answer.timedOut ? GrpcStatus.deadlineExceeded : GrpcStatus.unavailable;
        return refusedRetryable(`failed to make an HTTP request: Post "${this.#urlText}": ${answer.message}`, { code });
      }
      const { outcome, partial } = readAnswer({ ...answer, url: this.#urlText }, this.#clock.wallMs());
      if (partial !== undefined)
        this.#logger.warn({ message: partial.message, dropped_spans: partial.rejectedSpans }, 'Partial success response');
      return outcome;
    } catch (error) {
      return refusedPermanent(`the request could not be made: ${(error as Error).message}`);
    }
  }

  /** Errors: rejects when the authenticator has no credentials. */
  async #headers(): Promise<HttpHeaders> {
    const { headers, authenticator } = this.#options;
    return authenticator === undefined ? headers : merged([...headers, ...(await authenticator.clientHeaders())]);
  }
}

/** The last one of a name counts. */
export function merged(headers: HttpHeaders): HttpHeaders {
  return [...new Map(headers)];
}

/** URLs stand in logs; what is secret in them does not. */
function withoutPassword(url: URL): string {
  const shown = new URL(url);
  if (shown.password !== '') shown.password = 'xxxxx';
  return shown.href;
}
