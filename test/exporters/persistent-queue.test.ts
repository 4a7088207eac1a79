/** A sending queue with `storage`: what it keeps across restarts, what it bounds, and what it refuses. */

import { Buffer } from 'node:buffer';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { SendOutcome, SendRequest } from '../../src/main/exporters/sender/send-request.ts';
import { createSenderChain, type SenderChain } from '../../src/main/exporters/sender/sender-chain.ts';
import { checkQueue, queueConfigOf, queueSchema, retryConfigOf, retrySchema } from '../../src/main/exporters/sender/sender-config.ts';
import { fileStorageExtensionType } from '../../src/main/extensions/file-storage.ts';
import type { Extension } from '../../src/main/pipeline/component.ts';
import { accepted, refusedPermanent, refusedRetryable } from '../../src/main/pipeline/consume-outcome.ts';
import { configOf, newRequest, numbersOf, rigSettings, until } from './exporter-rig.ts';

// Timers of the system clock keep no process alive; the tests wait for some.
const alive = setInterval(() => {}, 1_000);
t.teardown(() => clearInterval(alive));

interface Run {
  readonly chain: SenderChain;
  readonly sent: { readonly bytes: Buffer; readonly metadata: SendRequest['metadata'] }[];
  readonly metrics: ReturnType<typeof rigSettings>['metrics'];
  readonly lines: ReturnType<typeof rigSettings>['lines'];
  readonly heldBytes: () => number;
  answer: (request: SendRequest) => SendOutcome | Promise<SendOutcome>;
  end(): Promise<void>;
}

/** One life of an exporter over `directory`. */
async function run(directory: string, queue: object = {}, more: { id?: string; retry?: object; paused?: boolean } = {}): Promise<Run> {
  const storage = fileStorageExtensionType.create(
    rigSettings({ id: 'file_storage' }),
    configOf(fileStorageExtensionType.schema, { directory, timeout: '100ms' }),
  );
  await storage.start();
  const settings = rigSettings({ id: more.id ?? 'otlp_grpc', extensions: { file_storage: storage } });
  const life: Run = {
    sent: [],
    metrics: settings.metrics,
    lines: settings.lines,
    heldBytes: () => settings.arena.heldBytes(),
    answer: () => (more.paused ? new Promise(() => {}) : accepted),
    chain: createSenderChain(
      settings,
      {
        queue: queueConfigOf(configOf(queueSchema, { storage: 'file_storage', ...queue })),
        retry: more.retry && retryConfigOf(configOf(retrySchema(true), more.retry)),
        timeoutMs: 0,
      },
      {
        send: async (request) => {
          life.sent.push({ bytes: Buffer.concat(request.chunks), metadata: request.metadata });
          return life.answer(request);
        },
      },
    ),
    async end() {
      await life.chain.drain(performance.now() + 50);
      life.chain.stop();
      await storage.stop();
    },
  };
  await life.chain.start().catch(async (error) => {
    await storage.stop();
    throw error;
  });
  return life;
}

const bytesOf = (requests: readonly { readonly bytes: Uint8Array }[]): string[] =>
  requests.map(({ bytes }) => Buffer.from(bytes).toString('hex')).sort();

t.test('sends in order, byte for byte with metadata, and leaves nothing on the disk', async (t) => {
  const directory = t.testdir();
  const life = await run(directory, { num_consumers: 1 });
  const requests = Array.from({ length: 30 }, (_, index) => newRequest(3, 2, index * 100));
  const metadata = new Map([['tenant', ['ä', 'b']]]);
  const outcomes = await Promise.all(
    requests.map((request, index) => life.chain.consume(index === 7 ? { ...request, metadata } : request)),
  );
  t.ok(outcomes.every((outcome) => outcome.kind === 'accepted'));
  await until(() => life.sent.length === 30, 'all sent');
  t.same(
    life.sent.map((sent) => sent.bytes),
    requests.map((request) => Buffer.from(request.bytes)),
  );
  t.same(life.sent[7]!.metadata, metadata);
  t.equal(life.sent[8]!.metadata, undefined);
  await life.end();
  t.equal(life.heldBytes(), 0);
  t.same(readdirSync(join(directory, 'exporter_otlp_grpc__traces.ringtail')), []);
});

