/** The traces that a turn will decide, found before the first of them is decided: gate `usetracestate` only. Whichever thread runs the shard. */

import { header, traceRow } from '../../shared/arena/region-layout.ts';
import type { ShardMemory } from '../../shared/trace-table/shard-memory.ts';
import { traceAt } from '../../shared/trace-table/trace-rows.ts';
import { Trigger } from '../policies/compiled-policies.ts';
import type { ShardTask } from './shard-settings.ts';

/** A batch is not split while this much output would hold it. */
const batchBytesMax = 4 * 1024 * 1024;

/** Rows of due traces, each once, the oldest arrivals first. */
export function dueRows(memory: ShardMemory, stride: number, task: ShardTask, decisionWaitMs: number): number[] {
  const { words, doubles, head } = memory;
  const rows = new Set<number>();
  const arrivedBeforeMs = task.drain ? Number.POSITIVE_INFINITY : Math.max(task.nowMs - decisionWaitMs, task.earlyBeforeMs);
  for (let link = words[head + header.arrivalHead]; link !== 0; ) {
    const at = traceAt(memory, stride, link - 1);
    if (doubles[(at + traceRow.arrival) / 2] > arrivedBeforeMs) break;
    rows.add(link - 1);
    link = words[at + traceRow.arrivalNext];
  }
  for (let link = words[head + header.rootHead]; link !== 0; ) {
    const at = traceAt(memory, stride, link - 1);
    if (rootDueMs(memory, at) > task.nowMs) break;
    rows.add(link - 1);
    link = words[at + traceRow.rootNext];
  }
  return [...rows];
}

/** Why a due trace is due: what came first. */
export function triggerOf(memory: ShardMemory, stride: number, row: number, task: ShardTask, decisionWaitMs: number): Trigger {
  const at = traceAt(memory, stride, row);
  const dueMs = memory.doubles[(at + traceRow.arrival) / 2] + decisionWaitMs;
  const isOnRootList = memory.words[at + traceRow.rootDueDelta] !== 0;
  if (isOnRootList && rootDueMs(memory, at) <= Math.min(task.nowMs, dueMs)) return Trigger.root;
  if (task.drain) return Trigger.drain;
  return dueMs <= task.nowMs ? Trigger.wait : Trigger.early;
}

function rootDueMs(memory: ShardMemory, at: number): number {
  return memory.doubles[(at + traceRow.arrival) / 2] + memory.words[at + traceRow.rootDueDelta] - 1;
}

/**
 * How many of the traces, whose chains need `sizes`, are decided now as one batch in `roomBytes` of output, and how much room to ask for because of the others
 * (0: none). None are decided when a larger output would hold far more of them, since limiters choose better among many.
 */
export function planBatch(sizes: readonly number[], roomBytes: number): { count: number; requireBytes: number } {
  let count = 0;
  let used = 0;
  while (count < sizes.length && used + sizes[count] <= roomBytes) used += sizes[count++];
  if (count === sizes.length) return { count, requireBytes: 0 };
  const rest = sizes.slice(count).reduce((total, size) => total + size, 0);
  const wanted = Math.max(sizes[count], Math.min(rest + used, batchBytesMax));
  if (wanted > 2 * roomBytes) return { count: 0, requireBytes: wanted };
  return { count, requireBytes: Math.max(sizes[count], Math.min(rest, batchBytesMax)) };
}
