/** The storage log against kills, damage, full disks and its own rewriting: what was stored and not acknowledged always comes back. */

import { Buffer } from 'node:buffer';
import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { headerBytes } from '../../../src/main/extensions/storage/record-codec.ts';
import { SegmentLog } from '../../../src/main/extensions/storage/segment-log.ts';
import type { StoredRecord } from '../../../src/main/pipeline/storage-extension.ts';
import { LogRecorder } from '../../support/component-rig.ts';

const segmentBytes = 4096;

/** Logs that a test leaves as a killed process would; held, because Node closes no file handles by itself. */
const left: SegmentLog[] = [];

async function openLog(directory: string, more: { bytesMax?: number; fsync?: boolean } = {}) {
  const logger = new LogRecorder();
  const log = await SegmentLog.open({ logger, directory, fsync: more.fsync ?? false, bytesMax: more.bytesMax ?? 0, segmentBytes });
  left.push(log);
  return { log, lines: logger.lines };
}

const bodyOf = (index: number, byteLength = 100 + (index % 7) * 50): Buffer => Buffer.alloc(byteLength, index % 251);

async function store(log: SegmentLog, body: Buffer, itemCount = 1): Promise<StoredRecord> {
  const half = body.length >> 1;
  const outcome = await log.append([body.subarray(0, half), body.subarray(half)], body.length, itemCount);
  if (outcome.kind === 'failed') throw new Error(outcome.message);
  return outcome.record;
}

async function bodiesOf(log: SegmentLog): Promise<(Buffer | undefined)[]> {
  return Promise.all(
    log.recovered.map(async (record) => {
      const target = Buffer.alloc(record.byteLength);
      return (await log.read(record, target)) ? target : undefined;
    }),
  );
}

const filesOf = (directory: string): string[] => readdirSync(directory).sort();
const lastFile = (directory: string): string => join(directory, filesOf(directory).at(-1)!);

t.test('what was not acknowledged comes back in order with its counts, without the log having been closed', async (t) => {
  const directory = t.testdir();
  const { log } = await openLog(directory);
  const records = await Promise.all(Array.from({ length: 60 }, (_, index) => store(log, bodyOf(index), index)));
  for (const [index, record] of records.entries()) if (index % 3 !== 0) log.acknowledge(record);
  await log.flush();
  t.ok(filesOf(directory).length > 2, 'several files');
  const { log: next, lines } = await openLog(directory);
  t.same(lines, []);
  t.same(
    next.recovered.map((record) => record.itemCount),
    Array.from({ length: 20 }, (_, index) => index * 3),
  );
  t.same(
    await bodiesOf(next),
    Array.from({ length: 20 }, (_, index) => bodyOf(index * 3)),
  );
});

t.test('files go when nothing in them is alive, and an empty log leaves none', async (t) => {
  const directory = t.testdir();
  const { log } = await openLog(directory, { fsync: true });
  for (let round = 0; round < 40; round++) {
    const records = await Promise.all([store(log, bodyOf(round, 1000)), store(log, bodyOf(round, 1000))]);
    for (const record of records) log.acknowledge(record);
  }
  await log.flush();
  t.ok(filesOf(directory).length <= 2, filesOf(directory).join());
  await log.close();
  t.same(filesOf(directory), []);
  t.match(await log.append([Buffer.from('x')], 1, 1), { kind: 'failed', message: 'the storage is closed' });
});

