/** The contract of both gRPC servers, over real sockets: framing, compression, limits, statuses, deadlines, ending. */

import zlib from 'node:zlib';
import { Client, compressionAlgorithms, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { GrpcStatus, refusedPermanent, refusedRetryable } from '../../src/main/pipeline/consume-outcome.ts';
import { decodeRpcStatus } from '../../src/main/transport/rpc-status.ts';
import { requestBytes, spanIdOf, traceIdOf } from '../support/otlp.ts';
import { answerOf, exportPath, framed, RawClient } from './grpc-raw-client.ts';
import { grpcServers, type RigOptions, startReceiver, until } from './receiver-rig.ts';

const small = requestBytes({ 'service.name': 'a' }, { spans: [{ traceId: traceIdOf(1), spanId: spanIdOf(1), name: 'one' }] });

function request(spanCount: number): Uint8Array {
  const spans = Array.from({ length: spanCount }, (_, index) => ({
    traceId: traceIdOf(index),
    spanId: spanIdOf(index),
    name: `span ${index}`,
  }));
  return requestBytes({ 'service.name': 'a' }, { spans });
}

for (const [name, grpcServer] of Object.entries(grpcServers)) {
  const isOwn = name === 'http2';

  const start = async (t: Test, grpc: object = {}, options: RigOptions = {}) => {
    const rig = await startReceiver({ grpc }, { grpcServer, ...options });
    t.teardown(async () => {
      await rig.receiver.drain(rig.settings.clock.monotonicMs());
      await rig.receiver.stop();
    });
    const client = new RawClient(rig.grpcPort);
    t.teardown(() => client.close());
    return { rig, client };
  };

  const grpcJsCall = (client: Client, bytes: Uint8Array, options: object = {}) =>
    new Promise<{ error: ServiceError | null }>((resolve) => {
      client.makeUnaryRequest(
        exportPath,
        (message: Buffer) => message,
        (message: Buffer) => message,
        Buffer.from(bytes),
        new Metadata(),
        options,
        (error) => resolve({ error }),
      );
    });

  t.test(`${name}: hands the pipeline exactly the bytes that a grpc-js client sent, plain and compressed`, async (t) => {
    const { rig } = await start(t);
    for (const algorithm of [compressionAlgorithms.identity, compressionAlgorithms.gzip, compressionAlgorithms.deflate]) {
      const client = new Client(`127.0.0.1:${rig.grpcPort}`, credentials.createInsecure(), {
        'grpc.default_compression_algorithm': algorithm,
      });
      t.teardown(() => client.close());
      for (const count of [1, 700]) {
        const bytes = request(count);
        const { error } = await grpcJsCall(client, bytes);
        t.equal(error, null);
        const last = rig.seen.at(-1)!;
        t.ok(last.bytes.equals(bytes), `${count} spans, algorithm ${algorithm}`);
        t.equal(last.spanCount, count);
      }
    }
    t.equal(rig.counted('otelcol_receiver_accepted_spans', { transport: 'grpc', receiver: 'otlp' }), 3 * 701);
  });

  t.test(`${name}: takes a message cut at every byte`, async (t) => {
    const { rig, client } = await start(t);
    const wire = framed(small);
    for (let cut = 1; cut < wire.length; cut++) {
      const answer = await client.call([wire.subarray(0, cut), wire.subarray(cut)]);
      if (answer.status !== 0) t.equal(answer.status, 0, `cut at ${cut}: ${answer.message}`);
    }
    const bytewise = await client.call([...wire].map((byte) => Uint8Array.of(byte)));
    t.equal(bytewise.status, 0);
    t.same(bytewise.body, Buffer.alloc(5), 'an empty response message');
    t.equal(rig.seen.length, wire.length);
    t.ok(rig.seen.every(({ bytes }) => bytes.equals(small)));
  });

  t.test(`${name}: answers an empty message, and one without spans, without the pipeline`, async (t) => {
    const { rig, client } = await start(t);
    t.equal((await client.call([framed(new Uint8Array())])).status, 0);
    t.equal((await client.call([framed(requestBytes({ a: 'b' }))])).status, 0);
    t.equal(rig.seen.length, 0);
  });

  t.test(`${name}: refuses odd framing and takes the next call on the same connection`, async (t) => {
    const { rig, client } = await start(t);
    const wire = framed(small);
    const odd: [what: string, pieces: readonly Uint8Array[]][] = [
      ['nothing', []],
      ['half a prefix', [wire.subarray(0, 3)]],
      ['a cut message', [wire.subarray(0, wire.length - 1)]],
      ['two messages', [wire, wire]],
    ];
    // grpc-js takes these, and reads no more into them than the first message.
    if (isOwn) {
      odd.push(['trailing bytes', [wire, Uint8Array.of(0, 0)]]);
      odd.push(['a flag of 2', [Uint8Array.of(2, 0, 0, 0, 0)]]);
      odd.push(['compressed flag without an encoding', [framed(small, true)]]);
    }
    for (const [what, pieces] of odd) {
      const answer = await client.call(pieces);
      t.not(answer.status, 0, what);
      if (isOwn) t.equal(answer.status, GrpcStatus.internal, what);
      if (isOwn && what === 'two messages') t.match(answer.message, /received more/);
    }
    t.equal(rig.seen.length, 0);
    t.equal((await client.call([wire])).status, 0);
  });

  t.test(`${name}: says where a malformed request is broken, and its neighbours are not affected`, async (t) => {
    const { rig, client } = await start(t);
    const broken = Buffer.concat([small, Uint8Array.of(0x0a, 0x7f, 0x01)]);
    const [bad, good] = await Promise.all([client.call([framed(broken)]), client.call([framed(small)])]);
    t.equal(bad.status, GrpcStatus.invalidArgument);
    t.match(bad.message, /malformed request: byte \d+: /);
    t.equal(good.status, 0);
    t.equal(rig.counted('ringtail_receiver_refused_requests', { reason: 'malformed' }), 1);
  });

  t.test(`${name}: bounds messages before and after decompression`, async (t) => {
    const { rig, client } = await start(t, { max_recv_msg_size_mib: 1 });
    const limit = 1 << 20;
    const padded = (byteLength: number) => {
      const filler = requestBytes({ pad: 'x'.repeat(byteLength - small.length - 64) });
      const rest = byteLength - small.length - filler.length;
      const value = requestBytes({ pad: 'x'.repeat(byteLength - small.length - 64 + rest) });
      return Buffer.concat([small, value]);
    };
    const exact = padded(limit);
    t.equal(exact.length, limit, 'the test hits the limit exactly');
    t.equal((await client.call([framed(exact)])).status, 0, 'exactly the limit');
    t.equal(
      (await client.call([framed(zlib.gzipSync(exact), true)], { 'grpc-encoding': 'gzip' })).status,
      0,
      'exactly the limit, compressed',
    );
    t.equal((await client.call([framed(padded(limit + 1))])).status, GrpcStatus.resourceExhausted);
    const bomb = zlib.gzipSync(Buffer.alloc(64 << 20));
    t.equal((await client.call([framed(bomb, true)], { 'grpc-encoding': 'gzip' })).status, GrpcStatus.resourceExhausted, 'a bomb');
    t.equal(rig.seen.length, 2);
  });

  t.test(`${name}: refuses corrupt compression and unknown encodings`, async (t) => {
    const { rig, client } = await start(t);
    const good = zlib.gzipSync(request(100));
    const corrupt = Buffer.from(good);
    corrupt[20]! ^= 0xff;
    t.not((await client.call([framed(corrupt, true)], { 'grpc-encoding': 'gzip' })).status, 0);
    t.not((await client.call([framed(good.subarray(0, good.length / 2), true)], { 'grpc-encoding': 'gzip' })).status, 0);
    t.equal((await client.call([framed(small, true)], { 'grpc-encoding': 'nonsense' })).status, GrpcStatus.unimplemented);
    t.equal(rig.seen.length, 0);
    t.equal((await client.call([framed(good, true)], { 'grpc-encoding': 'gzip' })).status, 0, 'the connection lives');
    t.equal((await client.call([framed(small)], { 'grpc-encoding': 'gzip' })).status, 0, 'an uncompressed message under an encoding');
    if (isOwn) t.equal((await client.call([framed(zlib.zstdCompressSync(small), true)], { 'grpc-encoding': 'zstd' })).status, 0, 'zstd');
  });

  t.test(`${name}: turns outcomes into statuses, with RetryInfo where there is a delay`, async (t) => {
    const { rig, client } = await start(t);
    rig.answer = () => refusedRetryable('data refused due to high memory usage');
    const retryable = await client.call([framed(small)]);
    t.equal(retryable.status, GrpcStatus.unavailable);
    t.equal(retryable.message, 'data refused due to high memory usage');
    rig.answer = () => refusedPermanent('100 % wrong: Größe \n');
    const permanent = await client.call([framed(small)]);
    t.equal(permanent.status, GrpcStatus.internal);
    t.equal(permanent.message, '100 % wrong: Größe \n');
    rig.answer = () => refusedRetryable('full', { code: GrpcStatus.resourceExhausted, retryAfterMs: 1_500 });
    const throttled = await client.call([framed(small)]);
    t.equal(throttled.status, GrpcStatus.resourceExhausted);
    const details = throttled.trailers['grpc-status-details-bin'] ?? throttled.headers['grpc-status-details-bin'];
    const expected = { code: GrpcStatus.resourceExhausted, message: 'full', retryAfterMs: 1_500 };
    t.same(decodeRpcStatus(Buffer.from(String(details), 'base64')), expected);
    t.equal(rig.counted('otelcol_receiver_refused_spans', { transport: 'grpc' }), 3);
    rig.answer = () => Promise.reject(new Error('a bug'));
    t.equal((await client.call([framed(small)])).status, GrpcStatus.internal);
    t.equal(rig.counted('otelcol_receiver_refused_spans', { transport: 'grpc' }), 4, 'all errors are refused without the gate');
  });

  t.test(`${name}: answers what is no export call`, async (t) => {
    const { rig, client } = await start(t);
    t.equal((await client.call([framed(small)], { ':path': '/other.Service/Export' })).status, GrpcStatus.unimplemented);
    const metrics = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';
    t.equal((await client.call([framed(small)], { ':path': metrics })).status, GrpcStatus.unimplemented);
    t.equal((await client.call([framed(small)], { 'content-type': 'application/json' })).httpStatus, 415);
    t.equal((await client.call([framed(small)], { 'content-type': 'application/grpc+proto' })).status, 0);
    t.equal(rig.seen.length, 1);
  });

  t.test(`${name}: tells a client whose deadline has passed, and goes on`, async (t) => {
    const { rig, client } = await start(t);
    let settle = () => {};
    rig.answer = () =>
      new Promise((resolve) => {
        settle = () => resolve({ kind: 'accepted' });
      });
    const late = await client.call([framed(small)], { 'grpc-timeout': '100m' });
    t.equal(late.status, GrpcStatus.deadlineExceeded);
    settle();
    rig.answer = () => ({ kind: 'accepted' });
    t.equal((await client.call([framed(small)], { 'grpc-timeout': '10S' })).status, 0);
    t.not((await client.call([framed(small)], { 'grpc-timeout': 'soon' })).status, 0, 'a timeout that is none');
  });

  t.test(`${name}: hands on metadata only when asked to`, async (t) => {
    const { rig, client } = await start(t, { include_metadata: true });
    await client.call([framed(small)], { 'x-tenant': 'acme' });
    t.same(rig.seen[0]!.metadata!.get('x-tenant'), ['acme']);
    const without = await start(t);
    await without.client.call([framed(small)], { 'x-tenant': 'acme' });
    t.equal(without.rig.seen[0]!.metadata, undefined);
  });

  t.test(`${name}: lives through resets in every state and gives all memory back`, async (t) => {
    const { rig, client } = await start(t);
    const heldBefore = rig.settings.arena.heldBytes();
    const wire = framed(request(3_000));
    const release: (() => void)[] = [];
    rig.answer = () => new Promise((resolve) => release.push(() => resolve({ kind: 'accepted' })));
    for (const bytes of [0, 3, 5, 1_000, wire.length]) {
      const stream = client.open();
      if (bytes > 0) stream.write(wire.subarray(0, bytes));
      if (bytes === wire.length) {
        stream.end();
        await until('the pipeline to see the request', () => release.length === 1);
      } else {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      stream.close(8);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    t.ok(rig.settings.arena.heldBytes() > heldBefore, 'lent bytes stay although the client has gone');
    for (const settle of release) settle();
    await until('the arena to be free', () => rig.settings.arena.heldBytes() === heldBefore);
    rig.answer = () => ({ kind: 'accepted' });
    t.equal((await client.call([wire])).status, 0);
  });

  t.test(`${name}: holds no arena space for a slow upload`, async (t) => {
    const { rig, client } = await start(t);
    const heldBefore = rig.settings.arena.heldBytes();
    const wire = framed(request(5_000));
    const stream = client.open();
    const answer = answerOf(stream);
    await new Promise<void>((resolve) => stream.write(wire.subarray(0, wire.length - 1), () => resolve()));
    await new Promise((resolve) => setTimeout(resolve, 100));
    t.equal(rig.settings.arena.heldBytes(), heldBefore);
    stream.end(wire.subarray(wire.length - 1));
    t.equal((await answer).status, 0);
    t.equal(rig.seen[0]!.spanCount, 5_000);
  });

  t.test(`${name}: refuses with RetryInfo when the arena is full, and takes requests again afterwards`, async (t) => {
    const { rig, client } = await start(t, {}, { arenaBytes: 4 << 20 });
    const { arena } = rig.settings;
    const blocks = [];
    for (let block = arena.acquire(65_536); block !== undefined; block = arena.acquire(65_536)) blocks.push(block);
    t.equal((await client.call([framed(small)])).status, 0, 'a small request stands on the heap');
    const refused = await client.call([framed(request(9_000))]);
    t.equal(refused.status, GrpcStatus.resourceExhausted);
    t.ok(refused.trailers['grpc-status-details-bin'] ?? refused.headers['grpc-status-details-bin']);
    for (const block of blocks) arena.release(block);
    t.equal((await client.call([framed(request(9_000))])).status, 0);
  });

  t.test(`${name}: ends gracefully: calls under way are answered, new ones are not taken`, async (t) => {
    const { rig, client } = await start(t);
    let settle = () => {};
    rig.answer = () =>
      new Promise((resolve) => {
        settle = () => resolve({ kind: 'accepted' });
      });
    const underWay = client.call([framed(small)]);
    await until('the request to arrive', () => rig.seen.length === 1);
    const drained = rig.receiver.drain(rig.settings.clock.monotonicMs() + 10_000);
    const again = rig.receiver.drain(rig.settings.clock.monotonicMs() + 10_000);
    let isDrained = false;
    void drained.then(() => {
      isDrained = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    t.equal(isDrained, false, 'the end waits for the call');
    settle();
    t.equal((await underWay).status, 0);
    client.session.close();
    t.same(await drained, { spansLost: 0 });
    t.same(await again, { spansLost: 0 });
    const late = new RawClient(rig.grpcPort);
    t.not((await late.call([framed(small)])).status, 0);
    await late.close();
    await Promise.all([rig.receiver.stop(), rig.receiver.stop()]);
  });

  t.test(`${name}: ends by force at the deadline`, async (t) => {
    const { rig, client } = await start(t);
    const stream = client.open();
    stream.write(framed(small).subarray(0, 9));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await rig.receiver.drain(rig.settings.clock.monotonicMs() + 100);
    await rig.receiver.stop();
    await until('the connection to end', () => client.session.destroyed);
    t.pass('drain and stop returned');
  });

  t.test(`${name}: sends connections away at their age without failing a call`, async (t) => {
    const { rig } = await start(t, { keepalive: { server_parameters: { max_connection_age: '100ms' } } });
    const client = new Client(`127.0.0.1:${rig.grpcPort}`, credentials.createInsecure());
    t.teardown(() => client.close());
    const isOver = rig.settings.clock.monotonicMs() + 1_200;
    let calls = 0;
    while (rig.settings.clock.monotonicMs() < isOver) {
      const { error } = await grpcJsCall(client, small);
      calls++;
      if (error !== null) t.equal(error, null, `call ${calls}`);
    }
    t.equal(rig.seen.length, calls);
  });
}
