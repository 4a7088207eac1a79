/** The sender chain stage by stage: queue, batching, retry, timeout, account. */

import fc from 'fast-check';
import t from 'tap';
import { backOffMs } from '../../src/main/exporters/sender/back-off.ts';
import { cutParts } from '../../src/main/exporters/sender/cut-parts.ts';
import type { SendOutcome, SendRequest } from '../../src/main/exporters/sender/send-request.ts';
import { createSenderChain, type SenderChainConfig } from '../../src/main/exporters/sender/sender-chain.ts';
import {
  checkQueue,
  checkRetry,
  queueConfigOf,
  queueSchema,
  retryConfigOf,
  retrySchema,
} from '../../src/main/exporters/sender/sender-config.ts';
import { accepted, GrpcStatus, refusedPermanent, refusedRetryable } from '../../src/main/pipeline/consume-outcome.ts';
import { seededPrng } from '../../src/shared/prng.ts';
import { flush, ManualClock } from '../support/manual-clock.ts';
import { Dice, decodeSpans, randomRequest, spanTexts } from '../support/otlp.ts';
import { configOf, newRequest, numbersOf, rigSettings } from './exporter-rig.ts';

const queueOf = (raw: object) => queueConfigOf(configOf(queueSchema, raw));
const retryOf = (raw: object) => retryConfigOf(configOf(retrySchema(true), raw));

/** A last stage whose answers the test gives; it keeps copies of what it was sent. */
class ScriptedSender {
  readonly requests: { bytes: Buffer; spanCount: number; deadlineMs: number }[] = [];
  readonly open: ((outcome: SendOutcome) => void)[] = [];
  script: ((call: number) => SendOutcome) | undefined = () => accepted;

  send(request: SendRequest): Promise<SendOutcome> {
    this.requests.push({ bytes: Buffer.concat(request.chunks), spanCount: request.spanCount, deadlineMs: request.deadlineMs });
    if (this.script !== undefined) return Promise.resolve(this.script(this.requests.length));
    return new Promise((resolve) => this.open.push(resolve));
  }
}

function rig(config: Partial<SenderChainConfig>) {
  const clock = new ManualClock();
  const settings = rigSettings({ clock, id: 'otlp' });
  const sender = new ScriptedSender();
  const chain = createSenderChain(settings, { queue: undefined, retry: undefined, timeoutMs: 0, ...config }, sender);
  return { clock, settings, sender, chain };
}

t.test('a queue acknowledges at once and keeps a copy, so that the lent bytes may change', async (t) => {
  const { sender, chain, settings } = rig({ queue: queueOf({ num_consumers: 1 }) });
  sender.script = undefined;
  await chain.start();
  const { bytes, spanCount } = newRequest(200, 3, 100);
  const before = Buffer.from(bytes);
  await chain.consume(newRequest(1, 1));
  t.same(await chain.consume({ bytes, spanCount }), accepted);
  t.equal(numbersOf(settings.metrics, 'otelcol_exporter_queue_size'), 2);
  bytes.fill(0);
  t.ok(settings.arena.heldBytes() > 0);
  sender.open[0]!(accepted);
  await flush();
  t.ok(sender.requests[1]!.bytes.equals(before));
  sender.open[1]!(accepted);
  await flush();
  t.equal(settings.arena.heldBytes(), 0);
  t.equal(numbersOf(settings.metrics, 'otelcol_exporter_sent_spans'), spanCount + 1);
  chain.stop();
});

t.test('a full queue refuses for now, or lets the caller wait when told to block', async (t) => {
  for (const block of [false, true]) {
    const { sender, chain, settings } = rig({ queue: queueOf({ queue_size: 2, num_consumers: 1, block_on_overflow: block }) });
    sender.script = undefined;
    await chain.start();
    const payload = newRequest(1, 1);
    await chain.consume(payload);
    await chain.consume(payload);
    let third: SendOutcome | undefined;
    void chain.consume(payload).then((outcome) => (third = outcome));
    await flush();
    if (block) {
      t.equal(third, undefined);
      sender.open[0]!(accepted);
      await flush();
      t.same(third, accepted);
    } else {
      t.match(third, { kind: 'refused', retryable: true, message: 'sending queue is full' });
      t.equal(numbersOf(settings.metrics, 'otelcol_exporter_enqueue_failed_spans'), 1);
    }
    chain.stop();
  }
});

