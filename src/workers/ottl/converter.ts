/** What a converter is: a name, typed parameters, and a function that compiles a call. Any thread, at compile time. */

import type { Clock } from '../../shared/clock.ts';
import type { Prng } from '../../shared/prng.ts';
import type { Getter, GetterName } from './getter.ts';

/**
 * How an argument is written and checked.
 *
 * | type | argument |
 * |---|---|
 * | Getter, …Getter | any expression, checked when it is read (a literal: at compile time) |
 * | string, int64, float64, bool | a literal of that type |
 * | []string | a list of string literals |
 * | []Getter, []StringGetter | a list of expressions |
 * | SliceGetter[StringLikeGetter] | a list of expressions, or one expression that yields a slice |
 * | LambdaExpression | a lambda |
 */
export type ParameterType =
  | 'Getter'
  | GetterName
  | 'string'
  | 'int64'
  | 'float64'
  | 'bool'
  | '[]string'
  | '[]Getter'
  | '[]StringGetter'
  | 'SliceGetter[StringLikeGetter]'
  | 'LambdaExpression';

/** `name` as in the Collector's arguments struct; callers write it in snake case. */
export interface Parameter {
  readonly name: string;
  readonly type: ParameterType;
  readonly optional?: true;
}

/** What a call may use besides its arguments. */
export interface ConverterSettings {
  readonly clock: Clock;
  readonly prng: Prng;
  /** The Go type of the evaluation context, which stands in texts. */
  readonly contextType: string;
}

/** Arguments in parameter order, undefined where an optional one is absent. */
// biome-ignore lint/suspicious/noExplicitAny: each parameter's type follows from its table entry, which the checker has enforced.
export type Arguments = readonly any[];

/**
 * Errors: `create` throws CompileFault where the Collector's factory refuses the arguments; the getter it returns answers OttlError where its function fails.
 */
export interface Converter {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  create(args: Arguments, settings: ConverterSettings): Getter;
}

const parameter = (spec: string): Parameter => {
  const [name, type] = spec.split(' ') as [string, string];
  return type.endsWith('?') ? { name, type: type.slice(0, -1) as ParameterType, optional: true } : { name, type: type as ParameterType };
};

/** `signature`: parameters as "Name Type", a question mark after the type makes it optional. */
export function converter(name: string, signature: readonly string[], create: Converter['create']): Converter {
  return { name, parameters: signature.map(parameter), create };
}
