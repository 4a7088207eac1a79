/** `npm run test:chart`: the chart's tests that need a real Helm, and those that do not. `--update` writes the golden files. Ends with one plain line. */

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { helmPrograms, helmRunsHere } from './tools.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));

function main(): number {
  if (!helmRunsHere) {
    process.stdout.write('The pinned Helm programs are for Linux on x86-64; the chart is not tested here.\n');
    return 0;
  }
  helmPrograms();
  const files = readdirSync(folder).filter((name) => /\.(helm|test)\.ts$/.test(name));
  // The golden files first: with --update the others judge what it wrote.
  files.sort((a, b) => Number(b === 'golden.helm.ts') - Number(a === 'golden.helm.ts'));
  let passed = 0;
  let failed = 0;
  for (const file of files) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [`${folder}${file}`, ...process.argv.slice(2)], {
      encoding: 'utf8',
      // A busy machine renders slowly, and some tests render hundreds of times.
      env: { ...process.env, TAP_TIMEOUT: '600' },
      maxBuffer: 2 ** 28,
    });
    const totals = /^# \{ total: \d+, pass: (\d+)(?:, fail: (\d+))?/m.exec(stdout);
    const failures = Number(totals?.[2] ?? (status === 0 ? 0 : 1));
    passed += Number(totals?.[1] ?? 0);
    failed += failures;
    const lines = stdout.split('\n').filter((line) => /^(not )?ok |^# not checked/.test(line));
    process.stdout.write(`${file}\n${(failures === 0 ? lines : [stdout, stderr]).map((line) => `  ${line}`).join('\n')}\n`);
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = main();
