/** Gate `usetracestate` end to end: thresholds on kept spans, limiters over all that is due, the counter of what cannot be parsed (spec 1.10, 5.4). */

import t from 'tap';
import { seededPrng } from '../../../../src/shared/prng.ts';
import { membersMax, parseOtelTraceState, withThreshold } from '../../../../src/workers/policies/otel-trace-state.ts';
import {
  concat,
  type DecodedSpan,
  Dice,
  decodeSpans,
  lengthField,
  randomRequest,
  requestBytes,
  type SpanSpec,
  spanBytes,
  spanIdOf,
  spanTexts,
  traceIdOf,
  utf8,
  varintField,
} from '../../../support/otlp.ts';
import { type SamplerRigOptions, samplerRig } from '../../../support/sampler-rig.ts';

const featureGates = ['processor.tailsamplingprocessor.usetracestate'];
const unparseable = 'otelcol_processor_tail_sampling_count_spans_with_unparseable_tracestate';
const half = { name: 'half', type: 'probabilistic', probabilistic: { sampling_percentage: 50 } };
const all = { name: 'all', type: 'always_sample' };

const span = (trace: number, id: number, traceState?: string, extra: Partial<SpanSpec> = {}): SpanSpec => ({
  traceId: traceIdOf(trace),
  spanId: spanIdOf(id),
  name: `span-${id}`,
  ...(traceState !== undefined && { traceState }),
  ...extra,
});

/** A rig that keeps the decoded payloads of what was kept: span by name, with its scope. */
function gateRig(config: object, options: SamplerRigOptions = {}) {
  const states = new Map<string, string>();
  const scopes: string[] = [];
  const rig = samplerRig(
    { decision_wait: '1s', ...config },
    {
      featureGates,
      ...options,
      accepted: (bytes) => {
        for (const kept of decodeSpans(bytes)) {
          states.set((kept.span as { name: string }).name, (kept.span as { traceState?: string }).traceState ?? '');
          scopes.push(kept.context);
        }
      },
    },
  );
  return { ...rig, states, scopes };
}

t.test('the threshold is written on every kept span, unless its own is stricter or its tracestate cannot be parsed', async (t) => {
  const rig = gateRig({ policies: [half] });
  await rig.processor.start();
  const rv = 'ot=rv:ffffffffffffff';
  await rig.send(
    concat(
      requestBytes({ service: 'a' }, { scopeName: 'one', spans: [span(1, 1, rv), span(1, 2), span(1, 3, 'ot=th:c')] }),
      requestBytes(
        { service: 'b' },
        { scopeName: 'two', spans: [span(1, 4, 'b=1,ot=th:2'), span(1, 5, 'ot=bad$'), span(1, 6, 'ot=also_bad$')] },
      ),
      requestBytes({ service: 'c' }, { spans: [span(2, 7, 'ot=rv:40000000000000')] }),
    ),
  );
  await rig.clock.advance(1500);
  t.same(Object.fromEntries(rig.states), {
    'span-1': `${rv};th:8`,
    'span-2': 'ot=th:8',
    'span-3': 'ot=th:c',
    'span-4': 'ot=th:8,b=1',
    'span-5': 'ot=bad$',
    'span-6': 'ot=also_bad$',
  });
  t.equal(rig.metric(unparseable), 2);
  await rig.send(requestBytes({}, { spans: [span(1, 8, 'b=1')] }));
  await rig.clock.advance(500);
  t.equal(rig.states.get('span-8'), 'b=1', 'late spans keep their bytes');
  await rig.processor.stop();
});

t.test('without the gate nothing is rewritten or counted', async (t) => {
  const rig = gateRig({ policies: [all] }, { featureGates: [] });
  await rig.processor.start();
  await rig.send(requestBytes({}, { spans: [span(1, 1, 'ot=bad$'), span(1, 2)] }));
  await rig.clock.advance(1500);
  t.same(Object.fromEntries(rig.states), { 'span-1': 'ot=bad$', 'span-2': '' });
  t.equal(rig.metric(unparseable), 0);
  await rig.processor.stop();
});

