/** Loads a configuration: fetches the sources, reads people's forms as meant, merges, expands references. Main thread. */

import { isMap, type Node } from 'yaml';
import { type CanonicalRule, RuleTarget } from './canonical-rule.ts';
import type { ConfigFault, LocatedFault } from './config-fault.ts';
import { type ConfigNode, mergeNodes, placeOf, rawOf } from './config-node.ts';
import { expandReferences } from './expand.ts';
import { exporterRules } from './exporter-rules.ts';
import { policyRules } from './policy-rules.ts';
import type { RawMap } from './raw-value.ts';
import { fetchSource, type SourceSettings, splitScheme } from './sources.ts';
import { unwrap } from './wrappers.ts';
import { parseYaml, toConfigNode, type YamlDocument } from './yaml-source.ts';

/** Forms that people write; a further one is one more entry in one of these lists. */
export const canonicalRules: readonly CanonicalRule[] = [...policyRules, ...exporterRules];

export interface LoadOptions extends SourceSettings {
  /** `--set path.to.key=value`, in order, after all sources. */
  readonly sets?: readonly string[];
  readonly featureGates?: ReadonlySet<string>;
  /** `--compatibility otelcol`: forms that the Collector refuses on purpose are refused. */
  readonly otelcolCompatibility?: boolean;
}

/** A merged configuration with references expanded, not yet decoded. */
export interface RawConfiguration {
  readonly raw: RawMap;
  readonly root: ConfigNode;
}

export interface LoadedConfiguration {
  /** Undefined when a source could not be read at all. Faults of severity error may stand beside it: more can be found by binding. */
  readonly configuration: RawConfiguration | undefined;
  readonly faults: readonly LocatedFault[];
}

/** One source after the rules: what `--fix` prints. */
export interface CanonicalSource {
  readonly file: string;
  readonly root: ConfigNode | undefined;
  readonly document: YamlDocument | undefined;
  readonly node: Node | null;
  /** The column of an offset of a node's range. */
  columnOf(offset: number): number;
  readonly faults: readonly LocatedFault[];
}

/**
 * Loads `sources` (FILE, file:, env:NAME, yaml:TEXT, http:, https:), later ones over earlier ones, then `sets` over all.
 *
 * Errors: all in `faults`, warnings too, each at its place.
 */
export async function loadConfiguration(sources: readonly string[], options: LoadOptions): Promise<LoadedConfiguration> {
  const loaded: CanonicalSource[] = [];
  for (const source of sources) loaded.push(await loadSource(source, options));
  for (const set of options.sets ?? []) loaded.push(readSet(set));
  const faults = loaded.flatMap((source) => source.faults);
  const appendServiceLists = options.featureGates?.has('confmap.enableMergeAppendOption') ?? false;
  let merged: ConfigNode | undefined;
  for (const { root } of loaded) {
    if (root !== undefined) merged = merged === undefined ? root : mergeNodes(merged, root, { appendServiceLists });
  }
  if (merged === undefined || loaded.some((source) => source.root === undefined)) return { configuration: undefined, faults };
  const expanded = await expandReferences(merged, options);
  const raw = rawOf(expanded.root) as RawMap;
  return { configuration: { raw, root: expanded.root }, faults: [...faults, ...expanded.faults] };
}

/** Gives faults from decoding their place. */
export function locate(configuration: RawConfiguration, fault: ConfigFault): LocatedFault {
  return { ...fault, ...placeOf(configuration.root, fault.path) };
}

/** Reads one source and applies the rules. */
export async function loadSource(uri: string, settings: LoadOptions): Promise<CanonicalSource> {
  const { place, select } = splitSelection(uri);
  const file = displayName(place);
  const outcome = await fetchSource(splitScheme(place) === undefined ? `file:${place}` : place, settings);
  if (outcome.kind === 'text') return readSource(outcome.text, file, { ...settings, ...(select === undefined ? {} : { select }) });
  if (outcome.kind === 'unset') return failed(file, `environment variable ${outcome.name} is not set`);
  return failed(file, `cannot retrieve the configuration: ${outcome.message}`);
}

