/** Reads one YAML text as Go's yaml.v3 reads it, keeping the document (for `--fix`) and the place of every value. Main thread. */

import { Buffer } from 'node:buffer';
import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseAllDocuments,
  Scalar,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import type { LocatedFault } from './config-fault.ts';
import type { ConfigNode, MapEntry, Place } from './config-node.ts';
import { goScalar } from './go-scalar.ts';
import { relaxFlow } from './relax-flow.ts';

/** Bounds: what aliases may unfold to. */
const nodesMax = 50_000;
const aliasDepthMax = 64;

export type YamlDocument = Document.Parsed<ParsedNode, true> | Document.Parsed<ParsedNode, false>;

export interface YamlSource {
  readonly documents: readonly YamlDocument[];
  readonly faults: readonly LocatedFault[];
  /** The text that offsets count in. */
  readonly text: string;
  /** Where an offset of the parsed text lies in what the user wrote. */
  place(offset: number): Place;
}

/** How offsets of an embedded text (a string that holds a configuration) are found in the file around it. */
export type PlaceOfLine = (line: number, column: number) => Place;

/**
 * Plain scalars stay texts in the document; `toConfigNode` gives them Go's types.
 *
 * Errors: in `faults`, each at its line and column; the documents are then not to be used.
 */
export function parseYaml(text: string, file: string, placeOfLine?: PlaceOfLine): YamlSource {
  const first = parseOnce(text);
  if (!first.errors.some((error) => error.code === 'BAD_INDENT' || error.code === 'TAB_AS_INDENT')) {
    return toSource(first, file, new Map(), placeOfLine);
  }
  const relaxed = relaxFlow(text);
  const second = parseOnce(relaxed.text);
  return second.errors.length === 0 ? toSource(second, file, relaxed.shifts, placeOfLine) : toSource(first, file, new Map(), placeOfLine);
}

/** As Go's yaml.v3 does: `!!binary` is the text of its bytes, and a tag of one's own before nothing leaves it null. */
function plainTags(document: YamlDocument): void {
  visit(document as Document, {
    Scalar(_, scalar) {
      const { value } = scalar as { value: unknown };
      if (value instanceof Uint8Array) {
        scalar.value = Buffer.from(value).toString('utf8');
        scalar.type = Scalar.QUOTE_DOUBLE;
        delete scalar.tag;
      } else if (scalar.tag !== undefined && !scalar.tag.startsWith(tagPrefix) && scalar.source === '' && scalar.type === Scalar.PLAIN) {
        scalar.value = null;
        scalar.source = 'null';
        delete scalar.tag;
      }
    },
  });
}

interface ParsedText {
  readonly documents: readonly YamlDocument[];
  readonly errors: readonly YAMLError[];
  readonly lineCounter: LineCounter;
  readonly text: string;
}

function parseOnce(written: string): ParsedText {
  const text = written.replace(/^\uFEFF/, '');
  const lineCounter = new LineCounter();
  const parsed = parseAllDocuments(text, {
    schema: 'failsafe',
    customTags: ['null'],
    strict: false,
    uniqueKeys: true,
    prettyErrors: false,
    logLevel: 'silent',
    lineCounter,
  });
  const documents = [...parsed] as YamlDocument[];
  for (const document of documents) plainTags(document);
  return { documents, errors: documents.flatMap((document) => document.errors), lineCounter, text };
}

function toSource(parsed: ParsedText, file: string, shifts: ReadonlyMap<number, number>, placeOfLine?: PlaceOfLine): YamlSource {
  const place = (offset: number): Place => {
    const { line, col } = parsed.lineCounter.linePos(offset);
    const column = Math.max(1, col - (shifts.get(line) ?? 0));
    return placeOfLine === undefined ? { file, line, column } : placeOfLine(line, column);
  };
  const faults = parsed.errors.map((error): LocatedFault => {
    return { severity: 'error', path: [], message: `yaml: ${yamlMessage(error)}`, ...place(error.pos[0]) };
  });
  return { documents: parsed.documents, faults, text: parsed.text, place };
}

function yamlMessage(error: YAMLError): string {
  if (error.code === 'DUPLICATE_KEY') return 'this key is already defined in the same map; keep one';
  if (error.code === 'TAB_AS_INDENT') return 'found character that cannot start any token: a tab; indent with spaces';
  if (error.code === 'BLOCK_AS_IMPLICIT_KEY') return 'mapping values are not allowed in this context; put a text that holds ": " in quotes';
  return error.message.charAt(0).toLowerCase() + error.message.slice(1);
}

