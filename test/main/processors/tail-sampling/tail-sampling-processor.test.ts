import t from 'tap';
import { concat, requestBytes, type SpanSpec, spanIdOf, traceIdOf } from '../../../support/otlp.ts';
import { samplerRig } from '../../../support/sampler-rig.ts';

const statusError = 2;
const seedPolicies = [
  {
    name: 'error-policy',
    type: 'and',
    and: {
      and_sub_policy: [
        { name: 'error-status', type: 'status_code', status_code: { status_codes: ['ERROR'] } },
        { name: 'error-sampling', type: 'probabilistic', probabilistic: { sampling_percentage: 100 } },
      ],
    },
  },
  { name: 'latency-policy', type: 'latency', latency: { threshold_ms: 1000 } },
];

const span = (trace: number, id: number, extra: Partial<SpanSpec> = {}): SpanSpec => ({
  traceId: traceIdOf(trace),
  spanId: spanIdOf(id),
  parentSpanId: spanIdOf(999),
  name: `span-${id}`,
  startNanos: 1_000_000_000n,
  endNanos: 1_000_100_000n,
  ...extra,
});
const request = (...spans: SpanSpec[]): Uint8Array => requestBytes({ 'service.name': 'checkout' }, { scopeName: 'scope', spans });

t.test('keeps the whole trace of one error span that came in another request, and nothing of a normal trace', async (t) => {
  const rig = samplerRig({ decision_wait: '5s', policies: seedPolicies });
  await rig.processor.start();
  await rig.send(request(span(1, 1), span(2, 2), span(1, 3)));
  await rig.clock.advance(1000);
  await rig.send(request(span(1, 4, { statusCode: statusError }), span(2, 5)));
  await rig.clock.advance(3900);
  t.equal(rig.kept.length, 0, 'nothing is decided before the wait is over');
  await rig.clock.advance(300);
  t.same(rig.kept.map(({ name }) => name).sort(), ['span-1', 'span-3', 'span-4']);
  t.equal(rig.metric('ringtail_account_buffered_spans', { processor: 'tail_sampling' }), 0);
  t.equal(rig.metric('ringtail_account_not_sampled_spans', { processor: 'tail_sampling' }), 2);
  await rig.processor.stop();
});

t.test('late spans follow the decision of their trace', async (t) => {
  const rig = samplerRig({ decision_wait: '1s', policies: seedPolicies });
  await rig.processor.start();
  await rig.send(request(span(1, 1, { statusCode: statusError }), span(2, 2)));
  await rig.clock.advance(2000);
  await rig.send(request(span(1, 10), span(2, 11)));
  await rig.clock.advance(200);
  t.same(rig.kept.map(({ name }) => name).sort(), ['span-1', 'span-10']);
  await rig.processor.stop();
});

t.test('a root span brings the decision forward to the wait after root', async (t) => {
  const rig = samplerRig({
    decision_wait: '60s',
    decision_wait_after_root_received: '1s',
    policies: [{ name: 'all', type: 'always_sample' }],
  });
  await rig.processor.start();
  const { parentSpanId: _, ...root } = span(1, 1);
  await rig.send(request(root));
  await rig.send(request(span(2, 2)));
  await rig.clock.advance(900);
  t.equal(rig.kept.length, 0);
  await rig.clock.advance(300);
  t.same(
    rig.kept.map(({ name }) => name),
    ['span-1'],
  );
  await rig.processor.stop();
});

t.test('drain decides what is held on what is there, and loses nothing', async (t) => {
  const rig = samplerRig({ decision_wait: '60s', policies: seedPolicies });
  await rig.processor.start();
  await rig.send(request(span(1, 1, { statusCode: statusError }), span(2, 2), span(1, 3)));
  const report = await rig.processor.drain(rig.clock.monotonicMs() + 5000);
  t.equal(report.spansLost, 0);
  t.same(rig.kept.map(({ name }) => name).sort(), ['span-1', 'span-3']);
  const refused = await rig.send(request(span(3, 4)));
  t.equal(refused.kind, 'refused', 'a drained sampler takes nothing');
  await rig.processor.stop();
});

