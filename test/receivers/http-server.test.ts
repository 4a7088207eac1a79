/** OTLP/HTTP over real sockets: the table of answers, encodings, limits, CORS, metadata, ending. */

import http, { type IncomingHttpHeaders } from 'node:http';
import net from 'node:net';
import zlib from 'node:zlib';
import t, { type Test } from 'tap';
import { GrpcStatus, refusedPermanent, refusedRetryable } from '../../src/main/pipeline/consume-outcome.ts';
import { decodeRpcStatus } from '../../src/main/transport/rpc-status.ts';
import { requestBytes, spanIdOf, traceIdOf } from '../support/otlp.ts';
import { type RigOptions, startReceiver, until } from './receiver-rig.ts';

const small = Buffer.from(requestBytes({ 'service.name': 'a' }, { spans: [{ traceId: traceIdOf(1), spanId: spanIdOf(1), name: 'one' }] }));
const smallJson = JSON.stringify({
  resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }] }] }],
});
const protobuf = { 'content-type': 'application/x-protobuf' };
const json = { 'content-type': 'application/json' };

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Sending {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

function send(port: number, { method = 'POST', path = '/v1/traces', headers = {}, body = '' }: Sending): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function start(t: Test, http: object = {}, options: RigOptions = {}) {
  const rig = await startReceiver({ http }, options);
  t.teardown(async () => {
    await rig.receiver.drain(rig.settings.clock.monotonicMs());
    await rig.receiver.stop();
  });
  return { rig, post: (sending: Sending) => send(rig.httpPort, sending) };
}

function statusOf(answer: Answer): { code: number; message: string } {
  if (answer.headers['content-type'] === 'application/json') return JSON.parse(answer.body.toString());
  const { code, message } = decodeRpcStatus(answer.body)!;
  return { code, message };
}

t.test('answers each kind of request as the Collector does', async (t) => {
  const { rig, post } = await start(t, { max_request_body_size: 1_000, compression_algorithms: ['', 'gzip', 'zstd'] });
  const status = (code: number, message: string | RegExp) => ({ code, message });
  const big = Buffer.alloc(1_001);
  const rows: [what: string, sending: Sending, httpStatus: number, contentType: string, body: string | object][] = [
    ['a request', { headers: protobuf, body: small }, 200, 'application/x-protobuf', ''],
    ['a request in JSON', { headers: json, body: smallJson }, 200, 'application/json', '{"partialSuccess":{}}'],
    [
      'parameters',
      { headers: { 'content-type': 'Application/JSON; charset="utf-8"' }, body: smallJson },
      200,
      'application/json',
      '{"partialSuccess":{}}',
    ],
    ['no spans', { headers: protobuf, body: '' }, 200, 'application/x-protobuf', ''],
    ['no spans in JSON', { headers: json, body: '{}' }, 200, 'application/json', '{"partialSuccess":{}}'],
    ['GET', { method: 'GET' }, 405, 'text/plain', '405 method not allowed, supported: [POST]'],
    [
      'a wrong content type',
      { headers: { 'content-type': 'text/plain' }, body: 'x' },
      415,
      'text/plain',
      '415 unsupported media type, supported: [application/json, application/x-protobuf]',
    ],
    ['another path', { path: '/v1/metrics', headers: protobuf, body: small }, 404, 'text/plain; charset=utf-8', '404 page not found\n'],
    [
      'an unknown encoding',
      { headers: { ...json, 'content-encoding': 'br' }, body: smallJson },
      400,
      'application/json',
      status(3, 'unsupported Content-Encoding: br'),
    ],
    [
      'an encoding that is off',
      { headers: { ...protobuf, 'content-encoding': 'lz4' }, body: small },
      400,
      'application/x-protobuf',
      status(3, 'unsupported Content-Encoding: lz4'),
    ],
    [
      'an unknown encoding without a type',
      { headers: { 'content-encoding': 'br' }, body: 'x' },
      400,
      'application/json',
      status(3, 'unsupported Content-Encoding: br'),
    ],
    [
      'an unknown encoding of an unknown type',
      { headers: { 'content-type': 'text/plain', 'content-encoding': 'br' }, body: 'x' },
      500,
      'application/json',
      '{"code": 13, "message": "failed to marshal error message"}',
    ],
    [
      'no gzip',
      { headers: { ...json, 'content-encoding': 'gzip' }, body: smallJson },
      400,
      'application/json',
      status(3, 'gzip: invalid header'),
    ],
    [
      'no zstd',
      { headers: { ...protobuf, 'content-encoding': 'zstd' }, body: small },
      400,
      'application/x-protobuf',
      status(3, 'invalid input: magic number mismatch'),
    ],
    ['a large body', { headers: protobuf, body: big }, 400, 'application/x-protobuf', status(3, 'http: request body too large')],
    [
      'a large chunked body',
      { headers: { ...protobuf, 'transfer-encoding': 'chunked' }, body: big },
      400,
      'application/x-protobuf',
      status(3, 'http: request body too large'),
    ],
    [
      'a bomb',
      { headers: { ...json, 'content-encoding': 'gzip' }, body: zlib.gzipSync(Buffer.alloc(500_000)) },
      400,
      'application/json',
      status(3, 'http: request body too large'),
    ],
    [
      'broken protobuf',
      { headers: protobuf, body: small.subarray(0, 40) },
      400,
      'application/x-protobuf',
      status(3, /^malformed request: byte \d+: /),
    ],
    ['broken JSON', { headers: json, body: '{' }, 400, 'application/json', status(3, /JSON/)],
    [
      'a wrong id',
      { headers: json, body: '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}' },
      400,
      'application/json',
      status(3, 'resourceSpans[0].scopeSpans[0].spans[0].traceId: expected 32 hexadecimal digits, found the string "zz"'),
    ],
  ];
  for (const [what, sending, httpStatus, contentType, body] of rows) {
    const answer = await post(sending);
    t.equal(answer.status, httpStatus, what);
    t.equal(answer.headers['content-type'], contentType, what);
    if (typeof body === 'string') t.equal(answer.body.toString(), body, what);
    else t.match(statusOf(answer), body, what);
  }
  t.equal(rig.seen.length, 3);
  t.equal(rig.counted('otelcol_receiver_accepted_spans', { transport: 'http' }), 3);
});

t.test('takes a body of exactly the limit, plain and compressed', async (t) => {
  const { post } = await start(t, { max_request_body_size: small.length });
  t.equal((await post({ headers: protobuf, body: small })).status, 200);
  const padded = Buffer.concat([small, Buffer.from(requestBytes({ pad: 'x'.repeat(1_000) }))]);
  const exact = await start(t, { max_request_body_size: padded.length });
  const gzip = { ...protobuf, 'content-encoding': 'gzip' };
  t.equal((await exact.post({ headers: gzip, body: zlib.gzipSync(padded) })).status, 200);
  const below = await start(t, { max_request_body_size: padded.length - 1 });
  t.equal((await below.post({ headers: gzip, body: zlib.gzipSync(padded) })).status, 400);
});

t.test('turns outcomes into HTTP statuses, with Retry-After where there is a delay', async (t) => {
  const { rig, post } = await start(t);
  const rows: [code: GrpcStatus, httpStatus: number][] = [
    [GrpcStatus.cancelled, 503],
    [GrpcStatus.deadlineExceeded, 503],
    [GrpcStatus.aborted, 503],
    [GrpcStatus.outOfRange, 503],
    [GrpcStatus.unavailable, 503],
    [GrpcStatus.dataLoss, 503],
    [GrpcStatus.resourceExhausted, 429],
    [GrpcStatus.invalidArgument, 400],
    [GrpcStatus.unauthenticated, 401],
    [GrpcStatus.permissionDenied, 403],
    [GrpcStatus.unimplemented, 404],
    [GrpcStatus.internal, 500],
    [GrpcStatus.unknown, 500],
  ];
  for (const [code, httpStatus] of rows) {
    rig.answer = () => refusedRetryable('no', { code, retryAfterMs: 2_500 });
    const [inProtobuf, inJson] = [await post({ headers: protobuf, body: small }), await post({ headers: json, body: smallJson })];
    for (const answer of [inProtobuf, inJson]) {
      t.equal(answer.status, httpStatus);
      t.match(statusOf(answer), { code, message: 'no' });
      t.equal(answer.headers['retry-after'], httpStatus === 429 || httpStatus === 503 ? '2' : undefined);
    }
    t.same(decodeRpcStatus(inProtobuf.body), { code, message: 'no', retryAfterMs: 2_500 });
    t.same(JSON.parse(inJson.body.toString()).details, [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '2.5s' }]);
  }
  rig.answer = () => refusedPermanent('never');
  const permanent = await post({ headers: json, body: smallJson });
  t.equal(permanent.status, 500);
  t.equal(permanent.body.toString(), '{"code":13,"message":"never"}');
  rig.answer = () => refusedRetryable('later');
  t.equal((await post({ headers: json, body: smallJson })).headers['retry-after'], undefined, 'no delay, no header');
});

