/** Byte diagrams of the rows that the kernel writes into shared memory and TypeScript reads. Kept equal to wasm/assembly/rows.ts by a test. Both threads. */

/**
 * Run row: adjacent spans of one trace in one ScopeSpans. 32 bytes, 8-byte aligned.
 *
 *      0        4         8         12         16        20     24          28
 *      ├ next ──┼ spans ──┼ length ─┼ count ───┼ scope ──┼ hash ┼ trace id ─┼ mark ┤
 *
 * next:     position of the next run of the same chain, 0 ends it; free for the reader's use, written 0.
 * spans:    position of the first span's tag; `length` bytes reach to the end of the last span. Tags and lengths of the source included.
 * scope:    position of the scope row.
 * hash:     32 bits mixed from the trace id (table and shard placement; never the backend's).
 * trace id: position of the 16 id bytes; an absent id points at 16 zero bytes.
 * mark:     written 0. Otherwise the position of a u32 length and so many bytes (whole fields), which `frame` appends to the ScopeSpans of the run.
 * A run has at most `runSpansMax` spans (a longer row of spans becomes several runs), so that the fact rows of one run fit a fixed scratch.
 */
export const runSpansMax = 1024;

export const runRow = { bytes: 32, next: 0, spans: 4, spansLength: 8, spanCount: 12, scope: 16, hash: 20, traceId: 24, mark: 28 } as const;

/**
 * Resource row, 24 bytes, and scope row, 24 bytes: where the fields of a ResourceSpans (ScopeSpans) other than its scope_spans (spans) lie, as up to two
 * pieces of whole fields; a length of 0 is no piece. Both are 8-byte aligned. A scope row's `resource` is the position of its resource row.
 */
export const resourceRow = { bytes: 24, firstPiece: 0, firstLength: 4, secondPiece: 8, secondLength: 12 } as const;
export const scopeRow = { bytes: 24, firstPiece: 0, firstLength: 4, secondPiece: 8, secondLength: 12, resource: 16 } as const;

/**
 * Fact row: what cheap policies need of one span. 64 bytes, 8-byte aligned. Repeated scalar fields: the last wins, as protobuf says.
 * Positions are absolute; 0 is absent. `attributes` and `events` give the range from the first such field's tag to the end of the last (other fields may lie between).
 */
export const factRow = {
  bytes: 64,
  span: 0, // position of the span's body (after tag and length)
  spanLength: 4,
  start: 8, // u64 nanoseconds
  end: 16, // u64 nanoseconds
  flags: 24, // u32
  statusCode: 28, // u32; absent 0
  bits: 32, // factBits
  kind: 36, // u32
  attributes: 40,
  attributesEnd: 44,
  events: 48,
  eventsEnd: 52,
  traceState: 56, // position of the text
  traceStateLength: 60,
} as const;

export const factBits = { hasParent: 1, hasTraceState: 2, hasAttributes: 4, hasEvents: 8 } as const;

/** What the kernel finds wrong with bytes. */
export const KernelError = {
  none: 0,
  truncated: 1, // a length or a scalar reaches past its message
  varint: 2, // more than ten bytes
  wireType: 3, // group, reserved type, or a known field with the wrong type
  fieldNumber: 4, // zero
  traceIdLength: 5, // not 0 or 16
  spanIdLength: 6, // not 0 or 8 (span id, parent span id, link ids)
  depth: 7, // nested values deeper than 128
} as const;
