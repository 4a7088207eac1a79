/** The otlp_http exporter over real sockets: what it sends in every form and compression, and what it makes of every answer. */

import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import t from 'tap';
import { checkOtlpHttp, otlpHttpSchema, tracesUrlOf } from '../../../../src/main/exporters/otlp-http/otlp-http-config.ts';
import { OtlpHttpExporter, otlpHttpExporterType } from '../../../../src/main/exporters/otlp-http/otlp-http-exporter.ts';
import type { Extension } from '../../../../src/main/pipeline/component.ts';
import type { ConsumeOutcome } from '../../../../src/main/pipeline/consume-outcome.ts';
import { decompress, type Encoding } from '../../../../src/main/transport/compression/decompress.ts';
import { encodeRpcStatus, encodeRpcStatusJson } from '../../../../src/main/transport/rpc-status.ts';
import { jsonTextOf } from '../../../../src/shared/otlp/json-text.ts';
import { exportTraceServiceResponse } from '../../../../src/shared/otlp/messages.ts';
import { componentRig, configOf } from '../../../support/component-rig.ts';
import { requestBytes, spanIdOf, traceIdOf } from '../../../support/otlp.ts';
import { selfSigned } from '../../../support/self-signed.ts';

interface Seen {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}
interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

interface Target {
  readonly url: string;
  readonly seen: Seen[];
  answer: (seen: Seen) => Answer | 'never';
}

