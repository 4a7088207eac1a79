/** What a shard does when its own code throws: rebuilds and goes on, and after ten failures in a row samples everything. */

import t from 'tap';
import { requestBytes, type SpanSpec, spanIdOf, traceIdOf } from '../../../support/otlp.ts';
import { samplerRig } from '../../../support/sampler-rig.ts';

const span = (trace: number, id: number, attributes: SpanSpec['attributes'] = {}): SpanSpec => ({
  traceId: traceIdOf(trace),
  spanId: spanIdOf(id),
  name: `span-${id}`,
  attributes,
});
const flag = (key: string) => ({ name: key, type: 'boolean_attribute', boolean_attribute: { key, value: true } });
const failures = (rig: ReturnType<typeof samplerRig>) => rig.metric('ringtail_shard_task_failures', { processor: 'tail_sampling' });

/** Makes the kernel throw at its next `times` walks over a run's spans, in the middle of a task. */
function breakKernel(rig: ReturnType<typeof samplerRig>, times: number): void {
  const { facts } = rig.arena.kernel;
  let left = times;
  rig.arena.kernel.facts = (run, out) => {
    if (left-- > 0) throw new Error('the kernel is broken');
    return facts(run, out);
  };
}

t.test('under span-ingest a fragment that was judged does not count for the next one after a crash', async (t) => {
  const policies = [{ name: 'both', type: 'and', and: { and_sub_policy: [flag('a'), flag('b')] } }];
  const rig = samplerRig({ decision_wait: '5s', sampling_strategy: 'span-ingest', policies });
  await rig.processor.start();
  await rig.send(requestBytes({}, { spans: [span(1, 1, { a: true }), span(2, 2, { a: true })] }));
  await rig.clock.advance(200);
  breakKernel(rig, 1);
  await rig.send(requestBytes({}, { spans: [span(1, 3, { b: true }), span(2, 4, { a: true }), span(2, 5, { b: true })] }));
  await rig.clock.advance(500);
  t.equal(failures(rig), 1, 'the task really failed');
  t.same(rig.kept.map(({ name }) => name).sort(), ['span-2', 'span-4', 'span-5'], 'only one trace has both in one fragment');
  await rig.clock.advance(6000);
  t.equal(rig.kept.length, 3);
  t.equal(rig.metric('ringtail_account_not_sampled_spans', { processor: 'tail_sampling' }), 2);
  await rig.processor.stop();
});

t.test('sizes survive a crash under span-ingest', async (t) => {
  const rig = samplerRig({ decision_wait: '5s', sampling_strategy: 'span-ingest', maximum_trace_size_bytes: 2500, policies: [flag('a')] });
  await rig.processor.start();
  const name = 'x'.repeat(1000);
  const request = (id: number) => requestBytes({}, { spans: [{ ...span(1, id), name }] });
  await rig.send(request(1));
  await rig.clock.advance(200);
  breakKernel(rig, 1);
  await rig.send(request(2));
  await rig.clock.advance(200);
  t.equal(rig.metric('otelcol_processor_tail_sampling_traces_dropped_too_large'), 0);
  await rig.send(request(3));
  await rig.clock.advance(200);
  t.equal(rig.metric('otelcol_processor_tail_sampling_traces_dropped_too_large'), 1);
  t.equal(failures(rig), 1);
  await rig.processor.stop();
});

t.test('a shard that fails ten times in a row samples every trace from then on, and says so', async (t) => {
  const rig = samplerRig({ decision_wait: '1s', policies: [flag('a'), { name: 'never', type: 'probabilistic', probabilistic: {} }] });
  await rig.processor.start();
  await rig.send(requestBytes({}, { spans: [span(1, 1), span(2, 2)] }));
  await rig.clock.advance(200);
  breakKernel(rig, Number.POSITIVE_INFINITY);
  await rig.send(requestBytes({}, { spans: [span(1, 3), span(3, 4)] }));
  await rig.clock.advance(3000);
  t.equal(failures(rig), 10);
  t.same(rig.kept.map(({ name }) => name).sort(), ['span-1', 'span-2', 'span-3', 'span-4'], 'nothing that was held is lost');
  await rig.send(requestBytes({}, { spans: [span(4, 5)] }));
  await rig.clock.advance(2000);
  t.equal(rig.kept.length, 5);
  const errors = rig.logger.lines.filter(({ level }) => level === 'error').map(({ message }) => message);
  t.equal(errors.length, 10);
  t.match(errors.at(-1), /samples every trace/);
  t.equal(rig.metric('ringtail_account_sampled_spans', { processor: 'tail_sampling' }), 5);
  await rig.processor.stop();
  t.equal(rig.arena.heldBytes(), 0);
});

t.test('nine failures in a row are mended, and the policies judge again', async (t) => {
  const rig = samplerRig({ decision_wait: '1s', policies: [flag('a')] });
  await rig.processor.start();
  breakKernel(rig, 9);
  await rig.send(requestBytes({}, { spans: [span(1, 1, { a: true }), span(2, 2)] }));
  await rig.clock.advance(2500);
  t.equal(failures(rig), 9);
  t.same(
    rig.kept.map(({ name }) => name),
    ['span-1'],
  );
  await rig.processor.stop();
});
