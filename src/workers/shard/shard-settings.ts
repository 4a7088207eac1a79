/** What a worker must know of a shard and of one task, as plain data. Both threads. */

import type { ShardRegionPlace } from '../../shared/arena/region-layout.ts';
import type { PolicyConfig } from '../../shared/policy-config.ts';

/** Written once per instance into shared memory by the main thread; a worker reads and compiles it at its first task of the generation. */
export interface ShardSettings {
  /** Component id, for messages. */
  readonly instance: string;
  readonly shards: number;
  readonly places: readonly ShardRegionPlace[];
  readonly decisionWaitMs: number;
  /** 0 is off. */
  readonly rootWaitMs: number;
  /** Undecided traces per shard before `overflow` says what happens. */
  readonly tracesMax: number;
  /** `early`: the oldest is decided on what is there. `block`: requests wait. `evict`: the oldest is forgotten, as in the Collector. */
  readonly overflow: 'early' | 'block' | 'evict';
  /** 0 is off. Units: bytes of spec 1.5. */
  readonly traceBytesMax: number;
  /** Decisions remembered per shard; 0 remembers none of the kind. */
  readonly sampledRecordsMax: number;
  readonly otherRecordsMax: number;
  /** `--compatibility otelcol`, no cache of the kind: decided traces count as held until they are evicted, and are not refreshed. */
  readonly sampledStayHeld: boolean;
  readonly otherStayHeld: boolean;
  /** Whether sizes of spec 1.5 are kept per trace even if no policy asks. */
  readonly needsSizes: boolean;
  /** What kept spans' scopes say of the decision. */
  readonly record: 'off' | 'policy' | 'full';
  readonly spanIngest: boolean;
  readonly sampleOnFirstMatch: boolean;
  readonly otelcolCompatibility: boolean;
  readonly featureGates: readonly string[];
  readonly policies: readonly PolicyConfig[];
  /** Shared words of the instance for token buckets and budgets: byte position and length. */
  readonly sharedAt: number;
  readonly sharedLength: number;
}

/** One run of one shard. Times are milliseconds; `nowMs` and `earlyBeforeMs` on the main thread's monotonic clock. */
export interface ShardTask {
  /** Unique for each settings block of the process. */
  readonly generation: number;
  readonly settingsAt: number;
  readonly settingsLength: number;
  readonly shard: number;
  readonly nowMs: number;
  /** Decide every trace that arrived up to then, due or not; -Infinity is none. */
  readonly earlyBeforeMs: number;
  /** Decide everything: the process is ending. */
  readonly drain: boolean;
  /** Sample every trace: the policies have failed too often. */
  readonly keepAll: boolean;
  /** Where sampled spans may be framed. Length 0: nowhere, so nothing that is sampled can be decided now. */
  readonly outputAt: number;
  readonly outputLength: number;
  /** After a crash: positions of the request blocks that are not settled, in order of sequence; the region is rebuilt from them first. */
  readonly recoverFrom?: readonly number[];
}

/** What a task answers; everything else it says stands in the region's header. */
export const ShardTaskStatus = {
  /** Nothing left to do before the next due trace or the next request. */
  idle: 0,
  /** Requests are left; run again at once. */
  moreRequests: 1,
  /** A sampled chain waits for output room (`outputNeeded`). */
  outputFull: 2,
  /** `overflow: block`, and the table is full until the next trace is due. */
  blocked: 3,
} as const;
export type ShardTaskStatus = (typeof ShardTaskStatus)[keyof typeof ShardTaskStatus];

/** `policyError`: text of the last policy that could not judge a trace in this task. */
export type ShardTaskResult = ShardTaskStatus | { readonly status: ShardTaskStatus; readonly policyError: string };
