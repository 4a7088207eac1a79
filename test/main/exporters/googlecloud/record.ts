/**
 * Records what the Collector's googlecloud exporter makes of `everyCloudTrace`, for the tests beside this file:
 *
 *     node test/main/exporters/googlecloud/record.ts COLLECTOR
 *
 * COLLECTOR is a Collector v0.161 with the otlp receiver and the googlecloud exporter.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { everyCloudTrace, startCloudServer } from '../../../support/cloud-traces.ts';

const [collector] = process.argv.slice(2);
if (collector === undefined) throw new Error('which Collector?');

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function record(name: string, trace: object): Promise<void> {
  const cloud = await startCloudServer();
  const port = await freePort();
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    exporters: { googlecloud: { project: 'test-project', trace: { endpoint: `127.0.0.1:${cloud.port}`, use_insecure: true, ...trace } } },
    service: { telemetry: { metrics: { level: 'none' } }, pipelines: { traces: { receivers: ['otlp'], exporters: ['googlecloud'] } } },
  };
  const child = spawn(collector!, ['--config', `yaml:${JSON.stringify(config)}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  const post = () =>
    fetch(`http://127.0.0.1:${port}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: everyCloudTrace() as Uint8Array<ArrayBuffer>,
    }).catch(() => undefined);
  let response = await post();
  for (let attempt = 0; response === undefined && attempt < 100; attempt++) {
    await pause(100);
    response = await post();
  }
  if (response?.status !== 200) throw new Error(`the Collector answered ${response?.status}`);
  for (let waited = 0; cloud.calls.length < 2 && waited < 10_000; waited += 50) await pause(50);
  await pause(300);
  child.kill();
  await once(child, 'exit');
  cloud.stop();
  const framed = cloud.calls.flatMap(({ bytes }) => {
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(bytes.length);
    return [prefix, bytes];
  });
  writeFileSync(new URL(`../fixtures/${name}`, import.meta.url), gzipSync(Buffer.concat(framed), { level: 9 }));
  process.stdout.write(`${name}: ${cloud.calls.length} calls\n`);
}

await record('cloud-trace.bin.gz', {});
await record('cloud-trace-renamed.bin.gz', {
  attribute_mappings: [
    { key: 'http.path', replacement: 'path' },
    { key: 'k', replacement: 'renamed' },
  ],
});
