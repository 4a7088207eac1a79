import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { endpointsOfSlices, parseServiceName } from '../../src/discovery/endpoint-slices.ts';
import { KubernetesResolver, type KubernetesResolverSettings, kubernetesApiUrl } from '../../src/discovery/kubernetes-resolver.ts';
import { FakeKubernetes, ready, type Slices, status } from '../support/fake-kubernetes.ts';
import { startZone } from '../support/name-zone.ts';
import { eventually, RecordedEnvironment } from '../support/resolver-environment.ts';
import { selfSigned } from '../support/self-signed.ts';

async function rig(t: Test, slices: Slices, settings: Partial<KubernetesResolverSettings> = {}) {
  const api = new FakeKubernetes();
  await api.start(slices);
  const environment = new RecordedEnvironment();
  const resolver = new KubernetesResolver(
    { service: 'lb', apiUrl: api.url, serviceAccountPath: api.serviceAccountPath, ...settings },
    environment,
  );
  t.teardown(async () => {
    await resolver.stop();
    await api.stop();
  });
  return { api, environment, resolver };
}

t.test('reads service names as the Collector does', async (t) => {
  t.strictSame(parseServiceName('lb'), { name: 'lb', namespace: undefined, clusterDomain: undefined });
  t.strictSame(parseServiceName('lb.'), { name: 'lb', namespace: undefined, clusterDomain: undefined });
  t.strictSame(parseServiceName('lb.custom'), { name: 'lb', namespace: 'custom', clusterDomain: undefined });
  t.strictSame(parseServiceName('lb.custom.svc.cluster.local'), { name: 'lb', namespace: 'custom', clusterDomain: 'cluster.local' });
  for (const [written, message] of [
    ['', 'no service specified to resolve the backends'],
    ['.x', 'no service specified to resolve the backends'],
    ['lb..svc.cluster.local', 'invalid Kubernetes service FQDN: namespace segment missing in "lb..svc.cluster.local"'],
    ['lb.ns.pod.cluster.local', `invalid Kubernetes service FQDN: expected third DNS label to be 'svc' in "lb.ns.pod.cluster.local"`],
    ['lb.ns.svc', 'invalid Kubernetes service FQDN: missing cluster domain in "lb.ns.svc"'],
  ]) {
    t.throws(() => parseServiceName(written), { name: 'ResolverConfigError', message });
  }
});

t.test('finds the API server where the pod is told it is', async (t) => {
  t.equal(kubernetesApiUrl({ KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '6443' }), 'https://10.96.0.1:6443');
  t.equal(kubernetesApiUrl({ KUBERNETES_SERVICE_HOST: 'fd00::1' }), 'https://[fd00::1]:443');
  t.equal(kubernetesApiUrl({}), undefined);
});

t.test('names each address with each port', async (t) => {
  const naming = { service: 'lb', namespace: 'obs', returnHostnames: false, ports: [8080, 9090] };
  const slices = [{ metadata: { name: 'a' }, endpoints: [ready('10.0.0.1', 'fd00::1')] }];
  t.strictSame(endpointsOfSlices(slices, naming).endpoints, ['10.0.0.1:8080', '10.0.0.1:9090', '[fd00::1]:8080', '[fd00::1]:9090']);
});

t.test('lists, then watches from where the list ended, in the pod’s namespace', async (t) => {
  const { api, environment, resolver } = await rig(t, { a: [ready('10.0.0.2', '10.0.0.1')] }, { ports: [4317, 9] });
  await environment.start(resolver);
  t.strictSame(environment.endpoints, ['10.0.0.1:4317', '10.0.0.1:9', '10.0.0.2:4317', '10.0.0.2:9']);
  await eventually('the watch is there', () => api.watching === 1);
  t.strictSame(api.asked, ['list obs', 'watch obs']);
  t.strictSame(new Set(api.tokens), new Set(['Bearer first-token']));
  const [list, watch] = api.queries;
  t.equal(list.get('labelSelector'), 'kubernetes.io/service-name=lb');
  t.equal(list.get('timeoutSeconds'), '60');
  t.equal(watch.get('resourceVersion'), '100');
  t.equal(watch.get('allowWatchBookmarks'), 'true');
  t.equal(resolver.ringNameOf('10.0.0.1:9'), '10.0.0.1:9');
});

t.test('a new watch goes on from the last bookmark, with the token of the moment', async (t) => {
  const { api, environment, resolver } = await rig(t, { a: [ready('10.0.0.1')] }, { service: 'lb.other' });
  await environment.start(resolver);
  await eventually('the watch is there', () => api.watching === 1);
  api.bookmark();
  await api.writeFiles({ token: 'second-token' });
  api.endWatches('close');
  await eventually(
    'the next watch is there',
    () => api.asked.length === 3 && api.watching === 1,
    () => api.asked,
  );
  t.strictSame(api.asked, ['list other', 'watch other', 'watch other']);
  t.equal(api.queries[2].get('resourceVersion'), '101');
  t.equal(api.tokens[2], 'Bearer second-token');
  t.strictSame(environment.causes, []);
});

