/** The README's tables of components and metrics, made from the schemas and the table of metrics. */

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { defaultOf, printable } from '../../src/main/config/effective-config.ts';
import { type FieldMeta, type FieldSchema, metaOf } from '../../src/main/config/fields.ts';
import type { ComponentType } from '../../src/main/pipeline/component.ts';
import { componentTypes } from '../../src/main/pipeline/component-types.ts';
import { metricsTable } from '../../src/main/telemetry/metrics-table.ts';

type Defaults = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/**
 * What the Collector v0.161 has by default: component → path of the option → value. Recorded from its factories; where its code puts another value in place
 * of zero, that one.
 */
const collectorDefaults = JSON.parse(
  readFileSync(new URL('../config/fixtures/collector-defaults.json', import.meta.url), 'utf8'),
) as Defaults;

interface Option {
  readonly path: string;
  readonly type: string;
  readonly default: string;
  readonly description: string;
  /** Options below, when this is a block or a list of blocks. */
  readonly below: readonly Option[];
}

const zeroes: Readonly<Record<string, string>> = { bool: 'false', duration: '0s', float64: '0' };

function defaultText(schema: FieldSchema<unknown>, meta: FieldMeta): string {
  if (meta.secret === true) return '';
  const value = printable(defaultOf(schema), meta);
  if (value !== undefined)
    return Array.isArray(value) && value.length === 0 ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
  if (schema instanceof z.ZodOptional) return 'not set';
  return zeroes[meta.type] ?? (/^u?int/.test(meta.type) ? '0' : '');
}

function optionsOf(schema: FieldSchema<unknown>, path: string): Option[] {
  const meta = metaOf(schema);
  const item = meta?.shape === undefined && meta?.item !== undefined && meta.secret !== true ? metaOf(meta.item) : undefined;
  const shape = meta?.shape ?? item?.shape ?? {};
  const prefix = item === undefined ? path : `${path}${meta?.type === 'map' ? '.*' : '[]'}`;
  return Object.entries(shape).map(([key, child]) => {
    const own = metaOf(child) ?? { type: 'any', json: {} };
    const at = prefix === '' ? key : `${prefix}.${key}`;
    const below = optionsOf(child, at);
    const isBlock = own.shape !== undefined;
    return { path: at, type: own.type, default: isBlock ? '' : defaultText(child, own), description: child.description ?? '', below };
  });
}

/** Two blocks that say the same are shown once; the path of the first is what the others point to. */
function signatureOf(options: readonly Option[], from: number): string {
  return options
    .map((option) => [option.path.slice(from), option.default, option.description, signatureOf(option.below, from)].join('|'))
    .join('\n');
}

const blockRowsMin = 3;

type Row = readonly [option: string, type: string, value: string, collector: string, description: string];

/** `above`: blocks on the way here, whose keys are not told again. */
function rowsOf(options: readonly Option[], component: string, seen: Map<string, string>, above: readonly Option[] = []): Row[] {
  return options.flatMap((option): Row[] => {
    const { path, type, description, below } = option;
    if (/^Not (available|built)/.test(description)) return [[code(path), type, '', 'not built', description]];
    if (below.length === 0) return [[code(path), type, value(option.default), against(component, option), description]];
    const ancestor = above.find((each) => below.length >= blockRowsMin && newKeys(below, each).length < below.length / 2);
    if (ancestor !== undefined) {
      const own: Row = [code(path), type, '', '=', join(description, `Keys as in \`${ancestor.path}\`.`)];
      return [own, ...rowsOf(newKeys(below, ancestor), component, seen, above)];
    }
    const signature = signatureOf(below, path.length);
    const first = seen.get(signature);
    if (first !== undefined && below.length >= blockRowsMin) return [[code(path), type, '', '=', join(description, `As ${first}.`)]];
    seen.set(signature, `\`${path}\` of \`${component.split(' ')[1]}\``);
    const own: Row = [code(path), type, '', known(component, path) ? '' : 'ours', description];
    return [...(description === '' ? [] : [own]), ...rowsOf(below, component, seen, [...above, option])];
  });
}

const keyOf = (option: Option) => option.path.split('.').at(-1) ?? '';

function newKeys(options: readonly Option[], block: Option): Option[] {
  const keys = new Set(block.below.map(keyOf));
  return options.filter((option) => !keys.has(keyOf(option)));
}

const code = (text: string) => `\`${text}\``;
const value = (text: string) => (text === '' || text === 'not set' ? text : code(text));
const join = (...sentences: readonly string[]) => sentences.filter((sentence) => sentence !== '').join(' ');

function known(component: string, path: string): boolean {
  return Object.keys(collectorDefaults[component] ?? {}).some(
    (key) => key === path || key.startsWith(`${path}.`) || key.startsWith(`${path}[`),
  );
}

/** '=', the Collector's own default, or that the option is ours, refused or ignored. */
function against(component: string, option: Option): string {
  if (/^Refused/.test(option.description)) return 'refused';
  if (/^(Accepted and not|Read and |Read;)/.test(option.description)) return 'ignored';
  const defaults = collectorDefaults[component];
  if (defaults === undefined) return '';
  if (!known(component, option.path)) return 'ours';
  const theirs = defaults[option.path];
  const text = theirs === null || theirs === undefined || Array.isArray(theirs) ? '' : String(theirs);
  const ours = option.default === 'not set' ? '' : option.default;
  const isRedacted = option.type.includes('secret');
  return text.toLowerCase() === ours.toLowerCase() || isRedacted || (ours === '' && text === 'false')
    ? '='
    : value(text === '' ? 'not set' : text);
}

const kinds = ['receiver', 'processor', 'exporter', 'extension'] as const;

/** One table per component, in the order of a pipeline. */
export function componentsText(
  table: (rows: readonly (readonly string[])[]) => string,
  types: readonly ComponentType[] = componentTypes,
): string {
  const seen = new Map<string, string>();
  const ordered = kinds.flatMap((kind) => types.filter((type) => type.kind === kind));
  return ordered
    .map((type) => {
      const component = `${type.kind} ${type.type}`;
      const aliases = type.aliases === undefined || type.aliases.length === 0 ? '' : `, also ${type.aliases.map(code).join(', ')}`;
      const rows = rowsOf(optionsOf(type.schema, ''), component, seen);
      const body =
        rows.length === 0
          ? 'No options.\n'
          : table([['option', 'type', 'default', 'Collector', 'what it is'], ...rows.map((row) => row.map(cell))]);
      return `\n### ${type.type} (${type.kind}${aliases})\n\n${body}`;
    })
    .join('');
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

export function metricsText(table: (rows: readonly (readonly string[])[]) => string): string {
  const rows = metricsTable.map(({ name, instrument, unit, help, attributes, detailed }) => [
    code(name),
    instrument,
    unit,
    attributes.map(code).join(' '),
    cell(join(help.replace(/ \[[A-Z][a-z]+\]$/, ''), detailed === true ? 'Only with `level: detailed`.' : '')),
  ]);
  return table([['metric', 'instrument', 'unit', 'attributes', 'what it is'], ...rows]);
}
