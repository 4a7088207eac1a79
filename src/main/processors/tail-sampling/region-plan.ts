/** How much of the arena one tail_sampling instance takes for its tables, and where its pieces lie. Main thread. */

import { bankDoubles, cacheRow, headerDoubles, type ShardRegionPlace, traceRow } from '../../../shared/arena/region-layout.ts';
import { factRow, runSpansMax } from '../../../shared/arena/rows.ts';
import { clearShard, shardMemory } from '../../../shared/trace-table/shard-memory.ts';
import type { Arena, ArenaBlock } from '../../arena/arena.ts';
import { ComponentStartError } from '../../pipeline/component-start-error.ts';

export interface RegionNeeds {
  readonly shards: number;
  readonly stateWords: number;
  readonly policies: number;
  /** Undecided traces wanted; undefined: as many as the share of the arena holds. */
  readonly numTraces: number | undefined;
  /** Decisions wanted per kind; undefined: as many as the share of the arena holds. */
  readonly sampledCacheSize: number | undefined;
  readonly nonSampledCacheSize: number | undefined;
  /** Whether kept spans say why. */
  readonly records: boolean;
  /** tail_sampling instances that share the arena. */
  readonly instances: number;
}

export interface RegionPlan {
  readonly places: readonly ShardRegionPlace[];
  readonly blocks: readonly ArenaBlock[];
  readonly ring: ArenaBlock;
  /** Per shard. */
  readonly tracesMax: number;
  readonly sampledRecordsMax: number;
  readonly otherRecordsMax: number;
}

/** Parts of the arena that all instances together may take for trace rows, and for decision rows. The index needs about a third of both. */
const traceShare = 1 / 8;
const cacheShare = 1 / 16;
const blockBytesMin = 64 * 1024;
/** Room for what kept spans say: some hundred bytes for each policy, trigger and lateness that occurs. */
const suffixBytes = 64 * 1024;
/** Decisions remembered when the configuration says nothing, at most, per kind. */
const defaultRecordsMax = 500_000;

/** Requests that may be in the log at once. */
export const ringSlotsOf = (capacityBytes: number): number => (capacityBytes >= 512 * 1024 * 1024 ? 65_536 : 8_192);

/** Errors: ComponentStartError when the arena has no room for the tables. */
export function planRegion(arena: Arena, needs: RegionNeeds): RegionPlan {
  const blocks: ArenaBlock[] = [];
  const take = (bytes: number): ArenaBlock => {
    const block = arena.acquire(bytes);
    if (!block) {
      for (const taken of blocks) arena.release(taken);
      throw new ComponentStartError(
        'arena-too-small',
        `the arena of ${Math.round(arena.capacityBytes / 1024 / 1024)} MiB has no room for the tables of ${needs.instances} tail_sampling processors: give the process more memory, or lower num_traces`,
      );
    }
    blocks.push(block);
    return block;
  };
  const parts = needs.instances * needs.shards;
  const rowBytes = (traceRow.words + needs.stateWords + (needs.stateWords & 1)) * 4;
  const tracesWanted = needs.numTraces === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.ceil(needs.numTraces / needs.shards));
  const traceRows = fitRows(tracesWanted, rowBytes, (arena.capacityBytes * traceShare) / parts);
  const sampledWanted = perShard(needs.sampledCacheSize, needs.shards);
  const otherWanted = perShard(needs.nonSampledCacheSize, needs.shards);
  const cacheRows = fitRows(sampledWanted + otherWanted, cacheRow.words * 4, (arena.capacityBytes * cacheShare) / parts);
  const share = Math.min(1, cacheRows / Math.max(1, sampledWanted + otherWanted));
  const indexLevelMax = Math.max(8, Math.ceil(Math.log2(((traceRows + cacheRows + 1) * 4) / 3)));
  const ring = take(64 + ringSlotsOf(arena.capacityBytes) * 4);
  const places = Array.from({ length: needs.shards }, () => {
    const head = take(headerBytes(needs.policies) + runSpansMax * factRow.bytes);
    const place: ShardRegionPlace = {
      headerAt: head.offset,
      factsAt: head.offset + headerBytes(needs.policies),
      indexAt: take(2 * 2 ** indexLevelMax * 8).offset,
      indexLevelMax,
      tracesAt: take(traceRows * rowBytes).offset,
      traceRowsMax: traceRows,
      cacheAt: take(Math.max(1, cacheRows) * cacheRow.words * 4).offset,
      cacheRowsMax: cacheRows,
      suffixesAt: needs.records ? take(suffixBytes).offset : 0,
      suffixesLength: needs.records ? suffixBytes : 0,
      ringAt: ring.offset + 64,
      ringHeadAt: ring.offset,
      ringSlots: ringSlotsOf(arena.capacityBytes),
    };
    clearShard(shardMemory(arena.memory, place));
    return place;
  });
  return {
    places,
    blocks: blocks.filter((block) => block !== ring),
    ring,
    tracesMax: Math.min(traceRows, tracesWanted),
    sampledRecordsMax: Math.floor(sampledWanted * share),
    otherRecordsMax: Math.floor(otherWanted * share),
  };
}

/** Byte length of a shard's header, a multiple of 64. */
export function headerBytes(policies: number): number {
  return Math.ceil((headerDoubles.at + 8 * (headerDoubles.counters + 2 * bankDoubles(policies))) / 64) * 64;
}

function perShard(size: number | undefined, shards: number): number {
  const wanted = size ?? defaultRecordsMax;
  return wanted === 0 ? 0 : Math.max(1, Math.floor(wanted / shards));
}

/** As many rows as wanted, at most what the share holds, at least what the smallest block of the arena holds. */
function fitRows(wanted: number, rowBytes: number, shareBytes: number): number {
  const room = 2 ** Math.floor(Math.log2(Math.max(blockBytesMin, shareBytes)));
  return Math.min(wanted, Math.floor(room / rowBytes));
}
