/** Converters over text. Worker thread; built at compile time. */

import { type Converter, converter } from '../converter.ts';
import { CompileFault, dynamicGetter, type Getter, toStringLike } from '../getter.ts';
import { byteLength } from '../go-text.ts';
import { isPMap, isPSlice, Opaque, OttlError, type OttlValue, PValue, pdataTypeName, TypedSlice, typeName } from '../values.ts';
import { goLower, goUpper, toCamel, toSnake } from './case-words.ts';
import { map1, map2 } from './map-arguments.ts';

const one = (name: string, change: (text: string) => string): Converter =>
  converter(name, ['Target StringGetter'], ([target]) => map1<string>(target, change));

const cases: Record<string, (text: string) => string> = { lower: goLower, upper: goUpper, snake: toSnake, camel: toCamel };

/** strings.Split: an empty delimiter cuts after every character. */
export function goSplit(text: string, delimiter: string): string[] {
  return delimiter === '' ? Array.from(text) : text.split(delimiter);
}

/** strings.Trim: all leading and trailing characters of the set. */
function trimSet(text: string, set: string): string {
  const wanted = new Set(set);
  const runes = Array.from(text);
  let from = 0;
  let to = runes.length;
  while (from < to && wanted.has(runes[from]!)) from++;
  while (to > from && wanted.has(runes[to - 1]!)) to--;
  return runes.slice(from, to).join('');
}

/** What Concat goes through: items of a list, or of a slice that an expression yields. */
function sliceItems(value: OttlValue): readonly OttlValue[] | OttlError {
  if (value === null) return [];
  const held = value instanceof PValue ? value.held : value;
  if (isPSlice(held)) return held.items().map((item) => new PValue(item));
  if (value instanceof PValue) return new OttlError(`expected a slice, got "${pdataTypeName(value.held)}"`);
  if (held instanceof TypedSlice) return held.items;
  if (Array.isArray(held)) return held as readonly OttlValue[];
  return new OttlError(`expected a slice, got ${typeName(value)}`);
}

function concat(vals: readonly Getter<string | null>[] | Getter, delimiter: Getter<string>): Getter {
  return dynamicGetter((view) => {
    const between = delimiter.get(view);
    if (between instanceof OttlError) return between;
    const parts: string[] = [];
    if (Array.isArray(vals)) {
      for (const getter of vals as readonly Getter<string | null>[]) {
        const part = getter.get(view);
        if (part instanceof OttlError) return part;
        parts.push(part ?? '<nil>');
      }
      return parts.join(between);
    }
    const value = (vals as Getter).get(view);
    const items = value instanceof OttlError ? value : sliceItems(value);
    if (items instanceof OttlError) return items;
    for (const item of items) {
      const part = item === null || (item instanceof PValue && item.held === null) ? (item === null ? '<nil>' : '') : toStringLike(item);
      if (part instanceof OttlError) return part;
      parts.push(part);
    }
    return parts.join(between);
  });
}

function substring(target: Getter<string>, start: Getter<bigint>, length: Getter<bigint>, utf8Safe: boolean): Getter {
  return dynamicGetter((view) => {
    const from = start.get(view);
    if (from instanceof OttlError) return from;
    if (from < 0n) return new OttlError(`invalid start for substring function, ${from} cannot be negative`);
    const count = length.get(view);
    if (count instanceof OttlError) return count;
    if (count <= 0n) return new OttlError(`invalid length for substring function, ${count} cannot be negative or zero`);
    const text = target.get(view);
    if (text instanceof OttlError) return text;
    const bytes = Buffer.from(text);
    const size = BigInt(bytes.length);
    if (from > size || count > size - from) {
      return new OttlError(
        `invalid range for substring function, start(${from})+length(${count}) cannot be greater than the length of target string(${size})`,
      );
    }
    let begin = Number(from);
    let end = Number(from + count);
    if (utf8Safe) {
      const inside = (at: number) => (bytes[at]! & 0xc0) === 0x80;
      while (begin < bytes.length && inside(begin)) begin++;
      while (begin < end && end < bytes.length && inside(end)) end--;
      end = Math.max(begin, end);
    }
    return bytes.subarray(begin, end).toString();
  });
}

const lenFault =
  'target arg must be of type string, []any, map[string]any, pcommon.Map, pcommon.Slice, pcommon.Value (of type String, Map, Slice) or a supported slice type from the plog, pmetric or ptrace packages';