t.test('num_traces decides the oldest early instead of dropping it', async (t) => {
  const rig = samplerRig({ decision_wait: '60s', num_traces: 2, policies: [{ name: 'all', type: 'always_sample' }] });
  await rig.processor.start();
  await rig.send(request(span(1, 1), span(2, 2), span(3, 3)));
  await rig.clock.advance(100);
  t.same(
    rig.kept.map(({ name }) => name),
    ['span-1'],
  );
  t.equal(rig.metric('ringtail_early_decisions', { processor: 'tail_sampling' }), 1);
  await rig.processor.stop();
});

t.test('a full arena decides the oldest traces early and never refuses while that makes room', async (t) => {
  const rig = samplerRig(
    { decision_wait: '600s', policies: [{ name: 'errors', type: 'status_code', status_code: { status_codes: ['ERROR'] } }] },
    { capacityMiB: 16 },
  );
  await rig.processor.start();
  const padding = 'x'.repeat(1000);
  let refused = 0;
  let sent = 0;
  for (let batch = 0; batch < 200; batch++) {
    const spans = Array.from({ length: 200 }, (_, i) => span(batch * 200 + i, i, { name: padding, statusCode: i === 0 ? statusError : 0 }));
    sent += spans.length;
    const outcome = await rig.send(request(...spans));
    if (outcome.kind === 'refused') refused += spans.length;
    await rig.clock.advance(100);
  }
  t.equal(refused, 0);
  t.ok(rig.metric('ringtail_early_decisions', { processor: 'tail_sampling' }) > 0);
  await rig.processor.drain(rig.clock.monotonicMs() + 1000);
  t.equal(rig.kept.length, 200, 'every error trace came out, whether decided early or at the end');
  t.equal(
    rig.metric('ringtail_account_sampled_spans', { processor: 'tail_sampling' }) +
      rig.metric('ringtail_account_not_sampled_spans', { processor: 'tail_sampling' }),
    sent,
  );
  await rig.processor.stop();
  t.equal(rig.arena.heldBytes(), 0, 'all memory came back');
});

t.test('a sink that refuses makes the sampler refuse, and loses nothing once it takes again', async (t) => {
  let open = false;
  const rig = samplerRig(
    { decision_wait: '1s', policies: [{ name: 'all', type: 'always_sample' }] },
    {
      capacityMiB: 16,
      answer: async () => (open ? { kind: 'accepted' } : { kind: 'refused', retryable: true, code: 14, message: 'closed' }),
    },
  );
  await rig.processor.start();
  let accepted = 0;
  let refused = 0;
  for (let batch = 0; batch < 200; batch++) {
    const spans = Array.from({ length: 100 }, (_, i) => span(batch * 100 + i, i, { name: 'y'.repeat(1000) }));
    const outcome = await rig.send(request(...spans));
    if (outcome.kind === 'accepted') accepted += 100;
    else refused += 100;
    await rig.clock.advance(100);
  }
  t.ok(refused > 0, 'memory is bounded, so some were refused');
  open = true;
  await rig.clock.advance(10_000);
  await rig.processor.drain(rig.clock.monotonicMs() + 10_000);
  t.equal(rig.kept.length, accepted);
  t.equal(new Set(rig.kept.map(({ traceId }) => traceId)).size, accepted);
  await rig.processor.stop();
  t.equal(rig.arena.heldBytes(), 0);
});

t.test('several shards decide each trace once', async (t) => {
  const rig = samplerRig({ decision_wait: '1s', num_shards: 4, policies: [{ name: 'all', type: 'always_sample' }] });
  await rig.processor.start();
  for (let batch = 0; batch < 10; batch++)
    await rig.send(concat(request(...Array.from({ length: 100 }, (_, i) => span(i, batch * 100 + i)))));
  await rig.clock.advance(2000);
  t.equal(rig.kept.length, 1000);
  t.equal(new Set(rig.kept.map(({ spanId }) => spanId)).size, 1000);
  await rig.processor.stop();
});
