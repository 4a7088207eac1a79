/** One unusable span among others, over real sockets and in every encoding: the others are taken, and the client is told. */

import t, { type Test } from 'tap';
import { accepted, GrpcStatus, refusedRetryable } from '../../src/main/pipeline/consume-outcome.ts';
import { Intake } from '../../src/main/receivers/otlp/intake.ts';
import { exportTraceServiceResponse } from '../../src/shared/otlp/messages.ts';
import { concat, lengthField, spanBytes, spanIdOf, traceIdOf, unhex } from '../support/otlp.ts';
import { framed, RawClient } from './grpc-raw-client.ts';
import { grpcServers, type ReceiverRig, type RigOptions, startReceiver, testSettings } from './receiver-rig.ts';

const spans = [1, 2, 3].map((index) => lengthField(2, spanBytes({ traceId: traceIdOf(index), spanId: spanIdOf(index), name: 'n' })));
const bad = lengthField(2, concat(lengthField(1, traceIdOf(9)), lengthField(2, unhex('01020304'))));
const request = (...spans: readonly Uint8Array[]) => Buffer.from(lengthField(1, lengthField(2, concat(...spans))));
const mixed = request(spans[0]!, bad, spans[1]!, bad, spans[2]!);
const clean = request(...spans);
/** The tag of the first bad span's id: two headers of two and three bytes, the first span, then 2 + 18 bytes into the bad one. */
const faultOffset = 3 + 3 + spans[0]!.length + 2 + 18;
const message = `2 spans are not usable, the first one: byte ${faultOffset}: a span id is not 8 bytes long`;

const hexSpan = (traceId: string) => ({ traceId, spanId: '5a5a5a5a00000001', name: 'n' });
const goodId = Buffer.from(traceIdOf(1)).toString('hex');
const jsonOf = (spans: readonly unknown[]) => JSON.stringify({ resource_spans: [{ scopeSpans: [{ spans }] }] });

async function start(t: Test, protocols: { grpc?: object; http?: object }, options: RigOptions = {}): Promise<ReceiverRig> {
  const rig = await startReceiver(protocols, options);
  t.teardown(async () => {
    await rig.receiver.drain(0);
    await rig.receiver.stop();
  });
  return rig;
}

async function post(rig: ReceiverRig, contentType: string, body: Uint8Array | string) {
  const answer = await fetch(`http://127.0.0.1:${rig.httpPort}/v1/traces`, {
    method: 'POST',
    body: Buffer.from(body as string),
    headers: { 'content-type': contentType, connection: 'close' },
  });
  return { status: answer.status, body: Buffer.from(await answer.arrayBuffer()) };
}

const responseOf = (body: Uint8Array) =>
  exportTraceServiceResponse.toObject(exportTraceServiceResponse.decode(body), { longs: String }) as object;

for (const [name, grpcServer] of Object.entries(grpcServers)) {
  t.test(`${name}: takes the neighbours of unusable spans and answers a partial success`, async (t) => {
    const rig = await start(t, { grpc: {} }, { grpcServer });
    const client = new RawClient(rig.grpcPort);
    t.teardown(() => client.close());
    const answer = await client.call([framed(mixed)]);
    t.equal(answer.status, 0);
    t.equal(answer.body.readUInt32BE(1), answer.body.length - 5);
    t.same(responseOf(answer.body.subarray(5)), { partialSuccess: { rejectedSpans: '2', errorMessage: message } });
    t.equal(rig.seen.length, 1);
    t.equal(rig.seen[0]!.spanCount, 3);
    t.ok(rig.seen[0]!.bytes.equals(clean));
    t.equal(rig.counted('otelcol_receiver_refused_spans'), 2);
    t.equal(rig.counted('otelcol_receiver_accepted_spans'), 3);
    const whole = await client.call([framed(request(bad, bad))]);
    t.equal(whole.status, 3, 'nothing usable is no partial success');
    t.match(whole.message, /^malformed request: byte \d+: a span id is not 8 bytes long$/);
    rig.answer = () => refusedRetryable('full');
    t.equal((await client.call([framed(mixed)])).status, 14);
    t.equal(rig.counted('otelcol_receiver_refused_spans'), 2 + 5);
  });
}

