/** What lies under the calls of otlp_grpc: every compression, TLS, unix sockets and keepalive, against real servers. */

import { Buffer } from 'node:buffer';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerCredentials } from '@grpc/grpc-js';
import t from 'tap';
import { parseGrpcTarget } from '../../src/main/exporters/otlp-grpc/grpc-target.ts';
import { Http2Client } from '../../src/main/exporters/otlp-grpc/http2-client.ts';
import { OtlpGrpcExporter, otlpGrpcExporterType } from '../../src/main/exporters/otlp-grpc/otlp-grpc-exporter.ts';
import { GrpcStatus } from '../../src/main/pipeline/consume-outcome.ts';
import { decompress, type Encoding } from '../../src/main/transport/compression/decompress.ts';
import { selfSigned } from '../support/self-signed.ts';
import { configOf, newRequest, rigSettings, startSink, until } from './exporter-rig.ts';

const alive = setInterval(() => {}, 1_000);
t.teardown(() => clearInterval(alive));

const direct = { sending_queue: { enabled: false }, retry_on_failure: { enabled: false } };

async function exporterTo(endpoint: string, more: object = {}): Promise<OtlpGrpcExporter> {
  const config = configOf(otlpGrpcExporterType.schema, { endpoint, ...direct, ...more });
  const faults = otlpGrpcExporterType.check!(config, { type: 'otlp_grpc', name: '', text: 'otlp_grpc' });
  if (faults.length > 0) throw new Error(JSON.stringify(faults));
  const exporter = new OtlpGrpcExporter(rigSettings(), config);
  await exporter.start();
  return exporter;
}

interface RawServer {
  readonly server: Http2Server;
  readonly endpoint: string;
  readonly calls: { readonly encoding: string | undefined; readonly flag: number; readonly message: Buffer }[];
}

