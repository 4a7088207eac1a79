/** Servers that mean harm to those who export to them: other pipelines go on, queues stay bounded, and the end comes in time. */

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import t from 'tap';
import { frame, headerBlock } from '../support/attacks.ts';
import { besiege, figuresOf, HonestClient, pause, stood, Target } from '../support/hostile-rig.ts';

const shareMin = 0.8;
const settings = frame(4, 0, 0);
const ok = headerBlock([
  [':status', '200'],
  ['content-type', 'application/grpc'],
]);
const megabyte = Buffer.alloc(1 << 20, 0x61);

/** Sends as long as the other side takes it, and leaves everyone else their turn. */
function pour(socket: Socket, bytes: Buffer): void {
  const more = (): void => {
    if (socket.destroyed) return;
    if (socket.write(bytes)) setTimeout(more, 1);
    else socket.once('drain', more);
  };
  more();
}

const dataFrames = Buffer.concat(Array.from({ length: 16 }, () => frame(0, 0, 1, Buffer.alloc(16_384))));

/** What each sink does with a connection. Those that speak HTTP/2 do so to gRPC clients only. */
const sinks: Readonly<Record<string, (socket: Socket) => void>> = {
  'is silent': (socket) => socket.resume(),
  'does not read': (socket) => socket.pause(),
  'hangs up': (socket) => socket.resetAndDestroy(),
  'talks noise': (socket) => pour(socket.resume(), megabyte),
  'sends headers without end': (socket) => {
    socket.resume().write('HTTP/1.1 200 OK\r\n');
    pour(socket, Buffer.from(`x-${'y'.repeat(100)}: ${'z'.repeat(1000)}\r\n`));
  },
  'sends a body without end': (socket) => {
    socket.resume().write('HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ntransfer-encoding: chunked\r\n\r\n');
    pour(socket, Buffer.concat([Buffer.from('100000\r\n'), megabyte, Buffer.from('\r\n')]));
  },
  'answers without end': (socket) => {
    socket.resume().write(Buffer.concat([settings, frame(1, 4, 1, ok)]));
    pour(socket, dataFrames);
  },
  'opens no window': (socket) => socket.resume().write(frame(4, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]))),
  'resets each call': (socket) => {
    socket.write(settings);
    let stream = 1;
    socket.on('data', () => {
      socket.write(frame(3, 0, stream, Buffer.from([0, 0, 0, 7])));
      stream += 2;
    });
  },
  'goes away': (socket) => socket.resume().write(Buffer.concat([settings, frame(7, 0, 0, Buffer.alloc(8))])),
  'lies about its success': (socket) => {
    const trailers = headerBlock([['grpc-status', '0']]);
    const lie = frame(0, 0, 1, Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 0x0a, 0xff, 0xff]));
    socket.write(settings);
    socket.once('data', () => socket.write(Buffer.concat([frame(4, 1, 0), frame(1, 4, 1, ok), lie, frame(1, 5, 1, trailers)])));
    socket.resume();
  },
};

async function startSink(act: (socket: Socket) => void): Promise<{ port: number; stop: () => void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    act(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

t.test('a pipeline to a sink that means harm does not harm another', async (t) => {
  const started = await Promise.all(Object.entries(sinks).map(async ([name, act]) => ({ name, ...(await startSink(act)) })));
  const sending = { timeout: '300ms', retry_on_failure: { enabled: false }, sending_queue: { queue_size: 5 } };
  const exporters = Object.fromEntries(
    started.flatMap(({ port }, index) => [
      [`otlp_grpc/${index}`, { endpoint: `127.0.0.1:${port}`, tls: { insecure: true }, compression: 'none', ...sending }],
      [`otlp_http/${index}`, { endpoint: `http://127.0.0.1:${port}`, compression: 'none', ...sending }],
    ]),
  );
  const listen = { protocols: { grpc: { endpoint: '127.0.0.1:0' } } };
  const target = new Target({
    receivers: { otlp: listen, 'otlp/harmed': { protocols: { http: { endpoint: '127.0.0.1:0' } } } },
    exporters: { nop: null, ...exporters },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: {
        traces: { receivers: ['otlp'], exporters: ['nop'] },
        'traces/harmed': { receivers: ['otlp/harmed'], exporters: Object.keys(exporters) },
      },
    },
  });
  const [grpc, http] = [await target.port('grpc'), await target.port('http')];
  const honest = new HonestClient(grpc);
  const load = async (): Promise<void> => {
    const body = JSON.stringify({
      resourceSpans: [{ scopeSpans: [{ spans: Array.from({ length: 200 }, () => ({ name: 'x'.repeat(300) })) }] }],
    });
    for (; isLoading; await pause(20)) {
      const headers = { 'content-type': 'application/json' };
      await fetch(`http://127.0.0.1:${http}/v1/traces`, { method: 'POST', headers, body }).then(
        (response) => response.arrayBuffer(),
        () => undefined,
      );
    }
  };
  let isLoading = true;
  const siege = await besiege(
    target,
    honest,
    shareMin,
    () => {
      const loading = Promise.all([load(), load()]);
      return [
        {
          ready: Promise.resolve(),
          stop: async () => {
            isLoading = false;
            await loading;
          },
        },
      ];
    },
    2_000,
  );
  t.ok(stood(siege, target), `${started.length} sinks at once: ${figuresOf(siege)}`);
  honest.close();
  const beganMs = performance.now();
  t.equal(await target.stop(), 0, 'ends as it should');
  t.ok(performance.now() - beganMs < 14_000, 'and does not wait for them');
  for (const { stop } of started) stop();
});
