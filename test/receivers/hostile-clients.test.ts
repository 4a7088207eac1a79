/** Clients that mean harm: floods, silence, uploads that never end. The process stays up, memory stays bounded, honest clients are served. */

import http2 from 'node:http2';
import net from 'node:net';
import t, { type Test } from 'tap';
import { GrpcStatus } from '../../src/main/pipeline/consume-outcome.ts';
import { type Upload, UploadBudget } from '../../src/main/receivers/otlp/upload-budget.ts';
import { requestBytes, spanIdOf, traceIdOf } from '../support/otlp.ts';
import { exportPath, framed, RawClient } from './grpc-raw-client.ts';
import { startReceiver, until } from './receiver-rig.ts';

const small = requestBytes({}, { spans: [{ traceId: traceIdOf(1), spanId: spanIdOf(1) }] });
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Length (3), type (1), flags (1), stream (4), payload. */
function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
const settings = frame(4, 0, 0);
/** Literal headers without indexing, names and values as they are. */
function headerBlock(headers: readonly (readonly [string, string])[]): Buffer {
  const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  return Buffer.concat(headers.map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])));
}
const exportHeaders = headerBlock([
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', exportPath],
  [':authority', 'a'],
  ['content-type', 'application/grpc'],
]);

async function start(t: Test, grpc: object = {}) {
  const rig = await startReceiver({ grpc });
  t.teardown(async () => {
    await rig.receiver.drain(rig.settings.clock.monotonicMs());
    await rig.receiver.stop();
  });
  const honest = async () => {
    const client = new RawClient(rig.grpcPort);
    const answer = await client.call([framed(small)]);
    await client.close();
    return answer.status;
  };
  return { rig, honest };
}

/** A socket that sends what it is told; `isClosed` when the server has had enough. */
function attacker(t: Test, port: number): { socket: net.Socket; isClosed: () => boolean } {
  const socket = net.connect(port, '127.0.0.1');
  let isClosed = false;
  socket.on('error', () => {});
  socket.on('close', () => {
    isClosed = true;
  });
  socket.resume();
  t.teardown(() => socket.destroy());
  return { socket, isClosed: () => isClosed };
}

t.test('floods end with the connection of the one who sends them', async (t) => {
  const { rig, honest } = await start(t);
  const repeated = (count: number, make: (index: number) => Buffer) =>
    Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));
  const floods: [what: string, bytes: Buffer][] = [
    [
      'rapid reset',
      repeated(4_000, (index) => Buffer.concat([frame(1, 4, index * 2 + 1, exportHeaders), frame(3, 0, index * 2 + 1, Buffer.alloc(4))])),
    ],
    ['ping', repeated(2_000, () => frame(6, 0, 0, Buffer.alloc(8)))],
    ['settings', repeated(3_000, () => frame(4, 0, 0, Buffer.from([0, 4, 0, 1, 0, 0])))],
    [
      'endless CONTINUATION',
      Buffer.concat([
        frame(1, 0, 1, exportHeaders),
        ...Array.from({ length: 400 }, () => frame(9, 0, 1, headerBlock([['x', 'y'.repeat(100)]]))),
      ]),
    ],
    ['a header bomb', frame(1, 4, 1, Buffer.concat([exportHeaders, headerBlock(Array.from({ length: 1_000 }, () => ['x', 'y']))]))],
    ['frames that are none', Buffer.concat([frame(0, 0, 0, Buffer.alloc(5)), frame(3, 0, 99, Buffer.alloc(3))])],
  ];
  for (const [what, bytes] of floods) {
    const { socket, isClosed } = attacker(t, rig.grpcPort);
    socket.write(Buffer.concat([preface, settings, bytes]));
    if (what === 'a header bomb') socket.write(Buffer.concat([frame(3, 0, 99, Buffer.alloc(3))]));
    await until(`the end of ${what}`, isClosed);
    t.equal(await honest(), 0, `an honest client after ${what}`);
  }
  t.equal(rig.seen.length, floods.length, 'nothing but the honest requests came through');
});

