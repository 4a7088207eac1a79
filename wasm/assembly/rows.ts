/** The rows' offsets as the kernel sees them: the same numbers as src/shared/arena/rows.ts, held equal by test/shared/kernel-rows.test.ts. */

export const RUN_BYTES: u32 = 32;
export const RUN_NEXT: u32 = 0;
export const RUN_SPANS: u32 = 4;
export const RUN_SPANS_LENGTH: u32 = 8;
export const RUN_SPAN_COUNT: u32 = 12;
export const RUN_SCOPE: u32 = 16;
export const RUN_HASH: u32 = 20;
export const RUN_TRACE_ID: u32 = 24;
export const RUN_MARK: u32 = 28;

// A resource row and a scope row begin alike, so that one function writes the pieces of both.
export const CONTEXT_BYTES: u32 = 24;
export const CONTEXT_FIRST_PIECE: u32 = 0;
export const CONTEXT_FIRST_LENGTH: u32 = 4;
export const CONTEXT_SECOND_PIECE: u32 = 8;
export const CONTEXT_SECOND_LENGTH: u32 = 12;
export const SCOPE_RESOURCE: u32 = 16;

export const FACT_BYTES: u32 = 64;
export const FACT_SPAN: u32 = 0;
export const FACT_SPAN_LENGTH: u32 = 4;
export const FACT_START: u32 = 8;
export const FACT_END: u32 = 16;
export const FACT_FLAGS: u32 = 24;
export const FACT_STATUS_CODE: u32 = 28;
export const FACT_BITS: u32 = 32;
export const FACT_KIND: u32 = 36;
export const FACT_ATTRIBUTES: u32 = 40;
export const FACT_ATTRIBUTES_END: u32 = 44;
export const FACT_EVENTS: u32 = 48;
export const FACT_EVENTS_END: u32 = 52;
export const FACT_TRACE_STATE: u32 = 56;
export const FACT_TRACE_STATE_LENGTH: u32 = 60;

export const HAS_PARENT: u32 = 1;
export const HAS_TRACE_STATE: u32 = 2;
export const HAS_ATTRIBUTES: u32 = 4;
export const HAS_EVENTS: u32 = 8;

export const ERROR_TRUNCATED: u32 = 1;
export const ERROR_VARINT: u32 = 2;
export const ERROR_WIRE_TYPE: u32 = 3;
export const ERROR_FIELD_NUMBER: u32 = 4;
export const ERROR_TRACE_ID_LENGTH: u32 = 5;
export const ERROR_SPAN_ID_LENGTH: u32 = 6;
export const ERROR_DEPTH: u32 = 7;

/** Sixteen bytes in the reserved low page that nobody writes: the trace id of a span that has none. */
export const ZERO_TRACE_ID: u32 = 32;

/** A longer row of spans becomes several runs, so that the fact rows of one run fit a fixed scratch. */
export const RUN_SPANS_MAX: u32 = 1024;
