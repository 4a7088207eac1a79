import { join } from 'node:path';
import t, { type Test } from 'tap';
import { DnsResolver, type DnsResolverSettings } from '../../src/discovery/dns-resolver.ts';
import { hostsEntries, parseResolvConf, searchNames } from '../../src/discovery/host-addresses.ts';
import { startZone, type Zone } from '../support/name-zone.ts';
import { eventually, RecordedEnvironment } from '../support/resolver-environment.ts';

const name = 'sampler-headless.observability.svc.example';
const patient = 5_000;

interface Files {
  readonly hosts?: string;
  readonly 'resolv.conf'?: string;
}

/** A resolver over a zone of its own, ended with the test. */
async function rig(t: Test, zone: Zone, settings: Partial<DnsResolverSettings> = {}, files: Files = {}, tcp = true) {
  const server = await startZone(zone, { tcp });
  const directory = t.testdir({ hosts: '', 'resolv.conf': '', ...files });
  const environment = new RecordedEnvironment();
  const resolver = new DnsResolver(
    {
      hostname: name,
      timeoutMs: patient,
      nameservers: [server.address],
      hostsPath: join(directory, 'hosts'),
      resolvConfPath: join(directory, 'resolv.conf'),
      ...settings,
    },
    environment,
  );
  t.teardown(async () => {
    await resolver.stop();
    await server.stop();
  });
  return { server, environment, resolver };
}

const pods = (count: number) => Array.from({ length: count }, (_, index) => `10.1.${index >> 8}.${index & 255}`);

t.test('merges both families, brackets IPv6, adds the port, sorts and drops repetitions', async (t) => {
  const zone = { [name]: { addresses: ['127.0.0.2', '127.0.0.1', '::1', '127.0.0.2', '2001:DB8:0:0::7', '::ffff:10.0.0.9'] } };
  const { environment, resolver } = await rig(t, zone, { port: '55690' });
  await environment.start(resolver);
  t.strictSame(environment.endpoints, ['10.0.0.9:55690', '127.0.0.1:55690', '127.0.0.2:55690', '[2001:db8::7]:55690', '[::1]:55690']);
  t.equal(environment.sets[0].version, 1);
  t.ok(Object.isFrozen(environment.endpoints));
  t.equal(resolver.ringNameOf('[::1]:55690'), '[::1]:55690');
  t.equal(environment.value('otelcol_loadbalancer_num_backends', { resolver: 'dns' }), 5);
  t.equal(environment.value('otelcol_loadbalancer_num_backend_updates', { resolver: 'dns' }), 1);
  t.equal(environment.value('otelcol_loadbalancer_num_resolutions', { resolver: 'dns', success: 'true' }), 1);
});

t.test('without a port takes 4317, which the Collector’s ring does not see', async (t) => {
  const { environment, resolver } = await rig(t, { [name]: { addresses: ['127.0.0.1', '::1'] } });
  await environment.start(resolver);
  t.strictSame(environment.endpoints, ['127.0.0.1:4317', '[::1]:4317']);
  t.strictSame(
    environment.endpoints?.map((endpoint) => resolver.ringNameOf(endpoint)),
    ['127.0.0.1', '[::1]'],
  );
});

t.test('finds 30 long-named backends through a server without TCP, and any number through one with it', async (t) => {
  for (const [count, tcp] of [
    [30, false],
    [30, true],
    [800, true],
  ] as const) {
    const { environment, resolver, server } = await rig(t, { [name]: { addresses: pods(count) } }, {}, {}, tcp);
    await environment.start(resolver);
    t.equal(environment.endpoints?.length, count, `${count} ${tcp}`);
    t.equal(
      server.asked.some((question) => question.startsWith('tcp')),
      tcp,
    );
    t.strictSame(environment.causes, []);
  }
});

