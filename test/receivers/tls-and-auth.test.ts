/** TLS, client certificates, reload and authentication on both listeners, over real sockets. */

import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { decode } from '../../src/main/config/fields.ts';
import { basicAuthExtensionType } from '../../src/main/extensions/basic-auth.ts';
import { bearerTokenAuthExtensionType } from '../../src/main/extensions/bearer-token-auth.ts';
import type { ExtensionType } from '../../src/main/pipeline/component.ts';
import { GrpcStatus } from '../../src/main/pipeline/consume-outcome.ts';
import type { ServerAuthenticator } from '../../src/main/pipeline/server-authenticator.ts';
import { requestBytes, spanIdOf, traceIdOf } from '../support/otlp.ts';
import { exportPath, framed, RawClient } from './grpc-raw-client.ts';
import { grpcServers, type RigOptions, startReceiver, testSettings, until } from './receiver-rig.ts';

const small = Buffer.from(requestBytes({}, { spans: [{ traceId: traceIdOf(1), spanId: spanIdOf(1) }] }));
const file = (name: string) => fileURLToPath(new URL(`fixtures/tls/${name}`, import.meta.url));
const pem = (name: string) => readFileSync(file(name));
const certificate = { cert_file: file('server.pem'), key_file: file('server.key.pem') };

async function start(t: Test, protocols: { grpc?: object; http?: object }, options: RigOptions = {}) {
  const rig = await startReceiver(protocols, options);
  t.teardown(async () => {
    await rig.receiver.drain(rig.settings.clock.monotonicMs());
    await rig.receiver.stop();
  });
  return rig;
}

function grpcCall(port: number, identity?: { cert: Buffer; key: Buffer }, ca = pem('ca.pem')): Promise<ServiceError | null> {
  const client = new Client(`localhost:${port}`, credentials.createSsl(ca, identity?.key ?? null, identity?.cert ?? null));
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      exportPath,
      (message: Buffer) => message,
      (message: Buffer) => message,
      small,
      new Metadata(),
      { deadline: Date.now() + 5_000 },
      (error) => {
        client.close();
        resolve(error);
      },
    );
  });
}

function httpsPost(port: number, options: https.RequestOptions = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-protobuf', ...options.headers };
    const request = https.request(
      { host: '127.0.0.1', port, method: 'POST', path: '/v1/traces', ca: pem('ca.pem'), agent: false, ...options, headers },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode!));
      },
    );
    request.on('error', reject);
    request.end(small);
  });
}

for (const [name, grpcServer] of Object.entries(grpcServers)) {
  t.test(`${name}: serves over TLS, and only to clients that trust it`, async (t) => {
    const rig = await start(t, { grpc: { tls: certificate } }, { grpcServer });
    t.equal(await grpcCall(rig.grpcPort), null);
    t.equal((await grpcCall(rig.grpcPort, undefined, pem('stranger.pem')))?.code, GrpcStatus.unavailable);
    t.equal(rig.seen.length, 1);
  });

  t.test(`${name}: demands a client certificate of its authority`, async (t) => {
    const rig = await start(t, { grpc: { tls: { ...certificate, client_ca_file: file('ca.pem') } } }, { grpcServer });
    t.equal(await grpcCall(rig.grpcPort, { cert: pem('client.pem'), key: pem('client.key.pem') }), null);
    t.not(await grpcCall(rig.grpcPort), null, 'none');
    t.not(await grpcCall(rig.grpcPort, { cert: pem('stranger.pem'), key: pem('stranger.key.pem') }), null, 'a stranger');
    t.equal(rig.seen.length, 1);
  });
}

t.test('HTTP serves over TLS, with and without client certificates', async (t) => {
  const rig = await start(t, { http: { tls: { ...certificate, client_ca_file: file('ca.pem') } } });
  t.equal(await httpsPost(rig.httpPort, { cert: pem('client.pem'), key: pem('client.key.pem') }), 200);
  await t.rejects(httpsPost(rig.httpPort));
  const open = await start(t, { http: { tls: { cert_pem: pem('server.pem').toString(), key_pem: pem('server.key.pem').toString() } } });
  t.equal(await httpsPost(open.httpPort), 200, 'texts instead of files');
});

