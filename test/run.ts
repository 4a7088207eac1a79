/** Runs the tests and ends with one plain line: `N passed, N failed`. Arguments go to tap. */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const tap = spawn('tap', ['run', '--reporter=terse', '--color=no', ...process.argv.slice(2)], { stdio: ['ignore', 'pipe', 'inherit'] });
let passed = 0;
let failed = 0;

// The reporter redraws its counters; only lines that stay are of use in a log.
const isRedrawn = (line: string) => line.includes('\u001b[') || /^(Asserts|Suites): /.test(line);

createInterface({ input: tap.stdout }).on('line', (line) => {
  const totals = /^# \{ total: \d+(.*)\}$/.exec(line.trim());
  if (totals === null) {
    if (!isRedrawn(line)) process.stdout.write(`${line}\n`);
    return;
  }
  passed = Number(/pass: (\d+)/.exec(totals[1] as string)?.[1] ?? 0);
  failed = Number(/fail: (\d+)/.exec(totals[1] as string)?.[1] ?? 0);
});

tap.on('close', (code) => {
  if (code !== 0 && failed === 0) failed = 1;
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
});
