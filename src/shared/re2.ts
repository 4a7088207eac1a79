/** Go's regular expressions: RE2 syntax, linear time, searched unanchored. The only importer of re2js. Both threads. */

import { RE2JS } from 're2js';

export interface Pattern {
  /** Whether the expression matches anywhere in the text. */
  matches(text: string): boolean;
  /** Names of the groups from the first on, '' for one without a name. */
  groupNames(): readonly string[];
  /** Texts of the groups, from the first on, of the leftmost match; null for a group that took no part, null altogether without a match. */
  groups(text: string): readonly (string | null)[] | null;
}

class Re2Pattern implements Pattern {
  readonly #compiled: RE2JS;
  constructor(compiled: RE2JS) {
    this.#compiled = compiled;
  }

  matches(text: string): boolean {
    return this.#compiled.test(text);
  }

  groupNames(): readonly string[] {
    const names = new Array<string>(this.#compiled.groupCount()).fill('');
    for (const [name, index] of Object.entries(this.#compiled.namedGroups())) names[index - 1] = name;
    return names;
  }

  groups(text: string): readonly (string | null)[] | null {
    const matcher = this.#compiled.matcher(text);
    if (!matcher.find()) return null;
    return Array.from({ length: this.#compiled.groupCount() }, (_, i) => matcher.group(i + 1));
  }
}

export type PatternOutcome =
  | { readonly kind: 'pattern'; readonly pattern: Pattern }
  | { readonly kind: 'faulty'; readonly message: string };

/** Errors: the message is Go's: "error parsing regexp: missing argument to repetition operator: `*`". */
export function compilePattern(expression: string): PatternOutcome {
  try {
    return { kind: 'pattern', pattern: new Re2Pattern(RE2JS.compile(expression)) };
  } catch (error) {
    return { kind: 'faulty', message: error instanceof Error ? error.message : String(error) };
  }
}
