/** Scripted faults of DNS over real sockets, issue 6: what the resolver tells, counts and logs in each, and that it comes back. */

import { join } from 'node:path';
import t from 'tap';
import type { DnsClient, DnsOutcome } from '../../src/discovery/dns-client.ts';
import { DnsResolver, type DnsResolverSettings } from '../../src/discovery/dns-resolver.ts';
import { type DatagramRelay, startRelay } from '../support/datagram-relay.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { startZone, type Zone, type ZoneRecords } from '../support/name-zone.ts';
import { eventually, RecordedEnvironment } from '../support/resolver-environment.ts';

const name = 'samplers.example';
const pods = (...last: number[]) => last.map((number) => `10.0.0.${number}`);
const many = (count: number) => Array.from({ length: count }, (_, index) => `10.2.${index >> 8}.${index & 255}`);
const zoneOf = (records: ZoneRecords | readonly string[]): Zone => ({ [name]: 'length' in records ? { addresses: records } : records });
const dual = ['10.0.0.1', 'fd00::1'];
const srvOf = (...hosts: string[]): ZoneRecords => ({ services: hosts.map((host) => ({ host: `${host}.example`, port: 4317 })) });

interface Fault {
  readonly name: string;
  /** Default: pods 1, 2, 3. null: the name does not exist yet. */
  readonly before?: Zone | null;
  readonly fault: Zone | ((relay: DatagramRelay) => void | Promise<void>);
  /** Addresses while the fault lasts. Default: those from before. */
  readonly during?: readonly string[];
  /** Of the one log line. Default: none. */
  readonly cause?: RegExp;
  readonly settings?: Partial<DnsResolverSettings>;
  readonly tcp?: boolean;
}

