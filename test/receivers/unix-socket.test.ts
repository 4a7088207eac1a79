/** Both listeners on unix sockets, and our own exporter's client on the other side. */

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { otlpGrpcExporterType } from '../../src/main/exporters/otlp-grpc/otlp-grpc-exporter.ts';
import { componentRig, configOf } from '../support/component-rig.ts';
import { requestBytes, spanIdOf, traceIdOf } from '../support/otlp.ts';
import { startReceiver } from './receiver-rig.ts';

const small = Buffer.from(requestBytes({ 'service.name': 'a' }, { spans: [{ traceId: traceIdOf(1), spanId: spanIdOf(1) }] }));

t.test('serves gRPC and HTTP on unix sockets, and leaves no socket behind', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringtail-unix-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const paths = { grpc: join(folder, 'grpc.sock'), http: join(folder, 'http.sock') };
  const on = (endpoint: string) => ({ endpoint, transport: 'unix' });
  const rig = await startReceiver({ grpc: on(paths.grpc), http: on(paths.http) });
  t.match(rig.receiver.address('grpc'), { path: paths.grpc });
  await t.rejects(startReceiver({ grpc: on(paths.grpc) }), { code: 'LISTEN_FAILED', message: new RegExp(paths.grpc) });

  const { settings } = componentRig('otlp_grpc');
  const raw = { endpoint: `unix://${paths.grpc}`, tls: { insecure: true }, sending_queue: { enabled: false } };
  const exporter = otlpGrpcExporterType.create(settings, configOf(otlpGrpcExporterType.schema, raw));
  await exporter.start();
  t.match(await exporter.consume({ bytes: small, spanCount: 1 }), { kind: 'accepted' });
  await exporter.drain(settings.clock.monotonicMs() + 5_000);
  await exporter.stop();

  const status = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { 'content-type': 'application/x-protobuf' };
    const sending = request({ socketPath: paths.http, path: '/v1/traces', method: 'POST', headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sending.on('error', reject);
    sending.end(small);
  });
  t.equal(status, 200);
  t.same(
    rig.seen.map(({ bytes }) => bytes.equals(small)),
    [true, true],
  );
  await rig.receiver.drain(settings.clock.monotonicMs() + 5_000);
  await rig.receiver.stop();
  t.notOk(existsSync(paths.grpc) || existsSync(paths.http));
});
