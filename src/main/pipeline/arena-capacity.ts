/** How large the process's arena is: from the command line, the memory limiter, or the container. Main thread, at start. */

import type { ComponentType } from './component.ts';
import type { GraphPlan } from './graph.ts';

const mibBytes = 1_048_576;
/** WebAssembly memory ends at 4 GiB; the rest of the address space stays free for growth of the format. */
const arenaBytesMax = 3.5 * 1024 * mibBytes;
const arenaBytesMin = 8 * mibBytes;
/** A process that holds no traces needs room for requests in flight only. */
const routerBytesMax = 256 * mibBytes;
/** Heap, code and buffers of the process outside the arena, as measured under load. */
const processBytes = 96 * mibBytes;
const containerPart = 0.6;

export interface ArenaSizing {
  /** `--arena-mib` or RINGTAIL_ARENA_MIB; wins. */
  readonly overrideMib: number | undefined;
  readonly containerBytes: number;
  /** Soft limits of the memory limiters that pipelines use. */
  readonly softLimitsBytes: readonly number[];
  /** Whether a configured component holds traces. */
  readonly holdsTraces: boolean;
}

/**
 * Units:  bytes.
 * Bounds: 8 MiB to 3.5 GiB. With a memory limiter the arena ends below its soft limit by what the rest of the process needs (at most half of it),
 *         so that a full sampler decides early before the limiter refuses.
 */
export function arenaCapacityBytes(sizing: ArenaSizing): number {
  if (sizing.overrideMib !== undefined) return Math.min(arenaBytesMax, Math.max(arenaBytesMin, sizing.overrideMib * mibBytes));
  const softBytes = Math.min(...sizing.softLimitsBytes);
  const roomBytes = Number.isFinite(softBytes) ? Math.max(softBytes - processBytes, softBytes / 2) : sizing.containerBytes * containerPart;
  const wantedBytes = sizing.holdsTraces ? roomBytes : Math.min(roomBytes, routerBytesMax);
  return Math.floor(Math.min(arenaBytesMax, Math.max(arenaBytesMin, wantedBytes)));
}

/** Types of the components that some pipeline uses. */
export function usedTypes(plan: GraphPlan): ReadonlySet<ComponentType['type']> {
  const used = new Set<string>();
  for (const pipeline of plan.pipelines) {
    for (const key of pipeline.processors) used.add(plan.processors.get(key)?.type.type ?? '');
    for (const key of pipeline.exporters) used.add(plan.exporters.get(key)?.type.type ?? '');
  }
  return used;
}
