import t from 'tap';
import type { Arena, ArenaBlock } from '../../../../src/main/arena/arena.ts';
import { accepted, type ConsumeOutcome, GrpcStatus } from '../../../../src/main/pipeline/consume-outcome.ts';
import { traceStateGate } from '../../../../src/workers/policies/compile-policies.ts';
import { decodeSpans, requestBytes, type SpanSpec, spanIdOf, traceIdOf } from '../../../support/otlp.ts';
import { samplerRig } from '../../../support/sampler-rig.ts';

const always = [{ name: 'all', type: 'always_sample' }];
const account = { processor: 'tail_sampling' };

const span = (trace: number, id: number, bytes: number): SpanSpec => ({
  traceId: traceIdOf(trace),
  spanId: spanIdOf(id),
  name: `span-${id}`,
  attributes: { body: 'x'.repeat(bytes) },
});

const request = (service: string, ...spans: SpanSpec[]): Uint8Array =>
  requestBytes({ 'service.name': service }, { scopeName: `${service}-scope`, spans });

/** Takes whatever comes, and notes each span with its resource. */
function collector() {
  const names: string[] = [];
  let calls = 0;
  return {
    names,
    calls: () => calls,
    answer: async ({ bytes }: { bytes: Uint8Array }): Promise<ConsumeOutcome> => {
      calls++;
      for (const { span, context } of decodeSpans(bytes)) names.push(`${context}/${(span as unknown as { name: string }).name}`);
      return accepted;
    },
  };
}

/** What else holds the arena: no free block of so many bytes is left. */
function holdFreeBlocks(arena: Arena, bytes: number): ArenaBlock[] {
  const held: ArenaBlock[] = [];
  for (let block = arena.acquire(bytes); block !== undefined; block = arena.acquire(bytes)) held.push(block);
  return held;
}

t.test('a trace larger than any free block goes out in pieces, whole, and the traces behind it follow', async (t) => {
  const sink = collector();
  const rig = samplerRig({ decision_wait: '1s', policies: always }, { capacityMiB: 32, answer: sink.answer });
  await rig.processor.start();
  for (let part = 0; part < 12; part++) {
    const spans = Array.from({ length: 5 }, (_, index) => span(1, part * 5 + index, 200_000));
    t.equal((await rig.send(request(`service-${part}`, ...spans))).kind, 'accepted');
  }
  await rig.send(request('behind', span(2, 1000, 10)));
  const hostages = holdFreeBlocks(rig.arena, 2 << 20);
  await rig.clock.advance(5000);
  t.equal(sink.names.length, 61);
  const decoded = sink.names.map((name) => name.slice(name.lastIndexOf('/') + 1));
  t.same(new Set(decoded).size, 61, 'no span twice');
  for (let part = 0; part < 12; part++) {
    t.equal(sink.names.filter((name) => name.includes(`service-${part}"`)).length, 5, `spans under the resource of service ${part}`);
  }
  t.ok(sink.calls() > 2);
  for (const block of hostages) rig.arena.release(block);
  t.equal(rig.metric('ringtail_account_exported_spans', account), 61);
  t.equal(rig.metric('ringtail_account_buffered_spans', account), 0);
  await rig.processor.stop();
});

t.test('a row of adjacent spans larger than any free block is cut between spans', async (t) => {
  const sink = collector();
  const rig = samplerRig({ decision_wait: '1s', policies: always, record: 'policy' }, { capacityMiB: 32, answer: sink.answer });
  await rig.processor.start();
  const spans = Array.from({ length: 90 }, (_, index) => span(1, index, 100_000));
  t.equal((await rig.send(request('one', ...spans))).kind, 'accepted');
  const hostages = holdFreeBlocks(rig.arena, 4 << 20);
  await rig.clock.advance(5000);
  t.same(
    sink.names.map((name) => name.slice(name.lastIndexOf('/') + 1)),
    spans.map(({ name }) => name),
  );
  t.ok(sink.calls() > 2);
  for (const block of hostages) rig.arena.release(block);
  await rig.processor.stop();
});

t.test('decided spans that still wait for room at the deadline are reported as lost', async (t) => {
  const rig = samplerRig({ decision_wait: '1s', policies: always }, { capacityMiB: 32 });
  await rig.processor.start();
  await rig.send(request('one', span(1, 1, 200_000), span(1, 2, 200_000)));
  const hostages = holdFreeBlocks(rig.arena, 65_536);
  await rig.clock.advance(2000);
  const drained = rig.processor.drain(rig.clock.monotonicMs() + 100);
  await rig.clock.advance(200);
  t.same(await drained, { spansLost: 2 });
  for (const block of hostages) rig.arena.release(block);
  await rig.processor.stop();
});

for (const requestMiB of [4, 17]) {
  t.test(`requests of ${requestMiB} MiB make room for each other by early decisions, however long the wait`, async (t) => {
    const rig = samplerRig({ decision_wait: '1h', policies: always }, { capacityMiB: 64 });
    await rig.processor.start();
    let refusals = 0;
    for (let trace = 1; trace <= 5; trace++) {
      const bytes = request('big', ...Array.from({ length: requestMiB }, (_, index) => span(trace, trace * 100 + index, 1 << 20)));
      while ((await rig.send(bytes)).kind === 'refused' && ++refusals < 30) await rig.clock.advance(1000);
    }
    t.ok(refusals < 30, `${refusals} refusals`);
    t.equal((await rig.send(request('small', span(7, 700, 10)))).kind, 'accepted');
    await rig.processor.drain(rig.clock.monotonicMs() + 1000);
    t.equal(rig.kept.length, 5 * requestMiB + 1);
    const heldBytes = rig.arena.heldBytes();
    await rig.processor.stop();
    t.equal(rig.arena.heldBytes(), 0, `${heldBytes} before`);
  });
}

t.test('with the gate usetracestate a trace larger than any free block still goes out, if without thresholds', async (t) => {
  const sink = collector();
  const options = { capacityMiB: 32, answer: sink.answer, featureGates: [traceStateGate] };
  const rig = samplerRig({ decision_wait: '1s', policies: always }, options);
  await rig.processor.start();
  for (let trace = 1; trace <= 3; trace++) {
    for (let part = 0; part < 20; part++) await rig.send(request('large', span(trace, trace * 100 + part, 20_000)));
  }
  const hostages = holdFreeBlocks(rig.arena, 128 << 10);
  await rig.clock.advance(10_000);
  t.equal(new Set(sink.names).size, 60);
  t.equal(sink.names.length, 60);
  for (const block of hostages) rig.arena.release(block);
  await rig.processor.stop();
});

t.test('a request that could never be held is refused for good, and takes nothing else down', async (t) => {
  const rig = samplerRig({ decision_wait: '1h', policies: always }, { capacityMiB: 32 });
  await rig.processor.start();
  await rig.send(request('small', span(1, 1, 10)));
  const outcome = await rig.send(request('huge', span(2, 2, 17 << 20)));
  t.match(outcome, { kind: 'refused', retryable: false, code: GrpcStatus.resourceExhausted });
  await rig.clock.advance(1000);
  t.equal(rig.metric('ringtail_account_buffered_spans', account), 1, 'nothing was decided early for it');
  await rig.processor.stop();
});
