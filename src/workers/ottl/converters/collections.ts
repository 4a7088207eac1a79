/** Converters over lists and maps. Worker thread; built at compile time. */

import { compareValues } from '../compare.ts';
import { type Converter, converter } from '../converter.ts';
import { CompileFault, checkValue, type Getter } from '../getter.ts';
import { compareStrings, goQuote } from '../go-text.ts';
import {
  asRaw,
  asString,
  EntryMap,
  fromRaw,
  ItemSlice,
  isPMap,
  isPSlice,
  OttlError,
  type OttlValue,
  type PData,
  type PMap,
  type PSlice,
  PValue,
  pdataTypeName,
  TypedSlice,
  typeName,
} from '../values.ts';
import { map1, map2 } from './map-arguments.ts';
import { byteIndex } from './strings.ts';

function indexOf(target: OttlValue, value: OttlValue): bigint | OttlError {
  const wanted = value instanceof PValue ? asRaw(value.held) : value;
  if (typeof target === 'string') {
    if (typeof wanted !== 'string') return new OttlError('invalid value type for Index function, value must be a string');
    return byteIndex(target, wanted);
  }
  const slice = checkValue('PSliceGetter', target);
  if (slice instanceof OttlError) return slice;
  return BigInt(slice.items().findIndex((item) => compareValues(asRaw(item), wanted, '==')));
}

type SortKey = 'Int' | 'Double' | 'Str';
/** The type that all items are sorted as; undefined when lists, maps or bytes are among them, which stay unsorted. */
function sortKey(items: readonly PData[]): SortKey | undefined | OttlError {
  const first = items[0]!;
  let text = false;
  let double = false;
  for (const item of items) {
    if (typeof item === 'bigint') double ||= typeof first === 'number';
    else if (typeof item === 'number') double ||= typeof first === 'bigint';
    else if (item === null || typeof item === 'string' || typeof item === 'boolean') text = true;
    else return undefined;
  }
  if (text) return 'Str';
  return double || typeof first === 'number' ? 'Double' : 'Int';
}

/** cmp.Compare: NaN comes first. */
function compareFloats(a: number, b: number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : -1;
  if (Number.isNaN(b)) return 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function comparePlain(a: OttlValue, b: OttlValue): number {
  if (typeof a === 'string') return compareStrings(a, b as string);
  if (typeof a === 'number') return compareFloats(a, b as number);
  if (typeof a === 'boolean') return Number(a) - Number(b);
  return (a as bigint) < (b as bigint) ? -1 : (a as bigint) > (b as bigint) ? 1 : 0;
}

function sortSlice(slice: PSlice, sign: number): OttlValue | OttlError {
  const items = slice.items();
  if (items.length === 0) return slice;
  const key = sortKey(items);
  if (key === undefined || key instanceof OttlError) return slice;
  const keyed = items.map((item) => ({
    item,
    by: key === 'Str' ? asString(item) : key === 'Double' ? Number(item) : item,
  }));
  return keyed.sort((a, b) => sign * comparePlain(a.by, b.by)).map(({ item }) => item);
}

function sort(value: OttlValue, sign: number): OttlValue | OttlError {
  if (isPSlice(value)) return sortSlice(value, sign);
  if (value instanceof PValue) {
    if (isPSlice(value.held)) return sortSlice(value.held, sign);
    return new OttlError(`sort with unsupported type: '${pdataTypeName(value.held)}'. Target is not a list`);
  }
  if (value instanceof TypedSlice)
    return new TypedSlice(
      value.element,
      [...value.items].sort((a, b) => sign * comparePlain(a, b)),
    );
  if (!Array.isArray(value)) return new OttlError(`sort with unsupported type: '${typeName(value)}'. Target is not a list`);
  const slice = fromRaw(value);
  if (slice instanceof OttlError) {
    return new OttlError(`sort with unsupported type: '${typeName(value)}'. Target is not a list of primitive types; ${slice.message}`);
  }
  return sortSlice(slice as PSlice, sign);
}

function extract(map: PMap, path: readonly string[], from: number): PData | OttlError {
  if (path.length === from) return new OttlError('must provide at least one path item');
  const found = map.get(path[from]!);
  const missing = new OttlError(`provided object does not contain the path [${path.slice(from).join(' ')}]`);
  if (found === undefined) return missing;
  if (path.length === from + 1) return found;
  return isPMap(found) ? extract(found, path, from + 1) : missing;
}

function sliceToMap(
  slice: PSlice,
  keyPath: readonly string[] | undefined,
  valuePath: readonly string[] | undefined,
): OttlValue | OttlError {
  const entries = new Map<string, PData>();
  for (const [i, item] of slice.items().entries()) {
    if ((keyPath !== undefined || valuePath !== undefined) && !isPMap(item)) {
      return new OttlError(
        `slice elements must be maps when using \`key_path\` or \`value_path\`, but could not cast element of type \`${pdataTypeName(item)}\` to a map`,
      );
    }
    let key: PData | OttlError = String(i);
    if (keyPath !== undefined) {
      key = extract(item as PMap, keyPath, 0);
      if (key instanceof OttlError) return new OttlError(`could not extract key from element ${i}: ${key.message}`);
      if (typeof key !== 'string') {
        return new OttlError(`element ${i}: extracted key attribute is not of type string, got ${goQuote(pdataTypeName(key))}`);
      }
    }
    let value: PData | OttlError = item;
    if (valuePath !== undefined) {
      value = extract(item as PMap, valuePath, 0);
      if (value instanceof OttlError) return new OttlError(`could not extract value from element ${i}: ${value.message}`);
    }
    entries.set(key as string, value);
  }
  return new EntryMap([...entries]);
}

function sign(order: string | undefined): number {
  if (order === undefined || order === 'asc') return 1;
  if (order === 'desc') return -1;
  throw new CompileFault(`invalid arguments: ${order}. Order should be either "asc" or "desc"`);
}

export const collectionConverters: readonly Converter[] = [
  converter('Coalesce', ['Values []Getter'], ([values]) => {
    const getters = values as readonly Getter[];
    if (getters.length === 0) throw new CompileFault('Coalesce requires at least one argument');
    return {
      literal: false,
      get(view) {
        for (const getter of getters) {
          const value = getter.get(view);
          if (value !== null) return value;
        }
        return null;
      },
    };
  }),
  converter('ContainsValue', ['Target PSliceGetter', 'Item Getter'], ([target, item]) =>
    map2<PSlice, OttlValue>(target, item, (slice, wanted) => slice.items().some((held) => compareValues(asRaw(held), wanted, '=='))),
  ),
  converter('Index', ['Target Getter', 'Value Getter'], ([target, value]) => map2<OttlValue, OttlValue>(target, value, indexOf)),
  converter('Sort', ['Target Getter', 'Order string?'], ([target, order]) => {
    const direction = sign(order);
    return map1<OttlValue>(target, (value) => sort(value, direction));
  }),
  converter('Keys', ['Target PMapGetter'], ([target]) => map1<PMap>(target, (map) => new ItemSlice(map.entries().map(([key]) => key)))),
  converter('Values', ['Target PMapGetter'], ([target]) =>
    map1<PMap>(target, (map) => new ItemSlice(map.entries().map(([, held]) => held))),
  ),
  converter('SliceToMap', ['Target PSliceGetter', 'KeyPath []string?', 'ValuePath []string?'], ([target, keyPath, valuePath]) =>
    map1<PSlice>(target, (slice) => sliceToMap(slice, keyPath, valuePath)),
  ),
];
