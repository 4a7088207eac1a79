/** One digest over what the golden files are rendered from, so that a stale one is found where no Helm is. For the chart's tests. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chartFolder, goldenCases, goldenFolder } from './render.ts';

export const sourcesDigestFile = join(goldenFolder, 'sources.sha256');

function sourceFiles(): readonly string[] {
  const templates = readdirSync(join(chartFolder, 'templates'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(yaml|tpl|txt)$/.test(name))
    .map((name) => join('templates', name));
  const files = readdirSync(join(chartFolder, 'files')).map((name) => join('files', name));
  const values = goldenCases().map(({ valuesFile }) => valuesFile.slice(chartFolder.length));
  return ['Chart.yaml', 'values.yaml', ...templates, ...files, ...values].sort();
}

export function sourcesDigest(): string {
  const hash = createHash('sha256');
  for (const name of sourceFiles()) hash.update(`${name}\0`).update(readFileSync(join(chartFolder, name)));
  return hash.digest('hex');
}
