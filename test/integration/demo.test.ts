/** A small `ringtail demo` from the outside: real processes, real gRPC, and what it leaves behind. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const cli = fileURLToPath(new URL('../../src/main/cli.ts', import.meta.url));

function startDemo(...more: string[]): { child: ChildProcess; text: () => string; until: (pattern: RegExp) => Promise<void> } {
  const small = ['--backends', '3', '--routers', '2', '--traces', '6', '--decision-wait', '2s', '--free-ports'];
  const child = spawn(process.execPath, ['--initial-heap-size=64', cli, 'demo', ...small, ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  return {
    child,
    text: () => output,
    async until(pattern) {
      while (!pattern.test(output) && child.exitCode === null) await Promise.race([once(child.stdout!, 'data'), once(child, 'close')]);
    },
  };
}

t.test('traces are whole behind routers and broken without; Ctrl-C ends what was kept running', async (t) => {
  const json = join(t.testdir({}), 'figures.json');
  const { child, text, until } = startDemo('--keep', '--json', json);
  t.teardown(() => child.kill('SIGTERM'));
  await until(/Stop it all with/);
  t.match(text(), /Through the routers all 12 of 12 error and slow traces were kept whole/);
  const figures = JSON.parse(readFileSync(json, 'utf8')) as Record<string, Record<string, Record<string, number>>>;
  const whole = { sent: 90, kept: 90, traces: 6, whole: 6 };
  t.match(figures.dev, { error: whole, slow: whole, normal: { sent: 90 } });
  t.equal(figures.dev?.normal?.traces, figures.dev?.normal?.whole, 'no normal trace is broken either');
  const { error, slow } = figures.tst as { error: Record<string, number>; slow: Record<string, number> };
  t.ok(error.traces! - error.whole! + slow.traces! - slow.whole! > 0, 'without routers some are broken');
  const health = /Metrics: (http:\S+)\/metrics \(router 1\)/.exec(text())?.[1];
  t.match(await (await fetch(`${health}/metrics`)).text(), /otelcol_loadbalancer_num_backends\{.*\} 3\n/);
  child.kill('SIGINT');
  const [code] = (await once(child, 'close')) as [number];
  t.equal(code, 0, 'the demo had kept what it must');
  t.match(text(), /everything is ended\n$/);
  await t.rejects(fetch(`${health}/metrics`), 'the router is gone');
});

t.test('arguments that make no sense are refused before anything starts', async (t) => {
  const { child, text } = startDemo('--spans', '2');
  const [code] = (await once(child, 'close')) as [number];
  t.equal(code, 2);
  t.match(text(), /^error: --spans takes a whole number from 3 on/);
});
