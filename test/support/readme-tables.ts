/** The parts of the README that are made from data. Run by itself, this file writes them into it. */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { quirks } from '../../src/shared/quirks.ts';
import { componentsText, metricsText } from './component-tables.ts';

export const readmePath = fileURLToPath(new URL('../../README.md', import.meta.url));

const cell = (text: string) => text.replaceAll('|', '\\|');

/** Padded, as the formatter has it. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) => `| ${cells.map((text, column) => text.padEnd(widths[column]!)).join(' | ')} |\n`;
  const [head, ...body] = rows as [readonly string[], ...(readonly string[])[]];
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('');
}

function quirksTable(): string {
  const rows = quirks.map(({ collector, ringtail, restored }) => [cell(collector), cell(ringtail), restored ? 'back' : '']);
  return `\n${table([['the Collector v0.161', 'Ringtail', ''], ...rows])}\n`;
}

/** What stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->`. */
const regions: Readonly<Record<string, () => string>> = {
  quirks: quirksTable,
  components: () => `${componentsText(table)}\n`,
  metrics: () => `\n${metricsText(table)}\n`,
};

/** `readme` with what is made from data made anew. */
export function withTables(readme: string): string {
  return Object.entries(regions).reduce((text, [name, make]) => {
    const region = new RegExp(`(<!-- ${name}: begin -->\\n)[\\s\\S]*?(<!-- ${name}: end -->)`);
    return text.replace(region, (_, begin: string, end: string) => `${begin}${make()}${end}`);
  }, readme);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(readmePath, withTables(readFileSync(readmePath, 'utf8')));
