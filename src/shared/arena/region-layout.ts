/** Byte diagrams of what a shard keeps in shared memory: header, trace rows, decision rows, index slots, request blocks. Both threads. */

/**
 * A shard's region is four pieces of the arena, so that each grows over fresh pages only as it fills:
 *
 *      header  64 KiB   words below, then the fact scratch of one run is at `facts`
 *      index   2 slots a row, 8 bytes each: hash, reference. Level k (2^k slots) lies at slot 2^k, so growing never moves what is being read
 *      traces  rows of undecided traces, `traceRow.words` + the policies' state words each
 *      cache   rows of decided traces
 *
 * The request blocks are the log, the region is an index over it: after a crash the header's committed words, the decision rows and the blocks
 * not yet settled rebuild the rest (`workers/shard/recover-shard.ts`).
 */
export interface ShardRegionPlace {
  readonly headerAt: number;
  readonly factsAt: number;
  readonly indexAt: number;
  readonly indexLevelMax: number;
  readonly tracesAt: number;
  readonly traceRowsMax: number;
  readonly cacheAt: number;
  readonly cacheRowsMax: number;
  /** Where what kept spans say of their decision is written, once for each different text; length 0: nothing is said. */
  readonly suffixesAt: number;
  readonly suffixesLength: number;
  /** The instance's request ring: `ringAt` words of block positions, head counter at `ringHeadAt`. */
  readonly ringAt: number;
  readonly ringHeadAt: number;
  readonly ringSlots: number;
}

/** Header words (u32 index from the header's start). The committed words change only when a task ends. */
export const header = {
  /** `ShardRunState`: main reads it after a crash. */
  running: 0,
  epoch: 1,
  cursor: 2, // committed: sequence of the next request block
  cursorRun: 3, // committed: runs of that block already taken
  pendingRun: 4, // committed: first run of a chain that is decided sampled and waits for output room
  pendingSpans: 5,
  indexLevel: 6,
  indexUsed: 7,
  traceCount: 8,
  traceFree: 9,
  traceHigh: 10,
  arrivalHead: 11,
  arrivalTail: 12,
  rootHead: 13,
  rootTail: 14,
  cacheFree: 15,
  cacheHigh: 16,
  sampledHead: 17,
  sampledTail: 18,
  sampledCount: 19,
  otherHead: 20,
  otherTail: 21,
  otherCount: 22,
  outputUsed: 23, // result of the last task: bytes written to its output
  outputSpans: 24,
  outputNeeded: 25, // room that the pending chain needs, 0 when nothing is pending
  bank: 26, // committed: which of the two banks of counters counts
  suffixUsed: 27, // bytes written at `suffixesAt`
  pendingSkip: 28, // committed: bytes of the pending chain's first run that are framed already
  words: 29,
} as const;

/** `idle` once a task has committed, `running` while one runs, `rebuilding` while it rebuilds the region first. */
export const ShardRunState = { idle: 0, running: 1, rebuilding: 2 } as const;

/** Doubles of the header (f64 index from the header's start + 256 bytes). Times are milliseconds on the main thread's monotonic clock. */
export const headerDoubles = {
  at: 256,
  /** Arrival of the oldest undecided trace (or of the pending chain); +Infinity when there is none. */
  watermark: 0,
  /** When the next trace is due; +Infinity when none is. */
  nextDue: 1,
  pendingArrival: 2,
  counters: 4,
} as const;

/**
 * Counters behind `headerDoubles.counters`, cumulative, in two banks: a task writes the new totals, and behind them the policies' columns, into the bank that does
 * not count, and its last stores make that bank the one that does. So a task that dies has counted nothing.
 */
export const shardCounters = [
  'spansTaken',
  'tracesCreated',
  'tracesSampled',
  'tracesNotSampled',
  'tracesDropped',
  'spansSampled',
  'spansNotSampled',
  'spansDropped',
  'lateSpansSampled',
  'lateSpansNotSampled',
  'lateSpansDropped',
  'earlyDecisions',
  'tooLargeTraces',
  'tooLargeSpans',
  'evaluationErrors',
  'decisionsByRoot',
  'drainedTraces',
  'recoveries',
  'decisionRowsForgotten',
  'evictedTraces',
  'evictedSpans',
  'unparseableTraceStates',
] as const;

/** Doubles behind the counters for each policy: votes by verdict in traces, spans and bytes, executions and their milliseconds. */
export const policyColumns = 11;

/** Upper bounds of the age histograms' buckets but the last. Units: seconds. Source: the SDK's default boundaries. */
export const ageBoundaries = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000] as const;

/** Doubles of an age histogram: its buckets, then the sum. */
export const ageDoubles = ageBoundaries.length + 2;

/** What a task counts: the counters, the ages of late spans, the ages of traces when they leave the table. */
export const countDoubles = shardCounters.length + 2 * ageDoubles;
export const lateAgeAt = shardCounters.length;
export const removalAgeAt = shardCounters.length + ageDoubles;

/** Doubles of one bank: what tasks count, policy evaluation errors, the policies' columns. */
export function bankDoubles(policies: number): number {
  return countDoubles + 1 + policies * policyColumns;
}
export type ShardCounter = (typeof shardCounters)[number];

/** Trace row, 72 bytes and then the policies' state. Row numbers in links are row + 1; 0 is none. */
export const traceRow = {
  id: 0, // four words, as they lie in memory
  hash: 4,
  firstRun: 5,
  lastRun: 6,
  spanCount: 7,
  sizeBytes: 8,
  arrivalPrevious: 9,
  arrivalNext: 10,
  rootPrevious: 11,
  rootNext: 12,
  rootDueDelta: 13, // milliseconds after the arrival, + 1; 0: not on the root list
  arrival: 14, // f64
  fragment: 16, // span-ingest: 1 while the fragment that is being taken awaits its verdict
  words: 18,
} as const;

/** Decision row, 48 bytes: what is remembered of a decided trace. `verdict` is 0 in a free row and is written last. */
export const cacheRow = {
  id: 0,
  hash: 4,
  previous: 5,
  next: 6,
  decidedTick: 7, // 100 ms since the monotonic clock's start
  spanCount: 8,
  sizeBytes: 9,
  verdict: 10, // decision | trigger << 8 | policy << 16 (0xffff: none)
  origin: 11, // sub-policy (0xffff: none) | low 16 bits of the task's epoch << 16
  words: 12,
} as const;

/** Request block, in a segment: this header, the request's bytes, then the kernel's rows, each 8-byte aligned. */
export const requestBlock = {
  spanCount: 0,
  runCount: 4,
  runs: 8, // position of the first run row
  bytesLength: 12,
  receivedMs: 16, // f64
  end: 24, // position after the block
  sequence: 28,
  bytes: 32,
} as const;