t.test('everything else of a rewritten span stays, unknown fields and padded lengths included', async (t) => {
  const odd = concat(
    lengthField(3, utf8('a=1'), 2),
    spanBytes(span(1, 1, undefined, { attributes: { key: 'value' }, statusCode: 2 })),
    lengthField(3, utf8('b=2')),
    varintField(1000, 7),
  );
  const scope = concat(
    lengthField(1, lengthField(1, utf8('scope'))),
    lengthField(2, odd, 3),
    lengthField(3, utf8('https://schema')),
    varintField(900, 1),
  );
  const request = (body: Uint8Array) => lengthField(1, concat(lengthField(2, body), lengthField(3, utf8('https://resource'))));
  let bytes = new Uint8Array();
  const accepted = (payload: Uint8Array): void => {
    bytes = Uint8Array.from(payload);
  };
  const plain = samplerRig({ decision_wait: '1s', policies: [all] }, { featureGates, accepted });
  await plain.processor.start();
  await plain.send(request(scope));
  await plain.clock.advance(1500);
  const text = Buffer.from(bytes).toString('latin1');
  t.same(
    decodeSpans(bytes).map(({ span: kept }) => (kept as { traceState: string }).traceState),
    ['ot=th:0,b=2'],
    'the last tracestate counts',
  );
  t.notMatch(text, 'a=1');
  t.match(text, 'https://schema');
  t.match(text, 'https://resource');
  t.ok(text.includes(Buffer.from(varintField(1000, 7)).toString('latin1')), 'the unknown field of the span');
  t.ok(text.includes(Buffer.from(varintField(900, 1)).toString('latin1')), 'the unknown field of the scope');
  t.equal(decodeSpans(bytes).length, 1);
  await plain.processor.stop();
});

t.test('whatever the encoding, a kept span differs from what came in its threshold alone', async (t) => {
  for (let seed = 1; seed <= 25; seed++) {
    const dice = new Dice(seededPrng(seed));
    const requests = [randomRequest(dice, { oddness: 0.3 }), randomRequest(dice, { oddness: 0 })];
    const kept: DecodedSpan[] = [];
    const rig = samplerRig(
      { decision_wait: '1s', policies: [all] },
      { capacityMiB: 16, featureGates, accepted: (bytes) => kept.push(...decodeSpans(bytes)) },
    );
    await rig.processor.start();
    for (const request of requests) await rig.send(request);
    await rig.clock.advance(1500);
    const written = ({ span: one, ...rest }: DecodedSpan): DecodedSpan => {
      const state = parseOtelTraceState(String(one.traceState ?? ''), membersMax.w3c);
      return { ...rest, span: { ...one, traceState: (state && withThreshold(state, 0n)) ?? one.traceState } };
    };
    const wanted = requests.flatMap((request) => decodeSpans(request)).map(written);
    if (!t.same(spanTexts(kept.map(inOrder)), spanTexts(wanted.map(inOrder)), `seed ${seed}`)) break;
    await rig.processor.stop();
  }
});

/** A rewritten tracestate may stand elsewhere in the message, so keys are put in order. */
function inOrder(kept: DecodedSpan): DecodedSpan {
  return { ...kept, span: Object.fromEntries(Object.entries(kept.span).sort()) };
}

t.test('a limiter keeps the highest randomness of all that is due in a turn, whatever came first', async (t) => {
  const rig = gateRig({ policies: [{ name: 'r', type: 'rate_limiting', rate_limiting: { spans_per_second: 1, burst_capacity: 2 } }] });
  await rig.processor.start();
  const rv = (digits: string) => `ot=rv:${digits.padStart(14, '0')}`;
  await rig.send(requestBytes({}, { spans: [span(1, 1, rv('a')), span(2, 2, rv('64')), span(3, 3, rv('32'))] }));
  await rig.clock.advance(1500);
  t.same([...rig.states].sort(), [
    ['span-2', `${rv('64')};th:0000000000000b`],
    ['span-3', `${rv('32')};th:0000000000000b`],
  ]);
  await rig.processor.stop();
});

