/** ExportTraceServiceResponse of a request from which some spans could not be taken, in both encodings. Main thread. */

import { Buffer } from 'node:buffer';
import { exportTraceServiceResponse } from '../../../shared/otlp/messages.ts';
import type { RejectedSpans } from '../../pipeline/consume-outcome.ts';

/** Shape: {partial_success = 1: {rejected_spans = 1, error_message = 2}}. */
export function encodePartialSuccess(rejected: RejectedSpans): Buffer {
  const partialSuccess = { rejectedSpans: rejected.spanCount, errorMessage: rejected.message };
  return Buffer.from(exportTraceServiceResponse.encode({ partialSuccess }).finish());
}

/** Source: protobuf's JSON mapping, in which 64-bit integers are strings. */
export function encodePartialSuccessJson(rejected: RejectedSpans): Buffer {
  return Buffer.from(JSON.stringify({ partialSuccess: { rejectedSpans: String(rejected.spanCount), errorMessage: rejected.message } }));
}

/** What both encodings say when the first of `spanCount` unusable spans has this fault. */
export function rejectedSpans(spanCount: number, firstFault: string): RejectedSpans {
  const what = spanCount === 1 ? '1 span is not usable' : `${spanCount} spans are not usable, the first one`;
  return { spanCount, message: `${what}: ${firstFault}` };
}