t.test('one old record does not hold up the rest of the disk: it is written again behind, and still comes back', async (t) => {
  const directory = t.testdir();
  const { log } = await openLog(directory);
  const old = await store(log, bodyOf(5), 42);
  for (let round = 0; round < 200; round++) log.acknowledge(await store(log, bodyOf(round, 1000)));
  await log.flush();
  const bytes = filesOf(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  t.ok(bytes < 8 * segmentBytes, `${bytes} bytes`);
  const target = Buffer.alloc(old.byteLength);
  t.equal(await log.read(old, target), true);
  t.same(target, bodyOf(5));
  const { log: next } = await openLog(directory);
  t.same(
    next.recovered.map(({ sequence, itemCount }) => ({ sequence, itemCount })),
    [{ sequence: old.sequence, itemCount: 42 }],
  );
  t.same(await bodiesOf(next), [bodyOf(5)]);
});

t.teardown(async () => {
  for (const log of left) await log.close();
});

t.test('damage', async (t) => {
  const stored = 5;
  const recordBytes = headerBytes + 100;
  /** Each makes damage in a file of five records of 100 bytes; `kept` are those that must come back. */
  const cases: Record<string, { readonly damage: (bytes: Buffer) => Buffer; readonly kept: readonly number[]; readonly level: string }> = {
    'cut in the last body': { damage: (bytes) => bytes.subarray(0, -1), kept: [0, 1, 2, 3], level: 'warn' },
    'cut in the last header': { damage: (bytes) => bytes.subarray(0, 4 * recordBytes + 5), kept: [0, 1, 2, 3], level: 'warn' },
    'cut to nothing but a header': { damage: (bytes) => bytes.subarray(0, headerBytes), kept: [], level: 'warn' },
    'zeros behind the end': { damage: (bytes) => Buffer.concat([bytes, Buffer.alloc(4096)]), kept: [0, 1, 2, 3, 4], level: 'warn' },
    'noise behind the end': {
      damage: (bytes) => Buffer.concat([bytes, Buffer.from('RTQ1RTQ1nonsense')]),
      kept: [0, 1, 2, 3, 4],
      level: 'warn',
    },
    'a flipped bit in a body': { damage: (bytes) => flipped(bytes, recordBytes + headerBytes + 7), kept: [0, 2, 3, 4], level: 'error' },
    'a flipped bit in a length': { damage: (bytes) => flipped(bytes, recordBytes + 25), kept: [0, 2, 3, 4], level: 'error' },
    'a flipped bit in a sequence': { damage: (bytes) => flipped(bytes, recordBytes + 17), kept: [0, 2, 3, 4], level: 'error' },
    'a first record that is gone': {
      damage: (bytes) => Buffer.concat([Buffer.alloc(50), bytes.subarray(recordBytes)]),
      kept: [1, 2, 3, 4],
      level: 'error',
    },
    'a hole in the middle': { damage: (bytes) => bytes.fill(0, recordBytes, 3 * recordBytes), kept: [0, 3, 4], level: 'error' },
    'a file of noise': { damage: () => Buffer.alloc(777, 0xa5), kept: [], level: 'warn' },
  };
  for (const [name, { damage, kept, level }] of Object.entries(cases)) {
    t.test(name, async (t) => {
      const directory = t.testdir();
      const { log } = await openLog(directory);
      for (let index = 0; index < stored; index++) await store(log, bodyOf(index, 100), index);
      writeFileSync(lastFile(directory), damage(readFileSync(lastFile(directory))));
      const { log: next, lines } = await openLog(directory);
      t.same(
        next.recovered.map((record) => record.itemCount),
        kept,
      );
      t.equal(lines[0]?.level, level);
      t.match(lines[0]?.fields, { file: String, position: Number, bytes: Number });
      await store(next, bodyOf(9, 100), 9);
      const { log: third } = await openLog(directory);
      t.same(
        third.recovered.map((record) => record.itemCount),
        [...kept, 9],
        'and takes more',
      );
      t.same(
        await bodiesOf(third),
        [...kept, 9].map((index) => bodyOf(index, 100)),
      );
    });
  }
});

const flipped = (bytes: Buffer, position: number): Buffer => {
  bytes[position]! ^= 0x10;
  return bytes;
};

t.test('a record that is damaged after it was stored is told when it is read', async (t) => {
  const directory = t.testdir();
  const { log, lines } = await openLog(directory);
  const record = await store(log, bodyOf(1, 100));
  writeFileSync(lastFile(directory), flipped(readFileSync(lastFile(directory)), headerBytes + 3));
  t.equal(await log.read(record, Buffer.alloc(100)), false);
  truncateSync(lastFile(directory), 50);
  t.equal(await log.read(record, Buffer.alloc(100)), false);
  t.same(
    lines.map((line) => line.level),
    ['error', 'error'],
  );
});

t.test('max_size refuses what would be too much, takes again when there is room, and holds across restarts', async (t) => {
  const directory = t.testdir();
  const { log } = await openLog(directory, { bytesMax: 10_000 });
  const records: StoredRecord[] = [];
  for (;;) {
    const outcome = await log.append([bodyOf(1, 1000)], 1000, 1);
    if (outcome.kind === 'failed') {
      t.match(outcome.message, /max_size \(10000 bytes\)/);
      break;
    }
    records.push(outcome.record);
  }
  t.equal(records.length, 9);
  const { log: next } = await openLog(directory, { bytesMax: 10_000 });
  t.match(await next.append([bodyOf(1, 1000)], 1000, 1), { kind: 'failed' });
  for (const record of next.recovered) next.acknowledge(record);
  await next.flush();
  t.match(await next.append([bodyOf(1, 1000)], 1000, 1), { kind: 'stored' });
});

t.test('any history of stores, acknowledgements and restarts keeps exactly what is open', async (t) => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ store: fc.integer({ min: 0, max: 3000 }) }) },
    { weight: 5, arbitrary: fc.record({ acknowledge: fc.nat() }) },
    { weight: 1, arbitrary: fc.constant('restart' as const) },
  );
  const root = t.testdir();
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const directory = join(root, String(runs++));
      mkdirSync(directory, { recursive: true });
      let { log } = await openLog(directory);
      const open = new Map<number, { record: StoredRecord; body: Buffer }>();
      let count = 0;
      for (const action of steps) {
        if (action === 'restart') {
          await log.flush();
          log = (await openLog(directory)).log;
          for (const record of log.recovered) open.get(record.itemCount)!.record = record;
        } else if ('store' in action) {
          const body = bodyOf(count, action.store);
          open.set(count, { record: await store(log, body, count), body });
          count++;
        } else if (open.size > 0) {
          const [key, { record }] = [...open][action.acknowledge % open.size]!;
          log.acknowledge(record);
          open.delete(key);
        }
      }
      await log.flush();
      const { log: last, lines } = await openLog(directory);
      t.same(lines, []);
      if (last.recovered.map((record) => record.itemCount).join() !== [...open.keys()].sort((a, b) => a - b).join())
        throw new Error('another set');
      const bodies = await bodiesOf(last);
      for (const [index, record] of last.recovered.entries()) {
        if (!open.get(record.itemCount)!.body.equals(bodies[index]!)) throw new Error('another body');
      }
    }),
    { numRuns: 60 },
  );
});
