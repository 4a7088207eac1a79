/** Finds the Collector configuration inside what people deploy it in: Helm values, an OpenTelemetryCollector resource, a ConfigMap. Main thread. */

import { isMap, isScalar, type Node, Scalar, type YAMLMap } from 'yaml';
import type { LocatedFault } from './config-fault.ts';
import type { Place } from './config-node.ts';
import { parseYaml, type YamlDocument, type YamlSource } from './yaml-source.ts';

/** The configuration itself, in the document that it lies in. */
export interface UnwrappedConfig {
  readonly source: YamlSource;
  readonly document: YamlDocument | undefined;
  readonly node: Node | null;
  /** Keys on the way to the configuration; [] when the file is the configuration. */
  readonly under: readonly string[];
  readonly faults: readonly LocatedFault[];
}

const componentSections = ['receivers', 'processors', 'exporters', 'connectors', 'extensions'];

interface Wrapper {
  readonly name: string;
  /** `*` stands for any key. */
  readonly path: readonly string[];
  readonly kind?: string;
}

/** Tried in order; the first whose path leads to something counts. A further form is one more row. */
const wrappers: readonly Wrapper[] = [
  { name: 'OpenTelemetryCollector resource', kind: 'OpenTelemetryCollector', path: ['spec', 'config'] },
  { name: 'ConfigMap', kind: 'ConfigMap', path: ['data', '*'] },
  { name: 'Helm values', path: ['open_telemetry_collectors', '*', 'config'] },
  { name: 'Helm values', path: ['collectors', '*', 'config'] },
  { name: 'Helm values', path: ['opentelemetry-collector', 'config'] },
  { name: 'Helm values', path: ['config'] },
  { name: 'Helm values', path: ['alternateConfig'] },
  { name: 'Helm values', path: ['*', 'config'] },
  { name: 'Helm values', path: ['*', 'alternateConfig'] },
  { name: 'Compose file', path: ['configs', '*', 'content'] },
];

/**
 * Picks the document and the node that hold the configuration.
 *
 * Shape:  `select` is the name of a resource or the keys on the way, apart by dots.
 * Errors: several candidates of which `select` names none are a fault that names them all.
 */
export function unwrap(source: YamlSource, file: string, select?: string): UnwrappedConfig {
  const documents = source.documents.filter((document) => document.contents !== null);
  const candidates: Found[] = [];
  for (const document of documents) {
    const root = document.contents as Node;
    if (!isMap(root)) continue;
    if (!componentSections.some((section) => root.has(section))) candidates.push(...wrappedIn(document, root));
    else if (candidates.length === 0 && select === undefined) return { source, document, node: root, under: [], faults: [] };
  }
  const chosen = select === undefined ? candidates : candidates.filter(({ name, under }) => name === select || under.join('.') === select);
  const [first] = chosen;
  if (first !== undefined && chosen.length === 1) return fromFound(source, first, file);
  const document = documents[0];
  const node = (document?.contents as Node | undefined) ?? null;
  if (select === undefined && first === undefined) return { source, document, node, under: [], faults: [] };
  const names = candidates.map(({ name }) => name);
  const several = `this file holds several configurations (${names.join(', ')}); say which one: ${file}#${names[0]}`;
  const missing = `this file holds no configuration named ${select}; ${names.length === 0 ? 'it holds none in a wrapper' : `it holds ${names.join(', ')}`}`;
  const place = source.place((first ?? candidates[0])?.key?.range?.[0] ?? 0);
  const message = first === undefined ? missing : several;
  return { source, document, node: null, under: [], faults: [{ severity: 'error', path: [], message, ...place }] };
}

interface Found {
  readonly wrapper: Wrapper;
  readonly document: YamlDocument;
  /** What a user says to mean this one. */
  readonly name: string;
  readonly under: readonly string[];
  readonly key: Node | null;
  readonly node: Node;
}