const faults: Fault[] = [
  { name: 'same pod with a new address', fault: zoneOf(pods(1, 2, 9)), during: pods(1, 2, 9) },
  { name: 'NXDOMAIN', fault: {}, cause: /^NXDOMAIN: there is no such name/ },
  { name: 'no record of the type', fault: zoneOf([]), cause: /^the name has no A record/ },
  { name: 'SERVFAIL', fault: zoneOf({ rcode: 'SERVFAIL' }), cause: /^SERVFAIL from name server/ },
  { name: 'REFUSED', fault: zoneOf({ rcode: 'REFUSED' }), cause: /^REFUSED from name server/ },
  {
    name: 'silent name server',
    fault: zoneOf({ silent: true }),
    settings: { timeoutMs: 600 },
    cause: /^no answer in time from name server/,
  },
  {
    name: 'answers after the time limit',
    fault: zoneOf({ addresses: pods(7), delayMs: 2_500 }),
    settings: { timeoutMs: 600 },
    cause: /^no answer in time from name server/,
  },
  { name: 'slow answers', fault: zoneOf({ addresses: pods(1, 2, 3), delayMs: 200 }) },
  { name: 'an address listed twice', fault: zoneOf(pods(1, 2, 3, 3, 1)) },
  { name: 'another order', fault: zoneOf(pods(3, 1, 2)) },
  { name: 'half the pods missing', before: zoneOf(pods(1, 2, 4, 5)), fault: zoneOf(pods(1, 4)), during: pods(1, 4) },
  { name: 'a second family appears', before: zoneOf(pods(1)), fault: zoneOf(dual), during: dual },
  {
    name: 'AAAA fails, A answers',
    fault: { [name]: { addresses: pods(1, 2, 3), types: { AAAA: { rcode: 'SERVFAIL' } } } },
    cause: /^SERVFAIL/,
  },
  {
    name: 'A fails, AAAA answers',
    before: zoneOf(dual),
    fault: { [name]: { addresses: dual, types: { A: { rcode: 'SERVFAIL' } } } },
    cause: /^SERVFAIL/,
  },
  { name: 'IPv4 is given up', before: zoneOf(dual), fault: zoneOf(['fd00::1']), during: ['fd00::1'] },
  {
    name: 'AAAA is never answered',
    fault: { [name]: { addresses: pods(1, 2, 3), types: { AAAA: { silent: true } } } },
    settings: { timeoutMs: 800 },
    cause: /^no answer in time/,
  },
  {
    name: 'truncated, no TCP',
    tcp: false,
    fault: zoneOf(many(300)),
    cause: /^the answer is truncated and TCP does not work \(ECONNREFUSED\)/,
  },
  { name: 'truncated, TCP', fault: zoneOf(many(300)), during: many(300) },
  { name: '30 names, no TCP', tcp: false, fault: zoneOf(many(30)), during: many(30) },
  { name: 'more than a TCP answer holds', fault: zoneOf(many(3_000)), cause: /truncated there too/ },
  { name: 'absent at start', before: null, fault: {}, cause: /^NXDOMAIN/ },
  { name: 'SERVFAIL at start', before: null, fault: zoneOf({ rcode: 'SERVFAIL' }), cause: /^(NXDOMAIN|SERVFAIL)/ },
  { name: 'the name server is down', fault: (relay) => relay.down(), cause: /^no answer \(ECONNREFUSED\) from name server/ },
  { name: 'blocked names (0.0.0.0 and ::)', fault: zoneOf(['0.0.0.0', '::']), cause: /^the answer is empty/ },
  { name: 'TTL of zero', fault: zoneOf({ addresses: pods(1, 2, 3), ttlSeconds: 0 }) },
  { name: 'TTL of a day', before: zoneOf({ addresses: pods(1, 2), ttlSeconds: 86_400 }), fault: zoneOf(pods(1, 5)), during: pods(1, 5) },
  {
    name: 'answers with another id',
    fault: (relay) => {
      relay.onAnswer = (answer) => Buffer.concat([Buffer.from([answer[0] ^ 1]), answer.subarray(1)]);
    },
    settings: { timeoutMs: 600 },
    cause: /^no answer in time/,
  },
  {
    name: 'answers to another question',
    fault: (relay) => {
      relay.onAnswer = (answer) => Buffer.from(answer.toString('latin1').replaceAll('samplers', 'simplers'), 'latin1');
    },
    settings: { timeoutMs: 600 },
    cause: /^no answer in time/,
  },
  {
    name: 'answers cut off',
    fault: (relay) => {
      relay.onAnswer = (answer) => answer.subarray(0, answer.length - 4);
    },
    cause: /^a malformed answer from name server/,
  },
  {
    name: 'garbage behind a good header',
    fault: (relay) => {
      relay.onAnswer = (answer) => Buffer.concat([answer.subarray(0, 34), Buffer.alloc(200, 0xc0)]);
    },
    cause: /^a malformed answer from name server/,
  },
  {
    name: 'every second datagram is lost',
    fault: (relay) => {
      let count = 0;
      relay.onAnswer = (answer) => (count++ % 4 < 2 ? undefined : answer);
    },
    settings: { timeoutMs: 1_500 },
  },
  {
    name: 'EDNS is refused with FORMERR',
    fault: (relay) => {
      relay.onQuestion = (question) =>
        question[11] === 0 ? undefined : Buffer.concat([question.subarray(0, 2), Buffer.from([0x81, 0x81]), Buffer.alloc(8)]);
    },
  },
  {
    name: 'a host of an SRV record is gone',
    before: { [name]: srvOf('a', 'b'), 'a.example': { addresses: pods(1) }, 'b.example': { addresses: pods(2) } },
    fault: { [name]: srvOf('a', 'b'), 'a.example': { addresses: pods(1) } },
    during: pods(1),
    settings: { srv: true },
    cause: /^NXDOMAIN/,
  },
  {
    name: 'a host of an SRV record fails',
    before: { [name]: srvOf('a', 'b'), 'a.example': { addresses: pods(1) }, 'b.example': { addresses: pods(2) } },
    fault: { [name]: srvOf('a', 'b'), 'a.example': { addresses: pods(1) }, 'b.example': { rcode: 'SERVFAIL' } },
    settings: { srv: true },
    cause: /^SERVFAIL/,
  },
  {
    name: 'SRV records vanish',
    before: { [name]: srvOf('a'), 'a.example': { addresses: pods(1) } },
    fault: { 'a.example': { addresses: pods(1) } },
    settings: { srv: true },
    cause: /^NXDOMAIN/,
  },
];

