/** The last stage of an OTLP/gRPC chain: one attempt over the client, its headers, and what the answer means. Main thread. */

import { GrpcStatus, refusedPermanent } from '../../pipeline/consume-outcome.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Sender, SendOutcome, SendRequest } from '../sender/send-request.ts';
import type { ClientAuthenticator } from './auth-headers.ts';
import { type CallOutcome, type GrpcHeaders, type GrpcUnaryClient, outcomeOfCall } from './grpc-unary-client.ts';

export class GrpcSender implements Sender {
  readonly #client: GrpcUnaryClient;
  readonly #headers: GrpcHeaders;
  readonly #authenticator: ClientAuthenticator | undefined;
  readonly #logger: Logger;

  constructor(client: GrpcUnaryClient, headers: GrpcHeaders, authenticator: ClientAuthenticator | undefined, logger: Logger) {
    this.#client = client;
    this.#headers = headers;
    this.#authenticator = authenticator;
    this.#logger = logger;
  }

  async send(request: SendRequest): Promise<SendOutcome> {
    let headers = this.#headers;
    if (this.#authenticator !== undefined) {
      try {
        headers = [...headers, ...(await this.#authenticator.clientHeaders())];
      } catch (error) {
        return refusedPermanent(`no credentials for the call: ${(error as Error).message}`, GrpcStatus.unauthenticated);
      }
    }
    const call = await this.#client.export(request.chunks, request.byteLength, request.deadlineMs, headers);
    warnOfPartialSuccess(this.#logger, call);
    return outcomeOfCall(call);
  }
}

/** A partial success counts as success, as in the Collector: the peer has rejected those spans for good. */
export function warnOfPartialSuccess(logger: Logger, call: CallOutcome): void {
  if (call.partial === undefined) return;
  logger.warn({ message: call.partial.message, dropped_spans: call.partial.rejectedSpans }, 'Partial success response');
}