t.test('a queue that counts requests ends where memory does, and goes on when some is free', async (t) => {
  for (const block of [false, true]) {
    const { sender, chain, settings } = rig({ queue: queueOf({ queue_size: 1000, num_consumers: 1, block_on_overflow: block }) });
    sender.script = undefined;
    await chain.start();
    const bytes = Buffer.alloc(4 << 20);
    let taken = 0;
    let last: SendOutcome | undefined;
    for (; taken < 40; taken++) {
      last = undefined;
      void chain.consume({ bytes, spanCount: 1 }).then((outcome) => (last = outcome));
      await flush();
      if ((last as SendOutcome | undefined)?.kind !== 'accepted') break;
    }
    t.ok(taken >= 15 && taken < 30, `${taken} times 4 MiB in an arena of 64`);
    if (!block) t.match(last, { kind: 'refused', retryable: true, code: GrpcStatus.resourceExhausted, retryAfterMs: 1000 });
    else t.equal(last, undefined);
    sender.open[0]!(accepted);
    await flush();
    if (block) t.same(last, accepted);
    else t.same(await chain.consume({ bytes, spanCount: 1 }), accepted);
    sender.script = () => accepted;
    sender.open[1]!(accepted);
    await chain.drain(10_000);
    t.equal(settings.arena.heldBytes(), 0);
    chain.stop();
  }
});

t.test('what a drain could not begin goes back at its deadline: room to the arena, an answer to who waits', async (t) => {
  for (const wait of [false, true]) {
    const { sender, chain, settings, clock } = rig({ queue: queueOf({ num_consumers: 1, wait_for_result: wait }) });
    sender.script = undefined;
    await chain.start();
    const bytes = Buffer.alloc(1 << 20);
    const answers = [1, 2, 3].map(() => chain.consume({ bytes, spanCount: 1 }));
    const drained = chain.drain(clock.monotonicMs() + 100);
    await clock.advance(100);
    t.same(await drained, { spansLost: wait ? 0 : 3 });
    sender.open[0]!(refusedRetryable('cut off'));
    for (const outcome of await Promise.all(answers)) t.match(outcome, { kind: wait ? 'refused' : 'accepted' });
    await flush();
    t.equal(settings.arena.heldBytes(), 0);
    chain.stop();
  }
});

t.test('an element larger than the queue is refused for good', async (t) => {
  const { chain } = rig({ queue: queueOf({ queue_size: 5, sizer: 'items' }) });
  t.match(await chain.consume(newRequest(6, 1)), { kind: 'refused', retryable: false, message: 'element size too large' });
  t.match(await chain.consume(newRequest(5, 1)), { kind: 'accepted' });
});

t.test('wait_for_result tells the caller what became of the request', async (t) => {
  const { sender, chain } = rig({ queue: queueOf({ wait_for_result: true }) });
  sender.script = () => refusedPermanent('no');
  t.match(await chain.consume(newRequest(1, 1)), { kind: 'refused', retryable: false, message: 'no' });
});

t.test('drain sends what is queued, tries once more what failed, and tells what it lost', async (t) => {
  const { sender, chain } = rig({ queue: queueOf({ num_consumers: 1 }), retry: retryOf({}) });
  sender.script = (call) => (call === 2 || call === 3 ? refusedRetryable('away') : accepted);
  for (let index = 0; index < 4; index++) await chain.consume(newRequest(3, 1));
  const [report, again] = await Promise.all([chain.drain(10_000), chain.drain(10_000)]);
  t.same(report, { spansLost: 3 });
  t.equal(again, report);
  t.equal(sender.requests.length, 5);
  t.match(await chain.consume(newRequest(1, 1)), { kind: 'refused', retryable: true });
  chain.stop();
});

