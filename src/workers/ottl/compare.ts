/** OTTL's comparison rules over values of any two kinds. Worker thread. */

import { compareStrings } from './go-text.ts';
import type { CompareOp } from './grammar.ts';
import {
  asRaw,
  Duration,
  Id,
  isPMap,
  isPSlice,
  nilBytes,
  Opaque,
  type OttlValue,
  type PData,
  PlainInt,
  type PMap,
  type PSlice,
  PValue,
  Time,
  TypedSlice,
} from './values.ts';

function ordered(order: number, op: CompareOp): boolean {
  switch (op) {
    case '==':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

/** Numbers go by themselves, because NaN is in no order with anything. */
function comparePrimitives(left: number | bigint, right: number | bigint, op: CompareOp): boolean {
  switch (op) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
  }
}

/** An int64 next to a float64 counts as a float64, rounded. */
function compareNumbers(left: number | bigint, right: number | bigint, op: CompareOp): boolean {
  if (typeof left === typeof right) return comparePrimitives(left, right, op);
  return comparePrimitives(Number(left), Number(right), op);
}

export function bytesEqual(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

/** pcommon's Equal: same type, same content, map keys in any order. */
export function pdataEqual(left: PData, right: PData): boolean {
  if (left instanceof Uint8Array) return right instanceof Uint8Array && bytesEqual(left, right);
  if (isPMap(left)) {
    if (!isPMap(right) || left.entries().length !== right.entries().length) return false;
    return left.entries().every(([key, held]) => {
      const other = right.get(key);
      return other !== undefined && pdataEqual(held, other);
    });
  }
  if (isPSlice(left)) {
    if (!isPSlice(right) || left.items().length !== right.items().length) return false;
    const others = right.items();
    return left.items().every((held, i) => pdataEqual(held, others[i]!));
  }
  return left === right;
}

/** reflect.DeepEqual: same Go types all the way down. */
export function deepEqual(left: OttlValue, right: OttlValue): boolean {
  if (left === null || right === null || typeof left !== 'object' || typeof right !== 'object') return left === right;
  if (left instanceof Uint8Array)
    return right instanceof Uint8Array && (left === nilBytes) === (right === nilBytes) && bytesEqual(left, right);
  if (left instanceof Map) {
    if (!(right instanceof Map) || left.size !== right.size) return false;
    for (const [key, held] of left) if (!right.has(key) || !deepEqual(held, right.get(key)!)) return false;
    return true;
  }
  if (Array.isArray(left)) {
    return Array.isArray(right) && left.length === right.length && left.every((held, i) => deepEqual(held, right[i]!));
  }
  if (left instanceof TypedSlice) {
    return right instanceof TypedSlice && left.element === right.element && deepEqual(left.items, right.items);
  }
  if (isPMap(left)) return isPMap(right) && pdataEqual(left, right);
  if (isPSlice(left)) return isPSlice(right) && pdataEqual(left, right);
  if (left instanceof Time) return right instanceof Time && left.unixNano === right.unixNano;
  if (left instanceof Duration) return right instanceof Duration && left.nanos === right.nanos;
  if (left instanceof Id) return right instanceof Id && left.type === right.type && bytesEqual(left.bytes, right.bytes);
  return left === right;
}

const equality = (equal: boolean, op: CompareOp): boolean => (op === '==' ? equal : op === '!=' ? !equal : false);

function compareMap(left: PMap | Map<string, OttlValue>, right: OttlValue, op: CompareOp): boolean {
  if (right instanceof PValue) return isPMap(right.held) ? compareMap(left, right.held, op) : op === '!=';
  if (left instanceof Map) {
    if (right instanceof Map) return equality(deepEqual(left, right), op);
    return isPMap(right) ? equality(deepEqual(left, asRaw(right)), op) : op === '!=';
  }
  if (isPMap(right)) return equality(pdataEqual(left, right), op);
  return right instanceof Map ? equality(deepEqual(asRaw(left), right), op) : op === '!=';
}

function compareSlice(left: PSlice | readonly OttlValue[], right: OttlValue, op: CompareOp): boolean {
  if (right instanceof PValue) return isPSlice(right.held) ? compareSlice(left, right.held, op) : op === '!=';
  if (Array.isArray(left)) {
    if (Array.isArray(right)) return equality(deepEqual(left, right), op);
    return isPSlice(right) ? equality(deepEqual(left, asRaw(right)), op) : op === '!=';
  }
  if (isPSlice(right)) return equality(pdataEqual(left as PSlice, right), op);
  return Array.isArray(right) ? equality(deepEqual(asRaw(left as PSlice), right), op) : op === '!=';
}

/** What Go's == says of two values of types without an order. */
function sameValue(left: OttlValue, right: OttlValue): boolean {
  if (left instanceof Id) return right instanceof Id && left.type === right.type && bytesEqual(left.bytes, right.bytes);
  if (left instanceof Opaque) return right instanceof Opaque && left.type === right.type && left.identity === right.identity;
  if (left instanceof PlainInt) return right instanceof PlainInt && left.value === right.value;
  return left === right;
}

function compareBytes(left: Uint8Array, right: OttlValue, op: CompareOp): boolean {
  if (left === nilBytes) return compareValues(right, null, op);
  const other = right instanceof PValue ? right.held : right;
  if (!(other instanceof Uint8Array) || (other === nilBytes && !(right instanceof PValue))) return op === '!=';
  return ordered(Buffer.compare(left, other), op);
}

/**
 * Source: compare.go of the Collector's pkg/ottl v0.161. Operands of different kinds satisfy only `!=`; a nil on the left changes places, as there.
 */
export function compareValues(left: OttlValue, right: OttlValue, op: CompareOp): boolean {
  if (left === null) {
    if (right === null) return op === '==' || op === '<=' || op === '>=';
    return compareValues(right, null, op);
  }
  switch (typeof left) {
    case 'bigint':
    case 'number': {
      const other = right instanceof PValue ? right.held : right;
      return typeof other === 'bigint' || typeof other === 'number' ? compareNumbers(left, other, op) : op === '!=';
    }
    case 'string': {
      const other = right instanceof PValue ? right.held : right;
      if (typeof other !== 'string') return op === '!=';
      return op === '==' ? left === other : ordered(compareStrings(left, other), op);
    }
    case 'boolean': {
      const other = right instanceof PValue ? right.held : right;
      return typeof other === 'boolean' ? ordered(Number(left) - Number(other), op) : op === '!=';
    }
  }
  if (left instanceof PValue)
    return left.held instanceof Uint8Array && left.held.length === 0 ? compareValues(right, null, op) : compareValues(left.held, right, op);
  if (left instanceof Uint8Array) return compareBytes(left, right, op);
  if (left instanceof Duration) return right instanceof Duration ? comparePrimitives(left.nanos, right.nanos, op) : op === '!=';
  if (left instanceof Time) return right instanceof Time ? comparePrimitives(left.unixNano, right.unixNano, op) : op === '!=';
  if (left instanceof Map || isPMap(left)) return compareMap(left, right, op);
  if (Array.isArray(left) || isPSlice(left)) return compareSlice(left, right, op);
  return equality(sameValue(left, right), op);
}
