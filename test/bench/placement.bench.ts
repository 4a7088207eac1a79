/** Placement: what a lookup and a rebuild cost, and that 10^6 ids of every shape are spread evenly (the test of the same name has 10^5). */

import assert from 'node:assert/strict';
import { createOtelcolRing } from '../../src/discovery/otelcol-ring.ts';
import type { Placement } from '../../src/discovery/placement.ts';
import { createSlotTable } from '../../src/discovery/slot-table.ts';
import { seededPrng } from '../../src/shared/prng.ts';
import type { BenchCase } from './run.ts';

const idCount = 1_000_000;
const idBytes = 16;

const fleet = (count: number) => Array.from({ length: count }, (_, index) => `10.4.${index >> 8}.${index & 255}:4317`);

type Shape = 'random' | 'constant low half' | 'clock in front';

function idsOf(shape: Shape): Uint8Array {
  const words = new Uint32Array(idCount * 4);
  const prng = seededPrng(1);
  for (let id = 0; id < idCount; id++) {
    const at = id * 4;
    for (let word = 0; word < 4; word++) words[at + word] = prng.next() * 2 ** 32;
    if (shape === 'constant low half') words.set([7, 7], at + 2);
    if (shape === 'clock in front') words.set([1_700_000_000 + (id >>> 12), id], at);
  }
  return new Uint8Array(words.buffer);
}

function lookups(shape: Shape, placement: Placement, busiestMax: number): BenchCase<Uint8Array> {
  const endpoints = placement.endpoints.length;
  return {
    name: `placement/${'owners' in placement && !('positions' in placement) ? 'slots' : 'otelcol'} ${endpoints} ${shape}`,
    spansPerRun: idCount,
    setup() {
      const ids = idsOf(shape);
      const loads = new Uint32Array(endpoints);
      for (let at = 0; at < ids.length; at += idBytes) loads[placement.ownerOfTraceId(ids, at)]++;
      const busiest = (Math.max(...loads) * endpoints) / idCount;
      assert(busiest <= busiestMax, `${this.name}: busiest/mean ${busiest}`);
      return ids;
    },
    run(ids) {
      let sum = 0;
      for (let at = 0; at < ids.length; at += idBytes) sum += placement.ownerOfTraceId(ids, at);
      assert(sum > 0);
    },
  };
}

const spread: [number, number][] = [
  [3, 1.01],
  [9, 1.02],
  [30, 1.03],
  [100, 1.06],
  [1000, 1.22],
];

export const cases: readonly BenchCase[] = [
  ...spread.flatMap(([count, busiestMax]) =>
    (['random', 'constant low half', 'clock in front'] as const).map((shape) => lookups(shape, createSlotTable(fleet(count)), busiestMax)),
  ),
  lookups('random', createOtelcolRing(fleet(30)), 1.6),
  ...[30, 1000].map(
    (count): BenchCase<string[]> => ({
      name: `placement/build ${count} (per table)`,
      spansPerRun: 1,
      setup: () => fleet(count),
      run: (names) => void createSlotTable(names),
    }),
  ),
] as unknown as readonly BenchCase[];