/** `FILE#name`: the configuration of that name, where a file holds several. */
function splitSelection(uri: string): { readonly place: string; readonly select?: string } {
  const scheme = splitScheme(uri)?.scheme;
  const found = scheme === 'yaml' || scheme === 'env' ? null : /^(.+)#([\w./*-]+)$/s.exec(uri);
  return found === null ? { place: uri } : { place: found[1]!, select: found[2]! };
}

/** An inline text can hold secrets and lines; its name in messages does not. */
function displayName(uri: string): string {
  const split = splitScheme(uri);
  if (split?.scheme === 'yaml') return 'yaml:';
  return split?.scheme === 'file' ? split.rest : uri.replace(/\?.*$/s, '');
}

function failed(file: string, message: string): CanonicalSource {
  const fault: LocatedFault = { severity: 'error', path: [], message, file, line: 1, column: 1 };
  return { file, root: undefined, document: undefined, node: null, columnOf: () => 1, faults: [fault] };
}

/** What a template engine has yet to fill in is no YAML; whatever the parser says of it helps nobody. */
function templateFault(text: string, [first]: readonly LocatedFault[]): LocatedFault[] | undefined {
  const found = /\{\{-?\s*[\w.$"(]|\{%/.exec(text);
  if (found === null || first === undefined) return undefined;
  const line = text.slice(0, found.index).split('\n').length;
  const column = found.index - text.lastIndexOf('\n', found.index - 1);
  const message = `this is a template (${found[0]}…), not YAML yet: render it first, with helm template for a chart`;
  return [{ severity: 'error', path: [], message, file: first.file, line, column }];
}

interface ReadOptions extends Pick<LoadOptions, 'otelcolCompatibility'> {
  /** Which configuration of the file, when it holds several. */
  readonly select?: string;
}

/** Reads a configuration text as it was meant; the document of the answer is canonical. */
export function readSource(text: string, file: string, options: ReadOptions = {}): CanonicalSource {
  const source = parseYaml(text, file);
  if (source.faults.length > 0) return { ...failed(file, ''), faults: templateFault(text, source.faults) ?? source.faults };
  const unwrapped = unwrap(source, file, options.select);
  const { document, node } = unwrapped;
  const columnOf = (offset: number) => unwrapped.source.place(offset).column;
  if (unwrapped.faults.some((fault) => fault.severity === 'error')) return { ...failed(file, ''), faults: unwrapped.faults };
  if (document === undefined || node === null) {
    const empty: ConfigNode = { kind: 'map', place: { file, line: 1, column: 1 }, entries: new Map() };
    return { file, root: empty, document, node, columnOf, faults: unwrapped.faults };
  }
  const faults: LocatedFault[] = [...unwrapped.faults];
  if (isMap(node)) {
    const target = new RuleTarget(node, unwrapped.source);
    for (const rule of canonicalRules) {
      if (rule.otelcolRefuses !== true || options.otelcolCompatibility !== true) rule.apply(target);
    }
    faults.push(...target.faults);
  }
  const tree = toConfigNode(unwrapped.source, document, node);
  faults.push(...tree.faults);
  if (tree.root.kind === 'map') return { file, root: tree.root, document, node, columnOf, faults };
  const message = 'retrieved value cannot be used as a configuration: a map with receivers, exporters and service is needed';
  return { ...failed(file, ''), faults: [...faults, { severity: 'error', path: [], message, ...tree.root.place }] };
}

/** Source: otelcol's `--set`: dots become levels, the value is YAML. */
function readSet(set: string): CanonicalSource {
  const file = `--set ${set.slice(0, set.indexOf('=') < 0 ? set.length : set.indexOf('='))}`;
  const equals = set.indexOf('=');
  if (equals < 0) return failed(file, 'missing equal sign: write --set path.to.key=value');
  return readSource(`${set.slice(0, equals).trim().replaceAll('.', '::')}: ${set.slice(equals + 1).trim()}`, file);
}
