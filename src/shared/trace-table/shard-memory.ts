/** Views over one shard's region of the shared memory. Whichever thread runs the shard; the main thread reads. */

import { header, headerDoubles, type ShardRegionPlace } from '../arena/region-layout.ts';

export interface ShardMemory {
  readonly place: ShardRegionPlace;
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Word index of the header, double index of its doubles. */
  readonly head: number;
  readonly headDoubles: number;
}

export function shardMemory(memory: WebAssembly.Memory, place: ShardRegionPlace): ShardMemory {
  const buffer = memory.buffer;
  return {
    place,
    words: new Uint32Array(buffer),
    doubles: new Float64Array(buffer),
    bytes: new Uint8Array(buffer),
    view: new DataView(buffer),
    head: place.headerAt / 4,
    headDoubles: (place.headerAt + headerDoubles.at) / 8,
  };
}

/** The region as it is before the first request. The main thread calls it once, before any task. */
export function clearShard(memory: ShardMemory): void {
  const { place } = memory;
  memory.words.fill(0, memory.head, memory.head + header.words);
  memory.doubles.fill(0, memory.headDoubles, place.factsAt / 8);
  memory.doubles[memory.headDoubles + headerDoubles.watermark] = Number.POSITIVE_INFINITY;
  memory.doubles[memory.headDoubles + headerDoubles.nextDue] = Number.POSITIVE_INFINITY;
  memory.doubles[memory.headDoubles + headerDoubles.pendingArrival] = Number.POSITIVE_INFINITY;
  clearIndex(memory, Math.min(10, place.indexLevelMax));
}

/** Empties the index at `level`: 2^level slots. */
export function clearIndex(memory: ShardMemory, level: number): void {
  const from = memory.place.indexAt / 4 + 2 * 2 ** level;
  memory.words.fill(0, from, from + 2 * 2 ** level);
  memory.words[memory.head + header.indexLevel] = level;
  memory.words[memory.head + header.indexUsed] = 0;
}
