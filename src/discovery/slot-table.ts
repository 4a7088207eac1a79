/** The default placement: 65,536 slots, each owned by the endpoint that its rendezvous order names first. Any thread. */

import assert from 'node:assert/strict';
import { contentDigest, routingKeyHash, traceIdHash } from '../shared/trace-id-hash.ts';
import { sortedDistinct } from './endpoint-names.ts';
import type { Placement } from './placement.ts';

const slotCount = 65_536;
const slotMask = slotCount - 1;
const noOwner = 0xffff;
const endpointsMax = noOwner;

/**
 * How far above the mean an owner may be, in standard deviations of what chance would give it. A tighter cap buys balance with slots that move between
 * surviving owners at every change. Measured over 40 changes at 30 endpoints: cap 1.001 × mean moves 1.04–1.07 of the unavoidable 1/30, this cap
 * (there 1.015 × mean) 0.98–1.02; a cap of fixed width is too tight for large sets (1.33 of 1/100 at 1.001, 1.05 with this one).
 */
const capDeviations = 0.7;

/** The slot table's own extra beside `Placement`. */
export interface SlotTable extends Placement {
  /** Owner of each slot, an index into `endpoints`; 0xffff when there are none. */
  readonly owners: Uint16Array;
  /**
   * The same table with some endpoints ejected: only their slots move, each to the next endpoint of its own order; no cap applies, nothing else changes.
   * Endpoint indexes stay. Names that are not in the table are ignored; ejecting all of them leaves the table as it is.
   */
  without(unreachable: ReadonlySet<string>): SlotTable;
}

/**
 * Depends on the set alone: order and repetition of `endpoints` do not matter.
 *
 * How: every endpoint walks all slots in a pseudo-random order of its own, all endpoints at one step a round. Who reaches a slot first owns it, and the order
 * in which endpoints reach a slot is that slot's rendezvous order (rank = round, then endpoint name). An endpoint that is full stops walking, which passes its
 * later slots on. Taking all pairs in order of rank makes the result the one stable assignment of slots to owners, so that it cannot depend on history, and costs
 * about 12 steps a slot at any number of endpoints instead of one hash per slot and endpoint.
 * Source: rendezvous hashing (Thaler and Ravishankar, 1996), bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016), walks as in Maglev (Eisenbud et al., 2016).
 */
export function createSlotTable(endpoints: readonly string[]): SlotTable {
  const distinct = Object.freeze(sortedDistinct(endpoints));
  assert(distinct.length <= endpointsMax, `a slot table holds at most ${endpointsMax} endpoints`);
  const owners = new Uint16Array(slotCount).fill(noOwner);
  const walks = distinct.map(walkOf);
  const mean = slotCount / distinct.length;
  const slackShare = capDeviations * Math.sqrt(distinct.length / slotCount);
  claim(owners, walks, [...walks.keys()], Math.max(Math.ceil(mean), Math.floor(mean * (1 + slackShare))));
  return tableOf(distinct, walks, owners);
}

function tableOf(endpoints: readonly string[], walks: readonly Walk[], owners: Uint16Array): SlotTable {
  const empty = endpoints.length === 0;
  return Object.freeze({
    endpoints,
    owners,
    digest: contentDigest([Buffer.from(endpoints.join('\n')), new Uint8Array(owners.buffer)]),
    ownerOfTraceId: (bytes: Uint8Array, at: number) => (empty ? -1 : owners[traceIdHash(bytes, at) & slotMask]),
    ownerOfKey: (key: Uint8Array) => (empty ? -1 : owners[routingKeyHash(key) & slotMask]),
    without(unreachable: ReadonlySet<string>): SlotTable {
      const gone = endpoints.map((endpoint) => unreachable.has(endpoint));
      const left = [...walks.keys()].filter((index) => !gone[index]);
      if (left.length === 0 || left.length === endpoints.length) return tableOf(endpoints, walks, owners);
      const moved = owners.map((owner) => (gone[owner] ? noOwner : owner));
      claim(moved, walks, left, slotCount);
      return tableOf(endpoints, walks, moved);
    },
  });
}

/** The keys of one endpoint's walk: a bijection of 16-bit numbers, step → slot. Multipliers are odd. */
interface Walk {
  readonly add1: number;
  readonly multiply1: number;
  readonly add2: number;
  readonly multiply2: number;
  readonly add3: number;
}

function walkOf(endpoint: string): Walk {
  const name = Buffer.from(endpoint);
  const key = (stream: number) => routingKeyHash(name, stream) & slotMask;
  return { add1: key(1), multiply1: key(2) | 1, add2: key(3), multiply2: key(4) | 1, add3: key(5) };
}

function slotAt(walk: Walk, step: number): number {
  let slot = Math.imul(step ^ walk.add1, walk.multiply1) & slotMask;
  slot = (Math.imul(slot ^ (slot >>> 7), 0x2c1b) + walk.add2) & slotMask;
  slot = Math.imul(slot ^ (slot >>> 9), walk.multiply2) & slotMask;
  slot = Math.imul(slot ^ (slot >>> 8), 0xd3a5) & slotMask;
  return slot ^ (slot >>> 7) ^ walk.add3;
}

/** Lets the endpoints `walkers` take turns until every slot without owner has one. Bounds: `walkers.length * capacity` reaches the number of free slots. */
function claim(owners: Uint16Array, walks: readonly Walk[], walkers: readonly number[], capacity: number): void {
  const loads = new Uint32Array(walks.length);
  const walking = Uint32Array.from(walkers);
  let walkingCount = walking.length;
  let free = 0;
  for (const owner of owners) if (owner === noOwner) free++;
  for (let step = 0; free > 0 && walkingCount > 0; step++) {
    let kept = 0;
    for (let turn = 0; turn < walkingCount; turn++) {
      const index = walking[turn];
      const slot = slotAt(walks[index], step);
      if (owners[slot] === noOwner) {
        owners[slot] = index;
        free--;
        loads[index]++;
      }
      if (loads[index] < capacity) walking[kept++] = index;
    }
    walkingCount = kept;
  }
}
