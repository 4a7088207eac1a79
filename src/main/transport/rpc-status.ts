/** google.rpc.Status with RetryInfo, in protobuf and JSON, and the maps between gRPC and HTTP status codes, both ways. Main thread. */

import { Buffer } from 'node:buffer';
import { retryInfo, retryInfoTypeUrl, rpcStatus } from '../../shared/otlp/messages.ts';
import { GrpcStatus } from '../pipeline/consume-outcome.ts';

export interface RpcStatus {
  readonly code: number;
  readonly message: string;
  /** Present when the status carries a google.rpc.RetryInfo. Units: milliseconds. */
  readonly retryAfterMs?: number;
}

/** Source: OTLP specification, failures over HTTP; the Collector's otlp receiver. */
export function httpStatusOf(code: number): number {
  switch (code) {
    case GrpcStatus.ok:
      return 200;
    case GrpcStatus.cancelled:
    case GrpcStatus.deadlineExceeded:
    case GrpcStatus.aborted:
    case GrpcStatus.outOfRange:
    case GrpcStatus.unavailable:
    case GrpcStatus.dataLoss:
      return 503;
    case GrpcStatus.resourceExhausted:
      return 429;
    case GrpcStatus.invalidArgument:
      return 400;
    case GrpcStatus.unauthenticated:
      return 401;
    case GrpcStatus.permissionDenied:
      return 403;
    case GrpcStatus.unimplemented:
      return 404;
    default:
      return 500;
  }
}

/** Source: the Collector's status from an HTTP code, which follows the gRPC mapping except for 400 and 429. */
export function grpcStatusOf(httpStatus: number): GrpcStatus {
  switch (httpStatus) {
    case 400:
      return GrpcStatus.invalidArgument;
    case 401:
      return GrpcStatus.unauthenticated;
    case 403:
      return GrpcStatus.permissionDenied;
    case 404:
      return GrpcStatus.unimplemented;
    case 429:
      return GrpcStatus.resourceExhausted;
    case 502:
    case 503:
    case 504:
      return GrpcStatus.unavailable;
    default:
      return GrpcStatus.unknown;
  }
}

/** Shape: google.rpc.Status {code = 1, message = 2, details = 3 (Any)}, the RetryInfo as its only detail. */
export function encodeRpcStatus(status: RpcStatus): Buffer {
  const details = status.retryAfterMs === undefined ? [] : [{ type_url: retryInfoTypeUrl, value: encodeRetryInfo(status.retryAfterMs) }];
  return Buffer.from(rpcStatus.encode({ code: status.code, message: status.message, details }).finish());
}

function encodeRetryInfo(retryAfterMs: number): Uint8Array {
  const seconds = Math.floor(retryAfterMs / 1000);
  return retryInfo.encode({ retryDelay: { seconds, nanos: Math.round((retryAfterMs - seconds * 1000) * 1e6) } }).finish();
}

/** The same in protobuf's JSON mapping, where an Any has its type beside the fields of its message. */
export function encodeRpcStatusJson(status: RpcStatus): Buffer {
  const details =
    status.retryAfterMs === undefined
      ? {}
      : { details: [{ '@type': retryInfoTypeUrl, retryDelay: `${Number((status.retryAfterMs / 1000).toFixed(9))}s` }] };
  return Buffer.from(JSON.stringify({ code: status.code, message: status.message, ...details }), 'utf8');
}

interface DecodedStatus {
  code: number;
  message: string;
  details: { type_url: string; value: Uint8Array }[];
}
interface DecodedRetryInfo {
  retryDelay?: { seconds: number | { toNumber(): number }; nanos: number } | null;
}

/**
 * Reads the status of a peer (`grpc-status-details-bin`, or an HTTP body); details other than RetryInfo are skipped.
 *
 * Errors: undefined when the bytes are no well-formed message.
 */
export function decodeRpcStatus(bytes: Uint8Array): RpcStatus | undefined {
  try {
    const decoded = rpcStatus.decode(bytes) as unknown as DecodedStatus;
    const detail = decoded.details.find((any) => any.type_url === retryInfoTypeUrl);
    if (detail === undefined) return { code: decoded.code, message: decoded.message };
    const delay = (retryInfo.decode(detail.value) as unknown as DecodedRetryInfo).retryDelay;
    const seconds = delay?.seconds ?? 0;
    const retryAfterMs = Math.max(0, Number(seconds) * 1000 + (delay?.nanos ?? 0) / 1e6);
    return { code: decoded.code, message: decoded.message, retryAfterMs };
  } catch {
    return undefined;
  }
}
