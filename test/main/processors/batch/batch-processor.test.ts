import t from 'tap';
import { refusedRetryable } from '../../../../src/main/pipeline/consume-outcome.ts';
import { checkBatch } from '../../../../src/main/processors/batch/batch-config.ts';
import { batchProcessorType } from '../../../../src/main/processors/batch/batch-processor.ts';
import { seededPrng } from '../../../../src/shared/prng.ts';
import { componentRig, configOf, Sink } from '../../../support/component-rig.ts';
import { flush, ManualClock } from '../../../support/manual-clock.ts';
import { Dice, decodeSpans, randomRequest, requestBytes, spanIdOf, spanTexts, traceIdOf } from '../../../support/otlp.ts';

let nextSpan = 1;

/** `spans` spans of two traces in turn, under one resource and scope, with ids of their own. */
function request(spans: number) {
  const specs = Array.from({ length: spans }, (_, index) => ({
    traceId: traceIdOf(index % 2),
    spanId: spanIdOf(nextSpan++),
    name: `span ${index}`,
  }));
  return { bytes: requestBytes({ 'service.name': 'a' }, { spans: specs }), spanCount: spans };
}

async function batchRig(raw: object, options: { readonly arenaMib?: number } = {}) {
  const clock = new ManualClock();
  const rig = componentRig('batch', { clock, ...options });
  const sink = new Sink();
  const processor = batchProcessorType.create(rig.settings, configOf(batchProcessorType.schema, raw), sink);
  await processor.start();
  return { ...rig, clock, sink, processor };
}

t.test('appends payloads until the size is reached and sends them as one request', async (t) => {
  const { processor, sink, metric } = await batchRig({ send_batch_size: 10 });
  const sent = [request(4), request(4), request(4)];
  for (const payload of sent) t.same(await processor.consume(payload), { kind: 'accepted' });
  await flush();
  t.same(
    sink.payloads.map((payload) => payload.spanCount),
    [12],
  );
  t.same(spanTexts(decodeSpans(sink.payloads[0]!.bytes)), sent.flatMap((payload) => spanTexts(decodeSpans(payload.bytes))).sort());
  t.equal(metric('otelcol_processor_batch_batch_size_trigger_send'), 1);
  t.equal(metric('otelcol_processor_batch_batch_send_size'), 1);
  await processor.stop();
});

t.test('sends what is there when the time is up, and not before', async (t) => {
  const { processor, sink, clock, metric } = await batchRig({ timeout: '200ms' });
  await processor.consume(request(3));
  await clock.advance(199);
  t.equal(sink.payloads.length, 0);
  await clock.advance(1);
  t.equal(sink.spanCount, 3);
  t.equal(metric('otelcol_processor_batch_timeout_trigger_send'), 1);
  await clock.advance(1000);
  t.equal(sink.payloads.length, 1, 'nothing is sent when nothing is there');
  await processor.stop();
});

t.test('sends every payload at once without a timeout', async (t) => {
  const { processor, sink, clock } = await batchRig({ timeout: '0s' });
  await processor.consume(request(1));
  await flush();
  t.equal(sink.payloads.length, 1);
  t.equal(clock.waiting, 0);
  await processor.stop();
});

t.test('cuts at span boundaries to the largest size, losing and doubling nothing', async (t) => {
  const { processor, sink, clock, arena } = await batchRig({ send_batch_size: 7, send_batch_max_size: 7, timeout: '1s' }, { arenaMib: 32 });
  const dice = new Dice(seededPrng(5));
  const wanted: string[] = [];
  for (let round = 0; round < 30; round++) {
    const bytes = round % 3 === 0 ? request(1 + (round % 17)).bytes : randomRequest(dice);
    const spans = decodeSpans(bytes);
    if (spans.length === 0) continue;
    wanted.push(...spanTexts(spans));
    await processor.consume({ bytes, spanCount: spans.length });
    await flush();
  }
  await clock.advance(5_000);
  t.same(sink.payloads.flatMap((payload) => spanTexts(decodeSpans(payload.bytes))).sort(), wanted.sort());
  t.ok(sink.payloads.every((payload) => payload.spanCount <= 7 && payload.spanCount === decodeSpans(payload.bytes).length));
  await processor.stop();
  t.equal(arena.heldBytes(), 0, 'gives every block back');
});

