/** The contract of the gRPC client, held by both implementations against real servers. */

import { Buffer } from 'node:buffer';
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer, type Socket } from 'node:net';
import t from 'tap';
import type { GrpcClientFactory } from '../../src/main/exporters/otlp-grpc/create-grpc-client.ts';
import type { GrpcClientOptions } from '../../src/main/exporters/otlp-grpc/grpc-client-options.ts';
import { GrpcJsClient } from '../../src/main/exporters/otlp-grpc/grpc-js-client.ts';
import { parseGrpcTarget } from '../../src/main/exporters/otlp-grpc/grpc-target.ts';
import { percentDecoded } from '../../src/main/exporters/otlp-grpc/http2-call.ts';
import { Http2Client, timeoutText } from '../../src/main/exporters/otlp-grpc/http2-client.ts';
import { GrpcStatus } from '../../src/main/pipeline/consume-outcome.ts';
import { concat, lengthField, utf8, varintField } from '../support/otlp.ts';
import { newRequest, rigSettings, startSink, until } from './exporter-rig.ts';

const clients: Record<string, GrpcClientFactory> = {
  'node:http2': (settings, options) => new Http2Client(settings, options),
  'grpc-js': (settings, options) => new GrpcJsClient(settings, options),
};

function optionsFor(endpoint: string, more: Partial<GrpcClientOptions> = {}): GrpcClientOptions {
  const target = parseGrpcTarget(endpoint);
  if (target.kind === 'fault') throw new Error(target.message);
  return {
    target,
    tls: undefined,
    encoding: 'identity',
    authority: '',
    userAgent: 'test/1',
    keepalive: undefined,
    waitForReady: false,
    reconnectMsMax: 2_000,
    ...more,
  };
}

const inMs = (ms: number): number => performance.now() + ms;