t.test('a client that pings too often is sent away, one that gets answers in between is not', async (t) => {
  const { rig, honest } = await start(t);
  const client = http2.connect(`http://127.0.0.1:${rig.grpcPort}`);
  t.teardown(() => client.destroy());
  let goaway: number | undefined;
  client.on('goaway', (code) => {
    goaway = code;
  });
  client.on('error', () => {});
  await new Promise<void>((resolve) => client.once('connect', () => resolve()));
  for (let count = 0; count < 6 && !client.destroyed; count++) {
    await new Promise<void>((resolve) => {
      if (!client.ping(() => resolve())) resolve();
    }).catch(() => {});
  }
  await until('the GOAWAY', () => goaway === http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
  const calling = new RawClient(rig.grpcPort);
  t.teardown(() => calling.close());
  for (let count = 0; count < 6; count++) {
    t.equal((await calling.call([framed(small)])).status, 0);
    await new Promise<void>((resolve) => calling.session.ping(() => resolve()));
  }
  t.equal(await honest(), 0);
});

t.test('idle, silent and unspoken connections end at their limits', async (t) => {
  const parameters = { max_connection_idle: '150ms', time: '100ms', timeout: '100ms' };
  const { rig, honest } = await start(t, { keepalive: { server_parameters: parameters } });
  const idle = http2.connect(`http://127.0.0.1:${rig.grpcPort}`);
  idle.on('error', () => {});
  await until('the idle session to end', () => idle.destroyed);
  // Opens a call and then answers no ping.
  const { socket, isClosed } = attacker(t, rig.grpcPort);
  socket.write(Buffer.concat([preface, settings, frame(1, 4, 1, exportHeaders)]));
  await until('the silent connection to end', isClosed);
  t.equal(await honest(), 0);
});

t.test('half-open and cut connections are forgotten', async (t) => {
  const { rig, honest } = await start(t);
  for (const bytes of [
    Buffer.alloc(0),
    preface.subarray(0, 10),
    preface,
    Buffer.concat([preface, settings, frame(1, 4, 1, exportHeaders), frame(0, 0, 1, framed(small).subarray(0, 9))]),
  ]) {
    const { socket } = attacker(t, rig.grpcPort);
    await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
    socket.destroy();
  }
  const { socket, isClosed } = attacker(t, rig.grpcPort);
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await until('HTTP/1 to be turned away', isClosed);
  t.equal(await honest(), 0);
});

t.test('500 idle connections do not keep an honest client from being served', async (t) => {
  const { rig, honest } = await start(t);
  const idle = Array.from({ length: 500 }, () => attacker(t, rig.grpcPort));
  for (const { socket } of idle) socket.write(Buffer.concat([preface, settings]));
  t.equal(await honest(), 0);
  await until('all to be connected', () => idle.every(({ socket }) => socket.readyState === 'open'));
  t.equal(await honest(), 0);
});

t.test('unfinished uploads are bounded: the oldest is refused, and its bytes are given up', async (t) => {
  const { rig, honest } = await start(t);
  const client = new RawClient(rig.grpcPort, { settings: { initialWindowSize: 1 << 20 } });
  t.teardown(() => client.close());
  const prefix = Buffer.from([0, 0, 0x3f, 0xff, 0xff]);
  const most = Buffer.concat([prefix, Buffer.alloc(0x3f_ff_f0)]);
  const codes: number[] = [];
  for (let count = 0; count < 20; count++) {
    const stream = client.open();
    stream.on('response', (headers) => codes.push(Number(headers['grpc-status'])));
    stream.write(most);
  }
  await until('uploads to be refused', () => codes.length >= 4);
  t.ok(codes.every((code) => code === GrpcStatus.resourceExhausted));
  t.ok(codes.length < 20, 'those that fit stay');
  t.equal(await honest(), 0);
  t.ok(rig.counted('ringtail_receiver_refused_requests', { reason: 'no_memory' }) >= 4);
});

t.test('the upload budget counts exactly', async (t) => {
  const refused: string[] = [];
  const budget = new UploadBudget(100);
  const upload = (name: string): Upload => {
    const self = {
      refuseForMemory() {
        refused.push(name);
        budget.end(self);
      },
    };
    return self;
  };
  const [a, b, c] = [upload('a'), upload('b'), upload('c')];
  budget.grow(a, 40);
  budget.grow(b, 40);
  budget.grow(a, 20);
  t.equal(budget.heldBytes, 100);
  budget.grow(c, 30);
  t.same(refused, ['a']);
  t.equal(budget.heldBytes, 70);
  budget.end(b);
  budget.end(b);
  t.equal(budget.heldBytes, 30);
  budget.grow(c, 100);
  t.same(refused, ['a', 'c'], 'one alone that is too large goes too');
  t.equal(budget.heldBytes, 0);
});
