import fc from 'fast-check';
import t from 'tap';
import { requestBytes, spanIdOf, traceIdOf } from '../support/otlp.ts';
import { type SamplerRig, samplerRig } from '../support/sampler-rig.ts';

const processor = 'tail_sampling';
const statusError = 2;
const policies = [{ name: 'errors', type: 'status_code', status_code: { status_codes: ['ERROR'] } }];

interface SentSpan {
  readonly trace: number;
  readonly error: boolean;
}
type Step = { readonly kind: 'send'; readonly spans: readonly SentSpan[] } | { readonly kind: 'wait'; readonly seconds: number };

const sentSpan = fc.record({ trace: fc.nat(12), error: fc.boolean().map((rare) => rare) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('send' as const), spans: fc.array(sentSpan, { minLength: 1, maxLength: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 4 }) }) },
);

/** The sampler as one Map: what a trace is, when it is decided, and what follows. */
class NaiveSampler {
  readonly kept: number[] = [];
  readonly #traces = new Map<number, { dueMs: number; spans: number[]; sampled: boolean; decided: boolean }>();
  readonly #waitMs: number;

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  take(spanId: number, { trace, error }: SentSpan, nowMs: number): void {
    let entry = this.#traces.get(trace);
    if (!entry) {
      entry = { dueMs: nowMs + this.#waitMs, spans: [], sampled: false, decided: false };
      this.#traces.set(trace, entry);
    }
    if (entry.decided) {
      if (entry.sampled) this.kept.push(spanId);
      return;
    }
    entry.spans.push(spanId);
    entry.sampled ||= error;
  }

  decide(untilMs: number): void {
    for (const entry of this.#traces.values()) {
      if (entry.decided || entry.dueMs > untilMs) continue;
      entry.decided = true;
      if (entry.sampled) this.kept.push(...entry.spans);
    }
  }
}

/** Received = sampled + not sampled + dropped + refused + buffered, and nothing of it is negative. */
function accountBalances(rig: SamplerRig): boolean {
  const part = (name: string): number => rig.metric(`ringtail_account_${name}_spans`, { processor });
  const parts = ['sampled', 'not_sampled', 'dropped', 'refused', 'buffered'].map(part);
  return parts.every((value) => value >= 0) && parts.reduce((sum, value) => sum + value, 0) === part('received');
}

const spanNumber = (spanId: string): number => Buffer.from(spanId, 'base64').readUInt32BE(4);

t.test('a sampler keeps exactly what a Map with deadlines would, whatever comes when', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 3 }), async (steps, shards) => {
      // Requests come on the full second and traces are due on the half, so that the tick's rounding decides nothing.
      const rig = samplerRig({ decision_wait: '2500ms', num_shards: shards, policies }, { capacityMiB: 8 });
      const naive = new NaiveSampler(2500);
      await rig.processor.start();
      let next = 0;
      for (const action of steps) {
        if (action.kind === 'wait') {
          await rig.clock.advance(action.seconds * 1000);
          naive.decide(rig.clock.monotonicMs());
        } else {
          const spans = action.spans.map((sent) => {
            naive.take(next, sent, rig.clock.monotonicMs());
            return { traceId: traceIdOf(sent.trace), spanId: spanIdOf(next++), statusCode: sent.error ? statusError : 0 };
          });
          await rig.send(requestBytes({ service: 's' }, { spans }));
        }
        if (!accountBalances(rig)) return false;
      }
      const report = await rig.processor.drain(rig.clock.monotonicMs() + 1000);
      naive.decide(Number.POSITIVE_INFINITY);
      const kept = rig.kept.map(({ spanId }) => spanNumber(spanId)).sort((a, b) => a - b);
      const balanced = accountBalances(rig) && report.spansLost === 0;
      await rig.processor.stop();
      return balanced && rig.arena.heldBytes() === 0 && JSON.stringify(kept) === JSON.stringify(naive.kept.sort((a, b) => a - b));
    }),
    { numRuns: 60, seed: 7 },
  );
  t.pass();
});

t.test('with too little memory and a sink that comes and goes, nothing is lost, doubled or unaccounted', async (t) => {
  const action = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('send' as const), traces: fc.nat(400), spans: fc.integer({ min: 50, max: 400 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 3 }) }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'sink' as const }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 10, maxLength: 40 }), async (actions) => {
      let open = true;
      const rig = samplerRig(
        { decision_wait: '20s', num_shards: 2, policies: [{ name: 'all', type: 'always_sample' }] },
        {
          capacityMiB: 8,
          answer: async () => (open ? { kind: 'accepted' } : { kind: 'refused', retryable: true, code: 14, message: 'closed' }),
        },
      );
      await rig.processor.start();
      const accepted = new Set<number>();
      let next = 0;
      for (const one of actions) {
        if (one.kind === 'wait') await rig.clock.advance(one.seconds * 1000);
        else if (one.kind === 'sink') open = !open;
        else {
          const first = next;
          const spans = Array.from({ length: one.spans }, (_, index) => {
            return { traceId: traceIdOf(one.traces + (index >> 2)), spanId: spanIdOf(next++), name: 'z'.repeat(900) };
          });
          const outcome = await rig.send(requestBytes({ service: 's' }, { spans }));
          if (outcome.kind === 'accepted') for (let id = first; id < next; id++) accepted.add(id);
        }
        if (!accountBalances(rig)) return false;
      }
      open = true;
      await rig.clock.advance(10_000);
      const draining = rig.processor.drain(rig.clock.monotonicMs() + 30_000);
      await rig.clock.advance(5_000);
      const report = await draining;
      const kept = rig.kept.map(({ spanId }) => spanNumber(spanId));
      await rig.processor.stop();
      return (
        report.spansLost === 0 && kept.length === accepted.size && kept.every((id) => accepted.delete(id)) && rig.arena.heldBytes() === 0
      );
    }),
    { numRuns: 15, seed: 11 },
  );
  t.pass();
});