t.test('reads long lists page by page', async (t) => {
  const { api, environment, resolver } = await rig(t, {});
  let page = 0;
  api.onList = (_request, response) => {
    const items = [{ metadata: { name: `slice-${page}` }, endpoints: [ready(`10.0.${page}.1`)] }];
    page++;
    response
      .writeHead(200)
      .end(JSON.stringify({ metadata: { resourceVersion: '5', ...(page < 3 && { continue: `after-${page}` }) }, items }));
  };
  await environment.start(resolver);
  t.strictSame(environment.endpoints, ['10.0.0.1:4317', '10.0.1.1:4317', '10.0.2.1:4317']);
  t.strictSame(
    api.queries.slice(0, 3).map((query) => query.get('continue')),
    [null, 'after-1', 'after-2'],
  );
  t.equal(resolver.ringNameOf('10.0.0.1:4317'), '10.0.0.1');
  t.equal(resolver.ringNameOf('[fd00::1]:4317'), 'fd00::1');
});

t.test('speaks TLS with the authority of the service account, and reads it anew when it changes', async (t) => {
  const directory = t.testdir({});
  const [first, second] = [selfSigned('first'), selfSigned('second')];
  const server = createServer(first, (request, response) => {
    response.writeHead(200);
    if (request.url?.includes('watch=1')) response.flushHeaders();
    else
      response.end(
        JSON.stringify({ metadata: { resourceVersion: '1' }, items: [{ metadata: { name: 'a' }, endpoints: [ready('10.0.0.1')] }] }),
      );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { api, environment, resolver } = await rig(
    t,
    {},
    {
      apiUrl: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      dns: { nameservers: ['127.0.0.1:1'], hostsPath: join(directory, 'none'), resolvConfPath: join(directory, 'none'), timeoutMs: 500 },
    },
  );
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await api.writeFiles({ 'ca.crt': second.cert });
  await environment.start(resolver);
  t.equal(environment.endpoints, undefined);
  t.match(environment.causes[0], /the list of EndpointSlices broke off: (DEPTH_ZERO_SELF_SIGNED_CERT|.*CERT.*|.*SIGNATURE.*)/);
  await api.writeFiles({ 'ca.crt': first.cert });
  await eventually(
    'the right authority is used',
    () => environment.endpoints !== undefined,
    () => environment.causes,
  );
  t.strictSame(environment.endpoints, ['10.0.0.1:4317']);
});

t.test('back-off grows, carries jitter and ends with the fault', async (t) => {
  const { api, environment, resolver } = await rig(t, { a: [ready('10.0.0.1')] });
  await environment.start(resolver);
  await eventually('the watch is there', () => api.watching === 1);
  api.onWatch = status(503);
  api.endWatches('close');
  const from = api.asked.length;
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const asked = api.asked.length - from;
  t.ok(asked >= 2 && asked <= 5, `${asked} questions in 1.5 s`);
  api.onWatch = undefined;
  await eventually('the watch is back', () => api.watching === 1);
  t.equal(environment.causes.length, 1);
  t.equal(environment.value('otelcol_loadbalancer_num_resolutions', { resolver: 'k8s', success: 'false' }) >= asked, true);
});

t.test('once the API answers, the DNS name is no longer asked', async (t) => {
  const zone = await startZone({ 'lb.obs.svc': { addresses: ['10.5.0.1'] } });
  t.teardown(() => zone.stop());
  const dns = { nameservers: [zone.address], hostsPath: '/nonexistent', resolvConfPath: '/nonexistent', timeoutMs: 8_000 };
  const { api, environment, resolver } = await rig(t, { a: [ready('10.0.0.1')] }, { dns });
  api.onList = status(500);
  await environment.start(resolver);
  t.strictSame(environment.endpoints, ['10.5.0.1:4317']);
  t.equal(resolver.ringNameOf('10.5.0.1:4317'), '10.5.0.1');
  api.onList = undefined;
  await eventually('the API is used', () => environment.endpoints?.[0] === '10.0.0.1:4317');
  const asked = zone.asked.length;
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  t.equal(zone.asked.length, asked);
  t.equal(environment.sets.length, 2);
});

t.test('stop ends the watch and may be called at any time', async (t) => {
  const { api, environment, resolver } = await rig(t, { a: [ready('10.0.0.1')] });
  const started = environment.start(resolver);
  await Promise.all([resolver.stop(), resolver.stop()]);
  await started;
  await eventually('no watch', () => api.watching === 0);
  t.equal(environment.sets.length, 0);
  const unstarted = new KubernetesResolver({ service: 'lb', apiUrl: undefined }, environment);
  await unstarted.stop();

  const second = await rig(t, { a: [ready('10.0.0.1')] });
  await second.environment.start(second.resolver);
  await eventually('the watch is there', () => second.api.watching === 1);
  await second.resolver.stop();
  await eventually('the watch is gone', () => second.api.watching === 0);
  second.api.set({ a: [ready('10.0.0.2')] });
  second.resolver.refresh();
  t.equal(second.environment.sets.length, 1);
});