const endpointsOf = (addresses: readonly string[]) =>
  addresses.map((address) => (address.includes(':') ? `[${address}]:4317` : `${address}:4317`)).sort();
const same = (left: readonly string[] | undefined, right: readonly string[]) => JSON.stringify(left) === JSON.stringify(right);

async function play(fault: Fault, directory: string): Promise<{ environment: RecordedEnvironment; told: (readonly string[])[] }> {
  const before = fault.before === undefined ? zoneOf(pods(1, 2, 3)) : fault.before;
  const server = await startZone(before ?? {}, { tcp: fault.tcp ?? true });
  // Truncated answers are completed over TCP, which the relay does not carry.
  const relay = typeof fault.fault === 'function' ? await startRelay(server.address) : undefined;
  const environment = new RecordedEnvironment();
  const resolver = new DnsResolver(
    {
      hostname: name,
      intervalMs: 1_000,
      timeoutMs: 8_000,
      nameservers: [relay?.address ?? server.address],
      hostsPath: join(directory, 'hosts'),
      resolvConfPath: join(directory, 'resolv.conf'),
      ...fault.settings,
    },
    environment,
  );
  const told: (readonly string[])[] = [];
  const reach = async (what: string, wanted: readonly string[]) => {
    await eventually(
      `${fault.name}: ${what}`,
      () => same(environment.endpoints, endpointsOf(wanted)),
      () => [environment.endpoints, environment.causes],
    );
    if (!same(told.at(-1), endpointsOf(wanted))) told.push(endpointsOf(wanted));
  };
  try {
    if (fault.before === null && typeof fault.fault !== 'function') server.zone = fault.fault;
    await environment.start(resolver);
    const beforeAddresses =
      before === null
        ? undefined
        : fault.settings?.srv
          ? Object.values(before).flatMap((records) => records.addresses ?? [])
          : before[name].addresses;
    if (beforeAddresses) await reach('the good answer', beforeAddresses);
    if (typeof fault.fault === 'function') await fault.fault(relay!);
    else server.zone = fault.fault;
    const resolutions = () =>
      environment.value('otelcol_loadbalancer_num_resolutions', { resolver: 'dns', success: 'true' }) +
      environment.value('otelcol_loadbalancer_num_resolutions', { resolver: 'dns', success: 'false' });
    const seen = resolutions();
    await eventually(
      `${fault.name}: asked twice`,
      () => resolutions() >= seen + 2,
      () => server.asked.length,
    );
    if (fault.cause) await eventually(`${fault.name}: the cause is logged`, () => environment.causes.length > 0);
    if (beforeAddresses) await reach('during the fault', fault.during ?? beforeAddresses);
    if (relay) {
      relay.onAnswer = (answer) => answer;
      relay.onQuestion = () => undefined;
      if (fault.name.includes('down')) await relay.up();
    }
    server.zone = fault.settings?.srv ? { [name]: srvOf('z'), 'z.example': { addresses: pods(77) } } : zoneOf(pods(77));
    await reach('the truth afterwards', pods(77));
  } finally {
    await resolver.stop();
    await relay?.down();
    await server.stop();
  }
  return { environment, told };
}

t.test('each fault keeps the last good set, is told once, and ends in the truth', async (t) => {
  const directory = t.testdir({ hosts: '', 'resolv.conf': '' });
  const results = await Promise.all(faults.map((fault) => play(fault, directory)));
  for (const [index, { environment, told }] of results.entries()) {
    const fault = faults[index];
    t.strictSame(
      environment.sets.map((set) => set.endpoints),
      told,
      `${fault.name}: every change is told once, and nothing else`,
    );
    t.notOk(environment.sets.some((set) => set.endpoints.length === 0));
    t.strictSame(
      environment.sets.map((set) => set.version),
      told.map((_, at) => at + 1),
    );
    t.equal(environment.causes.length, fault.cause ? 1 : 0, `${fault.name}: ${environment.causes.join(' | ')}`);
    if (fault.cause) t.match(environment.causes[0], fault.cause, fault.name);
  }
});

