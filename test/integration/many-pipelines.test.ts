/** Twenty-four pipelines in one process: twelve routers and twelve samplers side by side, over one arena and one pool of workers. */

import { createServer } from 'node:net';
import t from 'tap';
import { readConfiguration } from '../../src/main/config/read-configuration.ts';
import { OtlpGrpcExporter, otlpGrpcExporterType } from '../../src/main/exporters/otlp-grpc/otlp-grpc-exporter.ts';
import { componentTypes } from '../../src/main/pipeline/component-types.ts';
import { Graph } from '../../src/main/pipeline/graph.ts';
import { systemClock } from '../../src/shared/clock.ts';
import { configOf, newRequest, rigSettings, spansTaken, startSink } from '../exporters/exporter-rig.ts';

const pairs = 12;
/** An address of this process alone: a port found free on 127.0.0.1 may be somebody's outgoing connection a moment later. */
const host = `127.77.${(process.pid >> 8) & 255}.${Math.max(1, process.pid & 255)}`;

const given = new Set<number>();

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  if (given.has(port)) return freePort();
  given.add(port);
  return port;
}

t.test('twelve routers and twelve samplers work side by side in one process', async (t) => {
  const sink = await startSink();
  t.teardown(() => sink.stop());
  const routerPorts: number[] = [];
  const samplerPorts: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    routerPorts.push(await freePort());
    samplerPorts.push(await freePort());
  }
  const each = (line: (pair: number) => string): string => Array.from({ length: pairs }, (_, pair) => line(pair)).join('\n');
  const yaml = `
receivers:
${each((i) => `  otlp/r${i}: {protocols: {grpc: {endpoint: "${host}:${routerPorts[i]}"}}}\n  otlp/s${i}: {protocols: {grpc: {endpoint: "${host}:${samplerPorts[i]}"}}}`)}
processors:
${each((i) => `  tail_sampling/s${i}: {decision_wait: 300ms, policies: [{name: all, type: always_sample}]}`)}
exporters:
  otlp: {endpoint: "${sink.endpoint}", compression: none, tls: {insecure: true}, sending_queue: {enabled: false}}
${each((i) => `  loadbalancing/r${i}: {protocol: {otlp: {compression: none, tls: {insecure: true}}}, resolver: {static: {hostnames: ["${host}:${samplerPorts[i]}"]}}}`)}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
${each((i) => `    traces/r${i}: {receivers: [otlp/r${i}], exporters: [loadbalancing/r${i}]}\n    traces/s${i}: {receivers: [otlp/s${i}], processors: [tail_sampling/s${i}], exporters: [otlp]}`)}
`;
  const { configuration, faults } = await readConfiguration([`yaml:${yaml}`], componentTypes, { environment: {} });
  t.ok(configuration, faults.map(({ message }) => message).join('\n'));
  const { logger, metrics, prng, arena } = rigSettings({ arenaBytes: 256 * 1024 * 1024 });
  const shared = { metrics, clock: systemClock, prng, arena, version: '0', otelcolCompatibility: false, featureGates: new Set<string>() };
  const graph = new Graph(configuration!.graph, shared, logger);
  await graph.start();
  t.teardown(() => graph.stop());
  const spansEach = 40;
  const clients = routerPorts.map((port) => {
    const raw = { endpoint: `${host}:${port}`, compression: 'none', tls: { insecure: true }, sending_queue: { enabled: false } };
    return new OtlpGrpcExporter(rigSettings(), configOf(otlpGrpcExporterType.schema, raw));
  });
  for (const client of clients) {
    await client.start();
    const outcome = await client.consume(newRequest(spansEach / 4, 4));
    t.equal(outcome.kind, 'accepted');
  }
  const endMs = systemClock.monotonicMs() + 30_000;
  while (spansTaken([sink]).length < pairs * spansEach && systemClock.monotonicMs() < endMs)
    await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(new Set(spansTaken([sink])).size, pairs * spansEach, 'every span of every pipeline came out');
  t.equal(spansTaken([sink]).length, pairs * spansEach, 'once');
  for (const client of clients) await client.stop();
  const report = await graph.drain(systemClock.monotonicMs() + 10_000);
  t.equal(report.spansLost, 0);
});
