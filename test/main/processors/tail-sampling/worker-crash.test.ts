import type { Worker } from 'node:worker_threads';
import t from 'tap';
import { systemClock } from '../../../../src/shared/clock.ts';
import { requestBytes, type SpanSpec, spanIdOf, traceIdOf } from '../../../support/otlp.ts';
import { samplerRig } from '../../../support/sampler-rig.ts';

const workers: Worker[] = [];
process.on('worker', (worker) => workers.push(worker));

const spansPerTrace = 4;
const span = (trace: number, id: number): SpanSpec => ({
  traceId: traceIdOf(trace),
  spanId: spanIdOf(id),
  name: 'x'.repeat(300),
  statusCode: trace % 2 === 0 && id % spansPerTrace === 0 ? 2 : 0,
});

t.test('a worker that dies in the middle of its tasks costs no trace and doubles no span', async (t) => {
  const policies = [{ name: 'errors', type: 'status_code', status_code: { status_codes: ['ERROR'] } }];
  const rig = samplerRig({ decision_wait: '400ms', workers: 1, num_shards: 2, policies }, { clock: systemClock, capacityMiB: 64 });
  await rig.processor.start();
  // The rig's clock keeps no process alive, and a terminated worker does not either.
  const alive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(alive));
  const rounds = 60;
  const tracesPerRound = 400;
  let sent = 0;
  for (let round = 0; round < rounds; round++) {
    for (let part = 0; part < spansPerTrace; part++) {
      const spans = Array.from({ length: tracesPerRound }, (_, i) => {
        const trace = round * tracesPerRound + i;
        return span(trace, trace * spansPerTrace + part);
      });
      const outcome = await rig.send(requestBytes({ service: 'a' }, { spans }));
      t.equal(outcome.kind, 'accepted');
      sent += spans.length;
      // Large requests start a task at once, so this usually hits one that is running.
      if (round % 6 === 3 && part === 1) setTimeout(() => void workers.at(-1)?.terminate(), 1);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const report = await rig.processor.drain(systemClock.monotonicMs() + 60_000);
  t.equal(report.spansLost, 0);
  const wanted = (rounds * tracesPerRound * spansPerTrace) / 2;
  t.equal(rig.kept.length, wanted, 'every span of every error trace came out');
  t.equal(new Set(rig.kept.map(({ spanId }) => spanId)).size, wanted, 'once');
  const processor = 'tail_sampling';
  t.equal(rig.metric('ringtail_account_received_spans', { processor }), sent);
  t.equal(
    rig.metric('ringtail_account_sampled_spans', { processor }) + rig.metric('ringtail_account_not_sampled_spans', { processor }),
    sent,
  );
  t.ok(rig.metric('ringtail_shard_task_failures', { processor }) > 0, 'tasks were really interrupted');
  await rig.processor.stop();
  t.equal(rig.arena.heldBytes(), 0);
});
