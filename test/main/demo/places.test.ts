/** Where the demo's processes listen. */

import { createServer } from 'node:net';
import t from 'tap';
import { ManagedProcess } from '../../../src/main/demo/managed-process.ts';
import { addressOf, findPlaces, type Places } from '../../../src/main/demo/places.ts';
import { systemClock } from '../../../src/shared/clock.ts';

const all = ({ samplers, routers }: Places) => [
  ...samplers.flatMap(({ grpc, health, metrics }) => [grpc, health, metrics]),
  ...routers.flatMap(({ grpc, http, health, metrics }) => [grpc, http, health, metrics]),
];

t.test('free ports are all different and need SRV records', async (t) => {
  const places = await findPlaces({ samplers: 9, routers: 3, freePorts: true });
  t.equal(places.samplersShareAPort, false);
  t.equal(new Set(all(places).map(addressOf)).size, 9 * 3 + 3 * 4);
  t.same(places.notes, []);
});

t.test('a sampler port that is taken makes all samplers use free ports, and is named', async (t) => {
  const server = createServer();
  // Whoever has it: it is taken while this test looks.
  await new Promise<void>((settled) => {
    server.once('error', () => settled());
    server.listen(4317, '127.0.1.2', settled);
  });
  t.teardown(() => server.close());
  const places = await findPlaces({ samplers: 3, routers: 1, freePorts: false });
  t.equal(places.samplersShareAPort, false);
  t.ok(places.samplers.every(({ grpc }) => grpc.host === '127.0.0.1' && grpc.port !== 4317));
  t.match(places.notes.join('\n'), /^127\.0\.1\.\d:4317 (?:is in use|is no address of this machine)/);
});

t.test('a process that ends while starting is named with its address and its last words', async (t) => {
  const managed = new ManagedProcess({
    clock: systemClock,
    name: 'sampler 3',
    arguments: [
      '-e',
      'process.stderr.write(`x\\terror\\tCannot start.\\t{"error":"listen EADDRINUSE 127.0.1.3:4317"}\\nbye\\n`); process.exitCode = 1',
    ],
    environment: {},
    healthUrl: 'http://127.0.0.1:1/',
    listensOn: '127.0.1.3:4317',
  });
  // The clock's timers hold no process alive.
  const alive = setInterval(() => {}, 1000);
  t.teardown(() => clearInterval(alive));
  await t.rejects(managed.untilReady(Infinity), {
    message: 'Cannot start: sampler 3 (127.0.1.3:4317) ended with exit code 1: listen EADDRINUSE 127.0.1.3:4317',
  });
  await managed.stop();
});
