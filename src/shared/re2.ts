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

/** Stands in a group's name before a number, where the name was taken already. */
const takenMark = '__taken';

/** Go lets several groups have one name, re2js does not: all but the first get a number. */
function numberTakenNames(expression: string): string {
  const taken = new Set<string>();
  return expression.replace(/\\[\s\S]|\(\?P?<([A-Za-z_]\w*)>/g, (whole, name: string | undefined) => {
    if (name === undefined || !taken.has(name)) {
      if (name !== undefined) taken.add(name);
      return whole;
    }
    const free = `${name}${takenMark}${taken.size}`;
    taken.add(free);
    return `(?P<${free}>`;
  });
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
    for (const [name, index] of Object.entries(this.#compiled.namedGroups())) names[index - 1] = name.split(takenMark)[0]!;
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
    return { kind: 'pattern', pattern: new Re2Pattern(RE2JS.compile(numberTakenNames(expression))) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // Go names the faulty piece here too, though it is empty.
    return { kind: 'faulty', message: message.endsWith('trailing backslash at end of expression') ? `${message}: \`\`` : message };
  }
}
