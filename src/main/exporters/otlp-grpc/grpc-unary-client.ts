/** The transport seam under the OTLP exporters: one unary call over one channel, whichever library or framing carries it. Main thread. */

import { GrpcStatus, type RefusedOutcome } from '../../pipeline/consume-outcome.ts';
import type { SendOutcome } from '../sender/send-request.ts';

/**
 * What became of one call.
 *
 * `status` is the gRPC status; transport failures are UNAVAILABLE and expired deadlines DEADLINE_EXCEEDED, as gRPC says.
 * `unsent` is true when the peer cannot have seen the request: sending it again can double nothing.
 */
export interface CallOutcome {
  readonly status: number;
  readonly message: string;
  readonly retryAfterMs?: number;
  readonly partial?: PartialSuccess;
  readonly unsent?: boolean;
}

export interface PartialSuccess {
  readonly rejectedSpans: number;
  readonly message: string;
}

/** Lower-case name and value, ready for the wire. */
export type GrpcHeaders = readonly (readonly [name: string, value: string])[];

export interface GrpcUnaryClient {
  /**
   * Calls Export with the concatenation of `chunks`.
   *
   * Life:  the bytes are lent until the promise settles; the client reads them from where they are.
   * Units: `deadlineMs` is on the monotonic clock; Infinity is none.
   * Never rejects.
   */
  export(chunks: readonly Uint8Array[], byteLength: number, deadlineMs: number, headers: GrpcHeaders): Promise<CallOutcome>;
  /** True while a connection is up. */
  ready(): boolean;
  /** Begins to connect in the background. */
  connect(): void;
  /** Lets calls in flight end until `deadlineMs`, then cuts them off. Any number of times. */
  close(deadlineMs?: number): Promise<void>;
}

export const exportPath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** Source: the OTLP specification's table of retryable codes; the Collector's otlp exporter. */
export function outcomeOfCall(call: CallOutcome): SendOutcome {
  if (call.status === GrpcStatus.ok) return { kind: 'accepted' };
  const retryable = isRetryable(call);
  const refused: RefusedOutcome = { kind: 'refused', retryable, code: call.status as GrpcStatus, message: call.message };
  return retryable && call.retryAfterMs !== undefined ? { ...refused, retryAfterMs: call.retryAfterMs } : refused;
}

function isRetryable(call: CallOutcome): boolean {
  switch (call.status) {
    case GrpcStatus.cancelled:
    case GrpcStatus.deadlineExceeded:
    case GrpcStatus.aborted:
    case GrpcStatus.outOfRange:
    case GrpcStatus.unavailable:
    case GrpcStatus.dataLoss:
      return true;
    case GrpcStatus.resourceExhausted:
      return call.retryAfterMs !== undefined;
    default:
      return false;
  }
}
