/**
 * Asks the real Collector what it decides and writes the answers down. Not a test: run by hand after changing the cases.
 *
 *     node test/conformance/record-decisions.ts PATH_OF_A_COLLECTOR_0.161
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { stringify } from 'yaml';
import { decodeSpans } from '../support/otlp.ts';
import { decisionCases, requestsOf } from './decision-cases.ts';

const collector = process.argv[2];
if (collector === undefined) throw new Error('name the program of a Collector with tail_sampling: record-decisions.ts PROGRAM');

const method = {
  path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  requestStream: false,
  responseStream: false,
  requestSerialize: (bytes: Buffer) => bytes,
  requestDeserialize: (bytes: Buffer) => bytes,
  responseSerialize: (bytes: Buffer) => bytes,
  responseDeserialize: (bytes: Buffer) => bytes,
};

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Span ids, as eight hex digits of their number, that came out of each case's pipeline. */
async function startSink(kept: Set<number>): Promise<{ port: number; stop(): void }> {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(
    { Export: method },
    {
      Export: (call: { request: Buffer }, done: (error: null, answer: Buffer) => void) => {
        for (const { span } of decodeSpans(call.request)) kept.add(Buffer.from(span.spanId as string, 'base64').readUInt32BE(4));
        done(null, Buffer.alloc(0));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  return { port, stop: () => server.forceShutdown() };
}

async function send(port: number, requests: readonly Uint8Array[]): Promise<void> {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const options = { deadline: Date.now() + 90_000 };
  await new Promise<void>((resolve, reject) => client.waitForReady(options.deadline, (error) => (error ? reject(error) : resolve())));
  for (const request of requests) {
    await new Promise<void>((resolve, reject) =>
      client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        Buffer.from(request),
        new grpc.Metadata(),
        options,
        (error) => (error ? reject(error) : resolve()),
      ),
    );
  }
  client.close();
}

const kept = decisionCases.map(() => new Set<number>());
const sinks = await Promise.all(kept.map(startSink));
const ports: number[] = [];
for (const _ of decisionCases) ports.push(await freePort());
const of = <Value>(value: (index: number) => Value): Record<string, Value> =>
  Object.fromEntries(decisionCases.map((_, index) => [`c${index}`, value(index)]));
const named = <Value>(type: string, blocks: Record<string, Value>): Record<string, Value> =>
  Object.fromEntries(Object.entries(blocks).map(([name, block]) => [`${type}/${name}`, block]));
const config = {
  receivers: named(
    'otlp',
    of((i) => ({ protocols: { grpc: { endpoint: `127.0.0.1:${ports[i]}` } } })),
  ),
  processors: named(
    'tail_sampling',
    of((i) => ({ decision_wait: '2s', ...decisionCases[i]!.processor })),
  ),
  exporters: named(
    'otlp',
    of((i) => ({ endpoint: `127.0.0.1:${sinks[i]!.port}`, compression: 'none', tls: { insecure: true } })),
  ),
  service: {
    telemetry: { metrics: { level: 'none' }, logs: { level: 'error' } },
    pipelines: named(
      'traces',
      of((i) => ({ receivers: [`otlp/c${i}`], processors: [`tail_sampling/c${i}`], exporters: [`otlp/c${i}`] })),
    ),
  },
};
const folder = await mkdtemp(join(tmpdir(), 'ringtail-conformance-'));
await writeFile(join(folder, 'config.yaml'), stringify(config, { lineWidth: 0 }));
const child = spawn(collector, ['--config', join(folder, 'config.yaml')], { stdio: ['ignore', 'inherit', 'inherit'] });
await Promise.all(decisionCases.map((_, index) => send(ports[index]!, requestsOf(index + 1))));
await new Promise((resolve) => setTimeout(resolve, 5_000));
child.kill('SIGTERM');
await once(child, 'exit');
for (const sink of sinks) sink.stop();
const facts = decisionCases.map(({ name, processor }, index) => ({
  name,
  seed: index + 1,
  processor,
  kept: [...kept[index]!].map((id) => id - (index + 1) * 100_000).sort((left, right) => left - right),
}));
const lines = facts.map((fact) => JSON.stringify(fact)).join(',\n');
await writeFile(new URL('./fixtures/decisions.json', import.meta.url), `{"collector":"0.161.0","cases":[\n${lines}\n]}\n`);