t.test('HTTP answers in the encoding of the request', async (t) => {
  const rig = await start(t, { http: {} });
  const protobuf = await post(rig, 'application/x-protobuf', mixed);
  t.equal(protobuf.status, 200);
  t.same(responseOf(protobuf.body), { partialSuccess: { rejectedSpans: '2', errorMessage: message } });
  t.ok(rig.seen[0]!.bytes.equals(clean));
  const json = await post(rig, 'application/json', jsonOf([hexSpan('zz'), hexSpan(goodId), 5, { ...hexSpan(goodId), kind: 'NONE' }]));
  t.equal(json.status, 200);
  t.same(JSON.parse(String(json.body)), {
    partialSuccess: {
      rejectedSpans: '3',
      errorMessage:
        '3 spans are not usable, the first one: resourceSpans[0].scopeSpans[0].spans[0].traceId: expected 32 hexadecimal digits, found the string "zz"',
    },
  });
  t.equal(rig.seen[1]!.spanCount, 1);
  t.equal(rig.counted('otelcol_receiver_refused_spans', { transport: 'http' }), 5);
  t.equal((await post(rig, 'application/json', jsonOf([hexSpan('zz'), 5]))).status, 400, 'nothing usable');
  const brokenElsewhere = '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"},{}]}]},{"resource":5}]}';
  t.equal((await post(rig, 'application/json', brokenElsewhere)).status, 400, 'a broken resource after it');
});

t.test('under --compatibility otelcol one unusable span costs the request', async (t) => {
  const rig = await start(t, { grpc: {}, http: {} }, { otelcolCompatibility: true });
  const client = new RawClient(rig.grpcPort);
  t.teardown(() => client.close());
  const answer = await client.call([framed(mixed)]);
  t.equal(answer.status, 3);
  t.equal(answer.message, `malformed request: byte ${faultOffset}: a span id is not 8 bytes long`);
  t.equal((await post(rig, 'application/x-protobuf', mixed)).status, 400);
  t.equal((await post(rig, 'application/json', jsonOf([hexSpan('zz'), hexSpan(goodId)]))).status, 400);
  t.equal(rig.seen.length, 0);
});

t.test('it works for bytes on the heap too, when the arena is full', async (t) => {
  const { settings } = testSettings({ arenaBytes: 8 << 20 });
  const seen: Buffer[] = [];
  const consumer = {
    async consume(payload: { bytes: Uint8Array }) {
      seen.push(Buffer.from(payload.bytes));
      return accepted;
    },
  };
  const intake = new Intake(settings, consumer, 'grpc');
  while (settings.arena.acquire(65_536) !== undefined);
  const outcome = await intake.export([mixed], mixed.length, undefined);
  t.match(outcome, { kind: 'accepted', rejected: { spanCount: 2, message } });
  t.ok(seen[0]!.equals(clean));
});

t.test('a request larger than the arena can ever hold is refused for good, one that only finds it full may come again', async (t) => {
  const { settings } = testSettings({ arenaBytes: 8 << 20 });
  const intake = new Intake(settings, { consume: async () => accepted }, 'grpc');
  const huge = Buffer.alloc(5 << 20);
  t.match(await intake.export([huge], huge.length, undefined), { kind: 'refused', retryable: false, code: GrpcStatus.resourceExhausted });
  while (settings.arena.acquire(65_536) !== undefined);
  const large = huge.subarray(0, 3 << 20);
  t.match(await intake.export([large], large.length, undefined), { kind: 'refused', retryable: true, code: GrpcStatus.resourceExhausted });
});

t.test('the gate receiverhelper.newReceiverMetrics counts requests and tells refused from failed', async (t) => {
  const rig = await start(t, { grpc: {} }, { featureGates: ['receiverhelper.newReceiverMetrics'] });
  const client = new RawClient(rig.grpcPort);
  t.teardown(() => client.close());
  await client.call([framed(clean)]);
  rig.answer = () => refusedRetryable('full');
  await client.call([framed(clean)]);
  rig.answer = () => Promise.reject(new Error('a bug'));
  await client.call([framed(clean)]);
  for (const outcome of ['success', 'refused', 'failure']) {
    t.equal(rig.counted('otelcol_receiver_requests', { outcome, receiver: 'otlp', transport: 'grpc' }), 1, outcome);
  }
  t.equal(rig.counted('otelcol_receiver_refused_spans'), 3);
  t.equal(rig.counted('otelcol_receiver_failed_spans'), 3);
});