const running = new Set<Server>();
t.teardown(() => {
  for (const server of running) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  running.add(server);
  return (server.address() as AddressInfo).port;
}

async function startTarget(tls?: { key: string; cert: string }): Promise<Target> {
  const target = { url: '', seen: [] as Seen[], answer: (): Answer | 'never' => ({ status: 200 }) } as Target & { url: string };
  const handle = async (request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const seen = { url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) };
    target.seen.push(seen);
    const answer = target.answer(seen);
    if (answer === 'never') return;
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body);
  };
  const server = tls === undefined ? createServer(handle) : (createTlsServer(tls, handle) as unknown as Server);
  target.url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${await listen(server)}`;
  return target;
}

const payload = {
  bytes: requestBytes(
    { 'service.name': 'shop', note: 'the same words again and again, the same words again and again' },
    {
      spans: [
        { traceId: traceIdOf(1), spanId: spanIdOf(1), name: 'a' },
        { traceId: traceIdOf(1), spanId: spanIdOf(2), name: 'b' },
      ],
    },
  ),
  spanCount: 2,
};

/** One exporter without a queue: the outcome of the send is the outcome of `consume`. */
async function exporting(raw: object, extensions: Readonly<Record<string, Extension>> = {}) {
  const rig = componentRig('otlp_http');
  const config = configOf(otlpHttpSchema, { retry_on_failure: { enabled: false }, sending_queue: { enabled: false }, ...raw });
  const exporter = new OtlpHttpExporter({ ...rig.settings, extension: (id) => extensions[id] }, config);
  await exporter.start();
  const send = async (): Promise<ConsumeOutcome> => exporter.consume(payload);
  return { ...rig, exporter, send };
}

/** One send, and the exporter is gone. */
async function sent(raw: object, extensions: Readonly<Record<string, Extension>> = {}) {
  const rig = await exporting(raw, extensions);
  const outcome = await rig.send();
  await rig.exporter.stop();
  return { ...rig, outcome };
}

const asBytes = (value: Buffer | Promise<Buffer>): Promise<Buffer> => Promise.resolve(value);

for (const compression of ['gzip', 'zstd', 'zlib', 'deflate', 'snappy', 'x-snappy-framed', 'none']) {
  for (const encoding of ['proto', 'json']) {
    t.test(`sends ${encoding} with compression ${compression}`, async (t) => {
      const target = await startTarget();
      const { outcome } = await sent({ endpoint: target.url, compression, encoding });
      t.same(outcome, { kind: 'accepted' });
      const [seen] = target.seen;
      t.equal(seen!.url, '/v1/traces');
      t.equal(seen!.headers['content-type'], encoding === 'json' ? 'application/json' : 'application/x-protobuf');
      t.equal(seen!.headers['content-encoding'], compression === 'none' ? undefined : compression);
      t.equal(seen!.headers['content-length'], String(seen!.body.length));
      t.match(seen!.headers['user-agent'], /^Ringtail\/0\.0\.0 \(\w+\/\w+\)$/);
      const plain = compression === 'none' ? seen!.body : await asBytes(decompress(compression as Encoding, seen!.body, 1 << 20));
      if (encoding === 'proto') t.ok(plain.equals(payload.bytes), 'the bytes are those that came in');
      else t.equal(plain.toString('utf8'), jsonTextOf(payload.bytes));
    });
  }
}

t.test('the level of compression is the configured one', async (t) => {
  const target = await startTarget();
  for (const level of [-2, -1, 1, 9]) await sent({ endpoint: target.url, compression_params: { level } });
  const sizes = target.seen.map(({ body }) => body.length);
  t.ok(sizes[0]! > sizes[3]!, `Huffman alone ${sizes[0]} bytes, level 9 ${sizes[3]} bytes`);
  t.equal(sizes[1], sizes[3], 'small bodies do not gain from more than the default');
});

t.test('exactly one slash stands between the endpoint and the path; traces_endpoint is taken as it is', async (t) => {
  const url = (raw: object) => tracesUrlOf(configOf(otlpHttpSchema, raw)).href;
  t.equal(url({ endpoint: 'http://x:4318' }), 'http://x:4318/v1/traces');
  t.equal(url({ endpoint: 'http://x:4318/' }), 'http://x:4318/v1/traces');
  t.equal(url({ endpoint: 'http://x:4318/otlp' }), 'http://x:4318/otlp/v1/traces');
  t.equal(url({ endpoint: 'http://x:4318', traces_endpoint: 'http://y/in?key=1' }), 'http://y/in?key=1');
});

t.test('configured headers win, an authenticator adds its own, a user in the URL is basic authentication', async (t) => {
  const target = await startTarget();
  const auth = { clientHeaders: () => [['authorization', 'Bearer token']], start() {}, drain() {}, stop() {} } as unknown as Extension;
  const headers = { 'User-Agent': 'mine', 'X-Team': 'a b' };
  await sent({ endpoint: target.url, headers, auth: { authenticator: 'bearertokenauth' } }, { bearertokenauth: auth });
  t.equal(target.seen[0]!.headers['user-agent'], 'mine');
  t.equal(target.seen[0]!.headers['x-team'], 'a b');
  t.equal(target.seen[0]!.headers.authorization, 'Bearer token');
  await sent({ endpoint: target.url.replace('//', '//user:pass%20word@') });
  t.equal(target.seen[1]!.headers.authorization, `Basic ${Buffer.from('user:pass word').toString('base64')}`);
  const empty = { ...auth, clientHeaders: () => Promise.reject(new Error('no token yet')) } as unknown as Extension;
  const { outcome } = await sent({ endpoint: target.url, auth: { authenticator: 'x' } }, { x: empty });
  t.match(outcome, { kind: 'refused', retryable: true, code: 16, message: /no token yet/ });
  const broken = { ...auth, clientHeaders: () => [['authorization', 'a\nb']] } as unknown as Extension;
  t.match((await sent({ endpoint: target.url, auth: { authenticator: 'x' } }, { x: broken })).outcome, {
    kind: 'refused',
    retryable: false,
  });
  await t.rejects(sent({ endpoint: target.url, auth: { authenticator: 'nobody' } }), /failed to resolve authenticator "nobody"/);
});

t.test('every status is a success, a reason to retry, or final', async (t) => {
  const target = await startTarget();
  const rig = await exporting({ endpoint: target.url });
  const told = async (status: number, body: Uint8Array = encodeRpcStatus({ code: 3, message: 'why' })) => {
    target.answer = () => ({ status, headers: { 'content-type': 'application/x-protobuf' }, body });
    return rig.send();
  };
  for (const status of [200, 202, 299]) t.same(await told(status, Buffer.alloc(0)), { kind: 'accepted' }, String(status));
  for (const status of [429, 502, 503, 504]) t.match(await told(status), { kind: 'refused', retryable: true }, String(status));
  for (const status of [301, 400, 401, 402, 403, 404, 405, 413, 414, 431, 500, 501, 505])
    t.match(await told(status), { kind: 'refused', retryable: false }, String(status));
  const url = `${target.url}/v1/traces`;
  const words = `error exporting items, request to ${url} responded with HTTP Status Code`;
  t.match(await told(400), { code: 3, message: `${words} 400, Message=why, Details=[]` });
  t.match(await told(401), { code: 16, message: `${words} 401, Message=why, Details=[]` });
  t.equal(((await told(500, Buffer.from('not a status'))) as { message: string }).message, `${words} 500`);
  t.equal(((await told(404, Buffer.alloc(0))) as { message: string }).message, `${words} 404, Message=, Details=[]`);
  target.answer = () => ({
    status: 400,
    headers: { 'content-type': 'application/json' },
    body: encodeRpcStatusJson({ code: 3, message: 'in json' }),
  });
  t.match(await rig.send(), { message: `${words} 400, Message=in json, Details=[]` });
  await rig.exporter.stop();
});

t.test('Retry-After throttles on 429 and 503 alone: seconds, a date, never below zero; nonsense is ignored', async (t) => {
  const target = await startTarget();
  const rig = await exporting({ endpoint: target.url });
  const told = async (status: number, after: string): Promise<number | undefined> => {
    target.answer = () => ({ status, headers: { 'retry-after': after } });
    const outcome = await rig.send();
    return outcome.kind === 'refused' ? outcome.retryAfterMs : -1;
  };
  t.equal(await told(429, '7'), 7_000);
  t.equal(await told(503, '0'), 0);
  t.equal(await told(503, '-4'), 0);
  t.equal(await told(502, '7'), undefined);
  for (const nonsense of ['soon', '1.5', '7 seconds', '1999-12-31']) t.equal(await told(503, nonsense), undefined, nonsense);
  t.equal(await told(503, 'Fri, 31 Dec 1999 23:59:59 GMT'), 0);
  const inMs = await told(503, new Date(Date.now() + 3_600_000).toUTCString());
  t.ok(inMs! > 3_500_000 && inMs! <= 3_600_000, String(inMs));
  await rig.exporter.stop();
});

t.test(
  'a partial success is a success with a warning; an unreadable answer of a known type is final; other types are not read',
  async (t) => {
    const target = await startTarget();
    const rig = await exporting({ endpoint: target.url });
    const told = async (type: string, body: Uint8Array | string) => {
      target.answer = () => ({ status: 200, headers: { 'content-type': type }, body });
      rig.logger.lines.length = 0;
      return rig.send();
    };
    const partial = { partialSuccess: { rejectedSpans: 2, errorMessage: 'too old' } };
    const warning = [{ level: 'warn', fields: { message: 'too old', dropped_spans: 2 }, message: 'Partial success response' }];
    t.same(await told('application/x-protobuf', exportTraceServiceResponse.encode(partial).finish()), { kind: 'accepted' });
    t.same(rig.logger.lines, warning);
    t.same(
      await told('application/json; charset=utf-8', JSON.stringify({ partialSuccess: { rejectedSpans: '2', errorMessage: 'too old' } })),
      {
        kind: 'accepted',
      },
    );
    t.same(rig.logger.lines, warning);
    t.same(await told('application/x-protobuf', exportTraceServiceResponse.encode({ partialSuccess: {} }).finish()), { kind: 'accepted' });
    t.same(rig.logger.lines, []);
    t.match(await told('application/x-protobuf', Buffer.from([0x0a, 0xff])), {
      retryable: false,
      message: /^error parsing protobuf response: /,
    });
    t.match(await told('application/json', '{'), { retryable: false, message: /^error parsing json response: / });
    t.same(await told('text/html', '<html>'), { kind: 'accepted' });
    t.match(await told('application/json', JSON.stringify('x'.repeat(70_000))), { retryable: false }, 'an answer over 64 KiB is cut');
    await rig.exporter.stop();
  },
);

t.test('a server that cannot be reached, answers too late or hangs up is a reason to retry', async (t) => {
  const target = await startTarget();
  target.answer = () => 'never';
  const late = await sent({ endpoint: target.url, timeout: '50ms' });
  t.match(late.outcome, {
    retryable: true,
    code: 4,
    message: /^failed to make an HTTP request: Post ".*\/v1\/traces": context deadline exceeded/,
  });
  const nobody = await sent({ endpoint: 'http://user:secret@127.0.0.1:1' });
  t.match(nobody.outcome, { retryable: true, code: 14, message: /ECONNREFUSED/ });
  t.notMatch((nobody.outcome as { message: string }).message, /secret/);
  const rude = createServer((request) => request.socket.destroy());
  t.match((await sent({ endpoint: `http://127.0.0.1:${await listen(rude)}` })).outcome, { retryable: true, code: 14 });
});

