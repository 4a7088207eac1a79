/** Where a fold stands: one span of one run, as positions in shared memory. One mutable instance per worker. Worker thread. */

/** Words and bytes are views over the whole shared memory. Times are u64, read as two words (`start` low at factWord + 2, high at + 3). */
export interface SpanCursor {
  bytes: Uint8Array;
  words: Uint32Array;
  /** Word index (byte position / 4) of the span's fact row, `shared/arena/rows.ts`. */
  fact: number;
  /** Positions of the scope row and the resource row of the span. */
  scopeRow: number;
  resourceRow: number;
}
