/** Runs the tests and ends with one plain line: `N passed, N failed`. Arguments go to tap. */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const tap = spawn('tap', ['run', '--reporter=tap', ...process.argv.slice(2)], { stdio: ['ignore', 'pipe', 'inherit'] });
let passed = 0;
let failed = 0;
/** Lines of the test file under way; printed only when it fails. */
let held: string[] = [];

createInterface({ input: tap.stdout }).on('line', (line) => {
  const totals = /^# \{ total: \d+(.*)\}$/.exec(line);
  if (totals !== null) {
    passed = Number(/pass: (\d+)/.exec(totals[1] as string)?.[1] ?? 0);
    failed = Number(/fail: (\d+)/.exec(totals[1] as string)?.[1] ?? 0);
    return;
  }
  held.push(line);
  if (!/^(not )?ok /.test(line)) return;
  process.stdout.write(`${(line.startsWith('ok') ? [line] : held).join('\n')}\n`);
  held = [];
});

tap.on('close', (code) => {
  if (code !== 0) {
    process.stdout.write(`${held.join('\n')}\n`);
    if (failed === 0) failed = 1;
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
});
