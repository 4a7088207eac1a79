/** What travels down a sender chain, and the one interface that every stage of it implements. Main thread. */

import type { PayloadRows, RequestMetadata } from '../../pipeline/component.ts';
import type { ConsumeOutcome } from '../../pipeline/consume-outcome.ts';

/**
 * One export: the concatenation of `chunks` is one ExportTraceServiceRequest.
 *
 * Life:  the bytes are lent until the promise of `send` settles.
 * Units: `deadlineMs` is on the monotonic clock; Infinity is none.
 */
export interface SendRequest {
  readonly chunks: readonly Uint8Array[];
  readonly byteLength: number;
  readonly spanCount: number;
  readonly deadlineMs: number;
  readonly metadata?: RequestMetadata;
  /** Of exactly these bytes; a stage that puts requests together or cuts them leaves it out. */
  readonly rows?: PayloadRows;
}

/** `refused` with `retryable` is what a retry stage may send again; `retryAfterMs` throttles it. */
export type SendOutcome = ConsumeOutcome;

/** A stage: queue → retry → timeout → send. Never rejects for an expected outcome; never changes the bytes. */
export interface Sender {
  send(request: SendRequest): Promise<SendOutcome>;
}
