/** A configuration as a tree that remembers where each value was written. Pure. */

import type { ConfigPath } from './config-fault.ts';
import { ExpandedValue } from './raw-value.ts';

/** Units: `line` and `column` count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly place: Place;
  /** As goScalar gives it, or an ExpandedValue. */
  readonly value: unknown;
}
export interface ListNode {
  readonly kind: 'list';
  readonly place: Place;
  readonly items: readonly ConfigNode[];
}
export interface MapEntry {
  readonly keyPlace: Place;
  readonly node: ConfigNode;
}
export interface MapNode {
  readonly kind: 'map';
  readonly place: Place;
  readonly entries: ReadonlyMap<string, MapEntry>;
}
export type ConfigNode = ScalarNode | ListNode | MapNode;

/** The tree as plain data for decoding. */
export function rawOf(node: ConfigNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(rawOf);
  // Object.fromEntries defines own properties, so a key `__proto__` is data like any other.
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, rawOf(entry.node)]));
}

/** The place of the deepest part of `path` that was written: the key of a map entry, the item of a list; below a reference, the reference. */
export function placeOf(root: ConfigNode, path: ConfigPath): Place {
  let node = root;
  let place = root.place;
  for (const step of path) {
    if (node.kind === 'map') {
      const entry = node.entries.get(String(step));
      if (entry === undefined) return place;
      place = entry.keyPlace;
      node = entry.node;
    } else if (node.kind === 'list') {
      const item = node.items[Number(step)];
      if (item === undefined) return place;
      place = item.place;
      node = item;
    } else return node.value instanceof ExpandedValue ? node.place : place;
  }
  return place;
}

export function nodeAt(root: ConfigNode, path: ConfigPath): ConfigNode | undefined {
  let node: ConfigNode | undefined = root;
  for (const step of path) {
    if (node?.kind === 'map') node = node.entries.get(String(step))?.node;
    else if (node?.kind === 'list') node = node.items[Number(step)];
    else return undefined;
  }
  return node;
}

export interface MergeOptions {
  /** Gate confmap.enableMergeAppendOption: lists of `service` that name components are appended instead of replaced. */
  readonly appendServiceLists: boolean;
}

/** Later wins: maps merge key by key, everything else is replaced, null included. */
export function mergeNodes(earlier: ConfigNode, later: ConfigNode, options: MergeOptions, path: readonly string[] = []): ConfigNode {
  if (earlier.kind === 'list' && later.kind === 'list' && options.appendServiceLists && isServiceList(path)) {
    const known = new Set(earlier.items.map((item) => JSON.stringify(rawOf(item))));
    return { ...later, items: [...earlier.items, ...later.items.filter((item) => !known.has(JSON.stringify(rawOf(item))))] };
  }
  if (earlier.kind !== 'map' || later.kind !== 'map') return later;
  const entries = new Map(earlier.entries);
  for (const [key, entry] of later.entries) {
    const before = entries.get(key);
    entries.set(key, before === undefined ? entry : { ...entry, node: mergeNodes(before.node, entry.node, options, [...path, key]) });
  }
  return { ...earlier, entries };
}

/** Source: confmap's merge-append patterns: service::extensions, service::**::receivers, service::**::exporters. */
function isServiceList(path: readonly string[]): boolean {
  if (path[0] !== 'service') return false;
  return (path.length === 2 && path[1] === 'extensions') || (path.length > 2 && ['receivers', 'exporters'].includes(path.at(-1)!));
}
