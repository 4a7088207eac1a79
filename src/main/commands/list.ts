/** `ringtail components` and `ringtail featuregate`: what is built in, in the Collector's forms. Main thread. */

import { componentTypes } from '../pipeline/component-types.ts';
import { featureGates } from '../pipeline/feature-gates.ts';

const kinds = ['receiver', 'processor', 'exporter', 'extension'] as const;

/** YAML, as the Collector's `components` prints it. */
export function componentsText(version: string): string {
  const lines = ['buildinfo:', '    command: ringtail', '    description: two-tier tail sampler', `    version: ${version}`];
  for (const kind of kinds) {
    lines.push(`${kind}s:`);
    const types = componentTypes.filter((type) => type.kind === kind).sort((a, b) => (a.type < b.type ? -1 : 1));
    for (const { type, aliases } of types) {
      lines.push(`    - name: ${type}`);
      if (aliases !== undefined && aliases.length > 0) lines.push(`      aliases: [${aliases.join(', ')}]`);
      if (kind !== 'extension') lines.push('      stability:', '        traces: Beta');
    }
  }
  return `${lines.join('\n')}\n`;
}

/** A table, as the Collector's `featuregate` prints it. */
export function featureGatesText(): string {
  const header = ['ID', 'Enabled', 'Stage', 'Description'];
  const rows = featureGates.map(({ id, enabled, stage, description }) => [id, String(enabled), stage, description]);
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] as string).length)));
  return [header, ...rows]
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] as number))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
