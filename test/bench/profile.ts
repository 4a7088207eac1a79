/**
 * Writes a CPU profile of one bench case: `npm run profile -- CASE`, into CASE.cpuprofile in the working directory (open it in a browser's developer tools).
 * It shows JavaScript; what the kernel and node's own code cost it books as idle or native. For those, `perf`: see README.md beside this file.
 */

import { mkdtempSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchCases, measure } from './run.ts';
import { measureTier, ringtail } from './tier/measure-tier.ts';
import { tierCases } from './tier/tier-case.ts';

const fileOf = (name: string) => `${name.replaceAll(/[^a-z0-9]+/gi, '-')}.cpuprofile`;

async function main(pattern: string | undefined): Promise<void> {
  if (pattern === undefined) throw new Error('which case? npm run profile -- CASE');
  const tier = tierCases.find(({ name }) => name.includes(pattern));
  if (tier !== undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'ringtail-profile-'));
    await measureTier(tier, ringtail('--cpu-prof', `--cpu-prof-dir=${folder}`), { timeScale: 1 });
    // One file per thread; workers have a higher thread number in the fourth part of the name.
    for (const [index, name] of readdirSync(folder).sort().entries()) {
      const file = fileOf(index === 0 ? tier.name : `${tier.name} thread ${index}`);
      renameSync(join(folder, name), file);
      process.stdout.write(`${file}\n`);
    }
    return;
  }
  const [bench] = await benchCases(pattern);
  if (bench === undefined) throw new Error(`no case has "${pattern}" in its name`);
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.start');
  await measure(bench, 30);
  const { profile } = await session.post('Profiler.stop');
  writeFileSync(fileOf(bench.name), JSON.stringify(profile));
  process.stdout.write(`${fileOf(bench.name)}\n`);
}

await main(process.argv[2]);