for (const [name, create] of Object.entries(clients)) {
  t.test(name, async (t) => {
    t.test('delivers the concatenation of the chunks, out of shared memory too', async (t) => {
      const sink = await startSink();
      const settings = rigSettings();
      const client = create(settings, optionsFor(sink.endpoint));
      client.connect();
      const { bytes } = newRequest(40, 3);
      const block = settings.arena.acquire(bytes.length)!;
      block.bytes.set(bytes);
      const half = bytes.length >>> 1;
      const chunks = [block.bytes.subarray(0, half), block.bytes.subarray(half, bytes.length)];
      t.same(await client.export(chunks, bytes.length, inMs(5_000), [['x-tenant', 'a']]), { status: 0, message: '' });
      t.same(sink.taken[0], Buffer.from(bytes));
      t.same(sink.headers!.get('x-tenant'), ['a']);
      t.match(String(sink.headers!.get('user-agent')), /^test\/1/);
      t.equal(client.ready(), true);
      await client.close();
      t.equal(client.ready(), false);
      await sink.stop();
    });

    t.test('delivers megabytes and many calls at once', async (t) => {
      const sink = await startSink();
      const client = create(rigSettings(), optionsFor(sink.endpoint));
      const { bytes } = newRequest(2, 1, 1_500_000);
      const outcomes = await Promise.all(Array.from({ length: 8 }, () => client.export([bytes], bytes.length, inMs(15_000), [])));
      t.ok(outcomes.every((outcome) => outcome.status === 0));
      t.equal(sink.taken.length, 8);
      t.ok(sink.taken.every((request) => request.equals(bytes)));
      await client.close();
      await sink.stop();
    });

    for (const encoding of ['gzip'] as const) {
      t.test(`compresses with ${encoding}`, async (t) => {
        const sink = await startSink();
        const settings = rigSettings();
        const client = create(settings, optionsFor(sink.endpoint, { encoding }));
        const { bytes } = newRequest(40, 3, 100);
        const block = settings.arena.acquire(bytes.length)!;
        block.bytes.set(bytes);
        t.equal((await client.export([block.bytes.subarray(0, bytes.length)], bytes.length, inMs(5_000), [])).status, 0);
        t.same(sink.taken[0], Buffer.from(bytes));
        await client.close();
        await sink.stop();
      });
    }

    t.test('tells status, message and RetryInfo of a refusal', async (t) => {
      const sink = await startSink(() => ({ code: GrpcStatus.resourceExhausted, message: 'too much, 100 % – ü', retryAfterMs: 1_500 }));
      const client = create(rigSettings(), optionsFor(sink.endpoint));
      const { bytes } = newRequest(1, 1);
      t.same(await client.export([bytes], bytes.length, inMs(5_000), []), {
        status: GrpcStatus.resourceExhausted,
        message: 'too much, 100 % – ü',
        retryAfterMs: 1_500,
      });
      await client.close();
      await sink.stop();
    });

    t.test('tells a partial success', async (t) => {
      const response = lengthField(1, concat(varintField(1, 3), lengthField(2, utf8('three were bad'))));
      const sink = await startSink(() => ({ response }));
      const client = create(rigSettings(), optionsFor(sink.endpoint));
      const { bytes } = newRequest(1, 1);
      const outcome = await client.export([bytes], bytes.length, inMs(5_000), []);
      t.same(outcome.partial, { rejectedSpans: 3, message: 'three were bad' });
      t.equal(outcome.status, 0);
      await client.close();
      await sink.stop();
    });

    t.test('ends a call at its deadline and goes on working', async (t) => {
      const sink = await startSink((_request, call) => (call === 1 ? 'never' : 'ok'));
      const client = create(rigSettings(), optionsFor(sink.endpoint));
      const { bytes } = newRequest(1, 1);
      const outcome = await client.export([bytes], bytes.length, inMs(150), []);
      t.equal(outcome.status, GrpcStatus.deadlineExceeded);
      t.equal((await client.export([bytes], bytes.length, inMs(5_000), [])).status, 0);
      await client.close();
      await sink.stop();
    });

    t.test('fails at once while the peer refuses connections, and finds it again', async (t) => {
      const first = await startSink();
      const { port, endpoint } = first;
      await first.stop();
      const client = create(rigSettings(), optionsFor(endpoint));
      const { bytes } = newRequest(1, 1);
      for (let attempt = 0; attempt < 2; attempt++) {
        t.equal((await client.export([bytes], bytes.length, inMs(10_000), [])).status, GrpcStatus.unavailable);
      }
      const second = await startSink(() => 'ok', port);
      let status = -1;
      void (async () => {
        while (status !== 0) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          status = (await client.export([bytes], bytes.length, inMs(1_000), [])).status;
        }
      })();
      await until(() => status === 0, 'the call to the peer that came back');
      await client.close();
      await second.stop();
    });

    t.test('waits for the connection when told to', async (t) => {
      const first = await startSink();
      const { port, endpoint } = first;
      await first.stop();
      const client = create(rigSettings(), optionsFor(endpoint, { waitForReady: true }));
      const { bytes } = newRequest(1, 1);
      const outcome = client.export([bytes], bytes.length, inMs(15_000), []);
      const second = await startSink(() => 'ok', port);
      t.equal((await outcome).status, 0);
      t.equal((await client.export([bytes], bytes.length, inMs(5_000), [])).status, 0);
      await client.close();
      await second.stop();
    });

    t.test('lets calls in flight end when it is closed with a deadline', async (t) => {
      let open: () => void = () => {};
      const gate = new Promise<void>((resolve) => (open = resolve));
      const sink = await startSink(async () => {
        await gate;
        return 'ok' as const;
      });
      const client = create(rigSettings(), optionsFor(sink.endpoint));
      const { bytes } = newRequest(1, 1);
      const outcome = client.export([bytes], bytes.length, inMs(10_000), []);
      await until(() => sink.calls === 1, 'the call');
      const closed = client.close(inMs(10_000));
      open();
      t.equal((await outcome).status, 0);
      await closed;
      t.equal((await client.export([bytes], bytes.length, inMs(1_000), [])).status, GrpcStatus.unavailable);
      await sink.stop();
    });

    t.test('reads a status out of headers alone, and HTTP errors as gRPC says', async (t) => {
      const peer = await startRawPeer();
      const client = create(rigSettings(), optionsFor(peer.endpoint));
      const { bytes } = newRequest(1, 1);
      const call = () => client.export([bytes], bytes.length, inMs(5_000), []);
      peer.respond = (stream) =>
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '3', 'grpc-message': 'b%C3%A4d%20%25' },
          { endStream: true },
        );
      t.match(await call(), { status: GrpcStatus.invalidArgument, message: 'bäd %' });
      for (const [http, status] of [
        [401, GrpcStatus.unauthenticated],
        [403, GrpcStatus.permissionDenied],
        [404, GrpcStatus.unimplemented],
        [503, GrpcStatus.unavailable],
      ] as const) {
        peer.respond = (stream) => stream.respond({ ':status': http, 'content-type': 'text/html' }, { endStream: true });
        t.equal((await call()).status, status, `HTTP ${http}`);
      }
      await client.close();
      await peer.stop();
    });

    t.test('moves to a new connection after GOAWAY while the call in flight ends on the old one', async (t) => {
      const peer = await startRawPeer();
      const client = create(rigSettings(), optionsFor(peer.endpoint));
      const { bytes } = newRequest(1, 1);
      const call = () => client.export([bytes], bytes.length, inMs(10_000), []);
      let held: ServerHttp2Stream | undefined;
      peer.respond = (stream) => void (held = stream);
      const first = call();
      await until(() => held !== undefined, 'the first call');
      peer.respond = succeed;
      peer.sessions[0]!.goaway(0);
      const second = call();
      t.equal((await second).status, 0);
      succeed(held!);
      t.equal((await first).status, 0);
      t.equal(peer.sessions.length, 2);
      await client.close();
      await peer.stop();
    });

    t.test('answers UNAVAILABLE when the connection breaks under a call, and connects again', async (t) => {
      const peer = await startRawPeer();
      const client = create(rigSettings(), optionsFor(peer.endpoint));
      const { bytes } = newRequest(1, 1);
      peer.respond = (stream) => stream.session!.destroy();
      t.equal((await client.export([bytes], bytes.length, inMs(10_000), [])).status, GrpcStatus.unavailable);
      peer.respond = succeed;
      let status = -1;
      void (async () => {
        while (status !== 0) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          status = (await client.export([bytes], bytes.length, inMs(1_000), [])).status;
        }
      })();
      await until(() => status === 0, 'the call over a new connection');
      await client.close();
      await peer.stop();
    });
  });
}

