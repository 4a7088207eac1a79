/** The WASM kernel's typed binding: walks, splits and frames serialized OTLP in shared memory without decoding it. Any thread, one instance each. */

/**
 * All pointers are byte positions in the shared memory. A kernel holds no state between calls but the getters of the last result.
 * No call throws, reads outside [ptr, ptr + len) or loops without bound, whatever the bytes.
 */
export interface Kernel {
  readonly memory: WebAssembly.Memory;
  /**
   * Walks one ExportTraceServiceRequest completely (attributes, events, links, nested values too).
   * Errors: returns -1; `errorOffset()` (from `ptr`) and `errorCode()` (KernelError) say where and what.
   * Returns the number of spans. `splitBytesMax()` is then the room that `split` of the same bytes can need.
   */
  validate(ptr: number, len: number): number;
  /** Walks the body of one Span as completely as `validate` walks each; false: unusable, `errorOffset()` and `errorCode()` say why. Spoils what `uniform()` says. */
  validateSpan(ptr: number, len: number): boolean;
  errorOffset(): number;
  errorCode(): number;
  splitBytesMax(): number;
  /** Whether each span of the bytes validated last begins with its only trace id (what SDKs write). Lets `split` take it from there; belongs to those bytes and may be kept with them. */
  uniform(): boolean;
  /**
   * Writes run rows (dense, wire order), then context rows, from `outPtr` (8-byte aligned) on. A run is a row of adjacent spans of one trace id in one ScopeSpans.
   * Returns the number of runs, or -1 as `validate`. `splitBytes()` is the room used. The rows point into [ptr, ptr + len) and, for headers
   * in more than two pieces, into their own tail. Bounds: needs `splitBytesMax()` bytes at `outPtr`.
   * `uniform`: what `uniform()` said of exactly these bytes; false (the default) is always right, and slower.
   */
  split(ptr: number, len: number, outPtr: number, uniform?: boolean): number;
  splitBytes(): number;
  /**
   * Writes one fact row per span of the run at `runPtr`; returns the number written (the run's span count).
   * Bounds: needs `runs.spanCount * factRowBytes` at `outPtr` (8-byte aligned).
   */
  facts(runPtr: number, outPtr: number): number;
  /** Bytes that `frame` of the same chain writes. */
  frameBytes(firstRunPtr: number): number;
  /**
   * Writes ResourceSpans fields (tag, length, body) for a chain of runs linked by `next`: adjacent runs of one source ScopeSpans share it, of one source ResourceSpans share that.
   * What a run's `mark` points at is appended to its ScopeSpans; runs with different marks share none.
   * Every header byte (resource, scope, schema URLs, unknown fields) and every span byte is copied as it is. Returns the position after the last byte.
   */
  frame(firstRunPtr: number, outPtr: number): number;
}