t.test('answers preflights and names the origin to a browser that is allowed', async (t) => {
  const cors = { allowed_origins: ['http://*.example.com'], allowed_headers: ['x-tenant'], exposed_headers: ['x-out'], max_age: 60 };
  const { rig, post } = await start(t, { cors });
  const preflight = {
    origin: 'http://a.example.com',
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type,x-tenant',
  };
  const allowed = await post({ method: 'OPTIONS', headers: preflight });
  t.equal(allowed.status, 204);
  t.match(allowed.headers, {
    'access-control-allow-origin': 'http://a.example.com',
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'content-type,x-tenant',
    'access-control-allow-credentials': 'true',
    'access-control-max-age': '60',
  });
  for (const change of [
    { origin: 'http://example.org' },
    { 'access-control-request-method': 'PUT' },
    { 'access-control-request-headers': 'x-other' },
  ]) {
    const refused = await post({ method: 'OPTIONS', headers: { ...preflight, ...change } });
    t.equal(refused.status, 204);
    t.equal(refused.headers['access-control-allow-origin'], undefined, JSON.stringify(change));
  }
  const actual = await post({ headers: { ...json, origin: 'http://b.example.com' }, body: smallJson });
  t.match(actual.headers, {
    'access-control-allow-origin': 'http://b.example.com',
    'access-control-expose-headers': 'x-out',
    vary: 'Origin',
  });
  t.equal(rig.seen.length, 1);
});

