/** The program as people start it: arguments, exit codes, signals, reload. Real processes on loopback. */

import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { requestBytes, spanIdOf, traceIdOf } from '../support/otlp.ts';

const cli = fileURLToPath(new URL('../../src/main/cli.ts', import.meta.url));
const deadlineMs = 30_000;

class Ringtail {
  readonly process: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], environment: Record<string, string> = {}) {
    const options = { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'] };
    const child = spawn(process.execPath, ['--initial-heap-size=64', cli, ...args], options);
    child.stdout.on('data', (chunk: Buffer) => {
      this.stdout += chunk;
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk;
    });
    this.process = child;
    t.teardown(() => child.kill('SIGKILL'));
    this.ended = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
  }

  /** Waits until the log matches; the match. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    const endMs = performance.now() + deadlineMs;
    for (;;) {
      const found = pattern.exec(this.stderr);
      if (found !== null) return found;
      if (performance.now() > endMs || this.process.exitCode !== null) throw new Error(`never said ${pattern}:\n${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function finished(args: readonly string[]) {
  const run = new Ringtail(args);
  const { code } = await run.ended;
  return { code, stdout: run.stdout, stderr: run.stderr };
}

function configuration(exporter: string, more = ''): string {
  return `
receivers: {otlp: {protocols: {http: {endpoint: 127.0.0.1:0}}}}
processors: {batch: {timeout: 1h}}
exporters: {${exporter}}
extensions: {health_check: {endpoint: 127.0.0.1:0}}
service:
  extensions: [health_check]
  telemetry: {metrics: {level: none}${more}}
  pipelines: {traces: {receivers: [otlp], processors: [batch], exporters: [${exporter.split(':')[0]}]}}
`;
}

const body = Buffer.from(
  requestBytes(
    { 'service.name': 'shop' },
    { spans: [1, 2, 3].map((index) => ({ traceId: traceIdOf(1), spanId: spanIdOf(index), name: 'a' })) },
  ),
);

async function post(run: Ringtail): Promise<number> {
  const port = (await run.says(/"protocol":"http".*"port":(\d+)/))[1];
  const headers = { 'content-type': 'application/x-protobuf' };
  return (await fetch(`http://127.0.0.1:${port}/v1/traces`, { method: 'POST', headers, body })).status;
}

t.test('what cannot be run is refused with 2 and says where', async (t) => {
  const file = join(t.testdir({ 'bad.yaml': 'receivers:\n  otlp:\n    protocols: {grcp: }\n' }), 'bad.yaml');
  const [refused, missing, unknown, gate, version, valid] = await Promise.all([
    finished(['--config', file]),
    finished([]),
    finished(['--no-such-option']),
    finished(['--config', file, '--feature-gates=+nothing']),
    finished(['--version']),
    finished(['validate', `--config=yaml:${configuration('debug: ')}`]),
  ]);
  t.equal(refused.code, 2);
  t.match(refused.stderr, /bad\.yaml:3:\d+: .*grcp/);
  t.equal(missing.code, 2);
  t.match(missing.stderr, /--config/);
  t.equal(unknown.code, 2);
  t.equal(gate.code, 2);
  t.match(gate.stderr, /no such feature gate "nothing"/);
  t.match(version, { code: 0, stdout: /^ringtail version \d/ });
  t.equal(valid.code, 0, valid.stderr);
});

t.test('SIGTERM hands out what is held and ends with 0; --set and yaml: are sources', async (t) => {
  const run = new Ringtail([
    'run',
    `--config=yaml:${configuration('debug: {verbosity: basic}')}`,
    '--set',
    'exporters.debug.verbosity=normal',
  ]);
  const health = (await run.says(/Health check listens.*"port":(\d+)/))[1];
  await run.says(/Everything is ready/);
  t.equal((await fetch(`http://127.0.0.1:${health}/`)).status, 200);
  t.equal(await post(run), 200);
  t.notMatch(run.stderr, /"spans":3/, 'the batch is held');
  run.process.kill('SIGTERM');
  t.match(await run.ended, { code: 0 });
  t.match(run.stderr, /"spans":3/);
  t.match(run.stderr, /service\.name=shop/, 'the set value holds');
  t.match(run.stderr, /Shutdown complete.*"spansLost":0/);
});

t.test('a second signal does not wait, and the deadline bounds the first', async (t) => {
  const mute = createServer();
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const { port } = mute.address() as { port: number };
  const nobody = `otlp: {endpoint: "127.0.0.1:${port}", timeout: 60s, tls: {insecure: true}}`;
  const impatient = new Ringtail([`--config=yaml:${configuration(nobody)}`]);
  const patient = new Ringtail([`--config=yaml:${configuration(nobody)}`, '--shutdown-timeout=500ms']);
  t.equal(await post(impatient), 200);
  t.equal(await post(patient), 200);
  impatient.process.kill('SIGTERM');
  await impatient.says(/Starting shutdown/);
  impatient.process.kill('SIGTERM');
  t.match(await impatient.ended, { code: 143 });
  patient.process.kill('SIGINT');
  t.match(await patient.ended, { code: 0 });
  t.match(patient.stderr, /"spansLost":3/, 'what was lost is told');
  mute.close();
});

t.test('SIGHUP takes a good configuration, and refuses a bad one while the old keeps running', async (t) => {
  const file = join(t.testdir({ 'c.yaml': configuration('debug: ') }), 'c.yaml');
  const run = new Ringtail(['--config', file]);
  await run.says(/Everything is ready/);
  writeFileSync(file, 'receivers: [');
  run.process.kill('SIGHUP');
  await run.says(/new configuration is refused/);
  t.equal(await post(run), 200);
  writeFileSync(file, configuration('nop: ', ', logs: {encoding: json}'));
  run.process.kill('SIGHUP');
  await run.says(/"spans":3/);
  await run.says(/\{"level":"info".*"msg":"Everything is ready/);
  run.process.kill('SIGTERM');
  t.match(await run.ended, { code: 0 });
});

t.test('SIGTERM does not wait for reloads that have not begun', async (t) => {
  const mute = createServer();
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const nobody = `otlp: {endpoint: "127.0.0.1:${(mute.address() as { port: number }).port}", timeout: 60s, tls: {insecure: true}}`;
  const run = new Ringtail([`--config=yaml:${configuration(nobody)}`, '--shutdown-timeout=1s']);
  t.equal(await post(run), 200);
  run.process.kill('SIGHUP');
  await run.says(/Starting shutdown/);
  run.process.kill('SIGHUP');
  await new Promise((resolve) => setTimeout(resolve, 50));
  run.process.kill('SIGTERM');
  t.match(await run.ended, { code: 0 });
  t.notMatch(run.stderr.slice(run.stderr.indexOf('Received signal from OS')), /Configuration is read again/);
  mute.close();
});

t.test('a port that is taken is 1, a broken invariant is 3', async (t) => {
  const first = new Ringtail([`--config=yaml:${configuration('nop: ')}`], {
    NODE_OPTIONS: '--import "data:text/javascript,process.on(`SIGUSR2`,()=>{throw new Error(`provoked`)})"',
  });
  const port = (await first.says(/Health check listens.*"port":(\d+)/))[1];
  await first.says(/Everything is ready/);
  const second = await finished([`--config=yaml:${configuration('nop: ')}`, '--set', `extensions.health_check.endpoint=127.0.0.1:${port}`]);
  t.equal(second.code, 1);
  t.match(second.stderr, /cannot start extension .*health_check.*EADDRINUSE/);
  first.process.kill('SIGUSR2');
  t.match(await first.ended, { code: 3 });
  t.match(first.stderr, /Broken invariant.*provoked/);
});
