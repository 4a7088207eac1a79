/** Converters that read structured text: JSON, CSV, key-value pairs, severities. Worker thread; built at compile time. */

import { type Converter, converter } from '../converter.ts';
import { formatValue } from '../format-value.ts';
import { CompileFault, dynamicGetter, type Getter } from '../getter.ts';
import { compareStrings, goQuote } from '../go-text.ts';
import { asString, EntryMap, ItemSlice, isPMap, isPSlice, OttlError, type OttlValue, type PData, type PMap, typeName } from '../values.ts';
import { goTrimSpace } from './case-words.ts';
import { readCsvRow } from './csv-row.ts';
import { map1 } from './map-arguments.ts';

/** Numbers stay doubles, as Go reads them without a type. */
function fromJson(value: unknown): PData {
  if (Array.isArray(value)) return new ItemSlice(value.map(fromJson));
  if (typeof value === 'object' && value !== null) return new EntryMap(Object.entries(value).map(([key, held]) => [key, fromJson(held)]));
  return value as PData;
}

function parseJson(text: string): OttlValue | OttlError {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (reason) {
    return new OttlError(`invalid JSON: ${reason instanceof Error ? reason.message : String(reason)}`);
  }
  if (typeof parsed === 'object' && parsed !== null) return fromJson(parsed) as OttlValue;
  return new OttlError(`could not convert parsed value of type ${typeName(parsed as OttlValue)} to JSON object`);
}

interface Delimiters {
  readonly delimiter: string;
  readonly pair: string;
}

function delimiters(delimiter: string | undefined, pair: string | undefined): Delimiters {
  if (delimiter === '') throw new CompileFault('delimiter cannot be set to an empty string');
  if (pair === '') throw new CompileFault('pair delimiter cannot be set to an empty string');
  const found = { delimiter: delimiter ?? '=', pair: pair ?? ' ' };
  if (found.delimiter !== found.pair) return found;
  throw new CompileFault(`pair delimiter ${goQuote(found.pair)} cannot be equal to delimiter ${goQuote(found.delimiter)}`);
}

/** Cuts at the delimiter outside of quotes; the quotes go, empty parts too. */
function splitQuoted(text: string, delimiter: string): string[] | OttlError {
  const parts: string[] = [];
  let current = '';
  let quote = '';
  let escaped = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (quote === '' && text.startsWith(delimiter, i)) {
      if (current !== '') parts.push(current);
      current = '';
      i += delimiter.length - 1;
      continue;
    }
    if (escaped) escaped = false;
    else {
      if (quote === '' && (char === '"' || char === "'")) {
        quote = char;
        continue;
      }
      if (char === quote) {
        quote = '';
        continue;
      }
      escaped = char === '\\';
    }
    current += char;
  }
  if (quote !== '') return new OttlError('never reached the end of a quoted value');
  if (current !== '') parts.push(current);
  return parts;
}

function parseKeyValue(text: string, { delimiter, pair }: Delimiters): OttlValue | OttlError {
  if (text === '') return new OttlError('cannot parse from empty target');
  const pairs = splitQuoted(text, pair);
  if (pairs instanceof OttlError) return new OttlError(`splitting source ${goQuote(text)} into pairs failed: ${pairs.message}`);
  const entries = new Map<string, string>();
  const faults: string[] = [];
  for (const each of pairs) {
    const at = each.indexOf(delimiter);
    if (at < 0) faults.push(`cannot split ${goQuote(each)} into 2 items, got 1 item(s)`);
    else entries.set(goTrimSpace(each.slice(0, at)), goTrimSpace(each.slice(at + delimiter.length)));
  }
  if (faults.length > 0) return new OttlError(`failed to split pairs into key-values: ${faults.join('; ')}`);
  return new EntryMap([...entries]);
}

function toKeyValue(map: PMap, { delimiter, pair }: Delimiters, sorted: boolean): string {
  const quote = (text: string) => {
    const escaped = text.replaceAll('"', '\\"');
    return escaped.includes(pair) || escaped.includes(delimiter) ? `"${escaped}"` : escaped;
  };
  const entries = sorted ? [...map.entries()].sort((a, b) => compareStrings(a[0], b[0])) : map.entries();
  return entries.map(([key, held]) => quote(key) + delimiter + quote(asString(held))).join(pair);
}

const oneCharacter = (text: string | undefined, name: string): void => {
  if (text !== undefined && Array.from(text).length !== 1) throw new CompileFault(`invalid arguments: ${name} must be a single character`);
};

function parseCsv(target: Getter<string>, header: Getter<string>, delimiter: string, headerDelimiter: string, mode: string): Getter {
  if (mode !== 'strict' && mode !== 'lazyQuotes' && mode !== 'ignoreQuotes') throw new CompileFault(`unknown mode: ${mode}`);
  return dynamicGetter((view) => {
    const text = target.get(view);
    if (text instanceof OttlError) return new OttlError(`error getting value for target in ParseCSV: ${text.message}`);
    const headerText = header.get(view);
    if (headerText instanceof OttlError) return new OttlError(`error getting value for header in ParseCSV: ${headerText.message}`);
    if (headerText === '') return new OttlError('headers must not be an empty string');
    const headers = headerText.split(headerDelimiter);
    const fields = mode === 'ignoreQuotes' ? text.split(delimiter) : readCsvRow(text, delimiter, mode === 'lazyQuotes');
    if (fields instanceof OttlError) return fields;
    if (fields.length !== headers.length) {
      return new OttlError(`map csv headers: wrong number of fields: expected ${headers.length}, found ${fields.length}`);
    }
    return new EntryMap([...new Map(headers.map((name, i) => [name, fields[i]!]))]);
  });
}

