/** Mutual TLS through both tiers as real processes: certificates renewed under load, versions and names kept to, credentials on both sides. */

import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { otlpGrpcExporterType } from '../../src/main/exporters/otlp-grpc/otlp-grpc-exporter.ts';
import { basicAuthExtensionType } from '../../src/main/extensions/basic-auth.ts';
import type { Extension } from '../../src/main/pipeline/component.ts';
import { framed, RawClient } from '../receivers/grpc-raw-client.ts';
import { startReceiver, until } from '../receivers/receiver-rig.ts';
import { componentRig, configOf } from '../support/component-rig.ts';
import { requestBytes, spanIdOf, traceIdOf } from '../support/otlp.ts';
import { startRingtail } from '../support/ringtail-process.ts';

const file = (name: string) => fileURLToPath(new URL(`../receivers/fixtures/tls/${name}`, import.meta.url));
const ca = readFileSync(file('ca.pem'));
const spansEach = 5;

let made = 0;
function newRequest(): Buffer {
  const traceId = traceIdOf(++made);
  const spans = Array.from({ length: spansEach }, (_, index) => ({ traceId, spanId: spanIdOf(made * spansEach + index), name: 'n' }));
  return Buffer.from(requestBytes({ 'service.name': 'a' }, { spans }));
}

/** The sampler demands TLS 1.3, a client certificate and a user; the router a bearer token, and names the sampler otherwise than by its address. */
const configurations = {
  sampler: (sink: string, certificate: string) => `
extensions: {basicauth: {htpasswd: {inline: "router:secret"}}}
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "127.0.0.1:0", auth: {authenticator: basicauth}, tls: {${certificate}, client_ca_file: ${file('ca.pem')}, min_version: "1.3", reload_interval: 50ms}}
processors: {tail_sampling: {decision_wait: 300ms, policies: [{name: all, type: always_sample}]}}
exporters: {otlp_grpc: {endpoint: "${sink}", tls: {insecure: true}}}
service:
  extensions: [basicauth]
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], processors: [tail_sampling], exporters: [otlp_grpc]}}
`,
  router: (sampler: string, certificate: string) => `
extensions: {basicauth/sampler: {client_auth: {username: router, password: secret}}, bearertokenauth: {token: open sesame}}
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "127.0.0.1:0", auth: {authenticator: bearertokenauth}, tls: {${certificate}, reload_interval: 50ms}}
      http: {endpoint: "127.0.0.1:0", auth: {authenticator: bearertokenauth}, tls: {${certificate}, reload_interval: 50ms}}
exporters:
  load_balancing:
    protocol:
      otlp:
        auth: {authenticator: basicauth/sampler}
        tls: {ca_file: ${file('ca.pem')}, cert_file: ${file('client.pem')}, key_file: ${file('client.key.pem')}, server_name_override: ringtail.test, reload_interval: 50ms}
    resolver: {static: {hostnames: ["${sampler}"]}}
service:
  extensions: [basicauth/sampler, bearertokenauth]
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], exporters: [load_balancing]}}
`,
};