t.test('what a shutdown finds waiting, in flight or in a retry is sent by the next run, and not counted as lost', async (t) => {
  const directory = t.testdir();
  const first = await run(directory, { num_consumers: 2 }, { retry: { initial_interval: '1h', max_interval: '1h', max_elapsed_time: 0 } });
  first.answer = (request) => (first.sent.length === 1 ? refusedRetryable('down') : new Promise(() => void request));
  const requests = Array.from({ length: 10 }, () => newRequest(2, 2));
  for (const request of requests) t.same(await first.chain.consume(request), accepted);
  await until(() => first.sent.length === 2, 'two attempts');
  t.equal(numbersOf(first.metrics, 'otelcol_exporter_queue_size'), 10);
  t.same(await first.chain.drain(performance.now() + 50), { spansLost: 0 });
  t.match(await first.chain.consume(requests[0]!), { kind: 'refused', retryable: true, message: 'sending queue is stopped' });
  await first.end();
  const second = await run(directory, {}, { paused: true });
  t.equal(numbersOf(second.metrics, 'otelcol_exporter_queue_size'), 10, 'the size too comes back');
  await second.end();
  const third = await run(directory);
  await until(() => third.sent.length === 10, 'everything');
  t.same(bytesOf(third.sent), bytesOf(requests));
  await until(() => numbersOf(third.metrics, 'otelcol_exporter_queue_size') === 0, 'done');
  t.equal(numbersOf(third.metrics, 'otelcol_exporter_sent_spans'), 40);
  await third.end();
  const fourth = await run(directory);
  await fourth.end();
  t.equal(fourth.sent.length, 0, 'and not again');
});

for (const [sizer, queueSize, room] of [
  ['requests', 4, 4],
  ['items', 19, 4],
  ['bytes', 4 * newRequest(2, 2).bytes.length + 30, 4],
] as const) {
  t.test(`queue_size in ${sizer} bounds the queue, in the next run too`, async (t) => {
    const directory = t.testdir();
    const queue = { sizer, queue_size: queueSize };
    const first = await run(directory, queue, { paused: true });
    for (let index = 0; index < room; index++) t.same(await first.chain.consume(newRequest(2, 2)), accepted, `${index}`);
    t.match(await first.chain.consume(newRequest(2, 2)), { kind: 'refused', retryable: true, message: 'sending queue is full' });
    t.equal(numbersOf(first.metrics, 'otelcol_exporter_enqueue_failed_spans'), 4);
    await first.end();
    const second = await run(directory, queue, { paused: true });
    t.match(await second.chain.consume(newRequest(2, 2)), { message: 'sending queue is full' });
    t.match(
      await second.chain.consume(newRequest(20, 20)),
      sizer === 'requests' ? { message: 'sending queue is full' } : { retryable: false, message: 'element size too large' },
    );
    await second.end();
  });
}

t.test('block_on_overflow lets callers wait for room', async (t) => {
  const life = await run(t.testdir(), { queue_size: 1, num_consumers: 1, block_on_overflow: true });
  const gate = Promise.withResolvers<SendOutcome>();
  life.answer = () => gate.promise;
  t.same(await life.chain.consume(newRequest(1, 1)), accepted);
  let second: unknown;
  void life.chain.consume(newRequest(1, 1)).then((outcome) => (second = outcome));
  await until(() => life.sent.length === 1, 'the first');
  t.equal(second, undefined);
  gate.resolve(accepted);
  await until(() => second !== undefined, 'the second');
  t.same(second, accepted);
  await until(() => life.sent.length === 2, 'both');
  await life.end();
});