t.test('connections are used again unless keepalive is off', async (t) => {
  const target = await startTarget();
  const server = [...running].at(-1)!;
  let connections = 0;
  server.on('connection', () => connections++);
  const kept = await exporting({ endpoint: target.url });
  for (let i = 0; i < 3; i++) await kept.send();
  await kept.exporter.stop();
  t.equal(connections, 1);
  const closed = await exporting({ endpoint: target.url, keepalive: { enabled: false } });
  for (let i = 0; i < 3; i++) await closed.send();
  await closed.exporter.stop();
  t.equal(connections, 4);
  t.equal(target.seen.length, 6);
});

t.test('a proxy sees plain requests whole and encrypted ones as a tunnel', async (t) => {
  const target = await startTarget();
  const asked: string[] = [];
  const proxy = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume().on('end', () => response.writeHead(200).end());
  });
  proxy.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    const [host, port] = request.url!.split(':');
    const onward = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  const proxyUrl = `http://127.0.0.1:${await listen(proxy)}`;
  t.same((await sent({ endpoint: 'http://elsewhere.invalid:4318', proxy_url: proxyUrl })).outcome, { kind: 'accepted' });
  t.same(asked, ['POST http://elsewhere.invalid:4318/v1/traces']);
  const tls = selfSigned('127.0.0.1');
  const secure = await startTarget({ key: tls.key, cert: tls.cert });
  const outcome = (await sent({ endpoint: secure.url, proxy_url: proxyUrl, tls: { ca_pem: tls.cert } })).outcome;
  t.same(outcome, { kind: 'accepted' });
  t.equal(asked[1], `CONNECT ${secure.url.slice('https://'.length)}`);
  t.equal(target.seen.length, 0);
});