t.test('HTTP speaks HTTP/2 to clients that offer it, over TLS', async (t) => {
  const token = await extension(t, bearerTokenAuthExtensionType, { token: 'secret' });
  const http = { tls: certificate, auth: { authenticator: 'token' }, include_metadata: true, max_request_body_size: 100_000 };
  const rig = await start(t, { http }, { extensions: { token } });
  const client = new RawClient(rig.httpPort, { ca: pem('ca.pem') }, 'https');
  t.teardown(() => client.close());
  const headers = { ':path': '/v1/traces', 'content-type': 'application/x-protobuf', authorization: 'Bearer secret' };
  const answers = await Promise.all(Array.from({ length: 20 }, () => client.call([small], headers)));
  t.ok(answers.every(({ httpStatus, body }) => httpStatus === 200 && body.length === 0));
  t.equal(client.session.alpnProtocol, 'h2');
  t.equal(rig.seen.length, 20);
  t.ok(rig.seen.every(({ bytes }) => bytes.equals(small)));
  t.same(rig.seen[0]!.metadata?.get('authorization'), ['Bearer secret']);
  t.match(rig.seen[0]!.metadata?.get('host')?.[0], /^127\.0\.0\.1:/);
  t.notOk([...rig.seen[0]!.metadata!.keys()].some((name) => name.startsWith(':')));
  t.equal((await client.call([small], { ...headers, authorization: 'Bearer wrong' })).httpStatus, 401);
  t.equal((await client.call([], { ...headers, ':method': 'GET' })).httpStatus, 405);
  const huge = Buffer.alloc(3 << 20);
  t.equal((await client.call([huge], headers)).httpStatus, 400, 'too large, without its length announced');
  t.equal((await client.call([small], headers)).httpStatus, 200, 'the connection goes on');
  const cut = client.open(headers);
  cut.write(small.subarray(0, 10));
  await new Promise<void>((resolve) => {
    cut.on('close', () => resolve());
    cut.close(8);
  });
  let release: () => void = () => {};
  rig.answer = () => new Promise((resolve) => (release = () => resolve({ kind: 'accepted' })));
  const last = client.call([small], headers);
  await until('the last request', () => rig.seen.length === 22);
  const drained = rig.receiver.drain(rig.settings.clock.monotonicMs() + 10_000);
  await until('the end of the session', () => client.session.closed);
  release();
  t.equal((await last).httpStatus, 200, 'what was begun is answered');
  await drained;
});

t.test('versions and suites are kept to', async (t) => {
  const limits = { max_version: '1.2', cipher_suites: ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'] };
  const rig = await start(t, { http: { tls: { ...certificate, ...limits } }, grpc: { tls: { ...certificate, min_version: '1.3' } } });
  const handshake = (port: number, options: tls.ConnectionOptions) =>
    new Promise<string>((resolve, reject) => {
      const socket = tls.connect({ host: '127.0.0.1', port, ca: pem('ca.pem'), ALPNProtocols: ['h2', 'http/1.1'], ...options }, () => {
        resolve(`${socket.getProtocol()} ${socket.getCipher().standardName}`);
        socket.destroy();
      });
      socket.on('error', reject);
    });
  t.equal(await handshake(rig.httpPort, {}), 'TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256');
  await t.rejects(handshake(rig.grpcPort, { maxVersion: 'TLSv1.2' }));
  t.match(await handshake(rig.grpcPort, {}), /^TLSv1\.3 /);
});

t.test('a renewed certificate is served after the reload interval, a broken one never', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringtail-tls-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const paths = { cert_file: join(folder, 'cert.pem'), key_file: join(folder, 'key.pem') };
  const install = (name: string) => {
    copyFileSync(file(`${name}.key.pem`), paths.key_file);
    copyFileSync(file(`${name}.pem`), paths.cert_file);
  };
  install('server');
  const reloading = { tls: { ...paths, reload_interval: '50ms' } };
  const rig = await start(t, { http: reloading, grpc: reloading });
  const served = (port: number) =>
    new Promise<string>((resolve, reject) => {
      const socket = tls.connect({ host: '127.0.0.1', port, ca: pem('ca.pem'), ALPNProtocols: ['h2', 'http/1.1'] }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      });
      socket.on('error', reject);
    });
  t.equal(await served(rig.httpPort), 'ringtail.test');
  install('server-renewed');
  for (const port of [rig.httpPort, rig.grpcPort]) {
    let subject = '';
    await until('the renewed certificate', () => {
      void served(port).then((found) => {
        subject = found;
      });
      return subject === 'renewed.test';
    });
  }
  copyFileSync(file('client.key.pem'), paths.key_file);
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.equal(await served(rig.httpPort), 'renewed.test', 'a key that does not fit leaves the old pair in place');
  writeFileSync(paths.key_file, '');
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.equal(await served(rig.httpPort), 'renewed.test', 'so does a key that is not written yet');
});