t.test('batching joins requests to min_size, cuts them to max_size and flushes after its timeout', async (t) => {
  const { sender, chain, clock } = rig({ queue: queueOf({ batch: { min_size: 10, max_size: 12, flush_timeout: '200ms' } }) });
  const requests = Array.from({ length: 9 }, () => newRequest(5, 1));
  for (const request of requests) await chain.consume(request);
  await flush();
  t.ok(sender.requests.every((request) => request.spanCount <= 12 && request.spanCount >= 10));
  await clock.advance(200);
  t.equal(
    sender.requests.reduce((sum, request) => sum + request.spanCount, 0),
    45,
  );
  const sent = sender.requests.flatMap((request) => decodeSpans(request.bytes));
  t.same(spanTexts(sent), spanTexts(requests.flatMap((request) => decodeSpans(request.bytes))));
  t.equal((await chain.drain(10_000)).spansLost, 0);
});

t.test('batches keep metadata apart when partitioned by it', async (t) => {
  const { sender, chain, clock } = rig({ queue: queueOf({ batch: { min_size: 100, partition: { metadata_keys: ['X-Tenant'] } } }) });
  for (const tenant of ['a', 'b', 'a']) await chain.consume({ ...newRequest(5, 1), metadata: new Map([['x-tenant', [tenant]]]) });
  await clock.advance(200);
  t.same(sender.requests.map((request) => request.spanCount).sort(), [10, 5].sort());
});

t.test('retries with back-off until it works', async (t) => {
  const { sender, chain, clock } = rig({ retry: retryOf({ initial_interval: '1s', randomization_factor: 0, multiplier: 2 }) });
  sender.script = (call) => (call < 4 ? refusedRetryable('away') : accepted);
  let outcome: SendOutcome | undefined;
  void chain.consume(newRequest(1, 1)).then((settled) => (outcome = settled));
  for (const [ms, calls] of [
    [999, 1],
    [1, 2],
    [1_999, 2],
    [1, 3],
    [3_999, 3],
    [1, 4],
  ] as const) {
    await clock.advance(ms);
    t.equal(sender.requests.length, calls);
  }
  t.same(outcome, accepted);
});

t.test('a throttled retry waits as long as the peer asked', async (t) => {
  const { sender, chain, clock } = rig({ retry: retryOf({ initial_interval: '1s' }) });
  sender.script = (call) => (call === 1 ? refusedRetryable('slow down', { retryAfterMs: 60_000 }) : accepted);
  void chain.consume(newRequest(1, 1));
  await clock.advance(59_999);
  t.equal(sender.requests.length, 1);
  await clock.advance(1);
  t.equal(sender.requests.length, 2);
});

t.test('retries end when time is up, when refused for good, and at shutdown', async (t) => {
  const late = rig({ retry: retryOf({ initial_interval: '1s', max_interval: '1s', max_elapsed_time: '3s', randomization_factor: 0 }) });
  late.sender.script = () => refusedRetryable('away');
  let outcome: SendOutcome | undefined;
  void late.chain.consume(newRequest(1, 1)).then((settled) => (outcome = settled));
  await late.clock.advance(10_000);
  t.equal(late.sender.requests.length, 4);
  t.match(outcome, { kind: 'refused', retryable: true, message: 'no more retries left: away' });
  t.equal(numbersOf(late.settings.metrics, 'otelcol_exporter_send_failed_spans'), 1);

  const permanent = rig({ retry: retryOf({}) });
  permanent.sender.script = () => refusedPermanent('bad');
  t.match(await permanent.chain.consume(newRequest(1, 1)), { retryable: false });
  t.equal(permanent.sender.requests.length, 1);

  const stopped = rig({ retry: retryOf({}) });
  stopped.sender.script = () => refusedRetryable('away');
  const waiting = stopped.chain.consume(newRequest(1, 1));
  await flush();
  stopped.chain.stop();
  t.match(await waiting, { kind: 'refused', retryable: true, message: 'interrupted due to shutdown: away' });
  t.equal(stopped.clock.waiting, 0);
  t.equal(stopped.sender.requests.length, 2, 'one last attempt');
});

