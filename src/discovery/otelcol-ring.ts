/** The Collector's placement, bit for bit, for fleets in which both route: a consistent hash ring of 131,071 positions. Any thread. */

import { crc32 } from 'node:zlib';
import { byBytes, sortedDistinct } from './endpoint-names.ts';
import type { Placement } from './placement.ts';

const ringPositions = 131_071;
const pointsPerEndpoint = 200;
const probesMax = 10;

export interface OtelcolRingSettings {
  /** The name under which the Collector hashes an endpoint: as resolved, before a missing port is added. Default: the endpoint itself. */
  readonly ringNameOf?: (endpoint: string) => string;
  /** Tests only know smaller rings. Default 200. */
  readonly points?: number;
}

export interface OtelcolRing extends Placement {
  readonly positions: Uint32Array;
  /** Owner of the item at the same index of `positions`. */
  readonly owners: Uint16Array;
}

/**
 * Order of `endpoints` does not matter; one that is listed twice has double weight, as in the Collector.
 * Source: behaviour of the Collector's load-balancing exporter v0.161 (positions, points, order among candidates, ten probes).
 */
export function createOtelcolRing(endpoints: readonly string[], settings: OtelcolRingSettings = {}): OtelcolRing {
  const distinct = Object.freeze(sortedDistinct(endpoints));
  const names = distinct.map(settings.ringNameOf ?? ((endpoint) => endpoint));
  const items = itemsOf(candidatesOf(endpoints, distinct, names, settings.points ?? pointsPerEndpoint), names);
  const positions = Uint32Array.from(items, (item) => item.position);
  const owners = Uint16Array.from(items, (item) => item.owner);
  // Any position's owner is known beforehand, so that a lookup is one checksum and one read.
  const ownerAt = new Uint16Array(ringPositions);
  let next = 0;
  for (let position = 0; position < ringPositions; position++) {
    while (next < positions.length && positions[next] < position) next++;
    ownerAt[position] = owners[next === positions.length ? 0 : next];
  }
  const scratch = Buffer.alloc(16);
  const empty = items.length === 0;
  return Object.freeze({
    endpoints: distinct,
    positions,
    owners,
    digest: ringDigest(items, names),
    ownerOfTraceId(bytes: Uint8Array, at: number): number {
      if (empty) return -1;
      for (let index = 0; index < 16; index++) scratch[index] = bytes[at + index];
      return ownerAt[crc32(scratch) % ringPositions];
    },
    ownerOfKey: (key: Uint8Array): number => (empty ? -1 : ownerAt[crc32(key) % ringPositions]),
  });
}

interface Candidate {
  readonly position: number;
  readonly hash: number;
  readonly owner: number;
}

function candidatesOf(endpoints: readonly string[], distinct: readonly string[], names: readonly string[], points: number): Candidate[] {
  const ownerOf = new Map(distinct.map((endpoint, index) => [endpoint, index]));
  const candidates: Candidate[] = [];
  const pointBytes = Buffer.alloc(4);
  for (const endpoint of endpoints) {
    const owner = ownerOf.get(endpoint)!;
    const nameHash = crc32(names[owner]);
    for (let point = 0; point < points; point++) {
      pointBytes.writeUInt32LE(point);
      const hash = crc32(pointBytes, nameHash);
      candidates.push({ position: hash % ringPositions, hash, owner });
    }
  }
  return candidates;
}

/** Places candidates in the order (position, hash, name), each at the first free of ten positions; one that finds none is left out. */
function itemsOf(candidates: Candidate[], names: readonly string[]): Candidate[] {
  candidates.sort((a, b) => a.position - b.position || a.hash - b.hash || byBytes(names[a.owner], names[b.owner]));
  const taken = new Uint8Array(ringPositions);
  const items: Candidate[] = [];
  for (const candidate of candidates) {
    let position = candidate.position;
    let probes = 0;
    while (taken[position] && probes < probesMax) {
      position = (position + 1) % ringPositions;
      probes++;
    }
    if (probes === probesMax) continue;
    taken[position] = 1;
    items.push({ ...candidate, position });
  }
  return items.sort((a, b) => a.position - b.position);
}

/** FNV-1a-64 over the lines `position=endpoint`, in two 32-bit halves: the prime is 2^40 + 0x1b3. */
function ringDigest(items: readonly Candidate[], names: readonly string[]): string {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  for (const item of items) {
    for (const byte of Buffer.from(`${item.position}=${names[item.owner]}\n`)) {
      low = (low ^ byte) >>> 0;
      const product = low * 0x1b3;
      high = (Math.imul(high, 0x1b3) + Math.floor(product / 0x1_0000_0000) + (low << 8)) >>> 0;
      low = product >>> 0;
    }
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
