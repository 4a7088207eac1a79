/** Scripted faults of the Kubernetes API over real HTTP, issue 6: what the resolver tells and logs in each, and that it comes back. */

import t from 'tap';
import type { SliceEndpoint } from '../../src/discovery/endpoint-slices.ts';
import { KubernetesResolver, type KubernetesResolverSettings } from '../../src/discovery/kubernetes-resolver.ts';
import { FakeKubernetes, ready, type Slices, status } from '../support/fake-kubernetes.ts';
import { startZone } from '../support/name-zone.ts';
import { eventually, RecordedEnvironment } from '../support/resolver-environment.ts';

interface Fault {
  readonly name: string;
  readonly settings?: Partial<KubernetesResolverSettings>;
  /** Default: one slice with pods 1 and 2. */
  readonly before?: Slices;
  /** What holds already when the resolver starts. */
  readonly atStart?: (api: FakeKubernetes) => void | Promise<void>;
  /** Hosts after start. Default: pods 1 and 2. */
  readonly started?: readonly string[];
  readonly fault?: (api: FakeKubernetes, resolver: KubernetesResolver) => void | Promise<void>;
  /** Hosts while the fault lasts. Default: those from before. */
  readonly during?: readonly string[];
  /** Of the one log line. Default: none. */
  readonly cause?: RegExp;
  /** Ends the fault; the truth is then pod 77. null: it cannot end. */
  readonly end?: ((api: FakeKubernetes) => void | Promise<void>) | null;
}

const named = (hostname: string, address: string): SliceEndpoint => ({ hostname, addresses: [address] });
const two = [ready('10.0.0.1', '10.0.0.2')];
const fromDns = ['10.5.0.1'];
const withHostnames = { returnHostnames: true, service: 'lb.obs' };
const hostnamesBefore = { a: [named('pod-0', '10.0.0.1'), named('pod-1', '10.0.0.2')] };
const hostnamesStarted = ['pod-0.lb.obs', 'pod-1.lb.obs'];
const forbidden = (verb: string) =>
  status(
    403,
    `endpointslices.discovery.k8s.io is forbidden: User "system:serviceaccount:obs:router" cannot ${verb} resource "endpointslices"`,
  );