t.test('a truncated answer that cannot be completed is no answer', async (t) => {
  const { environment, resolver, server } = await rig(t, { [name]: { addresses: pods(20) } }, { intervalMs: 1_000 }, {}, false);
  await environment.start(resolver);
  t.equal(environment.endpoints?.length, 20);
  server.zone = { [name]: { addresses: pods(400) } };
  await eventually('the fault is logged', () => environment.causes.length > 0);
  t.match(environment.causes, [/truncated and TCP does not work \(ECONNREFUSED\) with name server 127\.0\.0\.1:\d+$/]);
  t.equal(environment.sets.length, 1);
});

t.test('SRV records give host and port, with and without the addresses beside them', async (t) => {
  const services = [
    { host: 'pod-0.example', port: 4317 },
    { host: 'pod-1.example', port: 4318, addresses: ['10.0.0.2', 'fd00::2'] },
  ];
  const zone = { [`_otlp._tcp.${name}`]: { services }, 'pod-0.example': { addresses: ['10.0.0.1'] } };
  const { environment, resolver } = await rig(t, zone, { hostname: `_otlp._tcp.${name}` });
  await environment.start(resolver);
  t.strictSame(environment.endpoints, ['10.0.0.1:4317', '10.0.0.2:4318', '[fd00::2]:4318']);
  const fixed = await rig(t, { [name]: { services } }, { srv: true, port: 9 });
  await fixed.environment.start(fixed.resolver);
  t.strictSame(fixed.environment.endpoints, ['10.0.0.2:9', '[fd00::2]:9'], 'a host without address is left out');
  t.match(fixed.environment.causes, [/NXDOMAIN/]);
});

t.test('literals and the hosts file need no name server', async (t) => {
  const hosts = '127.0.0.1 localhost\n10.9.9.9 other Backend # a comment\nfe80::1%eth0 backend\n';
  for (const [hostname, expected] of [
    ['192.0.2.7', ['192.0.2.7:4317']],
    ['2001:db8::1', ['[2001:db8::1]:4317']],
    ['backend', ['10.9.9.9:4317', '[fe80::1]:4317']],
  ] as const) {
    const { environment, resolver, server } = await rig(t, {}, { hostname }, { hosts });
    await environment.start(resolver);
    t.strictSame(environment.endpoints, expected, hostname);
    t.strictSame(server.asked, []);
  }
});

t.test('short names are searched for in the domains of resolv.conf', async (t) => {
  const files = { 'resolv.conf': 'search obs.svc.example svc.example. example\noptions timeout:1 ndots:5\n' };
  const zone = { [name]: { addresses: ['10.0.0.1'] } };
  const { environment, resolver, server } = await rig(t, zone, { hostname: 'sampler-headless.observability' }, files);
  await environment.start(resolver);
  t.strictSame(environment.endpoints, ['10.0.0.1:4317']);
  t.strictSame(
    server.asked.filter((question) => question.includes(' A ')),
    ['udp A sampler-headless.observability.obs.svc.example', `udp A ${name}`],
  );
});

t.test('a search domain that fails is the cause, whatever the later ones do not know', async (t) => {
  const files = { 'resolv.conf': 'search one.example two.example\n' };
  const { environment, resolver } = await rig(t, { 'short.one.example': { rcode: 'SERVFAIL' } }, { hostname: 'short' }, files);
  await environment.start(resolver);
  t.match(environment.causes, [/^SERVFAIL/]);
});

t.test('resolv.conf, hosts file and search order are read as the C library reads them', async (t) => {
  const conf = parseResolvConf(
    '# c\nnameserver 10.0.0.10\nnameserver fd00::1 ; x\nnameserver a\nnameserver b\nsearch old\nsearch a.b c.d.\noptions ndots:99 rotate\n',
  );
  t.strictSame(conf, { nameservers: ['10.0.0.10', 'fd00::1', 'a'], search: ['a.b', 'c.d'], ndots: 15 });
  t.strictSame(parseResolvConf(''), { nameservers: ['127.0.0.1'], search: [], ndots: 1 });
  const search = { nameservers: [], search: ['x', 'y'], ndots: 2 };
  t.strictSame(searchNames('a.b', search), ['a.b.x', 'a.b.y', 'a.b']);
  t.strictSame(searchNames('a.b.c', search), ['a.b.c', 'a.b.c.x', 'a.b.c.y']);
  t.strictSame(searchNames('a.', search), ['a']);
  t.strictSame(hostsEntries('bad line\n1.2.3.4 A b\n::1 a\n', 'a.'), ['1.2.3.4', '::1']);
});

