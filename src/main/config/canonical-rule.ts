/** What a canonicalisation rule sees and does: it edits the YAML document in place and reports each edit. Main thread. */

import { isMap, isScalar, isSeq, type Node, type Pair, Scalar, YAMLMap } from 'yaml';
import type { ConfigPath, LocatedFault } from './config-fault.ts';
import type { YamlSource } from './yaml-source.ts';

/**
 * One form that people write and that the Collector reads otherwise or not at all.
 *
 * `apply` turns it into what is meant, in the document (so that `--fix` prints it), with one warning per occurrence.
 * A further form is one more entry of `canonicalRules`.
 */
export interface CanonicalRule {
  readonly name: string;
  /** The Collector refuses the form with a text of its own, which `--compatibility otelcol` brings back. */
  readonly otelcolRefuses?: true;
  apply(config: RuleTarget): void;
}

export interface Component {
  readonly type: string;
  readonly id: string;
  readonly map: YAMLMap;
  readonly path: ConfigPath;
  readonly pair: Pair<Node, Node | null>;
}

type Section = 'receivers' | 'processors' | 'exporters' | 'extensions';

/** The configuration that the rules work on. */
export class RuleTarget {
  readonly root: YAMLMap;
  readonly faults: LocatedFault[] = [];
  readonly #source: YamlSource;

  constructor(root: YAMLMap, source: YamlSource) {
    this.root = root;
    this.#source = source;
  }

  report(severity: 'error' | 'warning', at: Node | null | undefined, path: ConfigPath, message: string): void {
    this.faults.push({ severity, path, message, ...this.#source.place(at?.range?.[0] ?? this.root.range?.[0] ?? 0) });
  }

  /** Components of a section whose type is one of `types`; those without a map as configuration are left out. */
  components(section: Section, types: readonly string[]): Component[] {
    const map = this.root.get(section, true);
    if (!isMap(map)) return [];
    return map.items.flatMap((pair): Component[] => {
      const id = textOf(pair.key as Node);
      const type = id?.split('/')[0]?.trim();
      if (id === undefined || type === undefined || !types.includes(type) || !isMap(pair.value)) return [];
      return [{ type, id, map: pair.value, path: [section, id], pair: pair as Pair<Node, Node | null> }];
    });
  }
}

export function textOf(node: Node | null | undefined): string | undefined {
  return isScalar(node) && node.value !== null ? String(node.value) : undefined;
}

export function pairOf(map: YAMLMap, key: string): Pair<Node, Node | null> | undefined {
  return map.items.find((pair) => textOf(pair.key as Node) === key) as Pair<Node, Node | null> | undefined;
}

export function mapAt(map: YAMLMap, ...path: readonly string[]): YAMLMap | undefined {
  let node: unknown = map;
  for (const key of path) node = isMap(node) ? node.get(key, true) : undefined;
  return isMap(node) ? node : undefined;
}

export function itemsOf(map: YAMLMap, key: string): readonly Node[] {
  const list = map.get(key, true);
  return isSeq(list) ? (list.items as Node[]) : [];
}

/** Takes pairs out of `map` and puts them, with their comments, into a new block under `key`. */
export function moveIntoBlock(map: YAMLMap, keys: readonly string[], key: string): void {
  const moved = map.items.filter((pair) => keys.includes(textOf(pair.key as Node) ?? ''));
  const existing = mapAt(map, key);
  const block = existing ?? new YAMLMap();
  if (existing === undefined) block.flow = map.flow ?? false;
  for (const pair of moved) block.items.push(pair);
  map.items = map.items.filter((pair) => !moved.includes(pair));
  if (existing === undefined) {
    map.items = map.items.filter((pair) => textOf(pair.key as Node) !== key);
    map.items.push(newPair(key, block));
  }
}

export function newPair(key: string, value: Node): Pair<Node, Node> {
  const map = new YAMLMap();
  map.set(new Scalar(key), value);
  return map.items[0] as Pair<Node, Node>;
}

export function quoted(text: string): Scalar {
  const scalar = new Scalar(text);
  scalar.type = Scalar.QUOTE_DOUBLE;
  return scalar;
}

export function plain(text: string): Scalar {
  const scalar = new Scalar(text);
  scalar.type = Scalar.PLAIN;
  return scalar;
}