/** A resolver over scripted outcomes under a clock that the test moves. */
function scripted(t: { teardown(end: () => unknown): void }, settings: Partial<DnsResolverSettings>) {
  const clock = new ManualClock();
  const environment = new RecordedEnvironment(clock);
  const state = { outcome: { kind: 'absent', cause: 'nothing yet' } as DnsOutcome, askedAtMs: [] as number[] };
  const client: DnsClient = {
    async lookup(_name, type) {
      if (type === 'A') state.askedAtMs.push(clock.monotonicMs());
      return type === 'A' ? state.outcome : { kind: 'absent', cause: 'no IPv6' };
    },
  };
  const resolver = new DnsResolver(
    { hostname: 'x.', hostsPath: '/nonexistent/hosts', resolvConfPath: '/nonexistent/conf', ...settings },
    environment,
    client,
  );
  t.teardown(() => resolver.stop());
  /** Lets the time pass in which the resolver has its next question answered. */
  const nextQuestion = async () => {
    const asked = state.askedAtMs.length;
    // While no timer waits, a question is on its way (through files, in real time).
    const onItsWay = () => eventually('a timer waits', () => clock.waiting > 0 || state.askedAtMs.length > asked);
    for (await onItsWay(); state.askedAtMs.length === asked; await onItsWay()) await clock.advance(50);
    await eventually('the answer is taken', () => clock.waiting > 0);
  };
  return { clock, environment, state, resolver, nextQuestion };
}

const found = (ttlMs: number, ...addresses: string[]): DnsOutcome => ({ kind: 'found', addresses, services: [], ttlMs });

t.test('asks again after the TTL, at the latest after the interval and never within 900 ms', async (t) => {
  for (const [ttlMs, least, most] of [
    [0, 900, 1_100],
    [2_000, 1_800, 2_100],
    [60_000, 4_500, 5_100],
  ]) {
    const { environment, state, resolver, nextQuestion } = scripted(t, { intervalMs: 5_000 });
    state.outcome = found(ttlMs, '10.0.0.1');
    await environment.start(resolver);
    for (let question = 0; question < 5; question++) await nextQuestion();
    for (let index = 1; index < 6; index++) {
      const pauseMs = state.askedAtMs[index] - state.askedAtMs[index - 1];
      t.ok(pauseMs >= least && pauseMs <= most, `${ttlMs}: ${pauseMs}`);
    }
  }
});

t.test('SERVFAIL for a minute: the set stays, one line says why, and the truth is back within 5 s', async (t) => {
  const { clock, environment, state, resolver, nextQuestion } = scripted(t, {});
  state.outcome = found(30_000, '10.0.0.1', '10.0.0.2');
  await environment.start(resolver);
  state.outcome = { kind: 'failed', cause: 'SERVFAIL from name server x' };
  const faultyUntilMs = clock.monotonicMs() + 60_000;
  while (clock.monotonicMs() < faultyUntilMs) await nextQuestion();
  t.strictSame(environment.endpoints, ['10.0.0.1:4317', '10.0.0.2:4317']);
  t.strictSame(environment.causes, ['SERVFAIL from name server x']);
  t.ok(environment.value('ringtail_loadbalancer_kept_last_good', { resolver: 'dns' }) > 20);
  state.outcome = found(30_000, '10.0.0.3');
  const truthAtMs = clock.monotonicMs();
  while (environment.endpoints?.[0] !== '10.0.0.3:4317') await nextQuestion();
  t.ok(clock.monotonicMs() - truthAtMs <= 5_000, `${clock.monotonicMs() - truthAtMs}`);
  t.equal(environment.sets.length, 2);
});