/** Keeps messages as they came. */
async function startRawServer(): Promise<RawServer> {
  const calls: RawServer['calls'][number][] = [];
  const server = createServer();
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('end', () => {
      const body = Buffer.concat(parts);
      calls.push({ encoding: headers['grpc-encoding'] as string | undefined, flag: body[0]!, message: body.subarray(5) });
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, calls, endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

for (const compression of ['gzip', 'zstd', 'snappy', 'none']) {
  t.test(`compression: ${compression}`, async (t) => {
    const { server, calls, endpoint } = await startRawServer();
    const exporter = await exporterTo(endpoint, { tls: { insecure: true }, compression });
    // One that is compressed on the spot, and one that is large.
    for (const request of [newRequest(2, 2, 300), newRequest(2_000, 4, 300)]) {
      t.same(await exporter.consume(request), { kind: 'accepted' });
      const { encoding, flag, message } = calls.pop()!;
      if (compression === 'none') {
        t.equal(encoding, undefined);
        t.equal(flag, 0);
        t.ok(message.equals(request.bytes));
      } else {
        t.equal(encoding, compression);
        t.equal(flag, 1);
        t.ok(message.length < request.bytes.length / 2);
        // The Collector's gRPC knows snappy in its framed form.
        const form: Encoding = compression === 'snappy' ? 'x-snappy-framed' : (compression as Encoding);
        t.ok((await decompress(form, message, 1 << 30)).equals(request.bytes));
      }
    }
    await exporter.stop();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
}

t.test('TLS', async (t) => {
  const own = selfSigned('sampler.test', { hosts: ['sampler.test'], addresses: ['127.0.0.1'] });
  const client = selfSigned('router.test');
  const server = (more: { cert: string; key: string } = own, clientCa?: string) =>
    startSink(
      undefined,
      0,
      ServerCredentials.createSsl(
        clientCa === undefined ? null : Buffer.from(clientCa),
        [{ private_key: Buffer.from(more.key), cert_chain: Buffer.from(more.cert) }],
        clientCa !== undefined,
      ),
    );
  const answerOf = async (endpoint: string, tls: object) => {
    const exporter = await exporterTo(endpoint, { tls, timeout: '3s' });
    const outcome = await exporter.consume(newRequest(1, 1));
    await exporter.stop();
    return outcome;
  };
  const sink = await server();
  t.same(await answerOf(sink.endpoint, { ca_pem: own.cert }), { kind: 'accepted' }, 'by the address in the certificate');
  t.same(await answerOf(sink.endpoint, { ca_pem: own.cert, server_name_override: 'sampler.test' }), { kind: 'accepted' }, 'by a name');
  t.same(
    await answerOf(`https://${sink.endpoint}`, { ca_pem: own.cert, insecure: true }),
    { kind: 'accepted' },
    'https:// wins over insecure',
  );
  t.same(await answerOf(sink.endpoint, { insecure_skip_verify: true }), { kind: 'accepted' });
  t.match(await answerOf(sink.endpoint, {}), { kind: 'refused', retryable: true, code: GrpcStatus.unavailable, message: /self-signed/ });
  t.match(await answerOf(sink.endpoint, { ca_pem: own.cert, server_name_override: 'other.test' }), {
    kind: 'refused',
    message: /does not match|altnames/,
  });
  t.match(await answerOf(sink.endpoint, { insecure: true }), { kind: 'refused', retryable: true }, 'plain text to a TLS port');
  const mutual = await server(own, client.cert);
  t.same(
    await answerOf(mutual.endpoint, { ca_pem: own.cert, cert_pem: client.cert, key_pem: client.key }),
    { kind: 'accepted' },
    'with a client certificate',
  );
  t.match(await answerOf(mutual.endpoint, { ca_pem: own.cert }), { kind: 'refused', retryable: true }, 'without one');
  await Promise.all([sink.stop(), mutual.stop()]);
});

t.test('TLS to a name with several addresses is checked against the name', async (t) => {
  const own = selfSigned('localhost', { hosts: ['localhost'], addresses: ['192.0.2.1'] });
  const sink = await startSink(
    undefined,
    0,
    ServerCredentials.createSsl(null, [{ private_key: Buffer.from(own.key), cert_chain: Buffer.from(own.cert) }]),
  );
  const exporter = await exporterTo(`localhost:${sink.port}`, { tls: { ca_pem: own.cert } });
  t.same(await exporter.consume(newRequest(1, 1)), { kind: 'accepted' });
  await exporter.stop();
  await sink.stop();
});

t.test('a unix socket, under both of its spellings', async (t) => {
  // The path of a socket may have 107 bytes, which a test's own directory can exceed.
  const directory = mkdtempSync(join(tmpdir(), 'ringtail-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'otlp.sock');
  const sink = await startSink(undefined, 0, ServerCredentials.createInsecure(), `unix:${path}`);
  for (const endpoint of [`unix://${path}`, `unix:${path}`]) {
    const exporter = await exporterTo(endpoint, { tls: { insecure: true } });
    t.same(await exporter.consume(newRequest(1, 1)), { kind: 'accepted' });
    await exporter.stop();
  }
  t.equal(sink.taken.length, 2);
  await sink.stop();
});

t.test('keepalive ends a connection that has gone silent under a call, and the next one works', async (t) => {
  const sink = await startSink();
  let frozen = false;
  const sockets = new Set<Socket>();
  const proxy = createTcpServer((near) => {
    const far = connect(sink.port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => to.destroy());
      from.on('data', (bytes) => void (frozen || to.write(bytes)));
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const target = parseGrpcTarget(`127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  if (target.kind === 'fault') throw new Error(target.message);
  const options = {
    target,
    tls: undefined,
    encoding: 'identity',
    authority: '',
    userAgent: '',
    waitForReady: true,
    reconnectMsMax: 1_000,
  } as const;
  const client = new Http2Client(rigSettings(), { ...options, keepalive: { timeMs: 100, timeoutMs: 200, permitWithoutStream: false } });
  const { bytes } = newRequest(1, 1);
  const call = () => client.export([bytes], bytes.length, performance.now() + 15_000, []);
  t.match(await call(), { status: 0 });
  await new Promise((resolve) => setTimeout(resolve, 400));
  t.equal(client.ready(), true, 'answered pings keep it');
  frozen = true;
  t.match(await call(), { status: GrpcStatus.unavailable }, 'long before the deadline of the call');
  frozen = false;
  t.match(await call(), { status: 0 });
  await client.close();
  await until(() => [...sockets].every((socket) => socket.destroyed), 'the connections end');
  await new Promise<void>((resolve) => proxy.close(() => resolve()));
  await sink.stop();
});

t.test('keepalive without a call is only for those who ask for it', async (t) => {
  let pings = 0;
  const server = createServer();
  server.on('session', (session) => session.on('ping', () => pings++));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const target = parseGrpcTarget(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  if (target.kind === 'fault') throw new Error(target.message);
  const options = {
    target,
    tls: undefined,
    encoding: 'identity',
    authority: '',
    userAgent: '',
    waitForReady: false,
    reconnectMsMax: 1_000,
  } as const;
  const clientWith = (permitWithoutStream: boolean) =>
    new Http2Client(rigSettings(), { ...options, keepalive: { timeMs: 20, timeoutMs: 5_000, permitWithoutStream } });
  const quiet = clientWith(false);
  quiet.connect();
  await until(() => quiet.ready(), 'a connection');
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.equal(pings, 0);
  const chatty = clientWith(true);
  chatty.connect();
  await until(() => pings >= 2, 'pings');
  await Promise.all([quiet.close(), chatty.close()]);
  await new Promise<void>((resolve) => server.close(() => resolve()));
});
