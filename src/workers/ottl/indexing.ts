/** Keys in brackets after paths and converters: how they are resolved and what they find. Worker thread. */

import { dynamicGetter, type Getter } from './getter.ts';
import { utf8 } from './go-text.ts';
import type { SpanView } from './span-view.ts';
import {
  isPMap,
  isPSlice,
  OttlError,
  type OttlValue,
  type PData,
  PlainInt,
  PValue,
  pdataTypeName,
  TypedSlice,
  typeName,
} from './values.ts';

/** A compiled key: a text, an int, or an expression for either. */
export interface IndexKey {
  readonly text?: string;
  readonly textBytes?: Uint8Array;
  readonly int?: bigint;
  readonly expression?: Getter;
}

export function textKey(text: string): IndexKey {
  return { text, textBytes: utf8(text) };
}

function fetch(key: IndexKey, view: SpanView, type: 'string' | 'int64'): string | bigint | OttlError {
  if (key.expression === undefined) return new OttlError('invalid key type');
  const value = key.expression.get(view);
  if (value instanceof OttlError) return value;
  if (typeof value === (type === 'string' ? 'string' : 'bigint')) return value as string | bigint;
  return new OttlError(`could not resolve key for map/slice, expecting '${type}' but got '${typeName(value)}'`);
}

/** The key as a map key. */
export function mapKey(key: IndexKey, view: SpanView): string | OttlError {
  if (key.text !== undefined) return key.text;
  const value = fetch(key, view, 'string');
  return value instanceof OttlError ? new OttlError(`unable to resolve a string index in map: ${value.message}`) : (value as string);
}

/** The key as an index into `length` items. */
export function sliceIndex(key: IndexKey, view: SpanView, length: number): number | OttlError {
  let index = key.int;
  if (index === undefined) {
    const value = fetch(key, view, 'int64');
    if (value instanceof OttlError) return new OttlError(`unable to resolve an integer index in slice: ${value.message}`);
    index = value as bigint;
  }
  if (index < 0n || index >= BigInt(length)) return new OttlError(`index ${index} out of bounds`);
  return Number(index);
}

/** Follows `keys` from the second on into an attribute's value. */
export function intoPData(value: PData, keys: readonly IndexKey[], from: number, view: SpanView): PData | OttlError {
  let current = value;
  for (let i = from; i < keys.length; i++) {
    if (isPMap(current)) {
      const key = mapKey(keys[i]!, view);
      if (key instanceof OttlError) return key;
      const found = current.get(key);
      if (found === undefined) return null;
      current = found;
    } else if (isPSlice(current)) {
      const items = current.items();
      const index = sliceIndex(keys[i]!, view, items.length);
      if (index instanceof OttlError) return index;
      current = items[index]!;
    } else return new OttlError(`type ${pdataTypeName(current)} does not support string indexing`);
  }
  return current;
}

/**
 * Indexes into a map whose first key is looked up by `find`, so that a key that is known at compile time is compared as bytes in place.
 */
export function indexedMap(keys: readonly IndexKey[], find: (view: SpanView, key: Uint8Array) => PData | undefined): Getter {
  const first = keys[0]!;
  const constant = first.textBytes;
  if (constant !== undefined && keys.length === 1) {
    return dynamicGetter((view) => {
      const value = find(view, constant);
      return value === undefined ? null : value;
    });
  }
  return dynamicGetter((view) => {
    const key = mapKey(first, view);
    if (key instanceof OttlError) return new OttlError(`cannot get map value: ${key.message}`);
    const value = find(view, constant ?? utf8(key));
    return value === undefined ? null : intoPData(value, keys, 1, view);
  });
}

function resolveKey(key: IndexKey, view: SpanView): string | bigint | OttlError {
  if (key.text !== undefined) return key.text;
  if (key.int !== undefined) return key.int;
  if (key.expression === undefined) return new OttlError('malformed or empty indexing key');
  const value = key.expression.get(view);
  if (value instanceof OttlError) return value;
  if (value === null) return new OttlError('key expression returned nil, expected an int or string');
  if (typeof value === 'string' || typeof value === 'bigint') return value;
  if (value instanceof PlainInt) return value.value;
  if (value instanceof PValue) {
    if (typeof value.held === 'string' || typeof value.held === 'bigint') return value.held;
    return new OttlError(`key expression must evaluate to string or int, got ${pdataTypeName(value.held)}`);
  }
  return new OttlError(`key expression must evaluate to string or int, got ${typeName(value)}`);
}

function itemsOf(value: OttlValue): readonly OttlValue[] | undefined {
  if (isPSlice(value)) return value.items();
  if (value instanceof TypedSlice) return value.items;
  if (value instanceof Uint8Array) return Array.from(value, BigInt);
  return Array.isArray(value) ? value : undefined;
}

/** Follows keys into what a converter or a lambda's argument gave. */
export function intoValue(value: OttlValue, keys: readonly IndexKey[], view: SpanView): OttlValue | OttlError {
  let current = value;
  for (const each of keys) {
    const key = resolveKey(each, view);
    if (key instanceof OttlError) return key;
    if (typeof key === 'string') {
      if (!isPMap(current) && !(current instanceof Map)) return new OttlError(`type ${typeName(current)} does not support string indexing`);
      const found: OttlValue | undefined = current.get(key);
      if (found === undefined) return new OttlError('key not found in map');
      current = found;
    } else {
      const items = itemsOf(current);
      if (items === undefined) return new OttlError(`type ${typeName(current)} does not support int indexing`);
      if (key < 0n || key >= BigInt(items.length)) return new OttlError(`index ${key} out of bounds`);
      current = items[Number(key)]!;
    }
  }
  return current;
}