t.test('keeps to paths, response headers and metadata as configured', async (t) => {
  const { rig, post } = await start(t, { traces_url_path: 'custom/traces', response_headers: { 'x-frame': 'no' }, include_metadata: true });
  t.equal((await post({ headers: protobuf, body: small })).status, 404);
  const answer = await post({ path: '/custom/traces?x=1', headers: { ...protobuf, 'X-Tenant': 'acme' }, body: small });
  t.equal(answer.status, 200);
  t.equal(answer.headers['x-frame'], 'no');
  t.same(rig.seen[0]!.metadata!.get('x-tenant'), ['acme']);
});

t.test('lives through clients that stop halfway, and gives everything back', async (t) => {
  const { rig, post } = await start(t);
  const heldBefore = rig.settings.arena.heldBytes();
  const head = 'POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000\r\n\r\n';
  for (const text of ['', 'POST', 'POST /v1/traces HTTP/1.1\r\nhost', head, `${head}xxxx`, 'nonsense\r\n\r\n', '\x00\x01\x02\xff\r\n']) {
    const socket = net.connect(rig.httpPort, '127.0.0.1');
    socket.on('error', () => {});
    await new Promise<void>((resolve) => socket.write(text === '' ? '\r\n' : text, () => resolve()));
    await new Promise((resolve) => setTimeout(resolve, 10));
    socket.destroy();
  }
  t.equal((await post({ headers: protobuf, body: small })).status, 200);
  await until('the arena to be free', () => rig.settings.arena.heldBytes() <= heldBefore + 65_536);
});

t.test('ends gracefully: a request under way is answered and its connection closed', async (t) => {
  const { rig } = await start(t);
  let settle = () => {};
  rig.answer = () =>
    new Promise((resolve) => {
      settle = () => resolve({ kind: 'accepted' });
    });
  const agent = new http.Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const underWay = new Promise<IncomingHttpHeaders>((resolve, reject) => {
    const request = http.request(
      { host: '127.0.0.1', port: rig.httpPort, method: 'POST', path: '/v1/traces', headers: protobuf, agent },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.headers));
      },
    );
    request.on('error', reject);
    request.end(small);
  });
  await until('the request to arrive', () => rig.seen.length === 1);
  const drained = rig.receiver.drain(rig.settings.clock.monotonicMs() + 10_000);
  await t.rejects(send(rig.httpPort, { headers: protobuf, body: small }), 'new connections are refused');
  settle();
  t.equal((await underWay).connection, 'close');
  t.same(await drained, { spansLost: 0 });
});

t.test('cuts what is left at the deadline', async (t) => {
  const { rig } = await start(t);
  const socket = net.connect(rig.httpPort, '127.0.0.1');
  let isClosed = false;
  socket.on('close', () => {
    isClosed = true;
  });
  socket.on('error', () => {});
  socket.write('POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{');
  await new Promise((resolve) => setTimeout(resolve, 50));
  await rig.receiver.drain(rig.settings.clock.monotonicMs() + 100);
  await rig.receiver.stop();
  await until('the connection to be cut', () => isClosed);
});

t.test('closes connections when keep-alive is off', async (t) => {
  const { post } = await start(t, { keepalive: { enabled: false } });
  t.equal((await post({ headers: { ...protobuf, connection: 'keep-alive' }, body: small })).headers.connection, 'close');
});
