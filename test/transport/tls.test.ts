/** Client contexts that read their certificate again: every new connection shows what lies on the disk, if it is whole. */

import { copyFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { decode } from '../../src/main/config/fields.ts';
import { HttpClient } from '../../src/main/transport/http-client.ts';
import { clientTlsOptions } from '../../src/main/transport/tls.ts';
import { tlsClientSchema } from '../../src/main/transport/tls-config.ts';
import { systemClock } from '../../src/shared/clock.ts';

const file = (name: string) => fileURLToPath(new URL(`../receivers/fixtures/tls/${name}`, import.meta.url));

t.test('a renewed client certificate is shown by the next connection; half of a pair is not', async (t) => {
  const folder = t.testdir({});
  const installCertificate = (name: string) => copyFileSync(file(`${name}.pem`), join(folder, 'cert.pem'));
  const installKey = (name: string) => copyFileSync(file(`${name}.key.pem`), join(folder, 'key.pem'));
  installCertificate('client');
  installKey('client');
  const subjectOf = (socket: TLSSocket) => String(socket.getPeerCertificate().subject?.CN);
  const sockets: string[] = [];
  const server = createServer(
    {
      cert: readFileSync(file('server.pem')),
      key: readFileSync(file('server.key.pem')),
      requestCert: true,
      rejectUnauthorized: false,
      ca: readFileSync(file('ca.pem')),
    },
    (request, response) => response.end(subjectOf(request.socket as TLSSocket)),
  );
  server.on('secureConnection', (socket) => sockets.push(subjectOf(socket)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  const paths = { cert_file: join(folder, 'cert.pem'), key_file: join(folder, 'key.pem') };
  const decoded = decode(tlsClientSchema, { ca_file: file('ca.pem'), ...paths, reload_interval: '1s' });
  if (!('config' in decoded)) throw new Error(JSON.stringify(decoded));
  const tls = clientTlsOptions(decoded.config)!;
  const client = new HttpClient(systemClock, { tls, proxyUrl: '', connectionsMax: 0, keepAlive: false, idleMs: 1_000 });
  t.teardown(async () => {
    await client.close();
    server.closeAllConnections();
    server.close();
  });
  const url = new URL(`https://127.0.0.1:${port}/`);
  const shown = async (): Promise<string> => {
    const outcome = await client.post({ url, headers: [], body: Buffer.from('x'), deadlineMs: Infinity, responseBytesMax: 1_000 });
    const socket = connect({ host: '127.0.0.1', port, ...tls });
    await new Promise((resolve) => socket.once('session', resolve));
    socket.destroy();
    const http = outcome.kind === 'response' ? String(outcome.body) : outcome.message;
    return `${http}, ${sockets.at(-1)}`;
  };
  t.equal(await shown(), 'client.test, client.test');
  installKey('stranger');
  t.equal(await shown(), 'client.test, client.test', 'the new key without its certificate');
  installCertificate('stranger');
  t.equal(await shown(), 'stranger, stranger');
});
