/** A real process with a persistent queue, killed under load: every acknowledged span arrives, and only what was in flight arrives twice. */

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { GrpcStatus } from '../../src/main/pipeline/consume-outcome.ts';
import { newRequest, spansTaken, startSink, until } from '../exporters/exporter-rig.ts';

const cli = fileURLToPath(new URL('../../src/main/cli.ts', import.meta.url));
const consumers = 4;
const spansEach = 20;
const kills = 2;
/** Generous: the machine may be busy. */
const limitMs = 60_000;

interface Ringtail {
  readonly process: ChildProcess;
  readonly port: number;
  readonly ended: Promise<number | null>;
}

async function start(configuration: string): Promise<Ringtail> {
  const child = spawn(process.execPath, ['--initial-heap-size=64', cli, '--config', `yaml:${configuration}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const listening = (): RegExpExecArray | null => /"protocol":"http".*"port":(\d+)/.exec(log);
  await until(() => listening() !== null || child.exitCode !== null, 'the receiver', limitMs);
  const port = listening()?.[1];
  if (port === undefined) throw new Error(log);
  return { process: child, port: Number(port), ended };
}

t.test('a queue with storage survives SIGKILL under load', async (t) => {
  const directory = t.testdir({ queue: {} });
  const sink = await startSink(async (_request, call) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return call % 10 === 0 ? { code: GrpcStatus.unavailable } : 'ok';
  });
  const configuration = `
receivers: {otlp: {protocols: {http: {endpoint: 127.0.0.1:0}}}}
exporters:
  otlp_grpc:
    endpoint: ${sink.endpoint}
    tls: {insecure: true}
    sending_queue: {storage: file_storage, num_consumers: ${consumers}, queue_size: 100000}
    retry_on_failure: {initial_interval: 50ms, max_interval: 100ms, max_elapsed_time: 0}
extensions: {file_storage: {directory: ${join(directory, 'queue')}}}
service:
  extensions: [file_storage]
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], exporters: [otlp_grpc]}}
`;
  const acknowledged: string[] = [];
  let unanswered = 0;
  /** Posts until the process is gone; what it acknowledged counts. */
  const load = async (run: Ringtail): Promise<void> => {
    for (;;) {
      const { bytes, spanIds } = newRequest(spansEach, 1, 200);
      const headers = { 'content-type': 'application/x-protobuf' };
      const status = await fetch(`http://127.0.0.1:${run.port}/v1/traces`, { method: 'POST', headers, body: Buffer.from(bytes) }).then(
        (response) => response.arrayBuffer().then(() => response.status),
        () => 0,
      );
      if (status === 200) acknowledged.push(...spanIds);
      else unanswered++;
      if (run.process.exitCode !== null || run.process.signalCode !== null || status === 0) return;
    }
  };
  for (let kill = 0; kill < kills; kill++) {
    const run = await start(configuration);
    const before = acknowledged.length;
    const loads = Promise.all(Array.from({ length: 6 }, () => load(run)));
    await until(() => acknowledged.length - before > 150 * spansEach, 'load', limitMs);
    t.ok(run.process.kill('SIGKILL'));
    await Promise.all([run.ended, loads]);
  }
  const last = await start(configuration);
  const arrived = new Set<string>();
  let seen = 0;
  await until(
    () => {
      const news = sink.taken.slice(seen);
      seen += news.length;
      for (const spanId of spansTaken([{ ...sink, taken: news }])) arrived.add(spanId);
      return arrived.size >= acknowledged.length && acknowledged.every((spanId) => arrived.has(spanId));
    },
    'everything at the sink',
    limitMs,
  );
  last.process.kill('SIGTERM');
  t.equal(await last.ended, 0);
  const taken = spansTaken([sink]);
  const distinct = new Set(taken);
  const twice = (taken.length - distinct.size) / spansEach;
  t.ok(twice <= kills * consumers, `${twice} requests twice, of at most ${kills * consumers} in flight at the kills`);
  t.ok(distinct.size - acknowledged.length <= unanswered * spansEach, 'nothing arrives that was never sent');
  await sink.stop();
});
