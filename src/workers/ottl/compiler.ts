/** Turns the tree of a condition into getters: names are resolved, arguments checked, constants folded. Any thread, at compile time. */

import { calculate, negate } from './arithmetic.ts';
import { compareValues } from './compare.ts';
import type { Converter, ConverterSettings, Parameter } from './converter.ts';
import { CompileFault, dynamicGetter, type Getter, type GetterName, literalGetter, typedGetter } from './getter.ts';
import { goQuote } from './go-text.ts';
import type * as ast from './grammar.ts';
import { type IndexKey, intoValue, textKey } from './indexing.ts';
import { Lambda } from './lambda.ts';
import { compilePath, type OttlContext, PathSegment } from './paths.ts';
import { EntryMap, fromRaw, ItemSlice, isPMap, OttlError, type OttlValue, type PData, typeName } from './values.ts';

const enums: Record<string, bigint> = {
  SPAN_KIND_UNSPECIFIED: 0n,
  SPAN_KIND_INTERNAL: 1n,
  SPAN_KIND_SERVER: 2n,
  SPAN_KIND_CLIENT: 3n,
  SPAN_KIND_PRODUCER: 4n,
  SPAN_KIND_CONSUMER: 5n,
  STATUS_CODE_UNSET: 0n,
  STATUS_CODE_OK: 1n,
  STATUS_CODE_ERROR: 2n,
};

export interface CompilerSettings extends ConverterSettings {
  readonly context: OttlContext;
  readonly lambdasEnabled: boolean;
  readonly converters: ReadonlyMap<string, Converter>;
}

const constant = (value: boolean): Getter<boolean> => literalGetter(value);

/** Arguments that are literals by grammar, as the words of the Collector's faults. */
const literalTypes: Record<string, { readonly fault: string; read(value: ast.Value): OttlValue | undefined }> = {
  string: { fault: 'must be a string', read: (value) => value.String },
  int64: { fault: 'must be an int', read: (value) => value.Literal?.Int },
  float64: { fault: 'must be a float', read: (value) => value.Literal?.Float },
  bool: { fault: 'must be a bool', read: (value) => value.Bool },
};

/** Errors: every method throws CompileFault with the Collector's text. */
export class Compiler {
  readonly #settings: CompilerSettings;
  /** Lambda parameters in scope, innermost last: name to slot. */
  readonly #scopes: Map<string, number>[] = [];
  #slots = 0;

  constructor(settings: CompilerSettings) {
    this.#settings = settings;
  }

  booleanExpression(expression: ast.BooleanExpression): Getter<boolean> {
    const terms = [this.#term(expression.Left), ...(expression.Right ?? []).map((right) => this.#term(right.Term))];
    return shortCircuit(terms, true);
  }

  #term(term: ast.Term): Getter<boolean> {
    const values = [this.#booleanValue(term.Left), ...(term.Right ?? []).map((right) => this.#booleanValue(right.Value))];
    return shortCircuit(values, false);
  }

  #booleanValue(value: ast.BooleanValue): Getter<boolean> {
    const getter = this.#plainBooleanValue(value);
    if (value.Negation === undefined) return getter;
    if (getter.literal) return constant(!getter.value);
    return dynamicGetter((view) => {
      const result = getter.get(view);
      return result instanceof OttlError ? result : !result;
    });
  }

