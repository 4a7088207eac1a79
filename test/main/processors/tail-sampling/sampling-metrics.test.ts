/** Every metric of the Collector's tail_sampling is emitted, with its attributes and what they count (spec 1.13). */

import t from 'tap';
import { metricsTable } from '../../../../src/main/telemetry/metrics-table.ts';
import { requestBytes, type SpanSpec, spanIdOf, traceIdOf } from '../../../support/otlp.ts';
import { type SamplerRig, samplerRig } from '../../../support/sampler-rig.ts';

const prefix = 'otelcol_processor_tail_sampling_';
const gate = (name: string) => `processor.tailsamplingprocessor.${name}`;
const featureGates = [gate('metricstatcountspanssampled'), gate('metricstatcountbytessampled'), gate('usetracestate')];

const span = (trace: number, id: number, extra: Partial<SpanSpec> = {}): SpanSpec => ({
  traceId: traceIdOf(trace),
  spanId: spanIdOf(id),
  ...extra,
});
const status = (name: string, code: string) => ({ name, type: 'status_code', status_code: { status_codes: [code] } });
const failing = {
  name: 'failing',
  type: 'ottl_condition',
  ottl_condition: { error_mode: 'propagate', span: ['attributes[1] == "test"'] },
};
const dropped = {
  name: 'dropped',
  type: 'drop',
  drop: { drop_sub_policy: [{ name: 'a', type: 'boolean_attribute', boolean_attribute: { key: 'drop', value: true } }] },
};

/** Series of a metric as `attributes: value`, zeros left out; a histogram's count and sum. */
function series(rig: SamplerRig, name: string): Record<string, number> {
  const family = rig.metrics.snapshot().find(({ row }) => row.name === prefix + name);
  const found: Record<string, number> = {};
  for (const { attributes, value } of family?.numbers ?? []) {
    const key = Object.values(attributes).join(' ');
    if (value !== 0) found[key] = value;
  }
  for (const { count, sum } of family?.histograms ?? []) Object.assign(found, { count, sum: Math.round(sum) });
  return found;
}

t.test('each metric counts what it says, and policies are named with the instance', async (t) => {
  const rig = samplerRig(
    {
      decision_wait: '6s',
      maximum_trace_size_bytes: 2000,
      policies: [status('errors', 'ERROR'), failing, dropped, status('never', 'OK')],
    },
    { id: 'unique_id', featureGates },
  );
  await rig.processor.start();
  await rig.send(requestBytes({}, { spans: [span(1, 1, { statusCode: 2 }), span(1, 2, { traceState: 'ot=bad$' })] }));
  await rig.send(requestBytes({}, { spans: [span(2, 3)] }));
  await rig.send(requestBytes({}, { spans: [span(3, 4, { attributes: { drop: true } })] }));
  await rig.send(requestBytes({}, { spans: [span(4, 5, { name: 'x'.repeat(3000) })] }));
  await rig.clock.advance(100);
  t.same(series(rig, 'sampling_traces_on_memory'), { '': 3 });
  t.same(series(rig, 'traces_dropped_too_large'), { '': 1 });
  await rig.clock.advance(7000);
  t.same(series(rig, 'sampling_traces_on_memory'), {});
  t.same(series(rig, 'new_trace_id_received'), { '': 4 });
  t.same(series(rig, 'global_count_traces_sampled'), { 'true sampled': 1, 'false not_sampled': 1, 'false dropped': 1 });
  t.same(series(rig, 'count_spans_with_unparseable_tracestate'), { '': 1 });
  t.same(series(rig, 'sampling_policy_evaluation_error'), { '': 2 }, 'one for each trace that is not dropped');
  t.same(series(rig, 'sampling_policy_execution_count'), {
    'unique_id.errors': 2,
    'unique_id.failing': 2,
    'unique_id.dropped': 3,
    'unique_id.never': 2,
  });
  const votes = {
    'unique_id.errors true sampled': 1,
    'unique_id.errors false not_sampled': 1,
    'unique_id.dropped false dropped': 1,
    'unique_id.dropped false not_sampled': 2,
    'unique_id.never false not_sampled': 2,
  };
  t.same(series(rig, 'count_traces_sampled'), votes);
  t.same(series(rig, 'count_spans_sampled'), {
    'unique_id.errors true sampled': 2,
    'unique_id.errors false not_sampled': 1,
    'unique_id.dropped false dropped': 1,
    'unique_id.dropped false not_sampled': 3,
    'unique_id.never false not_sampled': 3,
  });
  // 2 for the resource, 2 for the scope, then each span with its ids, as spec 1.5 counts them: 16 + 8 and what the cases above add.
  const bytes = series(rig, 'count_bytes_sampled');
  t.equal(bytes['unique_id.errors false not_sampled'], 40, 'the vector of one span with its ids');
  t.same(Object.keys(bytes).sort(), Object.keys(votes).sort());
  const removal = series(rig, 'sampling_trace_removal_age');
  t.equal(removal.count, 4);
  t.equal(removal.sum, 18, 'three after their wait, one at once');
  t.ok(series(rig, 'sampling_decision_timer_latency').count! > 0);

  await rig.clock.advance(2000);
  for (let late = 0; late < 10; late++) await rig.send(requestBytes({}, { spans: [span(late % 2 === 0 ? 1 : 2, 100 + late)] }));
  await rig.clock.advance(100);
  t.same(series(rig, 'early_releases_from_cache_decision'), { true: 5, false: 5 });
  const late = series(rig, 'sampling_late_span_age');
  t.equal(late.count, 10);
  t.equal(late.sum, 30, 'whole seconds since the decision');

  const emitted = new Set(rig.metrics.snapshot().map(({ row }) => row.name));
  const missing = metricsTable.filter(({ name }) => name.startsWith(prefix) && !emitted.has(name)).map(({ name }) => name);
  t.same(missing, [], 'every row of the table has a series');
  await rig.processor.stop();
});

t.test('counts of spans and bytes need their gates', async (t) => {
  const rig = samplerRig({ decision_wait: '1s', policies: [status('errors', 'ERROR')] });
  await rig.processor.start();
  await rig.send(requestBytes({}, { spans: [span(1, 1, { statusCode: 2 })] }));
  await rig.clock.advance(1500);
  const emitted = rig.metrics.snapshot().map(({ row }) => row.name);
  t.notOk(emitted.includes(`${prefix}count_spans_sampled`));
  t.notOk(emitted.includes(`${prefix}count_bytes_sampled`));
  t.same(series(rig, 'count_traces_sampled'), { 'errors true sampled': 1 }, 'an instance without a name adds none');
  await rig.processor.stop();
});

t.test('with otelcol compatibility a full table evicts, and the trace is counted as dropped too early', async (t) => {
  const rig = samplerRig({ decision_wait: '2s', num_traces: 2, policies: [status('errors', 'UNSET')] }, { otelcolCompatibility: true });
  await rig.processor.start();
  await rig.send(requestBytes({}, { spans: [span(1, 1), span(2, 2), span(3, 3)] }));
  await rig.clock.advance(4000);
  t.same(series(rig, 'sampling_trace_dropped_too_early'), { '': 1 });
  t.same(series(rig, 'global_count_traces_sampled'), { 'true sampled': 2 });
  await rig.processor.stop();
});