t.test('keeps what it acknowledged when the arena is full', async (t) => {
  const { processor, sink, arena, clock } = await batchRig({ timeout: '1s' }, { arenaMib: 1 });
  while (arena.acquire(1) !== undefined);
  const payload = request(5);
  t.same(await processor.consume(payload), { kind: 'accepted' });
  await clock.advance(1000);
  t.same(spanTexts(decodeSpans(sink.payloads[0]!.bytes)), spanTexts(decodeSpans(payload.bytes)));
  await processor.stop();
});

t.test('lets a caller wait while one batch is under way and the next is full', async (t) => {
  const { processor, sink } = await batchRig({ send_batch_size: 2 });
  const gate = Promise.withResolvers<{ kind: 'accepted' }>();
  sink.answer = () => gate.promise;
  const answers: string[] = [];
  const send = (name: string) => processor.consume(request(2)).then(() => answers.push(name));
  send('first');
  send('second');
  send('third');
  await flush();
  t.same(answers, ['first', 'second']);
  gate.resolve({ kind: 'accepted' });
  await flush();
  t.same(answers, ['first', 'second', 'third']);
  t.equal(sink.spanCount, 6);
  await processor.stop();
});

t.test('counts a batch that the next component refuses as lost', async (t) => {
  const { processor, sink, metric, logger } = await batchRig({ send_batch_size: 1 });
  sink.answer = () => refusedRetryable('sending queue is full');
  t.same(await processor.consume(request(3)), { kind: 'accepted' });
  await flush();
  t.equal(metric('ringtail_batch_lost_spans'), 3);
  t.equal(metric('otelcol_processor_batch_batch_send_size'), 1, 'the batch was sent all the same');
  t.ok(logger.lines.some((line) => line.level === 'warn'));
  await processor.stop();
});

t.test('hands out what it holds when drained, and reports what was left at the deadline', async (t) => {
  const good = await batchRig({});
  await good.processor.consume(request(3));
  t.same(await good.processor.drain(good.clock.monotonicMs() + 1000), { spansLost: 0 });
  t.equal(good.sink.spanCount, 3);
  t.match(await good.processor.consume(request(1)), { kind: 'refused', retryable: true });
  await good.processor.stop();

  const stuck = await batchRig({});
  stuck.sink.answer = () => new Promise(() => {});
  await stuck.processor.consume(request(3));
  const drained = stuck.processor.drain(stuck.clock.monotonicMs() + 1000);
  await stuck.clock.advance(1000);
  t.same(await drained, { spansLost: 3 });
  await stuck.processor.stop();
});

t.test('keeps combinations of metadata values apart, up to the limit', async (t) => {
  const { processor, sink, clock, metric } = await batchRig({ metadata_keys: ['Tenant'], metadata_cardinality_limit: 2 });
  const from = (tenant: string) => ({ ...request(1), metadata: new Map([['tenant', [tenant]]]) });
  for (const tenant of ['a', 'b', 'a']) t.same(await processor.consume(from(tenant)), { kind: 'accepted' });
  t.match(await processor.consume(from('c')), { retryable: false, message: 'too many batcher metadata-value combinations' });
  t.equal(metric('otelcol_processor_batch_metadata_cardinality'), 2);
  await clock.advance(200);
  t.same(sink.payloads.map((payload) => [payload.metadata?.get('tenant'), payload.spanCount]).sort(), [
    [['a'], 2],
    [['b'], 1],
  ]);
  await processor.stop();
});

t.test('refuses configurations in the words of the Collector', async (t) => {
  const messages = (raw: object) => checkBatch(configOf(batchProcessorType.schema, raw)).map((fault) => fault.message);
  t.same(messages({ send_batch_max_size: 5 }), ['send_batch_max_size must be greater or equal to send_batch_size']);
  t.same(messages({ timeout: '-1s' }), ['timeout must be greater or equal to 0']);
  t.same(messages({ metadata_keys: ['a', 'A'] }), ['duplicate entry in metadata_keys: "a" (case-insensitive)']);
  t.same(messages({}), []);
});
