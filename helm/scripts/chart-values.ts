/** Reads the chart's values.yaml with its comments: what README.md and values.schema.json are generated from. Runs alone. */

import { parse } from 'yaml';

export interface ValueRow {
  readonly path: readonly string[];
  readonly value: unknown;
  /** The text after `# --`; empty where a map is only a heading. */
  readonly description: string;
  /** Whether the rows below it describe what it holds. */
  readonly hasRows: boolean;
}

/**
 * Shape: one row per commented key, in file order; a map whose keys have comments of their own is a row too.
 * Errors: throws for a key that nobody described.
 */
export function readValueRows(text: string): readonly ValueRow[] {
  const values = parse(text) as Record<string, unknown>;
  const lines = text.split('\n');
  const rows: { path: string[]; description: string }[] = [];
  const above: { indent: number; key: string; described: boolean }[] = [];
  let comment: string | undefined;
  for (const line of lines) {
    const described = /^\s*# -- (.*)$/.exec(line);
    if (described !== null) {
      comment = described[1] as string;
      continue;
    }
    const key = /^(\s*)([A-Za-z][\w-]*):(\s|$)/.exec(line);
    if (key === null) continue;
    const indent = (key[1] as string).length;
    while (above.length > 0 && (above.at(-1) as { indent: number }).indent >= indent) above.pop();
    // Keys below a described one belong to its example value.
    if (above.some((parent) => parent.described)) continue;
    above.push({ indent, key: key[2] as string, described: comment !== undefined });
    rows.push({ path: above.map((parent) => parent.key), description: comment ?? '' });
    comment = undefined;
  }
  return rows.map(({ path, description }) => {
    const value = path.reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], values);
    const hasRows = description === '' && typeof value === 'object' && value !== null;
    if (description === '' && !hasRows) throw new Error(`values.yaml: ${path.join('.')} has no "# --" description`);
    return { path, value, description, hasRows };
  });
}