/** Bytes of a text, items of anything that has items. */
function lengthOf(value: OttlValue): bigint | OttlError {
  const held = value instanceof PValue ? value.held : value;
  if (typeof held === 'string') return BigInt(byteLength(held));
  if (isPMap(held)) return BigInt(held.entries().length);
  if (isPSlice(held)) return BigInt(held.items().length);
  if (held instanceof TypedSlice) return BigInt(held.items.length);
  if (held instanceof Opaque && held.type !== 'ptrace.Status') return BigInt(held.length);
  if (Array.isArray(held) || (held instanceof Uint8Array && !(value instanceof PValue))) return BigInt(held.length);
  if (held instanceof Map) return BigInt(held.size);
  return new OttlError(`Len: unsupported target type ${typeName(value)}. ${lenFault}`);
}

/** Position in bytes, as Go counts. */
export function byteIndex(text: string, part: string): bigint {
  const at = text.indexOf(part);
  return at < 0 ? -1n : BigInt(byteLength(text.slice(0, at)));
}

const base64Variants: Record<string, (bytes: Buffer) => string> = {
  base64: (bytes) => bytes.toString('base64'),
  'base64-raw': (bytes) => bytes.toString('base64').replace(/=+$/, ''),
  'base64-url': (bytes) => bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_'),
  'base64-raw-url': (bytes) => bytes.toString('base64url'),
};

export const stringConverters: readonly Converter[] = [
  one('ToLowerCase', goLower),
  one('ToUpperCase', goUpper),
  one('ToSnakeCase', toSnake),
  one('ToCamelCase', toCamel),
  converter('ConvertCase', ['Target StringGetter', 'ToCase string'], ([target, toCase]) => {
    const change = Object.hasOwn(cases, toCase) ? cases[toCase] : undefined;
    if (change === undefined) throw new CompileFault(`invalid case: ${toCase}, allowed cases are: lower, upper, snake, camel`);
    return map1<string>(target, change);
  }),
  converter('HasPrefix', ['Target StringGetter', 'Prefix StringGetter'], ([a, b]) =>
    map2<string, string>(a, b, (text, part) => text.startsWith(part)),
  ),
  converter('HasSuffix', ['Target StringGetter', 'Suffix StringGetter'], ([a, b]) =>
    map2<string, string>(a, b, (text, part) => text.endsWith(part)),
  ),
  converter('TrimPrefix', ['Target StringGetter', 'Prefix StringGetter'], ([a, b]) =>
    map2<string, string>(a, b, (text, part) => (text.startsWith(part) ? text.slice(part.length) : text)),
  ),
  converter('TrimSuffix', ['Target StringGetter', 'Suffix StringGetter'], ([a, b]) =>
    map2<string, string>(a, b, (text, part) => (part !== '' && text.endsWith(part) ? text.slice(0, -part.length) : text)),
  ),
  converter('Trim', ['Target StringGetter', 'Replacement string?'], ([target, set]) =>
    map1<string>(target, (text) => trimSet(text, set ?? ' ')),
  ),
  converter('Split', ['Target StringGetter', 'Delimiter StringGetter'], ([a, b]) =>
    map2<string, string>(a, b, (text, delimiter) => new TypedSlice('string', goSplit(text, delimiter))),
  ),
  converter('Concat', ['Vals SliceGetter[StringLikeGetter]', 'Delimiter StringGetter'], ([vals, delimiter]) => concat(vals, delimiter)),
  converter(
    'Substring',
    ['Target StringGetter', 'Start IntGetter', 'Length IntGetter', 'Utf8Safe bool?'],
    ([target, start, length, safe]) => substring(target, start, length, safe ?? false),
  ),
  converter('Len', ['Target Getter'], ([target]) => map1<OttlValue>(target, lengthOf)),
  converter('Base64Encode', ['Target StringGetter', 'Variant StringGetter?'], ([target, variant]) =>
    dynamicGetter((view) => {
      const text = target.get(view);
      if (text instanceof OttlError) return text;
      const name = variant === undefined ? 'base64' : variant.get(view);
      if (name instanceof OttlError) return new OttlError(`failed to get base64 variant: ${name.message}`);
      if (!Object.hasOwn(base64Variants, name)) return new OttlError(`unsupported base64 variant: ${name}`);
      return base64Variants[name]!(Buffer.from(text));
    }),
  ),
];
