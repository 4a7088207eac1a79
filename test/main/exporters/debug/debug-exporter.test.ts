import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { debugExporterType } from '../../../../src/main/exporters/debug/debug-exporter.ts';
import { detailedText, normalText, resourceSpansCount } from '../../../../src/main/exporters/debug/traces-text.ts';
import { componentRig, configOf } from '../../../support/component-rig.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { concat, requestBytes, spanIdOf, traceIdOf } from '../../../support/otlp.ts';

const one = requestBytes({ 'service.name': 'shop' }, { spans: [{ traceId: traceIdOf(1), spanId: spanIdOf(2), name: 'GET /' }] });
const payload = { bytes: concat(one, one), spanCount: 2 };

async function debugRig(raw: object) {
  const clock = new ManualClock();
  const rig = componentRig('debug', { clock });
  const exporter = debugExporterType.create(rig.settings, configOf(debugExporterType.schema, raw));
  await exporter.start();
  return { ...rig, clock, exporter };
}

t.test('counts resource spans and spans in one line', async (t) => {
  const { exporter, logger, metric } = await debugRig({});
  t.same(await exporter.consume(payload), { kind: 'accepted' });
  t.same(logger.lines, [{ level: 'info', fields: { 'resource spans': 2, spans: 2 }, message: 'Traces' }]);
  t.equal(metric('otelcol_exporter_sent_spans', { exporter: 'debug' }), 2);
  t.equal(resourceSpansCount(payload.bytes), 2);
  await exporter.stop();
});

t.test('tells of the first payloads of a second and then of every so many', async (t) => {
  const { exporter, logger, clock } = await debugRig({ sampling_initial: 2, sampling_thereafter: 3 });
  for (let index = 0; index < 8; index++) await exporter.consume(payload);
  t.equal(logger.lines.length, 4, '2, then the 5th and the 8th');
  await clock.advance(1000);
  await exporter.consume(payload);
  t.equal(logger.lines.length, 5);
  await exporter.stop();
});

t.test('normal and detailed name every span', async (t) => {
  const traceId = Buffer.from(traceIdOf(1)).toString('hex');
  t.match(normalText(one), /^ResourceTraces #0 service\.name=shop\nScopeTraces #0\n/);
  t.match(normalText(one), `GET / ${traceId} `);
  const detailed = detailedText(one);
  for (const line of ['ResourceSpans #0', '     -> service.name: Str(shop)', 'Span #0', `    Trace ID       : ${traceId}`]) {
    t.match(detailed, `${line}\n`);
  }
});

t.test('writes to files instead of the log when told so', async (t) => {
  const path = join(t.testdir({}), 'spans.txt');
  const { exporter, logger } = await debugRig({ use_internal_logger: false, output_paths: [path], verbosity: 'normal' });
  await exporter.consume(payload);
  await exporter.drain(0);
  await exporter.stop();
  t.match(readFileSync(path, 'utf8'), /^Traces\t\{"resource spans":2,"spans":2\}\nResourceTraces #0/);
  t.same(logger.lines, []);
  await t.rejects(debugRig({ use_internal_logger: false, output_paths: [join(path, 'no')] }), /cannot open output/);
});
