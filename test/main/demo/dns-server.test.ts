import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { startZone, type Zone } from '../../support/name-zone.ts';
import { eventually } from '../../support/resolver-environment.ts';

/** The zone behind the server, and the c-ares client as an independent reader of its answers. */
async function rig(t: Test, zone: Zone, tcp = true) {
  const server = await startZone(zone, { tcp });
  t.teardown(() => server.stop());
  const client = new Resolver({ timeout: 4_000, tries: 1 });
  client.setServers([server.address]);
  return { server, client };
}

const many = (count: number) => Array.from({ length: count }, (_, index) => `10.3.${index >> 8}.${index & 255}`);

t.test('another client reads addresses, services, TTLs and absences', async (t) => {
  const services = [{ host: 'pod-0.x.example', port: 4317, addresses: ['10.0.0.1'] }];
  const { client } = await rig(t, {
    'x.example': { addresses: ['10.0.0.1', 'fd00::1', '10.0.0.2'], services, ttlSeconds: 17 },
    'broken.example': { rcode: 'SERVFAIL' },
    'empty.example': {},
  });
  t.strictSame(await client.resolve4('X.example', { ttl: true }), [
    { address: '10.0.0.1', ttl: 17 },
    { address: '10.0.0.2', ttl: 17 },
  ]);
  t.strictSame(await client.resolve6('x.example'), ['fd00::1']);
  t.match(await client.resolveSrv('x.example'), [{ name: 'pod-0.x.example', port: 4317 }]);
  await t.rejects(client.resolve4('absent.example'), { code: 'ENOTFOUND' });
  await t.rejects(client.resolve4('empty.example'), { code: 'ENODATA' });
  await t.rejects(client.resolve4('broken.example'), { code: 'ESERVFAIL' });
  await t.rejects(client.resolveMx('x.example'), { code: 'ENODATA' });
});

t.test('an answer too large for a datagram is read over TCP', async (t) => {
  const { client, server } = await rig(t, { 'x.example': { addresses: many(500) } });
  t.equal((await client.resolve4('x.example')).length, 500);
  t.strictSame(server.asked, ['udp A x.example', 'tcp A x.example']);
});

t.test('garbage, half messages and idle connections do no harm', async (t) => {
  const { client, server } = await rig(t, { 'x.example': { addresses: ['10.0.0.1'] } });
  const [host, port] = server.address.split(':');
  const udp = createSocket('udp4');
  t.teardown(() => udp.close());
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(5), Buffer.alloc(600, 0xff), Buffer.alloc(12)]) udp.send(bytes, Number(port), host);
  const tcp = connect(Number(port), host);
  let closed = false;
  tcp.on('error', () => {});
  tcp.on('close', () => {
    closed = true;
  });
  tcp.write(Buffer.from([0, 4, 1, 2, 3, 4]));
  await eventually('the broken connection is closed', () => closed);
  const half = connect(Number(port), host);
  half.on('error', () => {});
  half.write(Buffer.from([0, 40, 1]));
  t.strictSame(await client.resolve4('x.example'), ['10.0.0.1']);
});