t.test('a listener whose certificate cannot be read does not start, and says which file', async (t) => {
  await t.rejects(startReceiver({ grpc: { tls: { ...certificate, cert_file: '/nowhere/cert.pem' } } }), {
    message: /grpc server on "127\.0\.0\.1:0": failed to load TLS config: cert_file: .*\/nowhere\/cert\.pem/,
  });
});

async function extension<Config>(t: Test, type: ExtensionType<Config>, raw: object): Promise<ServerAuthenticator> {
  const outcome = decode(type.schema, raw);
  if (outcome.kind === 'faulty') throw new Error(JSON.stringify(outcome.faults));
  t.same(type.check!(outcome.config, { type: type.type, name: '', text: type.type }), []);
  const made = type.create(testSettings({ arenaBytes: 1 << 20 }).settings, outcome.config) as ServerAuthenticator;
  await made.start();
  t.teardown(() => made.stop());
  return made;
}

t.test('bearer tokens are demanded on both protocols and sent by clients', async (t) => {
  const bearer = await extension(t, bearerTokenAuthExtensionType, { tokens: ['one', 'two'] });
  const auth = { auth: { authenticator: 'bearertokenauth' } };
  for (const grpcServer of Object.values(grpcServers)) {
    const rig = await start(t, { grpc: auth, http: auth }, { extensions: { bearertokenauth: bearer }, grpcServer });
    const client = new RawClient(rig.grpcPort);
    t.teardown(() => client.close());
    t.equal((await client.call([framed(small)], { authorization: 'Bearer two' })).status, 0);
    const wrong = await client.call([framed(small)], { authorization: 'Bearer three' });
    t.equal(wrong.status, GrpcStatus.unauthenticated);
    t.equal(wrong.message, 'provided authorization does not match expected scheme or token');
    t.equal((await client.call([framed(small)])).message, 'missing or empty authorization header: Authorization');
    t.equal(rig.seen.length, 1);
    const post = (headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${rig.httpPort}/v1/traces`, {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json', connection: 'close', ...headers },
      });
    t.equal((await post({ authorization: 'Bearer one' })).status, 200);
    const refused = await post({ authorization: 'one' });
    t.equal(refused.status, 401);
    t.same(await refused.json(), {
      code: GrpcStatus.unauthenticated,
      message: 'provided authorization does not match expected scheme or token',
    });
  }
  t.same((bearer as unknown as { clientHeaders(): unknown }).clientHeaders(), [['authorization', 'Bearer one']]);
});

t.test('basic credentials are checked against every kind of htpasswd line', async (t) => {
  const inline = [
    '# users',
    'plain:secret',
    'sha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=',
    'apr:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/',
    'bcrypt:$2b$04$STqm0bWOmQdNygfo7FJBreNduLJdc7vQfPPEVZGgUgSROo7ePsWry',
  ].join('\n');
  const basic = await extension(t, basicAuthExtensionType, { htpasswd: { inline } });
  const ask = (credentials: string, scheme = 'Basic') =>
    basic.authenticate(new Map([['authorization', [`${scheme} ${Buffer.from(credentials).toString('base64')}`]]]));
  for (const user of ['plain', 'sha', 'apr', 'bcrypt']) {
    t.same(ask(`${user}:secret`), { ok: true }, user);
    t.same(ask(`${user}:secret`, 'basic'), { ok: true }, 'again, remembered');
    t.same(ask(`${user}:Secret`), { ok: false, error: 'invalid credentials' });
  }
  t.same(ask('nobody:secret'), { ok: false, error: 'invalid credentials' });
  t.same(ask('nocolon'), { ok: false, error: 'invalid format' });
  t.same(basic.authenticate(new Map()), { ok: false, error: 'no basic auth provided' });
  t.same(ask('plain:secret', 'Bearer'), { ok: false, error: 'invalid authorization scheme' });
  const client = await extension(t, basicAuthExtensionType, { client_auth: { username: 'a', password: 'b' } });
  t.same((client as unknown as { clientHeaders(): unknown }).clientHeaders(), [
    ['authorization', `Basic ${Buffer.from('a:b').toString('base64')}`],
  ]);
});

t.test('an authenticator that is not there ends the start', async (t) => {
  const auth = { auth: { authenticator: 'bearertokenauth/x' } };
  await t.rejects(startReceiver({ grpc: auth }), {
    message: 'failed to resolve authenticator "bearertokenauth/x": authenticator not found',
  });
});