const faults: Fault[] = [
  {
    name: 'same pod with a new address',
    fault: (api) => api.set({ a: [ready('10.0.0.1', '10.0.0.9')] }),
    during: ['10.0.0.1', '10.0.0.9'],
  },
  { name: 'a pod is added', fault: (api) => api.set({ a: [...two, ready('10.0.0.3')] }), during: ['10.0.0.1', '10.0.0.2', '10.0.0.3'] },
  { name: 'a pod is removed', fault: (api) => api.set({ a: [ready('10.0.0.2')] }), during: ['10.0.0.2'] },
  { name: 'an IPv6 pod', fault: (api) => api.set({ a: two, b: [ready('fd00::1')] }), during: ['10.0.0.1', '10.0.0.2', 'fd00::1'] },
  {
    name: 'a pod is not ready',
    fault: (api) => api.set({ a: [ready('10.0.0.1'), { addresses: ['10.0.0.2'], conditions: { ready: false } }] }),
    during: ['10.0.0.1'],
  },
  {
    name: 'readiness is not told, or null',
    fault: (api) => api.set({ a: [{ addresses: ['10.0.0.1'] }, { addresses: ['10.0.0.4'], conditions: { ready: null } }] }),
    during: ['10.0.0.1', '10.0.0.4'],
  },
  {
    name: 'a pod is terminating though published as ready',
    fault: (api) => api.set({ a: [ready('10.0.0.1'), { addresses: ['10.0.0.2'], conditions: { ready: true, terminating: true } }] }),
    during: ['10.0.0.1'],
  },
  {
    name: 'no pod is ready',
    fault: (api) => api.set({ a: [{ addresses: ['10.0.0.1'], conditions: { ready: false } }] }),
    cause: /^no endpoint of the Service is ready/,
  },
  { name: 'the only slice is deleted', fault: (api) => api.set({}), cause: /^the Service has no EndpointSlice/ },
  { name: 'the slice is empty', fault: (api) => api.set({ a: [] }), cause: /^the Service has no endpoints/ },
  { name: 'no slice at start', before: {}, started: [], cause: /^the Service has no EndpointSlice/ },
  {
    name: 'an address in two slices, one of which drops it',
    before: { a: two, b: [ready('10.0.0.2')] },
    fault: (api) => api.set({ a: two }),
  },
  {
    name: 'an address moves to another slice',
    fault: (api) => api.set({ a: two, b: two }),
  },
  { name: 'an event without a change', fault: (api) => api.set({ a: [...two] }) },
  {
    name: 'a hostname is missing',
    settings: withHostnames,
    before: hostnamesBefore,
    started: hostnamesStarted,
    fault: (api) => api.set({ a: [named('pod-0', '10.0.0.1'), ready('10.0.0.2')] }),
    during: ['pod-0.lb.obs'],
    cause: /^some ready endpoints have no hostname/,
  },
  {
    name: 'all hostnames are missing',
    settings: withHostnames,
    before: hostnamesBefore,
    started: hostnamesStarted,
    fault: (api) => api.set({ a: two }),
    cause: /^no ready endpoint of the Service has a hostname/,
  },
  {
    name: 'same hostname, new address',
    settings: withHostnames,
    before: hostnamesBefore,
    started: hostnamesStarted,
    fault: (api) => api.set({ a: [named('pod-0', '10.0.0.8'), named('pod-1', '10.0.0.2')] }),
  },
  { name: 'the watch ends in good order', fault: (api) => api.endWatches('close') },
  { name: 'the watch is cut', fault: (api) => api.endWatches('reset'), cause: /^the watch of EndpointSlices broke off: / },
  { name: 'a bookmark', fault: (api) => api.bookmark() },
  {
    name: '410 Gone as an event',
    fault: (api) => api.send('ERROR', { kind: 'Status', code: 410, message: 'too old resource version' }),
    cause: /410 Gone/,
  },
  {
    name: '410 Gone after a slice vanished unseen',
    before: { a: two, b: [ready('10.0.0.3')] },
    started: ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
    fault: (api) => {
      api.silentWatch = true;
      api.set({ b: [ready('10.0.0.3')] });
      api.silentWatch = false;
      api.send('ERROR', { kind: 'Status', code: 410 });
    },
    during: ['10.0.0.3'],
    cause: /410 Gone/,
  },
  {
    name: '410 Gone as a status',
    fault: (api) => {
      api.onWatch = (request, response) => {
        api.onWatch = undefined;
        status(410)(request, response);
      };
      api.endWatches('close');
    },
    cause: /410 Gone/,
  },
  {
    name: 'an error event',
    fault: (api) => api.send('ERROR', { kind: 'Status', code: 500 }),
    cause: /^the watch reported an error \(code 500\)/,
  },
  {
    name: 'a line that is no JSON',
    fault: (api) => api.sendText('{"type":"ADDED",oops\n'),
    cause: /^the watch sent something that is no event/,
  },
  {
    name: 'an event that is no slice',
    fault: (api) => api.send('ADDED', { metadata: {}, endpoints: 7 }),
    cause: /^the watch sent something that is no event/,
  },
  { name: 'an event of an unknown type', fault: (api) => api.send('SOMETHING', { metadata: { name: 'a' } }) },
  {
    name: 'an event in pieces, with null lists',
    fault: async (api) => {
      const text = JSON.stringify({
        type: 'ADDED',
        object: { metadata: { name: 'n', resourceVersion: '7' }, endpoints: [{ addresses: null }, ready('10.0.0.6')] },
      });
      for (const piece of [text.slice(0, 9), text.slice(9, 60), `${text.slice(60)}\n\n`]) {
        api.sendText(piece);
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      api.send('ADDED', { metadata: { name: 'm' }, endpoints: null });
    },
    during: ['10.0.0.1', '10.0.0.2', '10.0.0.6'],
    end: (api) => api.set({ n: [] }),
  },
  {
    name: 'watching is denied, listing is not',
    atStart: (api) => {
      api.onWatch = forbidden('watch');
    },
    cause:
      /^system:serviceaccount:obs:router may not watch endpointslices\.discovery\.k8s\.io in namespace obs \(403\): grant list and watch/,
    end: () => {},
  },
  {
    name: 'listing is denied',
    atStart: (api) => {
      api.onList = forbidden('list');
    },
    started: fromDns,
    cause: /may not list endpointslices\.discovery\.k8s\.io in namespace obs \(403\).*the Service's DNS name lb\.obs\.svc is used instead$/,
    end: null,
  },
  {
    name: 'all permissions are withdrawn',
    fault: (api) => {
      api.onList = forbidden('list');
      api.send('ERROR', { code: 410 });
    },
    during: fromDns,
    cause: /410 Gone|403/,
    end: null,
  },
  {
    name: 'outside a cluster',
    settings: { apiUrl: undefined },
    started: fromDns,
    cause: /^this process does not run in a Kubernetes cluster/,
    end: null,
  },
  {
    name: 'no token',
    settings: { serviceAccountPath: '/nonexistent' },
    started: fromDns,
    cause: /^the service account's token cannot be read from \/nonexistent\/token/,
    end: null,
  },
  {
    name: 'the API server fails at start',
    atStart: (api) => {
      api.onList = status(500);
    },
    started: fromDns,
    cause: /^the API server refused to list EndpointSlices: HTTP 500; the Service's DNS name/,
  },
  {
    name: 'the token is not accepted for a while',
    fault: (api) => {
      api.onList = status(401);
      api.onWatch = status(401);
      api.endWatches('close');
    },
    cause: /^the API server refused to watch EndpointSlices: HTTP 401: the service account's token is not accepted/,
  },
  {
    name: 'too many requests, with a time to wait',
    fault: (api) => {
      api.onWatch = status(429, '', { 'retry-after': '1' });
      api.endWatches('close');
    },
    cause: /HTTP 429/,
  },
  {
    name: 'watches that end at once',
    fault: (api) => {
      api.onWatch = (_request, response) => void response.writeHead(200).end();
      api.endWatches('close');
    },
  },
  {
    name: 'a change that the watch does not tell, and a failed backend',
    fault: async (api, resolver) => {
      api.silentWatch = true;
      api.set({ a: [ready('10.0.0.5')] });
      for (let call = 0; call < 20; call++) resolver.refresh();
    },
    during: ['10.0.0.5'],
    end: (api) => {
      api.silentWatch = false;
    },
  },
];

const joined = (host: string) => (host.includes(':') ? `[${host}]:4317` : `${host}:4317`);
const same = (left: readonly string[] | undefined, right: readonly string[]) => JSON.stringify(left) === JSON.stringify(right);

async function play(fault: Fault, directory: string): Promise<{ environment: RecordedEnvironment; told: (readonly string[])[] }> {
  const api = new FakeKubernetes();
  await api.start(fault.before ?? { a: two });
  const zone = await startZone({ 'lb.obs.svc': { addresses: fromDns } });
  const environment = new RecordedEnvironment();
  const dns = {
    nameservers: [zone.address],
    hostsPath: `${directory}/hosts`,
    resolvConfPath: `${directory}/resolv.conf`,
    timeoutMs: 8_000,
  };
  const resolver = new KubernetesResolver(
    {
      service: 'lb',
      apiUrl: api.url,
      serviceAccountPath: api.serviceAccountPath,
      dns,
      ...fault.settings,
      ...(fault.name === 'no token' && { service: 'lb.obs' }),
    },
    environment,
  );
  const told: (readonly string[])[] = [];
  const reach = async (what: string, hosts: readonly string[]) => {
    const wanted = hosts.map(joined).sort();
    if (wanted.length === 0) return;
    await eventually(
      `${fault.name}: ${what}`,
      () => same(environment.endpoints, wanted),
      () => [environment.endpoints, environment.lines],
    );
    if (!same(told.at(-1), wanted)) told.push(wanted);
  };
  try {
    await fault.atStart?.(api);
    await environment.start(resolver);
    const started = fault.started ?? ['10.0.0.1', '10.0.0.2'];
    await reach('after start', started);
    if (fault.fault) {
      await eventually(`${fault.name}: the watch is there`, () => api.watching > 0);
      await fault.fault(api, resolver);
      if (!fault.cause) await new Promise((resolve) => setTimeout(resolve, 300));
    }
    if (fault.cause) await eventually(`${fault.name}: the cause is logged`, () => environment.causes.length > 0);
    await reach('during the fault', fault.during ?? started);
    if (fault.end === null) return { environment, told };
    api.onList = undefined;
    api.onWatch = undefined;
    await fault.end?.(api);
    const hostname = fault.settings?.returnHostnames === true;
    api.set({ a: hostname ? [named('pod-77', '10.0.0.77')] : [ready('10.0.0.77')] });
    await reach('the truth afterwards', hostname ? ['pod-77.lb.obs'] : ['10.0.0.77']);
  } finally {
    await resolver.stop();
    await zone.stop();
    await api.stop();
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
    t.equal(
      environment.causes.filter((cause) => fault.cause?.test(cause)).length > 0,
      fault.cause !== undefined,
      `${fault.name}: ${environment.causes.join(' | ')}`,
    );
    const expectedLines = fault.cause === undefined ? 0 : fault.name === 'all permissions are withdrawn' ? 2 : 1;
    t.equal(environment.causes.length, expectedLines, `${fault.name}: ${environment.causes.join(' | ')}`);
  }
});