/** What a new connection is shown. */
function certificateOf(port: number, options: tls.ConnectionOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port, ca, ALPNProtocols: ['h2'], ...options }, () => {
      resolve(`${socket.getPeerCertificate().subject.CN} ${socket.getProtocol()}`);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

t.test('both tiers over mutual TLS: nothing is lost while certificates are renewed, and strangers stay outside', async (t) => {
  const folder = t.testdir({});
  const install = (name: string) => {
    copyFileSync(file(`${name}.pem`), join(folder, 'cert.pem'));
    copyFileSync(file(`${name}.key.pem`), join(folder, 'key.pem'));
  };
  const certificate = `cert_file: ${join(folder, 'cert.pem')}, key_file: ${join(folder, 'key.pem')}`;
  install('server');
  const sink = await startReceiver({ grpc: {} });
  t.teardown(async () => {
    await sink.receiver.drain(0);
    await sink.receiver.stop();
  });
  const sampler = await startRingtail(configurations.sampler(`127.0.0.1:${sink.grpcPort}`, certificate));
  t.teardown(() => sampler.stop());
  const router = await startRingtail(configurations.router(`127.0.0.1:${sampler.grpcPort}`, certificate));
  t.teardown(() => router.stop());

  const bearer = { authorization: 'Bearer open sesame' };
  let isLoading = true;
  t.teardown(() => {
    isLoading = false;
  });
  let answered = 0;
  const faults: string[] = [];
  /** Every tenth request on a connection of its own, by gRPC or HTTP/2. */
  const load = async (port: number, headers: Record<string, string>, frame: (bytes: Buffer) => Buffer): Promise<void> => {
    let client = new RawClient(port, { ca }, 'https');
    for (let turn = 1; isLoading; turn++) {
      const { httpStatus, status, message } = await client.call([frame(newRequest())], { ...bearer, ...headers });
      if (httpStatus === 200 && (status ?? 0) === 0) answered++;
      else faults.push(`${httpStatus} ${status} ${message}`);
      if (turn % 10 !== 0) continue;
      await client.close();
      client = new RawClient(port, { ca }, 'https');
    }
    await client.close();
  };
  const http = { ':path': '/v1/traces', 'content-type': 'application/x-protobuf' };
  const loads = [load(router.grpcPort, {}, framed), load(router.grpcPort, {}, framed), load(router.httpPort, http, (bytes) => bytes)];
  await until('some load', () => answered > 100);
  t.equal(await certificateOf(router.grpcPort), 'ringtail.test TLSv1.3');
  const identity = { cert: readFileSync(file('client.pem')), key: readFileSync(file('client.key.pem')) };
  for (const name of ['server-renewed', 'server', 'server-renewed']) {
    install(name);
    const before = answered;
    const subject = name === 'server' ? 'ringtail.test TLSv1.3' : 'renewed.test TLSv1.3';
    for (const [port, options] of [[router.grpcPort], [router.httpPort], [sampler.grpcPort, identity]] as const) {
      let shown = '';
      for (let attempt = 0; attempt < 500 && shown !== subject; attempt++) {
        shown = await certificateOf(port, options);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      t.equal(shown, subject);
    }
    await until('load after the renewal', () => answered > before + 50);
  }
  isLoading = false;
  await Promise.all(loads);
  t.same(faults, [], 'every request was answered well');
  const taken = () => sink.seen.reduce((sum, { spanCount }) => sum + spanCount, 0);
  await until('all spans at the sink', () => taken() >= made * spansEach);
  t.equal(taken(), made * spansEach);
  t.equal(answered, made);

  await t.rejects(certificateOf(sampler.grpcPort, { ...identity, maxVersion: 'TLSv1.2' }), 'a version below the minimum');
  const client = new RawClient(router.grpcPort, { ca }, 'https');
  t.equal((await client.call([framed(newRequest())], { authorization: 'Bearer close sesame' })).status, 16);
  await client.close();

  const { settings } = componentRig('otlp_grpc');
  const basicAuth = (password: string): Extension =>
    basicAuthExtensionType.create(
      componentRig('basicauth').settings,
      configOf(basicAuthExtensionType.schema, { client_auth: { username: 'router', password } }),
    );
  /** The code that one request of an exporter to the sampler ends with; 0 when it is taken. */
  const send = async (password: string, tlsBlock: object): Promise<number> => {
    const extension = basicAuth(password);
    await extension.start();
    const raw = {
      endpoint: `127.0.0.1:${sampler.grpcPort}`,
      auth: { authenticator: 'basicauth' },
      tls: { ca_file: file('ca.pem'), ...tlsBlock },
      sending_queue: { enabled: false },
      retry_on_failure: { enabled: false },
      timeout: '5s',
    };
    const exporter = otlpGrpcExporterType.create({ ...settings, extension: () => extension }, configOf(otlpGrpcExporterType.schema, raw));
    await exporter.start();
    const outcome = await exporter.consume({ bytes: newRequest(), spanCount: spansEach });
    await exporter.drain(settings.clock.monotonicMs());
    await exporter.stop();
    await extension.stop();
    return outcome.kind === 'accepted' ? 0 : outcome.code;
  };
  const mutual = { cert_file: file('client.pem'), key_file: file('client.key.pem') };
  t.equal(await send('secret', mutual), 0);
  t.equal(await send('wrong', mutual), 16, 'a wrong password');
  t.equal(await send('secret', {}), 14, 'no certificate');
  t.equal(await send('secret', { cert_file: file('stranger.pem'), key_file: file('stranger.key.pem') }), 14, 'a stranger');
  t.equal(await send('secret', { ...mutual, server_name_override: 'other.test' }), 14, 'another name than the certificate has');
  t.equal(await send('secret', { ...mutual, server_name_override: 'ringtail.test' }), 0);
  t.equal(await send('secret', { ...mutual, max_version: '1.2' }), 14, 'a client that speaks less than the minimum');
});
