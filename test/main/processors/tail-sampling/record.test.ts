/** What kept spans' scopes say of the decision: option `record` and gate `recordpolicy` (spec 1.12), end to end. */

import t from 'tap';
import { type DecodedSpan, decodeSpans, requestBytes, type SpanSpec, spanIdOf, traceIdOf } from '../../../support/otlp.ts';
import { type SamplerRigOptions, samplerRig } from '../../../support/sampler-rig.ts';

const span = (trace: number, id: number, extra: Partial<SpanSpec> = {}): SpanSpec => ({
  traceId: traceIdOf(trace),
  spanId: spanIdOf(id),
  parentSpanId: spanIdOf(9),
  name: `span-${id}`,
  ...extra,
});
const errors = { name: 'errors', type: 'status_code', status_code: { status_codes: ['ERROR'] } };
const numeric = (name: string, key: string) => ({
  name,
  type: 'numeric_attribute',
  numeric_attribute: { key, min_value: 1, max_value: 100 },
});
const composite = {
  name: 'both',
  type: 'composite',
  composite: {
    max_total_spans_per_second: 1000,
    composite_sub_policy: [numeric('eval-1', 'tag'), { name: 'eval-2', type: 'always_sample' }],
  },
};

type Scope = { name?: string; attributes?: { key: string; value: { stringValue?: string; boolValue?: boolean } }[] };

/** The scope's attributes by the name of each kept span, as `key=value`. */
function scopesOf(kept: readonly DecodedSpan[]): Record<string, string[]> {
  return Object.fromEntries(
    kept.map(({ span: { name }, context }) => {
      const { scope } = JSON.parse(context) as { scope?: Scope };
      const attributes = (scope?.attributes ?? []).map(({ key, value }) => `${key}=${value.stringValue ?? value.boolValue}`);
      return [String(name), scope?.name === undefined ? attributes : [scope.name, ...attributes]];
    }),
  );
}

async function keptScopes(config: object, options: SamplerRigOptions = {}): Promise<Record<string, string[]>> {
  const kept: DecodedSpan[] = [];
  const rig = samplerRig({ decision_wait: '2s', ...config }, { ...options, accepted: (bytes) => kept.push(...decodeSpans(bytes)) });
  await rig.processor.start();
  await rig.send(requestBytes({}, { scopeName: 'lib', spans: [span(1, 1, { statusCode: 2 }), span(2, 2)] }, { spans: [span(1, 3)] }));
  await rig.clock.advance(2500);
  await rig.send(requestBytes({}, { scopeName: 'lib', spans: [span(1, 4), span(2, 5)] }));
  await rig.clock.advance(300);
  await rig.processor.stop();
  return scopesOf(kept);
}

const onTime = ['tailsampling.policy=errors'];
const late = ['lib', 'tailsampling.policy=errors', 'tailsampling.cached_decision=true'];

t.test('record: policy and the gate name the policy, on time and late, beside what the scope has', async (t) => {
  const wanted = { 'span-1': ['lib', ...onTime], 'span-3': onTime, 'span-4': late };
  t.same(await keptScopes({ policies: [errors], record: 'policy' }), wanted);
  t.same(await keptScopes({ policies: [errors] }, { featureGates: ['processor.tailsamplingprocessor.recordpolicy'] }), wanted);
});

t.test('record: full adds why the trace was decided when it was', async (t) => {
  t.same(await keptScopes({ policies: [errors], record: 'full' }), {
    'span-1': ['lib', ...onTime, 'tailsampling.trigger=wait'],
    'span-3': [...onTime, 'tailsampling.trigger=wait'],
    'span-4': [...late, 'tailsampling.trigger=wait'],
  });
});

t.test('nothing is said unless asked for', async (t) => {
  t.same(await keptScopes({ policies: [errors] }), { 'span-1': ['lib'], 'span-3': [], 'span-4': ['lib'] });
});

t.test('a composite names its sub-policy; one that is not credited only as the Collector does it', async (t) => {
  const alone = await keptScopes({ policies: [composite], record: 'policy' });
  t.same(alone['span-3'], ['tailsampling.policy=both', 'tailsampling.composite_policy=eval-2']);
  const second = { policies: [errors, composite], record: 'policy' };
  t.same((await keptScopes(second))['span-3'], onTime);
  t.same((await keptScopes(second, { otelcolCompatibility: true }))['span-3'], [...onTime, 'tailsampling.composite_policy=eval-2']);
});

t.test('an early decision, a root and the drain say so', async (t) => {
  const kept: DecodedSpan[] = [];
  const rig = samplerRig(
    {
      decision_wait: '60s',
      decision_wait_after_root_received: '1s',
      num_traces: 2,
      policies: [{ name: 'all', type: 'always_sample' }],
      record: 'full',
    },
    { accepted: (bytes) => kept.push(...decodeSpans(bytes)) },
  );
  await rig.processor.start();
  const { parentSpanId: _, ...root } = span(2, 2);
  await rig.send(requestBytes({}, { spans: [span(1, 1), root, span(3, 3)] }));
  await rig.clock.advance(1500);
  await rig.processor.drain(rig.clock.monotonicMs() + 1000);
  const triggers = Object.fromEntries(Object.entries(scopesOf(kept)).map(([name, attributes]) => [name, attributes.at(-1)]));
  t.same(triggers, {
    'span-1': 'tailsampling.trigger=early',
    'span-2': 'tailsampling.trigger=root',
    'span-3': 'tailsampling.trigger=drain',
  });
  await rig.processor.stop();
});
