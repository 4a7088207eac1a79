/** `ringtail loadgen` over real sockets: what it reports, what it sends again, and how it ends. */

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { runLoadgen } from '../../../src/main/commands/loadgen.ts';
import type { ProcessHost } from '../../../src/main/commands/process-host.ts';
import type { LoadReport } from '../../../src/main/loadgen/load-report.ts';
import { systemClock } from '../../../src/shared/clock.ts';
import { exportTraceServiceResponse } from '../../../src/shared/otlp/messages.ts';
import { seededPrng } from '../../../src/shared/prng.ts';
import { optionsOf } from '../../support/captured-load.ts';
import { decodeSpans } from '../../support/otlp.ts';

interface Output {
  readonly host: ProcessHost;
  out: string;
  err: string;
}

function output(): Output {
  const result: Output = {
    out: '',
    err: '',
    host: {
      environment: {},
      clock: systemClock,
      prng: seededPrng(1),
      version: '1.2.3',
      stdout: (text) => (result.out += text),
      stderr: (text) => (result.err += text),
      exitNow: () => {},
    },
  };
  return result;
}

interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array;
}

interface Peer {
  readonly address: string;
  readonly requests: { readonly url: string; readonly headers: IncomingHttpHeaders; readonly spans: number }[];
}

/** Answers its n-th request with the n-th answer, and further ones with 200. */
async function startPeer(t: Pick<Tap, 'teardown'>, answers: readonly Answer[]): Promise<Peer> {
  const requests: Peer['requests'] = [];
  const server: Server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    requests.push({ url: request.url ?? '', headers: request.headers, spans: decodeSpans(body).length });
    const answer = answers[requests.length - 1] ?? { status: 200 };
    response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

type Tap = typeof t;

const http = ['otlp-http', 'otlp-insecure', 'rate=0'];

t.test('sends OTLP/HTTP with headers to the path asked for, and reports', async (t) => {
  const peer = await startPeer(t, []);
  const json = join(t.testdir({}), 'report.json');
  const io = output();
  const more = ['traces=30', 'otlp-http-url-path=/x/traces', 'otlp-header=X-Scope="a b"', `json=${json}`];
  const code = await runLoadgen(optionsOf(...http, ...more, `otlp-endpoint=${peer.address}`), io.host);
  t.equal(code, 0);
  t.equal(peer.requests.length, 1);
  t.match(peer.requests[0], {
    url: '/x/traces',
    spans: 60,
    headers: { 'content-type': 'application/x-protobuf', 'x-scope': 'a b', 'user-agent': 'ringtail-loadgen/1.2.3' },
  });
  t.match(io.out, /traces {4}30\nspans {5}60 sent, 60 accepted, 0 rejected, 0 failed\nrequests {2}1 sent, 0 failed/);
  const report = JSON.parse(readFileSync(json, 'utf8')) as LoadReport;
  t.match(report, { traces: 30, spans: { sent: 60, accepted: 60 }, requests: { sent: 1, failed: 0 }, faults: {} });
});

t.test('sends again what was refused for now, and not what was refused for good', async (t) => {
  const busy = await startPeer(t, [{ status: 503 }, { status: 429 }]);
  const patient = output();
  t.equal(await runLoadgen(optionsOf(...http, 'traces=1', `otlp-endpoint=${busy.address}`), patient.host), 0);
  t.equal(busy.requests.length, 3);
  t.match(patient.out, '2 sent, 2 accepted');

  const strict = await startPeer(t, [{ status: 400 }]);
  const refused = output();
  t.equal(await runLoadgen(optionsOf(...http, 'traces=1', `otlp-endpoint=${strict.address}`), refused.host), 1);
  t.equal(strict.requests.length, 1);
  t.match(refused.out, /2 sent, 0 accepted, 0 rejected, 2 failed[\s\S]*fault {5}1 × HTTP 400/);
});

t.test('counts spans that a peer rejects of a request that it takes', async (t) => {
  const body = exportTraceServiceResponse.encode({ partialSuccess: { rejectedSpans: 3, errorMessage: 'too old' } }).finish();
  const peer = await startPeer(t, [{ status: 200, body }]);
  const io = output();
  t.equal(await runLoadgen(optionsOf(...http, 'traces=2', `otlp-endpoint=${peer.address}`), io.host), 1);
  t.match(io.out, /4 sent, 1 accepted, 3 rejected, 0 failed[\s\S]*1 × too old/);
});

t.test('fails by gRPC when nobody listens, unless that is allowed', async (t) => {
  const grpc = ['otlp-insecure', 'rate=0', 'traces=1', 'retry-for=0s', 'otlp-endpoint=127.0.0.1:1'];
  const io = output();
  t.equal(await runLoadgen(optionsOf(...grpc), io.host), 1);
  t.match(io.out, /2 sent, 0 accepted, 0 rejected, 2 failed/);
  t.equal(await runLoadgen(optionsOf(...grpc, 'allow-export-failures'), output().host), 0);
});

t.test('a signal ends it with its report and the signal’s code', async (t) => {
  const peer = await startPeer(t, []);
  const io = output();
  const flags = [...http.slice(0, 2), 'rate=200', 'duration=inf', 'interval=20ms', 'batch-size=2', `otlp-endpoint=${peer.address}`];
  const before = process.listenerCount('SIGTERM');
  const running = runLoadgen(optionsOf(...flags), io.host);
  while (peer.requests.length < 3 || io.err === '') await new Promise<void>((resolve) => setImmediate(resolve));
  process.emit('SIGTERM');
  t.equal(await running, 143);
  t.match(io.err, /^\[ +0 s\] \d+ spans sent \(\d+\/s\), \d+ accepted\n/);
  t.match(io.out, /^traces {4}\d+\nspans/);
  t.equal(process.listenerCount('SIGTERM'), before);
});

t.test('an endpoint or a certificate that makes no sense is said before anything is sent', async (t) => {
  const io = output();
  t.equal(await runLoadgen(optionsOf('traces=1', 'otlp-insecure', 'otlp-endpoint=nowhere'), io.host), 2);
  t.match(io.err, 'error: address nowhere: missing port in address');
  const tls = output();
  t.equal(await runLoadgen(optionsOf('traces=1', 'ca-cert=missing.pem'), tls.host), 1);
  t.match(tls.err, /ca_file.*missing\.pem/);
});
