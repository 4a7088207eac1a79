/** Rebuilds a shard's region after a worker died in the middle of a task. Whichever thread runs the shard next. */

import { cacheRow, header, requestBlock, ShardRunState, traceRow } from '../../shared/arena/region-layout.ts';
import { runRow } from '../../shared/arena/rows.ts';
import { cacheAt, linkRecord } from '../../shared/trace-table/decision-rows.ts';
import { clearIndex, type ShardMemory } from '../../shared/trace-table/shard-memory.ts';
import { decidedReference, findReference, insertReference, readTraceId } from '../../shared/trace-table/trace-index.ts';
import { takeTraceRow, traceAt } from '../../shared/trace-table/trace-rows.ts';
import { type Shard, shardOfHash } from './shard.ts';

/**
 * The request blocks are the log: everything undecided lies in them, from the watermark to the committed cursor. Decision rows of finished tasks are kept, those of the
 * broken task are taken back together with the output that it never handed over, so every trace is still decided once.
 */
export function recoverShard(shard: Shard, blocks: readonly number[]): void {
  const { memory } = shard;
  const { words, head } = memory;
  words[head + header.running] = ShardRunState.rebuilding;
  const brokenEpoch = words[head + header.epoch] & 0xffff;
  clearIndex(memory, words[head + header.indexLevel]);
  for (const field of [
    header.traceCount,
    header.traceFree,
    header.traceHigh,
    header.arrivalHead,
    header.arrivalTail,
    header.rootHead,
    header.rootTail,
  ]) {
    words[head + field] = 0;
  }
  restoreDecisions(memory, shard.stride, brokenEpoch);
  for (const block of blocks) replayBlock(shard, block);
  if (shard.settings.spanIngest) closeFragments(shard);
  shard.noteRecovery();
}

/** A finished task leaves no fragment unjudged, so under span-ingest nothing that was replayed may count for the next one. */
function closeFragments({ memory, stride, settler }: Shard): void {
  const { words, head } = memory;
  for (let link = words[head + header.arrivalHead]; link !== 0; ) {
    settler.closeFragment(link - 1);
    link = words[traceAt(memory, stride, link - 1) + traceRow.arrivalNext];
  }
}

function restoreDecisions(memory: ShardMemory, stride: number, brokenEpoch: number): void {
  const { words, head } = memory;
  for (const field of [
    header.sampledHead,
    header.sampledTail,
    header.sampledCount,
    header.otherHead,
    header.otherTail,
    header.otherCount,
    header.cacheFree,
  ]) {
    words[head + field] = 0;
  }
  const kept: number[] = [];
  const id = { word0: 0, word1: 0, word2: 0, word3: 0 };
  for (let row = 0; row < words[head + header.cacheHigh]; row++) {
    const at = cacheAt(memory, row);
    if (words[at + cacheRow.verdict] !== 0 && words[at + cacheRow.origin] >>> 16 !== brokenEpoch) {
      kept.push(row);
      continue;
    }
    words[at + cacheRow.verdict] = 0;
    words[at + cacheRow.next] = words[head + header.cacheFree];
    words[head + header.cacheFree] = row + 1;
  }
  kept.sort((left, right) => words[cacheAt(memory, left) + cacheRow.decidedTick] - words[cacheAt(memory, right) + cacheRow.decidedTick]);
  for (const row of kept) {
    const at = cacheAt(memory, row);
    readTraceId(memory, (at + cacheRow.id) * 4, id);
    if (findReference(memory, stride, id, words[at + cacheRow.hash]) !== 0) {
      words[at + cacheRow.verdict] = 0;
      continue;
    }
    linkRecord(memory, row);
    insertReference(memory, words[at + cacheRow.hash], (decidedReference + row + 1) >>> 0);
  }
}

/** Enters the runs that finished tasks had taken; what the broken task took comes again by the ordinary way. */
function replayBlock(shard: Shard, block: number): void {
  const { memory, settings } = shard;
  const { words, doubles, head } = memory;
  const behind = (words[head + header.cursor] - words[(block + requestBlock.sequence) / 4]) | 0;
  if (behind < 0) return;
  const taken = behind === 0 ? words[head + header.cursorRun] : words[(block + requestBlock.runCount) / 4];
  const arrivalMs = doubles[(block + requestBlock.receivedMs) / 8];
  const runs = words[(block + requestBlock.runs) / 4];
  const id = { word0: 0, word1: 0, word2: 0, word3: 0 };
  for (let index = 0; index < taken; index++) {
    const run = runs + index * runRow.bytes;
    const hash = words[(run + runRow.hash) / 4];
    if (settings.shards > 1 && shardOfHash(hash, settings.shards) !== shard.index) continue;
    readTraceId(memory, words[(run + runRow.traceId) / 4], id);
    const reference = findReference(memory, shard.stride, id, hash);
    if (reference >= decidedReference) continue;
    let row = reference - 1;
    if (reference === 0) {
      row = takeTraceRow(memory, shard.stride, id, hash, arrivalMs);
      if (row < 0) return;
      insertReference(memory, hash, row + 1);
    }
    shard.addRun(row, run, arrivalMs);
  }
}
