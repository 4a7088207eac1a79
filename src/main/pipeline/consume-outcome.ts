/** What a stage answers to a payload: the acknowledgement that a receiver turns into a gRPC or HTTP status. Main thread. */

/** Source: gRPC status codes, google.rpc.Code. */
export const GrpcStatus = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;
export type GrpcStatus = (typeof GrpcStatus)[keyof typeof GrpcStatus];

export interface AcceptedOutcome {
  readonly kind: 'accepted';
  /** Spans that a receiver left out because nobody can read them; only receivers say so, to their clients. */
  readonly rejected?: RejectedSpans;
}

/** OTLP's partial success. */
export interface RejectedSpans {
  readonly spanCount: number;
  /** What is wrong with the first of them, and where. */
  readonly message: string;
}

/**
 * The payload, or a part of it, was not taken.
 *
 * `retryable` is the Collector's "not permanent"; `code` is the gRPC status that the receiver answers with (14 when retryable, 13 when permanent,
 * unless a peer gave one); `retryAfterMs` becomes RetryInfo and Retry-After.
 */
export interface RefusedOutcome {
  readonly kind: 'refused';
  readonly retryable: boolean;
  readonly code: GrpcStatus;
  readonly message: string;
  readonly retryAfterMs?: number;
}

export type ConsumeOutcome = AcceptedOutcome | RefusedOutcome;

export const accepted: AcceptedOutcome = Object.freeze({ kind: 'accepted' });

export function refusedRetryable(message: string, options: { code?: GrpcStatus; retryAfterMs?: number } = {}): RefusedOutcome {
  return { kind: 'refused', retryable: true, code: options.code ?? GrpcStatus.unavailable, message, ...retryAfter(options.retryAfterMs) };
}

export function refusedPermanent(message: string, code: GrpcStatus = GrpcStatus.internal): RefusedOutcome {
  return { kind: 'refused', retryable: false, code, message };
}

function retryAfter(retryAfterMs: number | undefined): { retryAfterMs?: number } {
  return retryAfterMs === undefined ? {} : { retryAfterMs };
}
