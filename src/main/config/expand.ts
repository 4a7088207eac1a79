/** Replaces `${…}` references in a configuration tree, with the Collector's typing and escaping. Main thread. */

import type { LocatedFault } from './config-fault.ts';
import type { ConfigNode, MapEntry, Place } from './config-node.ts';
import { rawOf } from './config-node.ts';
import { ExpandedValue, FloatValue, isRawMap } from './raw-value.ts';
import { fetchSource, type SourceSettings, splitScheme } from './sources.ts';
import { parseYaml, toConfigNode } from './yaml-source.ts';

const roundsMax = 1_000;

export interface ExpandedTree {
  readonly root: ConfigNode;
  readonly faults: readonly LocatedFault[];
}

/**
 * Expands every value of `root`; map keys are never expanded.
 *
 * Errors: a reference that cannot be read is a fault at its place and null in the tree; an unset variable is null with a warning.
 * Source: confmap's resolver (expand.go); `${X:-default}` without a scheme is ours.
 */
export async function expandReferences(root: ConfigNode, settings: SourceSettings): Promise<ExpandedTree> {
  const expansion: Expansion = { settings, faults: [], fetched: new Map() };
  return { root: await expandNode(expansion, root, []), faults: expansion.faults };
}

interface Expansion {
  readonly settings: SourceSettings;
  readonly faults: LocatedFault[];
  /** A reference is fetched once, however often it is used. */
  readonly fetched: Map<string, Promise<Retrieved>>;
}

/** Where the walk is, for messages. */
interface Spot {
  readonly path: readonly (string | number)[];
  readonly place: Place;
}

class UnreadableReference extends Error {}

async function expandNode(expansion: Expansion, node: ConfigNode, path: readonly (string | number)[]): Promise<ConfigNode> {
  if (node.kind === 'map') {
    const entries = new Map<string, MapEntry>();
    for (const [key, entry] of node.entries) entries.set(key, { ...entry, node: await expandNode(expansion, entry.node, [...path, key]) });
    return { ...node, entries };
  }
  if (node.kind === 'list') {
    const items: ConfigNode[] = [];
    for (const [index, item] of node.items.entries()) items.push(await expandNode(expansion, item, [...path, index]));
    return { ...node, items };
  }
  if (typeof node.value !== 'string' || !node.value.includes('$')) return node;
  const spot: Spot = { path, place: node.place };
  try {
    return { ...node, value: unescapeDollars(await expandFully(expansion, node.value, spot)) };
  } catch (error) {
    if (!(error instanceof UnreadableReference)) throw error;
    expansion.faults.push({ severity: 'error', path, message: error.message, ...node.place });
    return { ...node, value: null };
  }
}

async function expandFully(expansion: Expansion, written: unknown, spot: Spot): Promise<unknown> {
  let value = written;
  for (let round = 0; round < roundsMax; round++) {
    const next = await expandOnce(expansion, value, spot);
    if (next === unchanged) return value;
    value = next;
  }
  throw new UnreadableReference('too many recursive expansions');
}

const unchanged = Symbol('unchanged');

async function expandOnce(expansion: Expansion, value: unknown, spot: Spot): Promise<unknown> {
  if (typeof value === 'string') return value.includes('${') && value.includes('}') ? expandText(expansion, value, spot) : unchanged;
  if (value instanceof ExpandedValue) {
    const inner = await expandOnce(expansion, value.value, spot);
    if (inner === unchanged && typeof value.value !== 'object') return unchanged;
    const expanded = inner === unchanged ? value.value : inner;
    if (expanded instanceof ExpandedValue || typeof expanded === 'string') return inner === unchanged ? unchanged : expanded;
    const text = await expandOnce(expansion, value.text, spot).catch((error: unknown) => {
      if (error instanceof UnreadableReference) return expanded;
      throw error;
    });
    if (text === unchanged) return inner === unchanged ? unchanged : new ExpandedValue(expanded, value.text);
    return typeof text === 'string' ? new ExpandedValue(expanded, text) : expanded;
  }
  if (Array.isArray(value)) return expandItems(expansion, value, spot);
  if (!isRawMap(value)) return unchanged;
  const items = await expandItems(expansion, Object.values(value), spot);
  if (items === unchanged) return unchanged;
  return Object.fromEntries(Object.keys(value).map((key, index) => [key, (items as unknown[])[index]]));
}

