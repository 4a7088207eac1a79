/** `num_traces` and `block_on_overflow`, ours and as the Collector does it (spec 1.7.4). */

import t from 'tap';
import { flush } from '../../../support/manual-clock.ts';
import { requestBytes, spanIdOf, traceIdOf } from '../../../support/otlp.ts';
import { type SamplerRigOptions, samplerRig } from '../../../support/sampler-rig.ts';

const all = [{ name: 'all', type: 'always_sample' }];
const caches = { sampled_cache_size: 100, non_sampled_cache_size: 100 };
const request = (...traces: readonly number[]) =>
  requestBytes({}, { spans: traces.map((trace) => ({ traceId: traceIdOf(trace), spanId: spanIdOf(trace), name: `${trace}` })) });

function overflowRig(config: object, options: SamplerRigOptions = {}) {
  const rig = samplerRig({ decision_wait: '5s', num_traces: 2, policies: all, ...config }, options);
  return { ...rig, names: () => rig.kept.map(({ name }) => name) };
}

t.test('by default the oldest is decided early, and its late spans follow', async (t) => {
  const rig = overflowRig({});
  await rig.processor.start();
  await rig.send(request(1, 2));
  await rig.clock.advance(1000);
  await rig.send(request(3));
  await rig.clock.advance(100);
  t.same(rig.names(), ['1']);
  await rig.send(request(1));
  await rig.clock.advance(100);
  t.same(rig.names(), ['1', '1'], 'a span of a decided trace makes no new trace');
  await rig.clock.advance(6000);
  t.same(rig.names().sort(), ['1', '1', '2', '3']);
  t.equal(rig.metric('otelcol_processor_tail_sampling_sampling_trace_dropped_too_early'), 0);
  await rig.processor.stop();
});

t.test('of 210 traces with num_traces 100 all are decided; as the Collector does it, the last 100', async (t) => {
  for (const otelcolCompatibility of [false, true]) {
    const rig = overflowRig({ num_traces: 100 }, { otelcolCompatibility });
    await rig.processor.start();
    for (let trace = 0; trace < 210; trace++) await rig.send(request(trace));
    await rig.clock.advance(7000);
    const wanted = Array.from({ length: 210 }, (_, trace) => `${trace}`).slice(otelcolCompatibility ? 110 : 0);
    t.same(new Set(rig.names()), new Set(wanted));
    t.equal(rig.metric('otelcol_processor_tail_sampling_sampling_trace_dropped_too_early'), otelcolCompatibility ? 110 : 0);
    await rig.processor.stop();
  }
});

t.test('as the Collector does it, an evicted trace that comes back waits anew', async (t) => {
  const rig = overflowRig({}, { otelcolCompatibility: true });
  await rig.processor.start();
  await rig.send(request(1, 2, 3));
  await rig.clock.advance(3000);
  await rig.send(request(1));
  await rig.clock.advance(3000);
  t.same(rig.names(), ['3'], 'its first wait would be over');
  await rig.clock.advance(3000);
  t.same(rig.names(), ['3', '1']);
  await rig.processor.stop();
});

t.test('block_on_overflow refuses for now while the table is full, and takes again once traces are decided', async (t) => {
  const rig = overflowRig({ block_on_overflow: true });
  await rig.processor.start();
  t.equal((await rig.send(request(1, 2, 3))).kind, 'accepted', 'what was taken waits for its turn');
  await rig.clock.advance(100);
  const refused = await rig.send(request(4));
  t.match(refused, { kind: 'refused', retryable: true, code: 8 });
  t.ok((refused as { retryAfterMs?: number }).retryAfterMs! > 0);
  await rig.clock.advance(5200);
  t.same(rig.names(), ['1', '2', '3'], 'none of them early; the third had waited since it came');
  t.equal((await rig.send(request(4))).kind, 'accepted');
  await rig.clock.advance(6000);
  t.same(rig.names(), ['1', '2', '3', '4']);
  const processor = 'tail_sampling';
  t.equal(rig.metric('ringtail_account_refused_spans', { processor }), 1);
  t.equal(rig.metric('ringtail_early_decisions', { processor }), 0);
  await rig.processor.stop();
});

t.test('as the Collector does it, block_on_overflow keeps the caller waiting, and stopping ends the wait', async (t) => {
  const rig = overflowRig({ block_on_overflow: true, decision_cache: caches }, { otelcolCompatibility: true });
  await rig.processor.start();
  await rig.send(request(1, 2, 3));
  await rig.clock.advance(100);
  let answer = '';
  const waiting = rig.send(request(4)).then(({ kind }) => {
    answer = kind;
  });
  await rig.clock.advance(4000);
  t.equal(answer, '');
  await rig.clock.advance(2000);
  await waiting;
  t.equal(answer, 'accepted');
  await rig.clock.advance(6000);
  t.same(rig.names(), ['1', '2', '3', '4']);
  await rig.send(request(5, 6, 7));
  await rig.clock.advance(100);
  const last = rig.send(request(8));
  await flush();
  const drained = rig.processor.drain(rig.clock.monotonicMs() + 1000);
  await rig.clock.advance(1000);
  t.ok(['accepted', 'refused'].includes((await last).kind), 'answered in any case');
  t.equal((await drained).spansLost, 0);
  await rig.processor.stop();
});
