/** Reads an ExportTraceServiceResponse: was a part of the spans rejected? Pure. */

import { Buffer } from 'node:buffer';
import type { PartialSuccess } from './grpc-unary-client.ts';

/**
 * ExportTraceServiceResponse: partial_success = 1 (message)
 * ExportTracePartialSuccess: rejected_spans = 1 (int64), error_message = 2 (string)
 *
 * Errors: undefined for a full success, and for bytes that do not parse: the peer has taken the request either way.
 */
export function partialSuccessOf(response: Uint8Array): PartialSuccess | undefined {
  if (response.length === 0) return undefined;
  let partial: PartialSuccess | undefined;
  walk(response, (field, _value, body) => {
    if (field !== 1 || body === undefined) return;
    let rejectedSpans = 0;
    let message = '';
    walk(body, (inner, value, text) => {
      if (inner === 1) rejectedSpans = value;
      else if (inner === 2 && text !== undefined) message = Buffer.from(text).toString('utf8');
    });
    partial = { rejectedSpans, message };
  });
  return partial !== undefined && (partial.rejectedSpans !== 0 || partial.message !== '') ? partial : undefined;
}

function walk(bytes: Uint8Array, visit: (field: number, value: number, body: Uint8Array | undefined) => void): void {
  let position = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; scale < 2 ** 70; scale *= 128) {
      if (position >= bytes.length) break;
      const byte = bytes[position++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    position = bytes.length + 1;
    return 0;
  };
  while (position < bytes.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (wireType === 0) visit(field, varint(), undefined);
    else if (wireType === 2) {
      const byteLength = varint();
      if (position + byteLength > bytes.length) return;
      visit(field, 0, bytes.subarray(position, (position += byteLength)));
    } else if (wireType === 1) position += 8;
    else if (wireType === 5) position += 4;
    else return;
  }
}