t.test('batches what it reads, per metadata, and refuses for good only what the peer refuses for good', async (t) => {
  const directory = t.testdir();
  const first = await run(directory, {}, { paused: true });
  const requests = Array.from({ length: 20 }, () => newRequest(2, 2));
  for (const request of requests) await first.chain.consume(request);
  await first.end();
  const batch = { flush_timeout: '50ms', min_size: 40, sizer: 'items' };
  const second = await run(directory, { batch });
  second.answer = () => (second.sent.length === 1 ? refusedPermanent('bad') : accepted);
  await until(() => numbersOf(second.metrics, 'otelcol_exporter_queue_size') === 0, 'done');
  t.ok(second.sent.length <= 3, `${second.sent.length} batches`);
  t.equal(
    Buffer.concat(second.sent.map((sent) => sent.bytes)).length,
    requests.reduce((sum, request) => sum + request.bytes.length, 0),
  );
  t.equal(numbersOf(second.metrics, 'otelcol_exporter_sent_spans') + numbersOf(second.metrics, 'otelcol_exporter_send_failed_spans'), 80);
  t.ok(second.lines.some((line) => line.message === 'Exporting failed. Dropping data.'));
  await second.end();
});

t.test('exporters of different names share a directory; two processes cannot share a queue', async (t) => {
  const directory = t.testdir();
  const one = await run(directory, {}, { id: 'otlp_grpc/a' });
  const two = await run(directory, {}, { id: 'otlp_grpc/b' });
  await t.rejects(run(directory, {}, { id: 'otlp_grpc/a' }), {
    code: 'STORAGE',
    message: /timeout: another process uses .*exporter_otlp_grpc_a_traces/,
  });
  await one.end();
  const again = await run(directory, {}, { id: 'otlp_grpc/a' });
  await Promise.all([two.end(), again.end()]);
});

t.test('start names what is wrong with the storage', async (t) => {
  const chainWith = (extensions: Record<string, Extension>) =>
    createSenderChain(
      rigSettings({ extensions }),
      { queue: queueConfigOf(configOf(queueSchema, { storage: 'file_storage' })), retry: undefined, timeoutMs: 0 },
      { send: async () => accepted },
    ).start();
  await t.rejects(chainWith({}), { message: /no storage client extension found: "file_storage"/ });
  const other = { start: async () => {}, drain: async () => ({ spansLost: 0 }), stop: async () => {} };
  await t.rejects(chainWith({ file_storage: other }), { message: /requested extension is not a storage extension/ });
  t.match(checkQueue(configOf(queueSchema, { storage: 'x', wait_for_result: true }), []), [
    { message: '`wait_for_result` is not supported with a persistent queue configured with `storage`' },
  ]);
  t.same(checkQueue(configOf(queueSchema, { storage: 'x' }), []), []);
});

t.test('file_storage: directories and options', async (t) => {
  const directory = t.testdir({ file: '' });
  const faults = (raw: object) =>
    fileStorageExtensionType.check!(configOf(fileStorageExtensionType.schema, raw), {
      type: 'file_storage',
      name: '',
      text: 'file_storage',
    });
  t.match(faults({ directory: join(directory, 'none') }), [{ severity: 'error', path: ['directory'], message: /directory must exist/ }]);
  t.match(faults({ directory: join(directory, 'file') }), [{ message: /is not a directory/ }]);
  t.same(
    faults({ directory: join(directory, 'none'), create_directory: true, compaction: { directory: '/nowhere', check_interval: '2s' } }),
    [],
  );
  t.match(faults({ directory, compaction: { on_start: true } }), [{ severity: 'warning', path: ['compaction'] }]);
  t.match(faults({ directory, directory_permissions: '9' }), [{ message: /octal/ }]);
  t.match(faults({ directory, directory_permissions: '7777' }), [{ message: /invalid bits/ }]);
  const made = join(directory, 'a', 'b');
  const storage = fileStorageExtensionType.create(
    rigSettings(),
    configOf(fileStorageExtensionType.schema, { directory: made, create_directory: true }),
  );
  await storage.start();
  t.same(readdirSync(made), []);
  await storage.stop();
  const absent = fileStorageExtensionType.create(
    rigSettings(),
    configOf(fileStorageExtensionType.schema, { directory: join(directory, 'none') }),
  );
  await t.rejects(absent.start(), { code: 'STORAGE', message: /file_storage: directory is not readable and writable/ });
  await absent.stop();
});