t.test('a drain sends at once what waits for its next attempt', async (t) => {
  const { sender, chain, clock } = rig({ queue: queueOf({}), retry: retryOf({ initial_interval: '30s' }) });
  let away = true;
  sender.script = () => (away ? refusedRetryable('away') : accepted);
  for (let index = 0; index < 3; index++) await chain.consume(newRequest(2, 1));
  await flush();
  away = false;
  t.same(await chain.drain(clock.monotonicMs() + 1_000), { spansLost: 0 });
  t.equal(sender.requests.length, 6);
  chain.stop();
});

t.test('each attempt gets its own deadline', async (t) => {
  const { sender, chain, clock } = rig({ timeoutMs: 700, retry: retryOf({ initial_interval: '1s', randomization_factor: 0 }) });
  sender.script = (call) => (call === 1 ? refusedRetryable('away') : accepted);
  const startMs = clock.monotonicMs();
  void chain.consume(newRequest(1, 1));
  await clock.advance(1_000);
  t.same(
    sender.requests.map((request) => request.deadlineMs - startMs),
    [700, 1_700],
  );
});

t.test('waits stay within their jitter and their maximum', async () => {
  const config = retryOf({});
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), fc.integer(), (attempt, seed) => {
      const interval = Math.min(5_000 * 1.5 ** (attempt - 1), 30_000);
      const wait = backOffMs(config, attempt, seededPrng(seed));
      return wait >= interval * 0.5 && wait <= interval * 1.5;
    }),
  );
});

t.test('cutting a request loses and doubles nothing, and keeps every span’s context', async (t) => {
  const { arena } = rigSettings();
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 20 }), fc.constantFrom('items' as const, 'bytes' as const), (seed, size, sizer) => {
      const bytes = randomRequest(new Dice(seededPrng(seed)));
      const spans = decodeSpans(bytes);
      const cut = cutParts(arena, [bytes], bytes.length, spans.length, sizer, sizer === 'items' ? size : size * 40);
      if (cut === undefined) return true;
      const head = decodeSpans(Buffer.concat(cut.head.chunks));
      const rest = decodeSpans(Buffer.concat(cut.rest.chunks));
      if (head.length !== cut.head.spanCount || rest.length !== cut.rest.spanCount || (sizer === 'items' && head.length > size))
        return false;
      return JSON.stringify(spanTexts([...head, ...rest])) === JSON.stringify(spanTexts(spans));
    }),
    { numRuns: 200 },
  );
  t.equal(arena.heldBytes(), 0);
});

t.test('queues and retries that make no sense are refused in the Collector’s words', async (t) => {
  const faultsOf = (raw: object) => checkQueue(configOf(queueSchema, raw), ['sending_queue']).map((fault) => fault.message);
  t.match(faultsOf({ num_consumers: 0, queue_size: 0 }), ['`num_consumers` must be positive', '`queue_size` must be positive']);
  t.same(faultsOf({ batch: { sizer: 'requests' } }).slice(0, 1), ['`batch` supports only `items` or `bytes` sizer, found "requests"']);
  t.same(faultsOf({ sizer: 'items', queue_size: 5, batch: { min_size: 6 } }), ['`min_size` must be less than or equal to `queue_size`']);
  t.same(faultsOf({ batch: { min_size: 10, max_size: 5 } }), ['`max_size` (5) must be greater or equal to `min_size` (10)']);
  t.same(faultsOf({ batch: { partition: { metadata_keys: ['a', 'A'] } } }), ['duplicate entry in metadata_keys: "a" (case-insensitive)']);
  t.same(faultsOf({ enabled: false, num_consumers: 0 }), []);
  const retryFaults = (raw: object) => checkRetry(configOf(retrySchema(true), raw), []).map((fault) => fault.message);
  t.same(retryFaults({ max_elapsed_time: '10s' }), ["'max_elapsed_time' must not be less than 'max_interval'"]);
  t.same(retryFaults({ randomization_factor: 2 }), ["'randomization_factor' must be within [0, 1]"]);
});
