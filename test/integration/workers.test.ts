/** `--workers N`: processes that share one port, are started again when they crash, and end together. Real processes on loopback. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { requestBytes, spanIdOf, traceIdOf } from '../support/otlp.ts';

const cli = fileURLToPath(new URL('../../src/main/cli.ts', import.meta.url));
const deadlineMs = 25_000;

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** Two ports in a row, for the metrics of two workers. */
async function freePair(): Promise<number> {
  for (;;) {
    const [port] = await freePorts(1);
    const next = createServer();
    const isFree = await new Promise<boolean>((resolve) =>
      next.once('error', () => resolve(false)).listen(port! + 1, '127.0.0.1', () => resolve(true)),
    );
    next.close();
    if (isFree) return port!;
  }
}

function start(args: readonly string[]) {
  const child: ChildProcess = spawn(process.execPath, ['--initial-heap-size=64', cli, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const run = { child, text: '', ended: once(child, 'close') as Promise<[number | null]> };
  child.stderr!.on('data', (chunk: Buffer) => {
    run.text += chunk;
  });
  return run;
}

async function until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > endMs) throw new Error(`never: ${what}`);
    await pause(50);
  }
}

const request = requestBytes({ 'service.name': 's' }, { scopeName: '', spans: [{ traceId: traceIdOf(1), spanId: spanIdOf(1) }] });

async function post(port: number): Promise<boolean> {
  const headers = { 'content-type': 'application/x-protobuf', connection: 'close' };
  return fetch(`http://127.0.0.1:${port}/v1/traces`, { method: 'POST', headers, body: request }).then(
    ({ status }) => status === 200,
    () => false,
  );
}

async function acceptedSpans(metricsPort: number): Promise<number> {
  const text = await fetch(`http://127.0.0.1:${metricsPort}/metrics`).then(
    (response) => response.text(),
    () => '',
  );
  return Number(/^otelcol_receiver_accepted_spans\S* (\d+)/m.exec(text)?.[1] ?? 0);
}

const configuration = (port: number, metricsPort: number, processors = '') => `yaml:
receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:${port}"}}}}
processors: {tail_sampling: {policies: [{name: all, type: always_sample}]}}
exporters: {nop: {}}
service:
  telemetry: {metrics: {address: "127.0.0.1:${metricsPort}"}}
  pipelines: {traces: {receivers: [otlp], processors: [${processors}], exporters: [nop]}}
`;

t.test('two workers share the port, one that is killed comes back, and SIGTERM ends both with 0', async (t) => {
  const [port] = await freePorts(1);
  const metricsPort = await freePair();
  const run = start(['--workers', '2', '--config', configuration(port!, metricsPort)]);
  t.teardown(() => run.child.kill('SIGKILL'));
  await until('both workers are ready', () => (run.text.match(/Everything is ready/g)?.length === 2 ? true : undefined));
  await until('both workers have taken spans', async () => {
    await post(port!);
    const counts = await Promise.all([acceptedSpans(metricsPort), acceptedSpans(metricsPort + 1)]);
    return counts.every((count) => count > 0) ? true : undefined;
  });
  const pids = [...run.text.matchAll(/"pid":(\d+)/g)].map((match) => Number(match[1]));
  t.equal(new Set(pids).size, 2, 'two processes');
  process.kill(pids[0]!, 'SIGKILL');
  await until('it is started again', () => (run.text.match(/Everything is ready/g)?.length === 3 ? true : undefined));
  t.match(run.text, /A worker ended unexpectedly and is started again/);
  t.equal(await until('it answers', async () => (await post(port!)) || undefined), true);
  run.child.kill('SIGTERM');
  t.same(await run.ended, [0, null]);
  t.equal(run.text.match(/Shutdown complete/g)?.length, 2, 'both drained');
});

t.test('workers end when their supervisor is killed', async (t) => {
  const [port] = await freePorts(1);
  const run = start(['--workers', '2', '--config', configuration(port!, await freePair())]);
  await until('both workers are ready', () => (run.text.match(/Everything is ready/g)?.length === 2 ? true : undefined));
  run.child.kill('SIGKILL');
  await until('both drained', () => (run.text.match(/Shutdown complete/g)?.length === 2 ? true : undefined));
  t.equal(await post(port!), false, 'nobody listens any more');
});

t.test('a configuration that holds traces, or is wrong, is refused with 2', async (t) => {
  const [port] = await freePorts(1);
  const sampler = start(['--workers', '2', '--config', configuration(port!, await freePair(), 'tail_sampling')]);
  t.same(await sampler.ended, [2, null]);
  t.match(sampler.text, /--workers is for routers/);
  const wrong = start(['--workers', '2', '--config', 'yaml:receivers: {nope: {}}']);
  t.same(await wrong.ended, [2, null]);
});