  #plainBooleanValue(value: ast.BooleanValue): Getter<boolean> {
    if (value.Comparison !== undefined) return this.#comparison(value.Comparison);
    if (value.SubExpr !== undefined) return this.booleanExpression(value.SubExpr);
    const { Boolean: literal, Converter: call } = value.ConstExpr!;
    if (call === undefined) return constant(literal!);
    const getter = this.#converterGetter(call);
    return dynamicGetter((view) => {
      const result = getter.get(view);
      if (typeof result === 'boolean' || result instanceof OttlError) return result;
      return new OttlError(`value returned from Converter in constant expression must be bool but got ${typeName(result)}`);
    });
  }

  #comparison(comparison: ast.Comparison): Getter<boolean> {
    const left = this.getter(comparison.Left);
    const right = this.getter(comparison.Right);
    const op = comparison.Op;
    if (left.literal && right.literal) return constant(compareValues(left.value!, right.value!, op));
    return dynamicGetter((view) => {
      const a = left.get(view);
      if (a instanceof OttlError) return a;
      const b = right.get(view);
      if (b instanceof OttlError) return b;
      return compareValues(a, b, op);
    });
  }

  getter(value: ast.Value): Getter {
    if (value.IsNil) return literalGetter<OttlValue>(null);
    if (value.String !== undefined) return literalGetter<OttlValue>(value.String);
    if (value.Bool !== undefined) return literalGetter<OttlValue>(value.Bool);
    if (value.Bytes !== undefined) return literalGetter<OttlValue>(value.Bytes);
    if (value.Enum !== undefined) {
      const number = Object.hasOwn(enums, value.Enum) ? enums[value.Enum] : undefined;
      if (number === undefined) throw new CompileFault(`enum symbol, ${value.Enum}, not found`);
      return literalGetter<OttlValue>(number);
    }
    if (value.Lambda !== undefined) return literalGetter<OttlValue>(this.#lambda(value.Lambda));
    if (value.Literal !== undefined) return this.#literal(value.Literal);
    if (value.List !== undefined) return listGetter((value.List.Values ?? []).map((item) => this.getter(item)));
    if (value.Map !== undefined) return mapGetter(new Map((value.Map.Values ?? []).map((item) => [item.Key, this.getter(item.Value)])));
    return this.#math(value.MathExpression!);
  }

  #literal(literal: ast.MathExprLiteral): Getter {
    if (literal.Float !== undefined) return literalGetter<OttlValue>(literal.Float);
    if (literal.Int !== undefined) return literalGetter<OttlValue>(literal.Int);
    if (literal.Path !== undefined) return this.#path(literal.Path);
    return this.#converterGetter(literal.Converter!);
  }

  #math(expression: ast.MathExpression): Getter {
    let getter = this.#mathTerm(expression.Left);
    for (const { Operator, Term } of expression.Right ?? []) getter = calculation(getter, this.#mathTerm(Term), Operator);
    return getter;
  }

  #mathTerm(term: ast.AddSubTerm): Getter {
    let getter = this.#mathValue(term.Left);
    for (const { Operator, Value } of term.Right ?? []) getter = calculation(getter, this.#mathValue(Value), Operator);
    return getter;
  }

  #mathValue(value: ast.MathValue): Getter {
    const getter = value.Literal === undefined ? this.#math(value.SubExpression!) : this.#literal(value.Literal);
    if (value.UnaryOp !== '-') return getter;
    if (value.Literal?.Float !== undefined) return literalGetter<OttlValue>(-value.Literal.Float);
    if (value.Literal?.Int !== undefined) return literalGetter<OttlValue>(-value.Literal.Int);
    return dynamicGetter((view) => {
      const operand = getter.get(view);
      return operand instanceof OttlError ? operand : negate(operand);
    });
  }

  #slotOf(name: string): number | undefined {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const slot = this.#scopes[i]!.get(name);
      if (slot !== undefined) return slot;
    }
    return undefined;
  }

  #path(path: ast.Path): Getter {
    const local = this.#slotOf(path.Context ?? path.Fields[0]!.Name);
    const fields = local !== undefined && path.Context !== undefined ? [{ Name: path.Context } as ast.Field, ...path.Fields] : path.Fields;
    const fullText = pathText(path);
    if (local !== undefined) return this.#localIdentifier(local, fields, fullText);
    let segment: PathSegment | undefined;
    for (const field of [...fields].reverse()) segment = new PathSegment(field.Name, this.#keys(field.Keys), segment, fullText);
    return compilePath(this.#settings.context, path.Context!, segment!);
  }

  #localIdentifier(slot: number, fields: readonly ast.Field[], fullText: string): Getter {
    const keys = fields.map((field) => this.#keys(field.Keys))[0];
    if (fields.length > 1) throw new CompileFault(`local identifier ${goQuote(fullText)} cannot use "." to access nested fields`);
    if (keys === undefined) return dynamicGetter((view) => view.locals[slot] as OttlValue);
    const prefix = `cannot index local identifier ${goQuote(fields[0]!.Name)}: `;
    return dynamicGetter((view) => {
      const found = intoValue(view.locals[slot] as OttlValue, keys, view);
      return found instanceof OttlError ? new OttlError(prefix + found.message) : found;
    });
  }

  #keys(keys: readonly ast.Key[] | undefined): readonly IndexKey[] | undefined {
    return keys?.map((key) => {
      if (key.String !== undefined) return textKey(key.String);
      if (key.Int !== undefined) return { int: key.Int };
      return { expression: key.MathExpression === undefined ? this.#literal(key.Expression!) : this.#math(key.MathExpression) };
    });
  }

  #converterGetter(call: ast.Converter): Getter {
    const getter = this.#call(call);
    const keys = this.#keys(call.Keys);
    if (keys === undefined) return getter;
    return dynamicGetter((view) => {
      const result = getter.get(view);
      return result instanceof OttlError ? result : intoValue(result, keys, view);
    });
  }

  #call(call: ast.Converter): Getter {
    const found = this.#settings.converters.get(call.Function);
    if (found === undefined) throw new CompileFault(`undefined function ${goQuote(call.Function)}`);
    let args: unknown[] = [];
    if (found.parameters.length > 0) {
      args = prefixFault(`error while parsing arguments for call to ${goQuote(call.Function)}: `, () =>
        this.#arguments(found.parameters, call.Arguments ?? []),
      );
    }
    const getter = prefixFault("couldn't create function: ", () => found.create(args, this.#settings));
    return getter.literal ? { ...getter, literal: false } : getter;
  }

  #arguments(parameters: readonly Parameter[], given: readonly ast.Argument[]): unknown[] {
    const firstNamed = given.findIndex((argument) => argument.Name !== undefined);
    if (firstNamed >= 0 && given.slice(firstNamed).some((argument) => argument.Name === undefined)) {
      throw new CompileFault('unnamed argument used after named argument');
    }
    const required = parameters.filter((parameter) => !parameter.optional).length;
    if (given.length < required || given.length > parameters.length) {
      throw new CompileFault(`incorrect number of arguments. Expected: ${parameters.length} Received: ${given.length}`);
    }
    const args: unknown[] = parameters.map(() => undefined);
    given.forEach((argument, position) => {
      const index = argument.Name === undefined ? position : parameters.findIndex((each) => each.name === camelCase(argument.Name!));
      if (index < 0) throw new CompileFault(`no such parameter: ${argument.Name}`);
      const parameter = parameters[index]!;
      const plain = parameter.type === 'SliceGetter[StringLikeGetter]' ? '' : `invalid argument at position ${position}: `;
      args[index] = prefixFault(plain, () => this.#argument(parameter.type, argument.Value ?? ({} as ast.Value)));
    });
    parameters.forEach((parameter, i) => {
      if (args[i] === undefined && !parameter.optional) throw new CompileFault(`missing argument ${parameter.name}`);
    });
    return args;
  }

  #argument(type: Parameter['type'], value: ast.Value): unknown {
    const literal = literalTypes[type];
    if (literal !== undefined) {
      const read = literal.read(value);
      if (read === undefined) throw new CompileFault(literal.fault);
      return read;
    }
    if (type === 'LambdaExpression') {
      if (value.Lambda === undefined) throw new CompileFault('must be a lambda expression');
      return this.#lambda(value.Lambda);
    }
    if (type.startsWith('[]')) return this.#list(type.slice(2), value);
    if (type === 'SliceGetter[StringLikeGetter]') {
      return value.List === undefined ? this.#anyGetter(value) : this.#list('StringLikeGetter', value);
    }
    const getter = this.#anyGetter(value);
    return type === 'Getter' ? getter : typedGetter(type as GetterName, getter, this.#settings.contextType);
  }

  #anyGetter(value: ast.Value): Getter {
    if (Object.keys(value).length === 0) {
      throw new CompileFault('no value field set. This is a bug in the OpenTelemetry Transformation Language');
    }
    return this.getter(value);
  }

  #list(element: string, value: ast.Value): unknown[] {
    const { contextType } = this.#settings;
    if (value.List === undefined)
      throw new CompileFault(`must be a list of type ${element === 'string' ? element : `${element}[${contextType}]`}`);
    return (value.List.Values ?? []).map((item, i) =>
      prefixFault(`error while parsing list argument at index ${i}: `, () => this.#argument(element as Parameter['type'], item)),
    );
  }

  #lambda(lambda: ast.LambdaExpr): Lambda {
    if (!this.#settings.lambdasEnabled) {
      throw new CompileFault('lambda expression arguments require the `ottl.functions.enableLambda` feature gate to be enabled');
    }
    const scope = new Map<string, number>();
    const slots = (lambda.Params ?? []).map((name) => {
      if (name === '_') return -1;
      if (scope.has(name)) throw new CompileFault(`duplicate local identifier ${goQuote(name)}`);
      scope.set(name, this.#slots++);
      return scope.get(name)!;
    });
    this.#scopes.push(scope);
    try {
      const { Expr, Value } = lambda.Body;
      return new Lambda(slots, Expr === undefined ? this.getter(Value!) : this.booleanExpression(Expr));
    } finally {
      this.#scopes.pop();
    }
  }
}

