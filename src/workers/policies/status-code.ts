/** The `status_code` policy: samples a trace in which any span has one of the listed status codes. Worker thread. */

import { factRow } from '../../shared/arena/rows.ts';
import type { StatusCodeName } from '../../shared/policy-config.ts';
import { type LeafPolicy, sampledIfSettled } from './policy.ts';

const statusCodeWord = factRow.statusCode / 4;

/** Source: opentelemetry-proto trace.proto, Status.StatusCode. */
const codeOf: Readonly<Record<StatusCodeName, number>> = { UNSET: 0, OK: 1, ERROR: 2 };

export function statusCode(config: { readonly statusCodes: readonly StatusCodeName[] }): LeafPolicy {
  let listed = 0;
  for (const name of config.statusCodes) listed |= 1 << codeOf[name];
  return {
    stateWords: 0,
    fold(span) {
      const code = span.words[span.fact + statusCodeWord];
      return code < 3 && ((listed >>> code) & 1) === 1;
    },
    read: sampledIfSettled,
  };
}