t.test('asks the next name server when one is silent, refuses or is down', async (t) => {
  const silent = await startZone({ [name]: { silent: true } });
  const refusing = await startZone({ [name]: { rcode: 'REFUSED' } });
  const down = await startZone({});
  await down.stop();
  const good = await startZone({ [name]: { addresses: ['10.0.0.1'] } });
  t.teardown(() => Promise.all([silent.stop(), refusing.stop(), good.stop()]));
  const nameservers = [silent.address, refusing.address, down.address, good.address];
  const { environment, resolver } = await rig(t, {}, { nameservers, timeoutMs: 4_000 });
  await environment.start(resolver);
  t.strictSame(environment.endpoints, ['10.0.0.1:4317']);
});

t.test('a name that is absent at start does not keep the process from starting', async (t) => {
  const { environment, resolver, server } = await rig(t, {});
  await environment.start(resolver);
  t.equal(environment.sets.length, 0);
  t.match(environment.causes, [/^NXDOMAIN/]);
  server.zone = { [name]: { addresses: ['10.0.0.1'] } };
  await eventually('the name is found', () => environment.endpoints !== undefined);
  t.strictSame(environment.endpoints, ['10.0.0.1:4317']);
  t.match(environment.lines.at(-1), { level: 'info', message: 'resolving the backends works again' });
});

t.test('refresh asks at once, and many refreshes are one', async (t) => {
  const { environment, resolver, server } = await rig(
    t,
    { [name]: { addresses: ['10.0.0.1'], ttlSeconds: 3600 } },
    { intervalMs: 3_600_000 },
  );
  await environment.start(resolver);
  server.zone = { [name]: { addresses: ['10.0.0.2'], ttlSeconds: 3600 } };
  for (let call = 0; call < 50; call++) resolver.refresh();
  await eventually('the change is seen', () => environment.endpoints?.[0] === '10.0.0.2:4317');
  t.equal(server.asked.filter((question) => !question.includes(' SRV ')).length, 4, 'two families, twice');
});

t.test('nothing is told after stop, and stop may be called at any time', async (t) => {
  const { environment, resolver, server } = await rig(t, { [name]: { addresses: ['10.0.0.1'], delayMs: 100 } });
  const started = environment.start(resolver);
  await eventually('the question is out', () => server.asked.length > 0);
  await Promise.all([resolver.stop(), resolver.stop()]);
  await started;
  resolver.refresh();
  t.equal(environment.sets.length, 0);
  const asked = server.asked.length;
  await new Promise((resolve) => setTimeout(resolve, 400));
  t.equal(server.asked.length, asked);
});

t.test('an empty hostname and one that cannot be asked for are named', async (t) => {
  t.throws(() => new DnsResolver({ hostname: '' }, new RecordedEnvironment()), {
    code: 'no_hostname',
    message: 'no hostname specified to resolve the backends',
  });
  const { environment, resolver } = await rig(t, {}, { hostname: `${'x'.repeat(64)}.example` });
  await environment.start(resolver);
  t.match(environment.causes, [/a label is empty or too long/]);
});

t.test('name servers that cannot be used are named, and the next is asked', async (t) => {
  const good = await startZone({ [name]: { addresses: ['10.0.0.1'] } });
  t.teardown(() => good.stop());
  const unusable = ['127.0.0.1:99999', '127.0.0.1:', '[::1', 'no-such-host.invalid:53'];
  const bad = await rig(t, {}, { nameservers: unusable, timeoutMs: 2_000 });
  await bad.environment.start(bad.resolver);
  t.equal(bad.environment.causes.length, 1, 'the process goes on');
  const { environment, resolver } = await rig(t, {}, { nameservers: [...unusable.slice(0, 3), good.address] });
  await environment.start(resolver);
  t.strictSame(environment.endpoints, ['10.0.0.1:4317']);
});