t.test('TLS: the certificate is verified unless told otherwise; insecure does not turn an https URL plain', async (t) => {
  const tls = selfSigned('127.0.0.1');
  const secure = await startTarget({ key: tls.key, cert: tls.cert });
  t.same((await sent({ endpoint: secure.url, tls: { ca_pem: tls.cert } })).outcome, { kind: 'accepted' });
  t.same((await sent({ endpoint: secure.url, tls: { insecure_skip_verify: true } })).outcome, { kind: 'accepted' });
  t.match((await sent({ endpoint: secure.url })).outcome, { kind: 'refused', retryable: true });
  t.match((await sent({ endpoint: secure.url, tls: { insecure: true } })).outcome, { kind: 'refused', retryable: true });
});

t.test('the chain retries, queues and counts with the server’s address', async (t) => {
  const target = await startTarget();
  let calls = 0;
  target.answer = () => ({ status: calls++ === 0 ? 503 : 200 });
  const retry = { enabled: true, initial_interval: '1ms', max_interval: '2ms' };
  const rig = await exporting({ endpoint: target.url, retry_on_failure: retry, sending_queue: { enabled: true } });
  t.same(await rig.send(), { kind: 'accepted' });
  for (let waited = 0; target.seen.length < 2 && waited < 5_000; waited += 5) await new Promise((resolve) => setTimeout(resolve, 5));
  t.same(await rig.exporter.drain(performance.now() + 5_000), { spansLost: 0 });
  const { hostname, port } = new URL(target.url);
  t.equal(rig.metric('otelcol_exporter_sent_spans', { exporter: 'otlp_http', 'server.address': hostname, 'server.port': port }), 2);
  t.equal(target.seen.length, 2);
  await rig.exporter.stop();
});

t.test('what cannot work is refused when the configuration is read', async (t) => {
  const faults = (raw: object) =>
    checkOtlpHttp(configOf(otlpHttpSchema, raw), ['exporters', 'x']).map(
      ({ severity, path, message }) => `${severity} ${path.join('.')}: ${message}`,
    );
  t.same(faults({ endpoint: 'http://x' }), []);
  t.same(faults({}), ['error exporters.x: at least one endpoint must be specified']);
  t.same(faults({ logs_endpoint: 'http://x' }), ['error exporters.x: either endpoint or traces_endpoint must be specified']);
  t.match(faults({ endpoint: 'x:4318' }), [/^error exporters\.x\.endpoint: unsupported protocol scheme "x"/]);
  t.match(faults({ endpoint: '127.0.0.1:4318' }), [/^error exporters\.x\.endpoint: endpoint must be a valid URL/]);
  t.match(faults({ endpoint: 'http://x', compression: 'brotli' }), [/unsupported compression type "brotli"/]);
  t.same(faults({ endpoint: 'http://x', compression: 'lz4' }), []);
  t.match(faults({ endpoint: 'http://x', compression_params: { level: 12 } }), [
    /unsupported parameters \{Level:12\} for compression type "gzip"/,
  ]);
  t.match(faults({ endpoint: 'http://x', compression: 'snappy', compression_params: { level: 1 } }), [/compression type "snappy"/]);
  t.match(faults({ endpoint: 'http://x', idle_conn_timeout: '3s' }), [/^warning .*idle_conn_timeout: is the old form/]);
  t.match(faults({ endpoint: 'http://x', max_idle_conns: 3, keepalive: {} }), [/^error .*max_idle_conns: cannot stand beside/]);
  t.match(faults({ endpoint: 'http://x', headers: { 'a b': 'c' } }), [/headers\.a b: is no header/]);
  t.match(faults({ endpoint: 'http://x', headers: { a: 'c\n' } }), [/headers\.a: is no header/]);
  t.match(faults({ endpoint: 'http://x', proxy_url: 'socks5://y' }), [/^error .*proxy_url/]);
  t.match(faults({ endpoint: 'http://x', timeout: '-1s' }), [/'timeout' must be non-negative/]);
  t.same(otlpHttpExporterType.aliases, ['otlphttp']);
});