t.test('a cancelled call ends only when its bytes are no longer read', async (t) => {
  // A peer with open windows behind a proxy that stops reading: at the deadline the bytes lie in the socket's write.
  const peer = await startRawPeer({ initialWindowSize: 2 ** 30 });
  const garbled: number[] = [];
  const overwritten = Buffer.alloc(16, 0xee);
  peer.respond = succeed;
  const taken = new Set<Socket>();
  const proxy = createTcpServer((socket) => {
    const onward = connectTcp(Number(peer.endpoint.split(':')[1]), '127.0.0.1');
    taken.add(socket).add(onward);
    socket.on('error', () => {});
    onward.on('error', () => {});
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const settings = rigSettings();
  const client = new Http2Client(settings, optionsFor(`127.0.0.1:${(proxy.address() as AddressInfo).port}`));
  const small = newRequest(1, 1);
  t.equal((await client.export([small.bytes], small.bytes.length, inMs(5_000), [])).status, 0);
  peer.sessions[0]!.setLocalWindowSize(2 ** 30);
  t.equal((await client.export([small.bytes], small.bytes.length, inMs(5_000), [])).status, 0);
  peer.onData = (chunk) => void (chunk.includes(overwritten) && garbled.push(chunk.length));
  const [socket] = taken;
  socket!.unpipe();
  socket!.pause();
  const block = settings.arena.acquire(16 * 1024 * 1024)!;
  t.equal((await client.export([block.bytes], block.length, inMs(200), [])).status, GrpcStatus.deadlineExceeded);
  block.bytes.fill(0xee);
  socket!.on('data', (chunk: Buffer) => void (chunk.includes(overwritten) && garbled.push(chunk.length)));
  socket!.resume();
  await until(() => socket!.destroyed || socket!.readableEnded, 'the end of the connection');
  t.same(garbled, [], 'nothing that was written after the end of the call was sent');
  await client.close();
  for (const end of taken) end.destroy();
  proxy.close();
  await peer.stop();
});

t.test('timeouts are written in at most eight digits', async (t) => {
  t.equal(timeoutText(0.2), '1m');
  t.equal(timeoutText(5_000), '5000m');
  t.equal(timeoutText(1e9), '1000000S');
});

t.test('percent-encoded messages are read, broken escapes are kept', async (t) => {
  t.equal(percentDecoded('a%20b%25%'), 'a b%%');
  t.equal(percentDecoded('%E2%82%AC'), '€');
});

interface RawPeer {
  readonly endpoint: string;
  readonly sessions: ServerHttp2Session[];
  respond: (stream: ServerHttp2Stream) => void;
  onData: (chunk: Buffer) => void;
  stop(): Promise<void>;
}

function succeed(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.from([0, 0, 0, 0, 0]));
}

async function startRawPeer(settings: { initialWindowSize?: number } = {}): Promise<RawPeer> {
  const server: Http2Server = createServer({ settings });
  const sessions: ServerHttp2Session[] = [];
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => {});
  });
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => peer.onData(chunk));
    stream.on('end', () => peer.respond(stream));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const peer: RawPeer = {
    endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    sessions,
    respond: succeed,
    onData: () => {},
    stop: async () => {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
  return peer;
}
