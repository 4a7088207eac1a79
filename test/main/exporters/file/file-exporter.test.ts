/** The file exporter on a real file system: every form, rotation, what a failing disk leaves, and reading it back. */

import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { checkFile, fileSchema } from '../../../../src/main/exporters/file/file-config.ts';
import { FileExporter } from '../../../../src/main/exporters/file/file-exporter.ts';
import { FileWriter } from '../../../../src/main/exporters/file/file-writer.ts';
import { oldFileName, removeOldFiles } from '../../../../src/main/exporters/file/old-files.ts';
import { type ReplayRecord, readReplayFile } from '../../../../src/main/loadgen/replay-file.ts';
import { jsonTextOf } from '../../../../src/shared/otlp/json-text.ts';
import { componentRig, configOf, LogRecorder } from '../../../support/component-rig.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { requestBytes, spanIdOf, traceIdOf } from '../../../support/otlp.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringtail-file-'));
t.teardown(() => rmSync(folder, { recursive: true }));
let files = 0;
const fresh = (extension: string) => join(folder, `traces-${files++}${extension}`);

const payloadOf = (index: number) => ({
  bytes: requestBytes({ 'service.name': 'shop' }, { spans: [{ traceId: traceIdOf(index), spanId: spanIdOf(1), name: `span ${index}` }] }),
  spanCount: 1,
});

async function exporting(raw: object) {
  const rig = componentRig('file');
  const exporter = new FileExporter(rig.settings, configOf(fileSchema, raw));
  await exporter.start();
  return { ...rig, exporter };
}

async function recordsOf(path: string): Promise<ReplayRecord[]> {
  const records: ReplayRecord[] = [];
  for await (const record of readReplayFile(path)) records.push(record);
  return records;
}

for (const raw of [
  {},
  { format: 'proto' },
  { compression: 'zstd' },
  { format: 'proto', compression: 'zstd', compression_params: { level: 9 } },
]) {
  t.test(`writes ${JSON.stringify(raw)} in order, and it reads back`, async (t) => {
    const path = fresh('.out');
    const { exporter, metric } = await exporting({ path, ...raw });
    const payloads = Array.from({ length: 50 }, (_, index) => payloadOf(index));
    const outcomes = await Promise.all(payloads.map((payload) => exporter.consume(payload)));
    t.ok(outcomes.every(({ kind }) => kind === 'accepted'));
    const written = await recordsOf(path);
    t.same(
      new Set(written.map(({ bytes }) => jsonTextOf(bytes))),
      new Set(payloads.map(({ bytes }) => jsonTextOf(bytes))),
      'before the end already',
    );
    t.equal(metric('otelcol_exporter_sent_spans', { exporter: 'file' }), 50);
    await exporter.stop();
    if (Object.keys(raw).length === 0) t.equal(readFileSync(path, 'utf8'), payloads.map(({ bytes }) => `${jsonTextOf(bytes)}\n`).join(''));
  });
}

for (const name of ['collector-file.json', 'collector-file.bin', 'collector-file.json.zst', 'collector-file.bin.zst']) {
  t.test(`reads ${name}, which the Collector wrote`, async (t) => {
    const fixture = (file: string) => new URL(`../fixtures/${file}`, import.meta.url).pathname;
    const records = await recordsOf(fixture(name));
    const expected = jsonTextOf(readFileSync(fixture('every-field.bin')));
    t.same(
      records.map(({ spanCount }) => spanCount),
      [5, 5],
    );
    for (const { bytes } of records) t.equal(jsonTextOf(bytes), expected);
  });
}

t.test('the file is emptied at the start, unless told to append', async (t) => {
  const path = fresh('.json');
  const line = `${jsonTextOf(payloadOf(1).bytes)}\n`;
  for (const [append, lines] of [
    [false, 1],
    [false, 1],
    [true, 2],
    [true, 3],
  ] as const) {
    const { exporter } = await exporting({ path, append });
    await exporter.consume(payloadOf(1));
    await exporter.stop();
    t.equal(readFileSync(path, 'utf8'), line.repeat(lines));
  }
});

