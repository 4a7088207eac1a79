/** Go's regular expressions: RE2 syntax, linear time, searched unanchored. The only importer of re2js. Both threads. */

import { RE2JS } from 're2js';

export interface Pattern {
  /** Whether the expression matches anywhere in the text. */
  matches(text: string): boolean;
}

export type PatternOutcome =
  | { readonly kind: 'pattern'; readonly pattern: Pattern }
  | { readonly kind: 'faulty'; readonly message: string };

/** Errors: the message is Go's: "error parsing regexp: missing argument to repetition operator: `*`". */
export function compilePattern(expression: string): PatternOutcome {
  try {
    const compiled = RE2JS.compile(expression);
    return { kind: 'pattern', pattern: { matches: (text) => compiled.test(text) } };
  } catch (error) {
    return { kind: 'faulty', message: error instanceof Error ? error.message : String(error) };
  }
}
