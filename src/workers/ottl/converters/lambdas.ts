/** Converters that take lambdas; they exist for the gate `ottl.functions.enableLambda`. Worker thread; built at compile time. */

import { type Converter, converter } from '../converter.ts';
import { checkValue, dynamicGetter, type Getter } from '../getter.ts';
import type { Lambda } from '../lambda.ts';
import { normalize } from '../lambda.ts';
import type { SpanView } from '../span-view.ts';
import {
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
  TypedSlice,
  typeName,
} from '../values.ts';

/** Anything that is a list or a map, as pdata. */
function listOrMap(value: OttlValue): PSlice | PMap | OttlError {
  if (isPMap(value) || isPSlice(value)) return value;
  const slice = checkValue('PSliceGetter', value);
  if (!(slice instanceof OttlError)) return slice;
  if (!slice.isTypeError) return slice;
  const map = checkValue('PMapGetter', value);
  if (!(map instanceof OttlError) || !map.isTypeError) return map;
  return new OttlError(`unsupported type provided: ${typeName(value)}`);
}

type Entry = readonly [key: string | bigint, held: PData];

function entriesOf(source: PSlice | PMap): readonly Entry[] {
  return source.kind === 'map' ? source.entries() : source.items().map((item, i) => [BigInt(i), item] as const);
}

function itemError(source: PSlice | PMap, [key, held]: Entry, what: string, error: OttlError): OttlError {
  return new OttlError(`error while evaluating ${what} on ${source.kind} item (${key}, ${asString(held)}): ${error.message}`);
}

/** Evaluates `source` and hands its entries to `visit` until that answers something. */
function over(
  source: Getter,
  visit: (entry: Entry, view: SpanView, source: PSlice | PMap) => OttlValue | OttlError | undefined,
  otherwise: (source: PSlice | PMap) => OttlValue,
): Getter {
  return dynamicGetter((view) => {
    const value = source.get(view);
    const items = value instanceof OttlError ? value : listOrMap(value);
    if (items instanceof OttlError) return items;
    for (const entry of entriesOf(items)) {
      const result = visit(entry, view, items);
      if (result !== undefined) return result;
    }
    return otherwise(items);
  });
}

const args = ([key, held]: Entry): OttlValue[] => [key, new PValue(held)];

/** All and Any: they stop at the first item whose answer is `stopAt`. */
function quantifier(name: string, stopAt: boolean): Converter {
  return converter(name, ['Source Getter', 'Predicate LambdaExpression'], ([source, predicate]) => {
    const lambda = predicate as Lambda;
    lambda.assertArity(2);
    return over(
      source,
      (entry, view, items) => {
        const result = lambda.test(view, args(entry));
        if (result instanceof OttlError) return itemError(items, entry, 'lambda function', result);
        return result === stopAt ? stopAt : undefined;
      },
      () => !stopAt,
    );
  });
}

function rebuilt(source: PSlice | PMap, entries: readonly Entry[]): OttlValue {
  return source.kind === 'map'
    ? new EntryMap(entries as readonly (readonly [string, PData])[])
    : new ItemSlice(entries.map(([, held]) => held));
}

/** ottlcommon.CopyValueTo. */
function toPData(value: OttlValue): PData | OttlError {
  if (isPMap(value) || isPSlice(value)) return value;
  if (value instanceof PValue) return value.held;
  return fromRaw(value instanceof TypedSlice ? value.items : value);
}

function transform(source: Getter, step: (entry: Entry, view: SpanView, items: PSlice | PMap) => Entry | undefined | OttlError): Getter {
  return dynamicGetter((view) => {
    const value = source.get(view);
    const items = value instanceof OttlError ? value : listOrMap(value);
    if (items instanceof OttlError) return items;
    const out: Entry[] = [];
    for (const entry of entriesOf(items)) {
      const result = step(entry, view, items);
      if (result instanceof OttlError) return result;
      if (result !== undefined) out.push(result);
    }
    return rebuilt(items, out);
  });
}

