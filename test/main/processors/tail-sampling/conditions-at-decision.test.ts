/** OTTL conditions that ask for the time are judged when the trace is decided, as in the Collector. */

import t from 'tap';
import { concat, requestBytes, type SpanSpec, spanIdOf, traceIdOf } from '../../../support/otlp.ts';
import { samplerRig } from '../../../support/sampler-rig.ts';

const span = (trace: number, id: number, extra: Partial<SpanSpec> = {}): SpanSpec => ({
  traceId: traceIdOf(trace),
  spanId: spanIdOf(id),
  name: `span-${id}`,
  ...extra,
});
const condition = (text: string, error_mode = 'propagate') => [
  { name: 'c', type: 'ottl_condition', ottl_condition: { error_mode, span: [text] } },
];
const errors = 'otelcol_processor_tail_sampling_sampling_policy_evaluation_error';

/** Conditions read the real clock. */
const until = async (ms: number) => {
  while (Date.now() < ms) await new Promise((resolve) => setTimeout(resolve, 10));
};

t.test('Now() is the time of the decision, whichever span meets it', async (t) => {
  const threshold = Date.now() + 400;
  const rig = samplerRig({ decision_wait: '1s', policies: condition(`name == "span-2" and UnixMilli(Now()) >= ${threshold}`) });
  await rig.processor.start();
  await rig.send(concat(requestBytes({}, { spans: [span(1, 1), span(3, 3)] }), requestBytes({ a: 'b' }, { spans: [span(1, 2)] })));
  await rig.clock.advance(200);
  await until(threshold);
  await rig.clock.advance(1500);
  t.same(rig.kept.map(({ name }) => name).sort(), ['span-1', 'span-2']);
  await rig.processor.stop();
});

t.test('an error at the decision is an error of the policy', async (t) => {
  const rig = samplerRig({ decision_wait: '1s', policies: condition('UnixMilli(Now()) > 0 and attributes[1] == "test"') });
  await rig.processor.start();
  await rig.send(requestBytes({}, { spans: [span(1, 1), span(2, 2)] }));
  await rig.clock.advance(200);
  t.equal(rig.metric(errors), 0);
  await rig.clock.advance(1500);
  t.equal(rig.metric(errors), 2);
  t.equal(rig.kept.length, 0);
  await rig.processor.stop();
});

t.test('under span-ingest each fragment is judged when it comes', async (t) => {
  const rig = samplerRig({ decision_wait: '60s', sampling_strategy: 'span-ingest', policies: condition('UnixMilli(Now()) > 0') });
  await rig.processor.start();
  await rig.send(requestBytes({}, { spans: [span(1, 1)] }));
  await rig.clock.advance(200);
  t.equal(rig.kept.length, 1);
  await rig.processor.stop();
});