async function expandItems(expansion: Expansion, items: readonly unknown[], spot: Spot): Promise<unknown> {
  const next: unknown[] = [];
  for (const item of items) next.push(await expandOnce(expansion, item, spot));
  return next.every((item) => item === unchanged) ? unchanged : next.map((item, index) => (item === unchanged ? items[index] : item));
}

async function expandText(expansion: Expansion, text: string, spot: Spot): Promise<unknown> {
  const reference = findReference(text);
  if (reference === undefined) return unchanged;
  const retrieved = await retrieve(expansion, reference, spot);
  if (reference !== text) return text.replaceAll(reference, () => retrieved.text);
  return retrieved.verbatim ? retrieved.text : new ExpandedValue(retrieved.value, retrieved.text);
}

/** The first `${…}` that is not escaped by an odd number of dollar signs before it; innermost first. */
export function findReference(input: string): string | undefined {
  let rest = input;
  for (;;) {
    const close = rest.indexOf('}');
    if (close < 0) return undefined;
    const open = rest.slice(0, close + 1).lastIndexOf('${');
    if (open >= 0) {
      let dollars = 0;
      while (dollars < open && rest[open - 1 - dollars] === '$') dollars++;
      if (dollars % 2 === 0) return rest.slice(open, close + 1);
    }
    rest = rest.slice(close + 1);
  }
}

interface Retrieved {
  readonly value: unknown;
  readonly text: string;
  /** The value is this text and nothing else. */
  readonly verbatim: boolean;
}

async function retrieve(expansion: Expansion, reference: string, spot: Spot): Promise<Retrieved> {
  const known = expansion.fetched.get(reference);
  if (known !== undefined) return known;
  const pending = fetchReference(expansion, reference, spot);
  expansion.fetched.set(reference, pending);
  return pending;
}

async function fetchReference(expansion: Expansion, reference: string, spot: Spot): Promise<Retrieved> {
  const uri = uriOf(reference.slice(2, -1));
  const outcome = await fetchSource(uri, expansion.settings);
  if (outcome.kind === 'failed') throw new UnreadableReference(outcome.message);
  if (outcome.kind === 'unset') {
    const message = `environment variable ${outcome.name} is not set: read as null; write \${env:${outcome.name}:-default} to give a default`;
    expansion.faults.push({ severity: 'warning', path: spot.path, message, ...spot.place });
    return { value: null, text: '', verbatim: false };
  }
  return outcome.verbatim ? { value: outcome.text, text: outcome.text, verbatim: true } : readRetrieved(outcome.text);
}

function uriOf(inside: string): string {
  if (inside.includes('$')) throw new UnreadableReference(`the uri ${JSON.stringify(inside)} contains unsupported characters ('$')`);
  if (splitScheme(inside) !== undefined) return inside;
  if (!inside.includes(':') || /^[a-zA-Z_][a-zA-Z0-9_]*:-/.test(inside)) return `env:${inside}`;
  const scheme = inside.slice(0, inside.indexOf(':'));
  throw new UnreadableReference(
    `scheme ${JSON.stringify(scheme)} is not supported for uri ${JSON.stringify(inside)}; known: env, file, yaml, http, https`,
  );
}

/** What is no YAML, and what YAML reads as a text, is taken as it is written. */
function readRetrieved(text: string): Retrieved {
  const source = parseYaml(text, '');
  const document = source.documents[0];
  if (source.faults.length > 0) return { value: text, text, verbatim: true };
  if (document === undefined) return { value: null, text, verbatim: false };
  const tree = toConfigNode(source, document, document.contents);
  const value = rawOf(tree.root);
  return tree.faults.length > 0 || typeof value === 'string' ? { value: text, text, verbatim: true } : { value, text, verbatim: false };
}

function unescapeDollars(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$$', () => '$');
  if (value instanceof ExpandedValue)
    return new ExpandedValue(
      unescapeDollars(value.value),
      value.text.replaceAll('$$', () => '$'),
    );
  if (Array.isArray(value)) return value.map(unescapeDollars);
  if (value instanceof FloatValue || !isRawMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unescapeDollars(item)]));
}
