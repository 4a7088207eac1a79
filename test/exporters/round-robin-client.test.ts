/** Several addresses behind one name: calls in turn, around those that fail, and after the name's answer changes. Loopback has many addresses. */

import { ServerCredentials } from '@grpc/grpc-js';
import t from 'tap';
import { createGrpcClient } from '../../src/main/exporters/otlp-grpc/create-grpc-client.ts';
import type { GrpcClientOptions } from '../../src/main/exporters/otlp-grpc/grpc-client-options.ts';
import { parseGrpcTarget } from '../../src/main/exporters/otlp-grpc/grpc-target.ts';
import { Http2Client } from '../../src/main/exporters/otlp-grpc/http2-client.ts';
import { type AddressLookup, RoundRobinClient } from '../../src/main/exporters/otlp-grpc/round-robin-client.ts';
import { GrpcStatus } from '../../src/main/pipeline/consume-outcome.ts';
import { newRequest, rigSettings, type Sink, startSink, until } from './exporter-rig.ts';

const alive = setInterval(() => {}, 1_000);
t.teardown(() => clearInterval(alive));

/** The same port at each of the addresses, as the pods of a headless service have. */
async function startSinks(addresses: readonly string[]): Promise<Sink[]> {
  for (let attempt = 0; ; attempt++) {
    const first = await startSink(undefined, 0, ServerCredentials.createInsecure(), addresses[0]);
    const rest = await Promise.allSettled(
      addresses.slice(1).map((address) => startSink(undefined, first.port, ServerCredentials.createInsecure(), address)),
    );
    const sinks = [first, ...rest.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))];
    if (sinks.length === addresses.length) return sinks;
    await Promise.all(sinks.map((sink) => sink.stop()));
    if (attempt === 5) throw new Error('no port that is free at all addresses');
  }
}

function clientFor(port: number, find: AddressLookup, more: Partial<GrpcClientOptions> = {}) {
  const settings = rigSettings();
  const target = parseGrpcTarget(`pods.test:${port}`);
  if (target.kind !== 'tcp') throw new Error('no target');
  const options = {
    target,
    tls: undefined,
    encoding: 'identity',
    authority: '',
    userAgent: 'test/1',
    keepalive: undefined,
    waitForReady: false,
    reconnectMsMax: 1_000,
    ...more,
  } as const;
  const client = new RoundRobinClient(settings, { ...options, target }, (child) => new Http2Client(settings, child), find);
  const call = async (timeoutMs = 5_000) => {
    const { bytes } = newRequest(1, 1);
    return client.export([bytes], bytes.length, performance.now() + timeoutMs, []);
  };
  return { client, call, settings };
}

t.test('calls go to all addresses in turn, around one that is gone, and to it again when it is back', async (t) => {
  const addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
  const sinks = await startSinks(addresses);
  const { client, call } = clientFor(sinks[0]!.port, async () => addresses);
  client.connect();
  t.match(await call(), { status: 0 }, 'the first call waits for the name');
  await until(() => client.ready(), 'a connection');
  for (let index = 0; index < 30; index++) t.match(await call(), { status: 0 });
  for (const sink of sinks) t.ok(sink.calls >= 9, `${sinks.map(({ calls }) => calls).join()}`);
  const [gone] = sinks.splice(1, 1);
  await gone!.stop();
  const before = sinks.map((sink) => sink.calls);
  let failed = 0;
  for (let index = 0; index < 20; index++) if ((await call()).status !== 0) failed++;
  t.ok(failed <= 1, 'at most the call under way when the connection broke');
  for (const [index, sink] of sinks.entries()) t.ok(sink.calls - before[index]! >= 8);
  const back = await startSink(undefined, gone!.port, ServerCredentials.createInsecure(), '127.0.0.2');
  await until(() => {
    void call();
    return back.calls > 0;
  }, 'the address that is back is used again');
  await client.close(performance.now() + 2_000);
  t.equal(client.ready(), false);
  t.match(await call(), { status: GrpcStatus.unavailable, unsent: true });
  await Promise.all([...sinks, back].map((sink) => sink.stop()));
});

t.test('when a connection ends the name is asked again: new addresses are used, old ones left after their calls', async (t) => {
  const sinks = await startSinks(['127.0.0.1', '127.0.0.2', '127.0.0.3']);
  let answer = ['127.0.0.1', '127.0.0.2'];
  let questions = 0;
  const { client, call } = clientFor(sinks[0]!.port, async () => {
    questions++;
    return answer;
  });
  for (let index = 0; index < 10; index++) t.match(await call(), { status: 0 });
  t.equal(questions, 1, 'no question without a reason');
  t.equal(sinks[2]!.calls, 0);
  answer = ['127.0.0.2', '127.0.0.3'];
  await sinks[0]!.stop();
  await until(() => {
    void call();
    return sinks[2]!.calls > 0;
  }, 'the new address');
  t.ok(questions >= 2);
  answer = [];
  await sinks[1]!.stop();
  await until(() => questions >= 3, 'a question more');
  t.match(await call(), { status: 0 }, 'an empty answer keeps the last addresses');
  await client.close(performance.now() + 2_000);
  await sinks[2]!.stop();
});

t.test('a name without an answer fails calls at once and says why, or lets them wait when told to', async (t) => {
  const [sink] = await startSinks(['127.0.0.1']);
  let resolvable = false;
  const find: AddressLookup = async () => {
    if (!resolvable) throw new Error('getaddrinfo ENOTFOUND pods.test');
    return ['127.0.0.1'];
  };
  const hasty = clientFor(sink!.port, find);
  const patient = clientFor(sink!.port, find, { waitForReady: true });
  t.same(await hasty.call(), {
    status: GrpcStatus.unavailable,
    message: 'name resolver error: getaddrinfo ENOTFOUND pods.test',
    unsent: true,
  });
  t.match(await patient.call(50), { status: GrpcStatus.unavailable, unsent: true }, 'not longer than its deadline');
  t.equal(hasty.settings.lines.filter((line) => line.message === 'A name cannot be resolved.').length, 1);
  const waiting = patient.call(15_000);
  resolvable = true;
  t.match(await waiting, { status: 0 });
  await until(() => {
    void hasty.call();
    return hasty.client.ready();
  }, 'the hasty one finds it too');
  await Promise.all([hasty.client.close(), patient.client.close()]);
  await sink!.stop();
});

t.test('only names are resolved, and only for round_robin', async (t) => {
  const settings = rigSettings();
  const kindOf = (endpoint: string, roundRobin: boolean): string => {
    const target = parseGrpcTarget(endpoint);
    if (target.kind === 'fault') throw new Error(target.message);
    const options = {
      target,
      tls: undefined,
      encoding: 'identity',
      authority: '',
      userAgent: '',
      keepalive: undefined,
      waitForReady: false,
      reconnectMsMax: 1,
    } as const;
    return createGrpcClient(settings, { ...options, roundRobin }).constructor.name;
  };
  t.equal(kindOf('pods.test:4317', true), 'RoundRobinClient');
  t.equal(kindOf('pods.test:4317', false), 'Http2Client');
  t.equal(kindOf('10.0.0.1:4317', true), 'Http2Client');
  t.equal(kindOf('[::1]:4317', true), 'Http2Client');
  t.equal(kindOf('unix:///run/otlp.sock', true), 'Http2Client');
});
