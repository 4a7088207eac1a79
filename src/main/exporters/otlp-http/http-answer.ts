/** What an OTLP/HTTP server's answer means: success, partial success, retry or not, and when. Main thread. */

import type { Buffer } from 'node:buffer';
import { exportTraceServiceResponse } from '../../../shared/otlp/messages.ts';
import { type ConsumeOutcome, refusedPermanent, refusedRetryable } from '../../pipeline/consume-outcome.ts';
import { type HttpResponseHeaders, headerText } from '../../transport/http-client.ts';
import { decodeRpcStatus, grpcStatusOf, type RpcStatus } from '../../transport/rpc-status.ts';
import type { PartialSuccess } from '../otlp-grpc/grpc-unary-client.ts';

export interface HttpAnswer {
  readonly url: string;
  readonly status: number;
  readonly headers: HttpResponseHeaders;
  readonly body: Buffer;
}

export interface ReadAnswer {
  readonly outcome: ConsumeOutcome;
  readonly partial?: PartialSuccess;
}

/** Units: `nowMs` is wall time, for `Retry-After` with a date. Source: OTLP specification, OTLP/HTTP response; the Collector's otlphttpexporter. */
export function readAnswer(answer: HttpAnswer, nowMs: number): ReadAnswer {
  if (answer.status >= 200 && answer.status <= 299) return readSuccess(answer);
  const text = errorText(answer);
  const code = grpcStatusOf(answer.status);
  if (!isRetryable(answer.status)) return { outcome: refusedPermanent(text, code) };
  const retryAfterMs = isThrottle(answer.status) ? retryAfterMsOf(headerText(answer.headers, 'retry-after'), nowMs) : undefined;
  return { outcome: refusedRetryable(text, retryAfterMs === undefined ? { code } : { code, retryAfterMs }) };
}

function isRetryable(status: number): boolean {
  return status === 429 || status === 502 || status === 503 || status === 504;
}

function isThrottle(status: number): boolean {
  return status === 429 || status === 503;
}

const textOfWeekday = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} [A-Z]+$/;

/** Seconds, or an HTTP date; a time that has passed is now. Undefined when it is neither. */
export function retryAfterMsOf(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^[-+]?\d{1,15}$/.test(text)) return Math.max(0, Number(text) * 1000);
  const dateMs = textOfWeekday.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}

/** Only a body of a type that OTLP knows is read; then it has to be what it says. */
function readSuccess(answer: HttpAnswer): ReadAnswer {
  const { body } = answer;
  if (body.length === 0) return { outcome: { kind: 'accepted' } };
  const type = mediaTypeOf(answer.headers);
  try {
    const partial =
      type === 'application/x-protobuf' ? partialOfProto(body) : type === 'application/json' ? partialOfJson(body) : undefined;
    return partial === undefined ? { outcome: { kind: 'accepted' } } : { outcome: { kind: 'accepted' }, partial };
  } catch (error) {
    const form = type === 'application/json' ? 'json' : 'protobuf';
    return { outcome: refusedPermanent(`error parsing ${form} response: ${(error as Error).message}`) };
  }
}

function mediaTypeOf(headers: HttpResponseHeaders): string {
  return (headerText(headers, 'content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

interface DecodedResponse {
  readonly partialSuccess?: { readonly rejectedSpans?: number | string | { toString(): string }; readonly errorMessage?: string } | null;
}

function partialOfProto(body: Buffer): PartialSuccess | undefined {
  return partialOf(exportTraceServiceResponse.decode(body) as unknown as DecodedResponse);
}

function partialOfJson(body: Buffer): PartialSuccess | undefined {
  const response: unknown = JSON.parse(body.toString('utf8'));
  if (typeof response !== 'object' || response === null) throw new Error('expected an object');
  return partialOf(response as DecodedResponse);
}

function partialOf(response: DecodedResponse): PartialSuccess | undefined {
  const { partialSuccess } = response;
  if (typeof partialSuccess !== 'object' || partialSuccess === null) return undefined;
  const rejectedSpans = Number(String(partialSuccess.rejectedSpans ?? 0));
  const message = String(partialSuccess.errorMessage ?? '');
  return rejectedSpans === 0 && message === '' ? undefined : { rejectedSpans, message };
}

/** The words are the Collector's; the message of a JSON status, which it does not read, is shown too. */
function errorText(answer: HttpAnswer): string {
  const start = `error exporting items, request to ${answer.url} responded with HTTP Status Code ${answer.status}`;
  const status = answer.status >= 400 && answer.status <= 599 ? statusOf(answer) : undefined;
  if (status === undefined) return start;
  const details =
    status.retryAfterMs === undefined
      ? ''
      : `[type.googleapis.com/google.rpc.RetryInfo]:{retry_delay:{seconds:${status.retryAfterMs / 1000}}}`;
  return `${start}, Message=${status.message}, Details=[${details}]`;
}

function statusOf(answer: HttpAnswer): RpcStatus | undefined {
  if (mediaTypeOf(answer.headers) !== 'application/json') return decodeRpcStatus(answer.body);
  try {
    const { code, message } = JSON.parse(answer.body.toString('utf8')) as { code?: unknown; message?: unknown };
    return { code: Number(code ?? 0), message: String(message ?? '') };
  } catch {
    return undefined;
  }
}
