/** A listener that demands certificates: strangers get nowhere, and who has the right one is served as before. */

import { join } from 'node:path';
import t from 'tap';
import { attack, besiege, configOf, HonestClient, Target } from '../support/hostile-rig.ts';
import { selfSigned } from '../support/self-signed.ts';

const shareMin = 0.8;

t.test('wrong certificates, none, old TLS and no TLS at all end at the handshake', async (t) => {
  const server = selfSigned('server');
  const client = selfSigned('client');
  const stranger = selfSigned('stranger');
  const folder = t.testdir({ 'server.pem': server.cert, 'server.key': server.key, 'clients.pem': client.cert });
  const tls = {
    cert_file: join(folder, 'server.pem'),
    key_file: join(folder, 'server.key'),
    client_ca_file: join(folder, 'clients.pem'),
  };
  const target = new Target(configOf({ nop: null }, { grpc: { tls } }));
  const port = await target.port('grpc');
  const honest = new HonestClient(port, { ca: server.cert, key: client.key, cert: client.cert }, 'https');
  const siege = await besiege(target, honest, shareMin, () => [attack('wrong certificates', port), attack('noise', port)]);
  t.ok(siege.share >= shareMin && target.isAlive, `${(siege.share * 100).toFixed(0)} % of the rate`);
  honest.close();
  for (const [who, options] of [
    ['a stranger', { key: stranger.key, cert: stranger.cert }],
    ['nobody', {}],
  ] as const) {
    const refused = new HonestClient(port, { ca: server.cert, ...options }, 'https');
    t.equal(await refused.rate(60), 0, `${who} is not served`);
    refused.close();
  }
  t.equal(await target.stop(), 0, 'ends as it should');
});
