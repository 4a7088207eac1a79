/** Small combinators for converters: read the arguments, answer the first error, else the function's result. Worker thread; built at compile time. */

import { dynamicGetter, type Getter } from '../getter.ts';
import { OttlError, type OttlValue } from '../values.ts';

export function map1<A>(a: Getter<A>, result: (a: A) => OttlValue | OttlError): Getter {
  return dynamicGetter((view) => {
    const first = a.get(view);
    return first instanceof OttlError ? first : result(first);
  });
}

/** Reads `a` before `b`. */
export function map2<A, B>(a: Getter<A>, b: Getter<B>, result: (a: A, b: B) => OttlValue | OttlError): Getter {
  return dynamicGetter((view) => {
    const first = a.get(view);
    if (first instanceof OttlError) return first;
    const second = b.get(view);
    return second instanceof OttlError ? second : result(first, second);
  });
}