const filter = converter('Filter', ['Source Getter', 'Predicate LambdaExpression'], ([source, predicate]) => {
  const lambda = predicate as Lambda;
  lambda.assertArity(2);
  return transform(source, (entry, view, items) => {
    const keep = lambda.test(view, args(entry));
    if (keep instanceof OttlError) return itemError(items, entry, 'lambda function', keep);
    return keep ? entry : undefined;
  });
});

const mapEach = converter('MapEach', ['Source Getter', 'Mapper LambdaExpression'], ([source, mapper]) => {
  const lambda = mapper as Lambda;
  lambda.assertArity(2);
  return transform(source, (entry, view, items) => {
    const result = lambda.call(view, args(entry));
    if (result instanceof OttlError) return itemError(items, entry, 'lambda function', result);
    const held = toPData(result);
    if (held instanceof OttlError) {
      return new OttlError(
        `error while converting lambda function result on ${items.kind} item (${entry[0]}, ${typeName(result)}): ${held.message}`,
      );
    }
    return [entry[0], held];
  });
});

const mapKeys = converter('MapKeys', ['Source PMapGetter', 'KeyMapper LambdaExpression'], ([source, keyMapper]) => {
  const lambda = keyMapper as Lambda;
  lambda.assertArity(2);
  return dynamicGetter((view) => {
    const map = (source as Getter<PMap>).get(view);
    if (map instanceof OttlError) return map;
    const out = new Map<string, PData>();
    for (const entry of map.entries()) {
      const key = lambda.text(view, args(entry));
      if (key instanceof OttlError) return itemError(map, entry, 'lambda function', key);
      out.set(key, entry[1]);
    }
    return new EntryMap([...out]);
  });
});

const find = converter(
  'Find',
  ['Source Getter', 'Predicate LambdaExpression', 'Mapper LambdaExpression?'],
  ([source, predicate, mapper]) => {
    (predicate as Lambda).assertArity(2, 'invalid predicate: ');
    (mapper as Lambda | undefined)?.assertArity(2, 'invalid mapper: ');
    return over(
      source,
      (entry, view, items) => {
        const match = (predicate as Lambda).test(view, args(entry));
        if (match instanceof OttlError) return itemError(items, entry, 'lambda function', match);
        if (!match) return undefined;
        if (mapper === undefined) return entry[1];
        const result = (mapper as Lambda).call(view, args(entry));
        if (!(result instanceof OttlError)) return normalize(result);
        return new OttlError(
          `error while evaluating mapper lambda function on item (${entry[0]}, ${asString(entry[1])}): ${result.message}`,
        );
      },
      () => null,
    );
  },
);

const reduce = converter('Reduce', ['Source Getter', 'Seed Getter', 'Accumulator LambdaExpression'], ([source, seed, accumulator]) => {
  const lambda = accumulator as Lambda;
  lambda.assertArity(3);
  return dynamicGetter((view) => {
    const value = (source as Getter).get(view);
    const items = value instanceof OttlError ? value : listOrMap(value);
    if (items instanceof OttlError) return items;
    let result = (seed as Getter).get(view);
    for (const entry of entriesOf(items)) {
      if (result instanceof OttlError) return result;
      result = lambda.call(view, [result, ...args(entry)]);
      if (result instanceof OttlError) return itemError(items, entry, 'accumulator function', result);
    }
    return result;
  });
});

const when = converter(
  'When',
  ['Condition LambdaExpression', 'TrueValue Getter', 'FalseValue Getter'],
  ([condition, trueValue, falseValue]) => {
    const lambda = condition as Lambda;
    lambda.assertArity(0);
    return dynamicGetter((view) => {
      const match = lambda.test(view, []);
      if (match instanceof OttlError) return new OttlError(`error while evaluating lambda function: ${match.message}`);
      return ((match ? trueValue : falseValue) as Getter).get(view);
    });
  },
);

export const lambdaConverters: readonly Converter[] = [
  quantifier('All', false),
  quantifier('Any', true),
  filter,
  find,
  mapEach,
  mapKeys,
  reduce,
  when,
];