interface Conversion {
  readonly document: YamlDocument;
  readonly source: YamlSource;
  readonly faults: LocatedFault[];
  nodes: number;
}

export interface ConvertedTree {
  readonly root: ConfigNode;
  readonly faults: readonly LocatedFault[];
}

/** Turns `node` of a document into a tree with Go's values. New nodes, which have no offset, take the place of what holds them. */
export function toConfigNode(source: YamlSource, document: YamlDocument, node: Node | null): ConvertedTree {
  const conversion: Conversion = { document, source, faults: [], nodes: 0 };
  const root = convert(conversion, node, source.place(node?.range?.[0] ?? 0), 0);
  return { root, faults: conversion.faults };
}

function convert(conversion: Conversion, node: Node | null, around: Place, depth: number): ConfigNode {
  const place = node?.range == null ? around : conversion.source.place(node.range[0]);
  conversion.nodes++;
  if (conversion.nodes > nodesMax || depth > aliasDepthMax) {
    if (conversion.nodes <= nodesMax || conversion.nodes === nodesMax + 1) fault(conversion, 'document contains excessive aliasing', place);
    return { kind: 'scalar', place, value: null };
  }
  if (isAlias(node)) {
    const target = node.resolve(conversion.document as Document);
    if (target !== undefined) return convert(conversion, target, place, depth + 1);
    fault(conversion, `unknown anchor '${node.source}' referenced`, place);
    return { kind: 'scalar', place, value: null };
  }
  if (isMap(node)) return { kind: 'map', place, entries: convertEntries(conversion, node, place, depth) };
  if (isSeq(node)) return { kind: 'list', place, items: node.items.map((item) => convert(conversion, item as Node, place, depth + 1)) };
  return { kind: 'scalar', place, value: isScalar(node) ? scalarValue(node) : null };
}

function fault(conversion: Conversion, message: string, place: Place): void {
  conversion.faults.push({ severity: 'error', path: [], message: `yaml: ${message}`, ...place });
}

function convertEntries(conversion: Conversion, map: YAMLMap, place: Place, depth: number): Map<string, MapEntry> {
  const entries = new Map<string, MapEntry>();
  const inherited: MapEntry[] = [];
  for (const pair of map.items) {
    if (!isPair(pair)) continue;
    const key = pair.key as Node | null;
    const keyPlace = key?.range == null ? place : conversion.source.place(key.range[0]);
    const text = isScalar(key) ? String(key.value ?? '') : undefined; // A null key is the text "".
    if (text === undefined) {
      fault(conversion, 'a map key must be a plain text', keyPlace);
      continue;
    }
    const node = convert(conversion, pair.value as Node | null, keyPlace, depth + 1);
    if (text === '<<' && isScalar(key) && isPlain(key)) inherited.push({ keyPlace, node });
    else setByPath(entries, text.split('::'), { keyPlace, node });
  }
  for (const { node } of inherited) {
    for (const from of node.kind === 'list' ? node.items : [node]) {
      if (from.kind !== 'map') fault(conversion, 'map merge requires map or sequence of maps as the value', node.place);
      else for (const [name, entry] of from.entries) if (!entries.has(name)) entries.set(name, entry);
    }
  }
  return entries;
}

/** `a::b::c: x` is a: {b: {c: x}}, as the Collector reads it. */
function setByPath(entries: Map<string, MapEntry>, [first, ...rest]: readonly string[], entry: MapEntry): void {
  if (rest.length === 0) {
    entries.set(first!, entry);
    return;
  }
  const before = entries.get(first!)?.node;
  const below = new Map(before?.kind === 'map' ? before.entries : []);
  setByPath(below, rest, entry);
  entries.set(first!, { keyPlace: entry.keyPlace, node: { kind: 'map', place: entry.keyPlace, entries: below } });
}

function isPlain(scalar: Scalar): boolean {
  return scalar.type === undefined || scalar.type === Scalar.PLAIN;
}

const tagPrefix = 'tag:yaml.org,2002:';

/** The value of a scalar of a document, with Go's types. */
export function scalarValue(scalar: Scalar): unknown {
  if (typeof scalar.value !== 'string') return scalar.value;
  if (scalar.tag === `${tagPrefix}str` || scalar.tag === '!') return scalar.value;
  return isPlain(scalar) || scalar.tag?.startsWith(tagPrefix) === true ? goScalar(scalar.value) : scalar.value;
}