/** An "or" (stops at true) or an "and" (stops at false); literals are folded away. */
function shortCircuit(all: readonly Getter<boolean>[], stopAt: boolean): Getter<boolean> {
  if (all.some((getter) => getter.literal && getter.value === stopAt)) return constant(stopAt);
  const getters = all.filter((getter) => !getter.literal);
  if (getters.length === 0) return constant(!stopAt);
  if (getters.length === 1) return getters[0]!;
  return dynamicGetter((view) => {
    for (const getter of getters) {
      const result = getter.get(view);
      if (result === stopAt || result instanceof OttlError) return result;
    }
    return !stopAt;
  });
}

function calculation(left: Getter, right: Getter, op: ast.MathOp): Getter {
  return dynamicGetter((view) => {
    const a = left.get(view);
    if (a instanceof OttlError) return a;
    const b = right.get(view);
    return b instanceof OttlError ? b : calculate(a, b, op);
  });
}

function folded(getters: readonly Getter[], getter: Getter): Getter {
  if (!getters.every((each) => each.literal)) return getter;
  const value = getter.get(undefined as never);
  if (value instanceof OttlError) throw new CompileFault(value.message);
  return literalGetter(value);
}

function listGetter(getters: readonly Getter[]): Getter {
  return folded(
    getters,
    dynamicGetter((view) => {
      const values: OttlValue[] = [];
      for (const getter of getters) {
        const value = getter.get(view);
        if (value instanceof OttlError) return value;
        values.push(value);
      }
      return values;
    }),
  );
}