const bigPayload = {
  bytes: requestBytes({ padding: 'x'.repeat(400_000) }, { spans: [{ traceId: traceIdOf(1), spanId: spanIdOf(1) }] }),
  spanCount: 1,
};

t.test('rotation sets full files aside, whole, and keeps the newest', async (t) => {
  const path = join(folder, 'rotated', 'traces.json');
  const { exporter } = await exporting({ path, rotation: { max_megabytes: 1, max_backups: 2 } });
  for (let round = 0; round < 5; round++) await Promise.all([bigPayload, bigPayload].map((payload) => exporter.consume(payload)));
  await exporter.stop();
  const names = readdirSync(join(folder, 'rotated'));
  t.equal(names.length, 3, names.join(' '));
  for (const name of names) {
    const file = join(folder, 'rotated', name);
    t.match(name, name === 'traces.json' ? /./ : /^traces-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}-size\.json$/);
    t.ok(statSync(file).size <= 1024 * 1024);
    t.equal((await recordsOf(file)).length, 2, 'no record is cut');
  }
  const { exporter: again } = await exporting({ path, rotation: { max_megabytes: 1 } });
  await again.consume(payloadOf(1));
  t.equal((await recordsOf(path)).length, 3, 'goes on with the file that is there');
  const tooBig = { bytes: requestBytes({ padding: 'x'.repeat(1_100_000) }), spanCount: 1 };
  t.match(await again.consume(tooBig), { kind: 'refused', message: /write length \d+ exceeds maximum file size 1048576/ });
  await again.stop();
});

t.test('old files go by number and by age, those of older Collectors too, and nothing else does', async (t) => {
  const path = join(mkdtempSync(join(folder, 'old-')), 'a.json');
  const nowMs = Date.UTC(2026, 0, 10);
  const name = (day: number) => oldFileName(path, Date.UTC(2026, 0, day, 1, 2, 3, 4), false);
  t.match(name(3), /a-2026-01-03T01-02-03\.004-size\.json$/);
  const lumberjack = name(4).replace('-size', '');
  const others = ['a.json', 'a-notes.json', 'b-2026-01-01T00-00-00.000-size.json', 'a-2026-01-01T00-00-00.000-size.txt'].map((other) =>
    join(path, '..', other),
  );
  for (const file of [name(1), name(3), lumberjack, name(8), name(9), ...others]) writeFileSync(file, '');
  await removeOldFiles(path, { backupsMax: 4, daysMax: 0, localTime: false }, nowMs);
  t.same(
    [name(1), name(3), lumberjack, name(8), name(9)].map((file) => existsSync(file)),
    [false, true, true, true, true],
  );
  await removeOldFiles(path, { backupsMax: 0, daysMax: 3, localTime: false }, nowMs);
  t.same(
    [name(3), lumberjack, name(8), name(9)].map((file) => existsSync(file)),
    [false, false, true, true],
  );
  t.ok(others.every((file) => existsSync(file)));
  const local = oldFileName(path, nowMs, true);
  writeFileSync(local, '');
  await removeOldFiles(path, { backupsMax: 0, daysMax: 1, localTime: true }, nowMs + 20 * 3_600_000);
  t.ok(existsSync(local), 'local names are read as local time');
});

t.test('files that fill within one millisecond get names of their own', async (t) => {
  const path = join(mkdtempSync(join(folder, 'fast-')), 'a.bin');
  const clock = new ManualClock();
  const writer = new FileWriter(
    { clock, logger: new LogRecorder() },
    { path, append: false, rotation: { fileBytesMax: 10, backupsMax: 0, daysMax: 0, localTime: false } },
  );
  await writer.open();
  for (let index = 0; index < 4; index++) t.equal(await writer.append([Buffer.alloc(8, index)]), undefined);
  await writer.close();
  t.equal(readdirSync(join(path, '..')).length, 4);
});

