/** The ExtractGrokPatterns converter: named, reusable pieces of regular expressions. Worker thread; built at compile time. */

import { compilePattern, type Pattern } from '../../../shared/re2.ts';
import { type Converter, converter } from '../converter.ts';
import { CompileFault, checkValue, dynamicGetter, type Getter } from '../getter.ts';
import { parseGoFloat, parseGoInt } from '../go-numbers.ts';
import { goQuote } from '../go-text.ts';
import { EntryMap, OttlError, type PData } from '../values.ts';
import grokPatterns from './data/grok-patterns.json' with { type: 'json' };

interface Grok {
  readonly pattern: Pattern;
  readonly typeHints: ReadonlyMap<string, string>;
  readonly hasNames: boolean;
}

const reference = /%\{(\w+(?::[\w+.]+(?::\w+)?)?)\}/g;
/** Go's names of groups have no dots. */
const dotStandIn = '___';
/** Guards against definitions that refer to themselves. */
const expansionsMax = 1000;
const expandedCharsMax = 1_000_000;

/** Replaces references by their definitions until there are none. */
function expand(
  source: string,
  namedOnly: boolean,
  own: ReadonlyMap<string, string>,
): { text: string; hints: Map<string, string> } | string {
  const hints = new Map<string, string>();
  let text = source;
  for (let i = 0; i < expansionsMax; i++) {
    const found = [...text.matchAll(reference)];
    if (found.length === 0) break;
    for (const [whole, inside] of found) {
      const [id, target, hint] = inside!.split(':') as [string, string?, string?];
      const name = (target ?? id).replaceAll('.', dotStandIn);
      if (hint !== undefined) hints.set(name, hint);
      const definition = own.get(id) ?? (Object.hasOwn(grokPatterns, id) ? (grokPatterns as Record<string, string>)[id] : undefined);
      if (definition === undefined) return `pattern definition ${goQuote(id)} unknown: parsing failed`;
      text = text.replaceAll(whole, () => (namedOnly && target === undefined ? `(${definition})` : `(?P<${name}>${definition})`));
      if (text.length > expandedCharsMax) return 'pattern definitions expand without end: parsing failed';
    }
  }
  return { text, hints };
}

function compileGrok(source: string, namedOnly: boolean, own: ReadonlyMap<string, string>): Grok | string {
  const expanded = expand(source, namedOnly, own);
  if (typeof expanded === 'string') return expanded;
  const outcome = compilePattern(expanded.text);
  if (outcome.kind === 'faulty') return outcome.message;
  return { pattern: outcome.pattern, typeHints: expanded.hints, hasNames: outcome.pattern.groupNames().some((name) => name !== '') };
}

function typed(text: string, hint: string | undefined, name: string): PData | OttlError {
  switch (hint) {
    case undefined:
    case 'string':
      return text;
    case 'double':
    case 'float':
      return parseGoFloat(text);
    case 'int':
    case 'long': {
      const value = parseGoInt(text, 10);
      return value instanceof OttlError ? new OttlError(value.message.replace('ParseInt', 'Atoi')) : value;
    }
    case 'bool':
    case 'boolean':
      return checkValue('BoolLikeGetter', text);
    default:
      return new OttlError(`invalid type for ${name}: type not specified`);
  }
}

function extract(grok: Grok, text: string): EntryMap | OttlError {
  const groups = grok.pattern.groups(text);
  const entries = new Map<string, PData>();
  if (groups === null) return new EntryMap([]);
  for (const [i, name] of grok.pattern.groupNames().entries()) {
    const group = groups[i];
    if (name === '' || !group) continue;
    const value = typed(group, grok.typeHints.get(name), name);
    if (value instanceof OttlError) return value;
    entries.set(name.replaceAll(dotStandIn, '.'), value);
  }
  return new EntryMap([...entries]);
}

function ownPatterns(definitions: readonly string[]): Map<string, string> {
  const own = new Map<string, string>();
  for (const [i, definition] of definitions.entries()) {
    const equals = definition.indexOf('=');
    if (equals < 0) {
      const shown = definition.length > 20 ? `${definition.slice(0, 17)}...` : definition;
      throw new CompileFault(
        `pattern ${goQuote(shown)} supplied to ExtractGrokPatterns at index ${i} has incorrect format, expecting PATTERNNAME=pattern definition`,
      );
    }
    const name = definition.slice(0, equals);
    if (name.includes(':')) throw new CompileFault(`pattern ID ${goQuote(name)} should not contain ':'`);
    own.set(name, definition.slice(equals + 1));
  }
  return own;
}

const noNames = 'at least 1 named capture group must be supplied in the given regex';

export const grokConverters: readonly Converter[] = [
  converter(
    'ExtractGrokPatterns',
    ['Target StringGetter', 'Pattern StringGetter', 'NamedCapturesOnly bool?', 'PatternDefinitions []string?'],
    ([target, pattern, namedCapturesOnly, definitions]) => {
      const source = pattern as Getter<string>;
      const namedOnly = namedCapturesOnly ?? false;
      const own = ownPatterns(definitions ?? []);
      const told = (text: string, reason: string) =>
        `the regex pattern supplied to ExtractGrokPatterns '${goQuote(text)}' is not a valid pattern: ${reason}`;
      let lastText = source.literal ? source.value! : undefined;
      let last: Grok | string = lastText === undefined ? '' : compileGrok(lastText, namedOnly, own);
      if (lastText !== undefined) {
        if (typeof last === 'string') throw new CompileFault(told(lastText, last));
        if (namedOnly && !last.hasNames) throw new CompileFault(noNames);
      }
      return dynamicGetter((view) => {
        const text = source.get(view);
        if (text instanceof OttlError) return text;
        if (text !== lastText) {
          last = compileGrok(text, namedOnly, own);
          lastText = text;
        }
        if (typeof last === 'string') return new OttlError(told(text, last));
        if (namedOnly && !last.hasNames) return new OttlError(noNames);
        const value = (target as Getter<string>).get(view);
        return value instanceof OttlError ? value : extract(last, value);
      });
    },
  ),
];