/** A map's values become pdata; within lists, maps are taken as they are. */
function mapValue(value: OttlValue): PData | OttlError {
  if (isPMap(value)) return value;
  if (!Array.isArray(value)) return fromRaw(value);
  const items: PData[] = [];
  for (const item of value as readonly OttlValue[]) {
    const held = isPMap(item) ? item : fromRaw(item);
    if (held instanceof OttlError) return held;
    items.push(held);
  }
  return new ItemSlice(items);
}

function mapGetter(getters: ReadonlyMap<string, Getter>): Getter {
  return folded(
    [...getters.values()],
    dynamicGetter((view) => {
      const entries: [string, PData][] = [];
      for (const [key, getter] of getters) {
        const value = getter.get(view);
        if (value instanceof OttlError) return value;
        const held = mapValue(value);
        if (held instanceof OttlError) return held;
        entries.push([key, held]);
      }
      return new EntryMap(entries);
    }),
  );
}

function prefixFault<T>(prefix: string, run: () => T): T {
  try {
    return run();
  } catch (fault) {
    if (fault instanceof CompileFault) throw new CompileFault(prefix + fault.message);
    throw fault;
  }
}

/** strcase.ToCamel of an argument's name: source_ip is SourceIp, so that a parameter called SourceIP cannot be named. */
function camelCase(name: string): string {
  return name.replace(/(^|_+|(?<=\d))([a-z]?)/g, (_, _start, letter: string) => letter.toUpperCase());
}

/** A path as it was written, keys without their quotes. */
export function pathText(path: ast.Path): string {
  const fields = path.Fields.map((field) => field.Name + (field.Keys ?? []).map((key) => `[${keyText(key)}]`).join('')).join('.');
  return path.Context === undefined ? fields : `${path.Context}.${fields}`;
}

export function keyText(key: ast.Key): string {
  if (key.Int !== undefined) return String(key.Int);
  return key.String ?? (key.Expression?.Path === undefined ? '' : pathText(key.Expression.Path));
}
