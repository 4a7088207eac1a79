/** Lambda arguments of converters: a body whose parameters are slots of the view. Worker thread. */

import { CompileFault, type Getter } from './getter.ts';
import type { SpanView } from './span-view.ts';
import { type LambdaValue, OttlError, type OttlValue, PValue, TypedSlice, typeName } from './values.ts';

/** Parameters that are blank (`_`) have slot -1. */
export class Lambda implements LambdaValue {
  readonly kind = 'lambda';
  readonly #slots: readonly number[];
  readonly #body: Getter;

  constructor(slots: readonly number[], body: Getter) {
    this.#slots = slots;
    this.#body = body;
  }

  /** Errors: throws CompileFault when the lambda has another number of parameters. */
  assertArity(arity: number, prefix = ''): void {
    if (this.#slots.length === arity) return;
    throw new CompileFault(`${prefix}lambda should be defined with exactly ${arity} formal(s), but has ${this.#slots.length}`);
  }

  call(view: SpanView, args: readonly OttlValue[]): OttlValue | OttlError {
    for (let i = 0; i < this.#slots.length; i++) if (this.#slots[i]! >= 0) view.locals[this.#slots[i]!] = normalize(args[i]!);
    return this.#body.get(view);
  }

  /** The result as a bool. */
  test(view: SpanView, args: readonly OttlValue[]): boolean | OttlError {
    const result = this.call(view, args);
    if (result instanceof OttlError || typeof result === 'boolean') return result;
    if (result instanceof PValue && typeof result.held === 'boolean') return result.held;
    return new OttlError(`lambda expression must return a value of type bool, got ${typeName(result)}`);
  }

  /** The result as a string. */
  text(view: SpanView, args: readonly OttlValue[]): string | OttlError {
    const result = this.call(view, args);
    if (result instanceof OttlError || typeof result === 'string') return result;
    if (result instanceof PValue && typeof result.held === 'string') return result.held;
    return new OttlError(`lambda expression must return a value of type string, got ${typeName(result)}`);
  }
}

/** pdata values and typed slices as the plain values that expressions work with. */
export function normalize(value: OttlValue): OttlValue {
  if (value instanceof PValue) return value.held;
  if (value instanceof TypedSlice) return value.items;
  return value;
}
