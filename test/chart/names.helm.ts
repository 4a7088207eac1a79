import fc from 'fast-check';
import t from 'tap';
import { brokenRules, configOf } from './invariants.ts';
import { helmAt, type Manifest, ofKind, render } from './render.ts';
import { helmPrograms } from './tools.ts';

const helm = helmAt(helmPrograms().helm4);

/** Release names that Helm takes: 1 to 53 characters of DNS labels with dots between, digits first included. */
const releaseName = fc
  .oneof(
    fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$/),
    fc.stringMatching(/^[a-z0-9]{1,20}\.[a-z0-9]{1,20}$/),
    fc.constantFrom('ringtail', 'a', '9', 'my-ringtail-prod', 'x'.repeat(53), 'r'.repeat(30), `ringtail-${'y'.repeat(44)}`),
  )
  .filter((name) => name.length <= 53);
const label = (max: number) =>
  fc.stringMatching(new RegExp(`^[a-z]([-a-z0-9]{0,${max - 2}}[a-z0-9])?$`)).filter((name) => name.length <= max);

const valuesOf = fc.record(
  {
    nameOverride: label(30),
    fullnameOverride: label(44),
    clusterDomain: fc.constantFrom('cluster.local', 'k8s.example.com'),
    sampler: fc.record({ fullnameOverride: label(52), serviceName: label(63) }, { requiredKeys: [] }),
    router: fc.record({ presets: fc.record({ k8sResolver: fc.record({ enabled: fc.boolean() }) }) }, { requiredKeys: [] }),
    tls: fc.record({ enabled: fc.boolean() }),
  },
  { requiredKeys: [] },
);

t.test('whatever the names, one name joins Service, StatefulSet and routers, and Kubernetes takes them all', async () => {
  await fc.assert(
    fc.asyncProperty(releaseName, label(63), valuesOf, async (release, namespace, values) => {
      const { manifests, error } = await render(helm, { release, namespace, values });
      if (/would both be named/.test(error)) return;
      if (error !== '') throw new Error(error);
      const broken = brokenRules(manifests);
      if (broken.length > 0) throw new Error(broken.join('\n'));
    }),
    { numRuns: 150, seed: 20261122, endOnFailure: false },
  );
});

async function namesOf(release: string, values: object = {}): Promise<readonly string[]> {
  const { manifests } = await render(helm, { release, values });
  const name = (found: readonly Manifest[]) => found[0]?.metadata.name ?? '';
  return [name(ofKind(manifests, 'Deployment')), name(ofKind(manifests, 'StatefulSet')), name(ofKind(manifests, 'Service', 'sampler'))];
}

t.test('the derivation of names is frozen: a change breaks every upgrade', async (t) => {
  t.same(await namesOf('ringtail'), ['ringtail-router', 'ringtail-sampler', 'ringtail-sampler-headless']);
  t.same(await namesOf('a'), ['a-ringtail-router', 'a-ringtail-sampler', 'a-ringtail-sampler-headless']);
  t.same(await namesOf('9.b'), ['r9-b-ringtail-router', 'r9-b-ringtail-sampler', 'r9-b-ringtail-sampler-headless']);
  t.same(await namesOf('x'.repeat(53)), [
    `${'x'.repeat(35)}-8336c3c1-router`,
    `${'x'.repeat(35)}-8336c3c1-sampler`,
    `${'x'.repeat(35)}-8336c3c1-sampler-headless`,
  ]);
  t.same(await namesOf('a', { sampler: { serviceName: 'tail' } }), ['a-ringtail-router', 'a-ringtail-sampler', 'tail']);
});

t.test('two long release names that begin alike get names of their own', async (t) => {
  t.strictNotSame(await namesOf(`${'x'.repeat(52)}a`), await namesOf(`${'x'.repeat(52)}b`));
});

t.test('an own configuration is written over the generated one', async (t) => {
  const { manifests } = await render(helm, {
    values: {
      router: {
        config: {
          receivers: { otlp: { protocols: { http: null, grpc: { max_recv_msg_size_mib: 16 } } } },
          exporters: { loadbalancing: { protocol: { otlp: { tls: { insecure: false } } } } },
        },
      },
      sampler: {
        resources: { limits: { cpu: '4' } },
        config: { processors: { tail_sampling: { policies: [{ name: 'all', type: 'always_sample' }] } } },
      },
    },
  });
  const router = configOf(manifests, 'router') as Manifest;
  t.same(router.receivers.otlp.protocols, { grpc: { endpoint: '0.0.0.0:4317', max_recv_msg_size_mib: 16 } }, 'maps merge, null removes');
  t.equal(router.exporters.loadbalancing.protocol.otlp.tls.insecure, false, 'false counts');
  t.match(router.exporters.loadbalancing.resolver.dns.hostname, /^demo-ringtail-sampler-headless\./, 'what is not written stays');
  const sampler = configOf(manifests, 'sampler') as Manifest;
  t.same(sampler.processors.tail_sampling.policies, [{ name: 'all', type: 'always_sample' }], 'lists replace');
  t.match(sampler.processors.tail_sampling, { workers: 3, num_shards: 3 }, 'workers follow the CPU limit');
});

t.test('a token is mounted, and a Role made, only for the k8s resolver', async (t) => {
  const facts = async (enabled: boolean) => {
    const { manifests } = await render(helm, { values: { router: { presets: { k8sResolver: { enabled } } } } });
    const [router] = ofKind(manifests, 'Deployment') as [Manifest];
    const [sampler] = ofKind(manifests, 'StatefulSet') as [Manifest];
    return [
      router.spec.template.spec.automountServiceAccountToken,
      sampler.spec.template.spec.automountServiceAccountToken,
      ofKind(manifests, 'Role').map(({ rules }) => rules),
      ofKind(manifests, 'ClusterRole').length,
    ];
  };
  t.same(await facts(false), [false, false, [], 0]);
  const rules = [{ apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['get', 'list', 'watch'] }];
  t.same(await facts(true), [true, false, [rules], 0]);
});