t.test('a file that cannot be written refuses for now, and takes the next records when it can', async (t) => {
  if (process.getuid?.() !== 0) {
    const locked = mkdtempSync(join(folder, 'locked-'));
    chmodSync(locked, 0o500);
    await t.rejects(exporting({ path: join(locked, 'a.json') }), /cannot open/);
    chmodSync(locked, 0o700);
  }
  await t.rejects(exporting({ path: join(folder, 'nowhere', 'a.json') }), /cannot open ".*": ENOENT/);
  if (!existsSync('/dev/full')) return;
  const { exporter } = await exporting({ path: '/dev/full' });
  t.match(await exporter.consume(payloadOf(1)), { kind: 'refused', retryable: true, message: /cannot write to "\/dev\/full": ENOSPC/ });
  t.match(await exporter.consume(payloadOf(2)), { kind: 'refused', retryable: true });
  await exporter.stop();
});

t.test('makes the folders of its path when told to', async (t) => {
  const path = join(folder, 'made', 'deep', 'a.json');
  const { exporter } = await exporting({ path, create_directory: true, directory_permissions: '0700' });
  await exporter.stop();
  t.equal(statSync(join(folder, 'made', 'deep')).mode & 0o777, 0o700);
});

t.test('reading back names the broken record', async (t) => {
  const path = fresh('.bin');
  const faultOf = async (bytes: Uint8Array) => {
    writeFileSync(path, bytes);
    return recordsOf(path).then(
      () => 'none',
      (error: Error) => error.message.replace(path, 'FILE'),
    );
  };
  const good = payloadOf(1).bytes;
  const framed = (bytes: Uint8Array) => Buffer.concat([Buffer.from([0, 0, bytes.length >> 8, bytes.length & 255]), bytes]);
  t.equal(await faultOf(Buffer.concat([framed(good), framed(good)])), 'none');
  t.equal(await faultOf(Buffer.concat([framed(good), framed(good).subarray(0, -1)])), 'FILE ends within record 2');
  t.equal(await faultOf(Buffer.concat([framed(good), framed(Buffer.from([0x0a, 9]))])), 'record 2 of FILE is no ExportTraceServiceRequest');
  t.match(await faultOf(Buffer.from('hello, world')), /record 1 of FILE says it has 1751477356 bytes/);
  t.match(
    await faultOf(Buffer.from(`${jsonTextOf(good)}\n{"resourceSpans":1}\n`)),
    /record 2 of FILE cannot be read as OTLP\/JSON: resourceSpans: expected an array/,
  );
  t.equal(await faultOf(Buffer.from(`{"resourceLogs":[]}\n\n${jsonTextOf(good)}`)), 'none');
  t.match(await faultOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 1, 2, 3])), /no whole zstd stream/);
  t.equal(await faultOf(new Uint8Array()), 'none');
});

t.test('what cannot work is refused when the configuration is read', async (t) => {
  const faults = (raw: object) => checkFile(configOf(fileSchema, raw), []).map(({ path, message }) => `${path.join('.')}: ${message}`);
  t.same(faults({ path: 'a' }), []);
  t.same(faults({}), ['path: path must be non-empty']);
  t.match(faults({ path: 'a', append: true, rotation: null }), [/append and rotation enabled at the same time/]);
  t.match(faults({ path: 'a', format: 'xml' }), [/^format: format type is not supported/]);
  t.match(faults({ path: 'a', compression: 'gzip' }), [/^compression: compression is not supported/]);
  t.match(faults({ path: 'a', encoding: 'zipkin_encoding' }), [/^encoding: encoding extensions are not available/]);
  t.match(faults({ path: 'a-*', group_by: { enabled: true } }), [/^group_by: files by resource attribute are not available/]);
  t.match(faults({ path: 'a', directory_permissions: '0755' }), [/requires create_directory/]);
  t.match(faults({ path: 'a', create_directory: true, directory_permissions: '0999' }), [/valid octal/]);
  t.match(faults({ path: 'a', create_directory: true, directory_permissions: '01777' }), [/invalid bits/]);
});