t.test('a batch is not split where one output is too small for it', async (t) => {
  const rig = gateRig({ policies: [{ name: 'r', type: 'rate_limiting', rate_limiting: { spans_per_second: 1, burst_capacity: 3 } }] });
  await rig.processor.start();
  const padding = 'x'.repeat(20_000);
  const spans = Array.from({ length: 40 }, (_, id) =>
    span(id, id, `ot=rv:${(id + 1).toString(16).padStart(14, '0')}`, { attributes: { padding } }),
  );
  for (const one of spans) await rig.send(requestBytes({}, { spans: [one] }));
  await rig.clock.advance(1500);
  t.same([...rig.states.keys()].sort(), ['span-37', 'span-38', 'span-39'], 'the highest of all, which came last');
  await rig.processor.stop();
});

for (const sampling_strategy of ['trace-complete', 'span-ingest']) {
  t.test(`more than an output holds gets its thresholds all the same, with ${sampling_strategy}`, async (t) => {
    const rig = gateRig({ sampling_strategy, policies: [all], record: 'policy' });
    await rig.processor.start();
    const traces = 150;
    const perTrace = 4;
    const padding = 'x'.repeat(2000);
    const spans = Array.from({ length: traces * perTrace }, (_, id) =>
      span(id % traces, id, 'ot=rv:ffffffffffffff', { attributes: { padding } }),
    );
    await rig.send(
      concat(...Array.from({ length: 2 }, (_, part) => requestBytes({ part }, { spans: spans.filter((_, id) => id % 2 === part) }))),
    );
    await rig.clock.advance(3000);
    t.equal(rig.kept.length, traces * perTrace);
    t.equal(rig.states.size, traces * perTrace, 'each span once');
    t.same(new Set(rig.states.values()), new Set(['ot=rv:ffffffffffffff;th:0']));
    t.ok(
      rig.scopes.every((scope) => scope.includes('tailsampling.policy')),
      'scopes still say why',
    );
    await rig.processor.drain(rig.clock.monotonicMs() + 1000);
    await rig.processor.stop();
    t.equal(rig.arena.heldBytes(), 0);
  });
}

t.test('a full table decides the oldest early, threshold written', async (t) => {
  const rig = gateRig({ decision_wait: '60s', num_traces: 2, policies: [all] });
  await rig.processor.start();
  await rig.send(requestBytes({}, { spans: [span(1, 1), span(2, 2), span(3, 3)] }));
  await rig.clock.advance(200);
  t.same([...rig.states], [['span-1', 'ot=th:0']]);
  t.equal(rig.metric('ringtail_early_decisions', { processor: 'tail_sampling' }), 1);
  await rig.processor.drain(rig.clock.monotonicMs() + 1000);
  t.equal(rig.states.get('span-3'), 'ot=th:0', 'so do those of the drain');
  await rig.processor.stop();
});

t.test('root spans bring decisions forward under the gate too', async (t) => {
  const rig = gateRig({ decision_wait: '60s', decision_wait_after_root_received: '1s', policies: [all] });
  await rig.processor.start();
  await rig.send(requestBytes({}, { spans: [span(1, 1), span(2, 2, undefined, { parentSpanId: spanIdOf(9) })] }));
  await rig.clock.advance(1300);
  t.same([...rig.states], [['span-1', 'ot=th:0']]);
  await rig.processor.stop();
});

t.test('sample_on_first_match under the gate is warned of', async (t) => {
  const rig = gateRig({ sample_on_first_match: true, policies: [all] });
  await rig.processor.start();
  t.match(
    rig.logger.lines
      .filter(({ level }) => level === 'warn')
      .map(({ message }) => message)
      .join('\n'),
    /sample_on_first_match/,
  );
  await rig.processor.stop();
});
