/** The `otlp` receiver's configuration: protocols on and off, defaults, the Collector's messages, warnings. */

import t from 'tap';
import { decode } from '../../src/main/config/fields.ts';
import {
  activeProtocols,
  checkOtlpReceiver,
  grpcMessageBytesMax,
  httpBodyBytesMax,
  httpKeepAlive,
  otlpReceiverSchema,
  urlPath,
} from '../../src/main/receivers/otlp/config.ts';
import { receiverConfig } from './receiver-rig.ts';

/** Messages with their paths, warnings marked; what decoding says and what the check says. */
function findings(raw: unknown): string[] {
  const outcome = decode(otlpReceiverSchema, raw);
  const faults = outcome.kind === 'faulty' ? outcome.faults : [...outcome.warnings, ...checkOtlpReceiver(outcome.config)];
  return faults.map(({ severity, path, message }) => `${severity} ${path.join('.')}: ${message}`);
}

t.test('a protocol is on when its key is written, and off with enabled: false', async (t) => {
  const active = (protocols: object) => Object.keys(activeProtocols(receiverConfig({ protocols })));
  t.same(active({ grpc: null }), ['grpc']);
  t.same(active({ grpc: {}, http: null }), ['grpc', 'http']);
  t.same(active({ grpc: { enabled: false }, http: {} }), ['http']);
  const none = 'error protocols: must specify at least one protocol when using the OTLP receiver';
  for (const raw of [undefined, {}, { protocols: null }, { protocols: { grpc: { enabled: false } } }]) t.same(findings(raw), [none]);
});

t.test('defaults are the Collector’s', async (t) => {
  const { grpc, http } = activeProtocols(receiverConfig({ protocols: { grpc: null, http: null } }));
  t.equal(grpc!.endpoint, 'localhost:4317');
  t.equal(http!.endpoint, 'localhost:4318');
  t.equal(grpcMessageBytesMax(grpc!), 4 << 20);
  t.equal(httpBodyBytesMax(http!), 20_971_520);
  t.equal(http!.traces_url_path, '/v1/traces');
  t.same(httpKeepAlive(http!), { enabled: true, idleTimeoutMs: 0 });
  t.equal(urlPath('v1/x?y'), '/v1/x');
});

t.test('what is wrong is said in the Collector’s words, with its place', async (t) => {
  const keepAlive =
    "confighttp.ServerConfig: cannot use deprecated keepalive fields (idle_timeout, keep_alives_enabled) alongside the 'keepalive' section; migrate to the 'keepalive' section";
  const tls = (block: object) => ({ protocols: { grpc: { tls: { cert_file: 'c', key_file: 'k', ...block } } } });
  const rows: [raw: object, finding: string | RegExp][] = [
    [{ protocols: { grcp: {} } }, /^error protocols\.grcp: has invalid keys: grcp; did you mean grpc\?$/],
    [{ protocols: { grpc: { endpoint: 'nohost' } } }, 'error protocols.grpc.endpoint: address nohost: missing port in address'],
    [{ protocols: { grpc: { endpoint: 'a:b' } } }, 'error protocols.grpc.endpoint: invalid port "b"'],
    [
      { protocols: { grpc: { max_recv_msg_size_mib: -1 } } },
      /max_recv_msg_size_mib: invalid max_recv_msg_size_mib value, must be between 1 and \d+: -1$/,
    ],
    [{ protocols: { grpc: { read_buffer_size: -1 } } }, 'error protocols.grpc.read_buffer_size: invalid read_buffer_size value: -1'],
    [{ protocols: { http: { keepalive: {}, idle_timeout: '5s' } } }, `error protocols.http.keepalive: ${keepAlive}`],
    [
      { protocols: { http: { idle_timeout: '5s' } } },
      "warning protocols.http.idle_timeout: 'idle_timeout' is deprecated; use 'keepalive::idle_timeout' instead",
    ],
    [{ protocols: { http: { max_body: 5 } } }, /^warning protocols\.http\.max_body: unknown key max_body is ignored/],
    [
      { protocols: { http: { compression_algorithms: ['gzip', 'br'] } } },
      /^error protocols\.http\.compression_algorithms\.1: unknown compression algorithm "br"/,
    ],
    [{ protocols: { http: { middlewares: [{ id: 'x' }] } } }, /^error protocols\.http\.middlewares: /],
    [
      { protocols: { grpc: { tls: {} } } },
      'error protocols.grpc.tls: TLS configuration must include both certificate and key for server connections',
    ],
    [
      tls({ key_file: '' }),
      'error protocols.grpc.tls: TLS configuration must include both certificate and key (CertFile/CertPem and KeyFile/KeyPem)',
    ],
    [tls({ cert_pem: 'x' }), 'error protocols.grpc.tls.cert_pem: provide either certificate file or PEM, but not both'],
    [tls({ min_version: '1.4' }), 'error protocols.grpc.tls.min_version: invalid TLS min_version: unsupported TLS version: "1.4"'],
    [tls({ max_version: '1.1' }), 'error protocols.grpc.tls: invalid TLS configuration: min_version cannot be greater than max_version'],
    [
      tls({ cipher_suites: ['TLS_RSA_WITH_AES_128_CBC_SHA'] }),
      'error protocols.grpc.tls.cipher_suites.0: invalid TLS cipher suite: "TLS_RSA_WITH_AES_128_CBC_SHA"',
    ],
  ];
  for (const [raw, finding] of rows) {
    const found = findings(raw);
    t.equal(found.length, 1, JSON.stringify(found));
    t.match(found[0], finding);
  }
  t.same(findings(tls({ cipher_suites: ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256'] })), []);
});
