/** Writes what is generated in helm/ringtail: README.md and values.schema.json. Runs alone. */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { schemaOfValues } from './chart-schema.ts';
import { readValueRows, type ValueRow } from './chart-values.ts';

const chart = fileURLToPath(new URL('../ringtail/', import.meta.url));

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function valueTable(rows: readonly ValueRow[]): string {
  const lines = rows
    .filter((row) => !row.hasRows)
    .map((row) => `| \`${row.path.join('.')}\` | \`${cell(JSON.stringify(row.value))}\` | ${cell(row.description)} |`);
  return ['| key | default | what it is |', '|---|---|---|', ...lines].join('\n');
}

/** README.md is README.template.md with the tables in place of its markers. */
function readme(template: string, rows: readonly ValueRow[]): string {
  const part = (wanted: (row: ValueRow) => boolean) => valueTable(rows.filter(wanted));
  const tiers = ['router', 'sampler'];
  return template
    .replace(
      '<!-- values: chart -->',
      part((row) => !tiers.includes(row.path[0] as string)),
    )
    .replace(
      '<!-- values: router -->',
      part((row) => row.path[0] === 'router'),
    )
    .replace(
      '<!-- values: sampler -->',
      part((row) => row.path[0] === 'sampler'),
    );
}

/** The generated files, by name. */
export function generatedChartFiles(): ReadonlyMap<string, string> {
  const rows = readValueRows(readFileSync(`${chart}values.yaml`, 'utf8'));
  return new Map([
    ['README.md', readme(readFileSync(`${chart}README.template.md`, 'utf8'), rows)],
    ['values.schema.json', `${JSON.stringify(schemaOfValues(rows), null, 2)}\n`],
  ]);
}

/** Names of generated files that differ from what would be written. */
export function staleChartFiles(): readonly string[] {
  return [...generatedChartFiles()].filter(([name, text]) => readText(`${chart}${name}`) !== text).map(([name]) => name);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of generatedChartFiles()) writeFileSync(`${chart}${name}`, text);
}