interface Criterion {
  readonly equals: readonly string[];
  readonly range: readonly [bigint, bigint] | undefined;
}

const httpRanges: Record<string, readonly [bigint, bigint]> = {
  '2xx': [200n, 299n],
  '3xx': [300n, 399n],
  '4xx': [400n, 499n],
  '5xx': [500n, 599n],
};

function criterion(map: PMap): Criterion | string {
  const equals = map.get('equals');
  if (equals !== undefined && !isPSlice(equals)) return 'equals must be a list';
  const texts = equals === undefined ? [] : equals.items();
  if (texts.some((text) => typeof text !== 'string')) return 'equals values must be strings';
  const range = map.get('range');
  let bounds: readonly [bigint, bigint] | undefined;
  if (typeof range === 'string') {
    bounds = Object.hasOwn(httpRanges, range) ? httpRanges[range] : undefined;
    if (bounds === undefined) return `unknown range placeholder: ${range}`;
  } else if (isPMap(range)) {
    const [min, max] = [range.get('min'), range.get('max')];
    if (min === undefined) return 'range must have a min value';
    if (max === undefined) return 'range must have a max value';
    if (typeof min !== 'bigint') return 'min must be an int64';
    if (typeof max !== 'bigint') return 'max must be an int64';
    bounds = [min, max];
  } else if (range !== undefined) return 'range must be a map or a known placeholder string';
  return { equals: texts as readonly string[], range: bounds };
}

/** Levels with their criteria, or what is wrong with the mapping; the latter is an error of every evaluation. */
function severityLevels(mapping: PMap): [string, Criterion[]][] | OttlError {
  const levels: [string, Criterion[]][] = [];
  for (const [level, list] of mapping.entries()) {
    if (!isPSlice(list)) return new OttlError('severity mapping criteria must be []any');
    const criteria: Criterion[] = [];
    for (const item of list.items()) {
      if (!isPMap(item)) return new OttlError('severity mapping criteria items must be map[string]any');
      const found = criterion(item);
      if (typeof found === 'string') return new OttlError(`invalid severity mapping criteria: ${found}`);
      criteria.push(found);
    }
    levels.push([level, criteria]);
  }
  return levels;
}

function severityOf(value: OttlValue, levels: readonly [string, Criterion[]][]): string | OttlError {
  for (const [level, criteria] of levels) {
    for (const { equals, range } of criteria) {
      if (typeof value === 'string') {
        if (equals.includes(value)) return level;
      } else if (typeof value === 'bigint') {
        if (range !== undefined && value >= range[0] && value <= range[1]) return level;
      } else {
        return new OttlError(
          `could not map log level: could not evaluate log level of value '${formatValue(value)}': unsupported value type: ${typeName(value)}`,
        );
      }
    }
  }
  return new OttlError(`could not map log level: no matching log level found for value '${formatValue(value)}'`);
}

function parseSeverity(target: Getter, mapping: Getter<PMap>): Getter {
  if (!mapping.literal) return dynamicGetter<OttlValue>(() => new OttlError('severity mapping must be a literal PMap'));
  const levels = severityLevels(mapping.value!);
  if (levels instanceof OttlError) return dynamicGetter<OttlValue>(() => levels);
  return dynamicGetter((view) => {
    const value = target.get(view);
    return value instanceof OttlError ? new OttlError(`could not get log level: ${value.message}`) : severityOf(value, levels);
  });
}

export const parsingConverters: readonly Converter[] = [
  converter('ParseJSON', ['Target StringGetter'], ([target]) => map1<string>(target, parseJson)),
  converter('ParseKeyValue', ['Target StringGetter', 'Delimiter string?', 'PairDelimiter string?'], ([target, delimiter, pair]) => {
    const found = delimiters(delimiter, pair);
    return map1<string>(target, (text) => parseKeyValue(text, found));
  }),
  converter(
    'ToKeyValueString',
    ['Target PMapGetter', 'Delimiter string?', 'PairDelimiter string?', 'SortOutput bool?'],
    ([target, delimiter, pair, sorted]) => {
      const found = delimiters(delimiter, pair);
      return map1<PMap>(target, (map) => toKeyValue(map, found, sorted ?? false));
    },
  ),
  converter(
    'ParseCSV',
    ['Target StringGetter', 'Header StringGetter', 'Delimiter string?', 'HeaderDelimiter string?', 'Mode string?'],
    ([target, header, delimiter, headerDelimiter, mode]) => {
      oneCharacter(delimiter, 'delimiter');
      oneCharacter(headerDelimiter, 'header_delimiter');
      return parseCsv(target, header, delimiter ?? ',', headerDelimiter ?? delimiter ?? ',', mode ?? 'strict');
    },
  ),
  converter('ParseSeverity', ['Target Getter', 'Mapping PMapGetter'], ([target, mapping]) => parseSeverity(target, mapping)),
];
