import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { requestBytes, spanIdOf, traceIdOf } from '../support/otlp.ts';

const build = fileURLToPath(new URL('../../.ci/build-dist.ts', import.meta.url));
const deadlineMs = 40_000;

t.test('what is built runs without a .ts file: a sampler with a worker thread decides and ends', async (t) => {
  const folder = t.testdir();
  const dist = join(folder, 'dist');
  const made = spawnSync(process.execPath, [build, dist], { encoding: 'utf8' });
  t.equal(made.status, 0, `${made.stdout}${made.stderr}`);
  const names = readdirSync(dist, { recursive: true, encoding: 'utf8' });
  t.same(
    names.filter((name) => name.endsWith('.ts')),
    [],
  );
  for (const name of names.filter((each) => each.endsWith('.js'))) {
    for (const [, started] of readFileSync(join(dist, name), 'utf8').matchAll(
      /new URL\(\s*['"](\.{1,2}\/[^'"]+)['"],\s*import\.meta\.url/g,
    )) {
      t.ok(existsSync(join(dist, name, '..', started as string)), `${name} starts or reads ${started}, which is there`);
    }
  }

  const cli = join(dist, 'src/main/cli.js');
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  t.match(spawnSync(process.execPath, [cli, '--version'], { encoding: 'utf8' }).stdout, version);

  const config = join(folder, 'sampler.yaml');
  writeFileSync(
    config,
    `receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:0'}}}}
processors: {tail_sampling: {decision_wait: 200ms, workers: 1, policies: [{name: all, type: always_sample}]}}
exporters: {nop: {}}
service:
  telemetry: {metrics: {readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: 0}}}}]}}
  pipelines: {traces: {receivers: [otlp], processors: [tail_sampling], exporters: [nop]}}
`,
  );
  const child = spawn(process.execPath, ['--initial-heap-size=64', cli, '--config', config, '--arena-mib', '32']);
  t.teardown(() => child.kill('SIGKILL'));
  let log = '';
  child.stderr.on('data', (chunk) => (log += chunk));
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  const eventually = async <Found>(look: () => Promise<Found | undefined>): Promise<Found> => {
    const endMs = performance.now() + deadlineMs;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (performance.now() > endMs || child.exitCode !== null) throw new Error(`not in time:\n${log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const port = await eventually(async () => /Listening for OTLP\..*"port":(\d+)/.exec(log)?.[1]);
  const metrics = await eventually(async () => /"addresses":\["([^"]+)"/.exec(log)?.[1]);
  const body = Buffer.from(requestBytes({}, { spans: [{ traceId: traceIdOf(1), spanId: spanIdOf(1) }] }));
  const answer = await fetch(`http://127.0.0.1:${port}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body,
  });
  t.equal(answer.status, 200);
  const exported = await eventually(
    async () => /^ringtail_account_exported_spans\{.*\} ([1-9]\d*)$/m.exec(await (await fetch(`http://${metrics}/metrics`)).text())?.[1],
  );
  t.equal(exported, '1');
  child.kill('SIGTERM');
  t.equal(await closed, 0, log);
});