function wrappedIn(document: YamlDocument, root: YAMLMap): Found[] {
  const kind = textAt(root, 'kind');
  for (const wrapper of wrappers) {
    if (wrapper.kind !== undefined && wrapper.kind !== kind) continue;
    const steps = follow(root, wrapper.path, []);
    if (steps.length === 0) continue;
    const metadata = root.get('metadata', true);
    const resource = wrapper.kind !== undefined && isMap(metadata) ? textAt(metadata, 'name') : undefined;
    return steps.map((step) => {
      const path = step.under.join('.');
      const name = resource === undefined ? path : steps.length === 1 ? resource : `${resource}.${path}`;
      return { ...step, wrapper, document, name };
    });
  }
  return everywhere(root, []).map((step) => ({ ...step, wrapper: values, document, name: step.under.join('.') }));
}

/** Charts of one's own name things as they like. */
const values: Wrapper = { name: 'values', path: [] };
const depthMax = 5;

/** Whole configurations at any place below `map`. */
function everywhere(map: YAMLMap, under: readonly string[]): Step[] {
  return map.items.flatMap((pair): Step[] => {
    const value = pair.value as Node | null;
    const here = [...under, isScalar(pair.key) ? String(pair.key.value) : ''];
    if (value !== null && isWhole(value)) return [{ under: here, key: pair.key as Node, node: value }];
    return isMap(value) && here.length < depthMax ? everywhere(value, here) : [];
  });
}

function isWhole(node: Node): boolean {
  if (isMap(node)) return isMap(node.getIn(['service', 'pipelines'], true)) && (node.has('receivers') || node.has('exporters'));
  if (!isScalar(node) || typeof node.value !== 'string') return false;
  return /^\s*service\s*:/m.test(node.value) && /\bpipelines\s*:/.test(node.value) && /^\s*(receivers|exporters)\s*:/m.test(node.value);
}

type Step = Pick<Found, 'under' | 'key' | 'node'>;

function follow(map: YAMLMap, [step, ...rest]: readonly string[], under: readonly string[]): Step[] {
  return map.items.flatMap((pair): Step[] => {
    const name = isScalar(pair.key) ? String(pair.key.value) : '';
    if (step !== '*' && step !== name) return [];
    const value = pair.value as Node | null;
    const here = [...under, name];
    if (rest.length > 0) return isMap(value) ? follow(value, rest, here) : [];
    return value !== null && looksLikeConfiguration(value) ? [{ under: here, key: pair.key as Node, node: value }] : [];
  });
}

function looksLikeConfiguration(node: Node): boolean {
  if (isMap(node)) return [...componentSections, 'service'].some((section) => isMap(node.get(section, true)));
  return isScalar(node) && typeof node.value === 'string' && /^\s*(receivers|processors|exporters|service)\s*:/m.test(node.value);
}

function textAt(map: YAMLMap, key: string): string | undefined {
  const value = map.get(key);
  return typeof value === 'string' ? value : undefined;
}

function fromFound(source: YamlSource, first: Found, file: string): UnwrappedConfig {
  const { document, wrapper } = first;
  const place = source.place(first.key?.range?.[0] ?? 0);
  const under = first.under.join('.');
  const message = `the configuration lies under ${under} (${wrapper.name}) and is read from there; canonical is the configuration alone`;
  const warning: LocatedFault = { severity: 'warning', path: [], message, ...place };
  if (!isScalar(first.node)) return { source, document, node: first.node, under: first.under, faults: [warning] };
  const inner = parseYaml(String(first.node.value), file, placeInside(source, first.node));
  const innerDocument = inner.documents[0];
  const node = (innerDocument?.contents as Node | undefined) ?? null;
  return { source: inner, document: innerDocument, node, under: first.under, faults: [warning, ...inner.faults] };
}

/** Lines of a block scalar lie one after another in the file; in a quoted text only its beginning is known. */
function placeInside(source: YamlSource, scalar: Scalar): (line: number, column: number) => Place {
  const start = source.place(scalar.range?.[0] ?? 0);
  if (scalar.type !== Scalar.BLOCK_LITERAL) return () => start;
  const indent = blockIndent(source, scalar);
  return (line, column) => ({ file: start.file, line: start.line + line, column: column + indent });
}

/** The header ends its line; the content's first written line shows the indent. */
function blockIndent(source: YamlSource, scalar: Scalar): number {
  const lines = source.text.slice(scalar.range?.[0] ?? 0, scalar.range?.[1] ?? 0).split('\n');
  const first = lines.slice(1).find((line) => line.trim() !== '') ?? '';
  return first.length - first.trimStart().length;
}
