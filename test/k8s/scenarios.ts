/** What is tried on a real Kubernetes, in order; each returns its figures. A scenario fails when a promise is broken; losses under change are measured. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chartFolder } from '../chart/render.ts';
import { selfSigned } from '../support/self-signed.ts';
import type { Cluster } from './cluster.ts';

const release = 'shop';
const sampler = 'shop-ringtail-sampler';
const router = 'shop-ringtail-router';
const service = `${sampler}-headless`;

function values(cluster: Cluster): object {
  const [repository, tag] = cluster.image.split(':') as [string, string];
  const small = { requests: { cpu: '20m', memory: '192Mi' }, limits: { memory: '192Mi' } };
  return {
    image: { repository, tag, pullPolicy: 'Never' },
    drain: { dnsTtlSeconds: 5, flushSeconds: 5 },
    router: { replicaCount: 2, resolverInterval: '2s', resources: small, minReadySeconds: 1 },
    sampler: {
      replicaCount: 3,
      autoscaling: { enabled: false },
      minReadySeconds: 1,
      resources: { requests: { cpu: '20m', memory: '256Mi' }, limits: { memory: '256Mi' } },
      config: {
        processors: { tail_sampling: { decision_wait: '5s' } },
        exporters: { debug: null, otlp: { endpoint: 'sink:4317', tls: { insecure: true } } },
        service: { pipelines: { traces: { exporters: ['otlp'] } } },
      },
    },
  };
}

async function helmWith(
  cluster: Cluster,
  verb: readonly string[],
  more: readonly string[] = [],
  program: 'helm' | 'helm3' = 'helm',
): Promise<{ code: number; out: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'ringtail-values-'));
  try {
    const file = join(folder, 'values.json');
    writeFileSync(file, JSON.stringify(values(cluster)));
    return await cluster.helmOf(program, ...verb, release, chartFolder, '--values', file, ...more);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function upgrade(cluster: Cluster, ...more: readonly string[]): Promise<void> {
  const { code, out } = await helmWith(cluster, ['upgrade', '--install', '--wait', '--timeout', '300s'], more);
  assert.equal(code, 0, out);
}

function routerPod(cluster: Cluster): Promise<string> {
  return cluster.kubectl(
    'get',
    'pod',
    '-l',
    'app.kubernetes.io/component=router',
    '--field-selector=status.phase=Running',
    '-o',
    'jsonpath={.items[0].metadata.name}',
  );
}

async function backendsKnown(cluster: Cluster, count: number): Promise<boolean> {
  const code = "console.log(await (await fetch('http://127.0.0.1:8888/metrics')).text())";
  const pods = (
    await cluster.kubectl('get', 'pod', '-l', 'app.kubernetes.io/component=router', '-o', 'jsonpath={.items[*].metadata.name}')
  ).split(' ');
  const texts = await Promise.all(pods.map((pod) => cluster.node(pod, code)));
  return texts.every((text) => new RegExp(`^otelcol_loadbalancer_num_backends\\{.*\\} ${count}$`, 'm').test(text));
}

/** Spans accepted by the routers must be as many as were sent, or the figures that follow mean nothing. */
async function loaded(cluster: Cluster, traces: number, rate: number, during?: () => Promise<void>): Promise<object> {
  const { run, accounts } = await cluster.load(traces, rate, during);
  const kept = await cluster.kept(run, traces);
  const unsent = accounts.reduce((sum, { failed }) => sum + failed, 0);
  const retries = accounts.reduce((sum, account) => sum + account.retries, 0);
  return { ...kept, unsent, retries };
}

interface Outcome {
  readonly errors: { readonly sent: number; readonly whole: number };
  readonly slow: { readonly sent: number; readonly whole: number };
  readonly unsent: number;
}

function isWhole({ errors, slow, unsent }: Outcome): void {
  assert.equal(unsent, 0, 'spans that no router took');
  assert.deepEqual([errors.whole, slow.whole], [errors.sent, slow.sent], `whole of sent: ${JSON.stringify({ errors, slow })}`);
}

export const scenarios: Readonly<Record<string, (cluster: Cluster) => Promise<unknown>>> = {
  async installs(cluster) {
    await cluster.startSink();
    await upgrade(cluster);
    const pods = JSON.parse(await cluster.kubectl('get', 'pod', '-o', 'json')) as {
      items: { metadata: { name: string }; status: { containerStatuses: { ready: boolean; restartCount: number }[] } }[];
    };
    const states = pods.items.map(({ status }) => status.containerStatuses[0]!);
    assert.ok(states.every(({ ready, restartCount }) => ready && restartCount === 0));
    await cluster.eventually('both routers know three samplers', () => backendsKnown(cluster, 3));
    return { pods: pods.items.length, admittedBy: 'restricted' };
  },

  async 'resolves every pod, the A list and SRV from a router'(cluster) {
    const name = `${service}.${cluster.namespace}.svc.cluster.local`;
    const code = `import { resolve4, resolveSrv } from 'node:dns/promises';
      const pods = []; for (let n = 0; n < 3; n++) pods.push((await resolve4('${sampler}-' + n + '.${name}')).length);
      console.log(JSON.stringify({ addresses: (await resolve4('${name}')).length, services: (await resolveSrv('${name}')).map((s) => s.name).sort(), pods }));`;
    const found = JSON.parse(await cluster.node(await routerPod(cluster), code)) as {
      addresses: number;
      services: string[];
      pods: number[];
    };
    assert.equal(found.addresses, 3);
    assert.deepEqual(found.pods, [1, 1, 1]);
    assert.deepEqual(
      found.services,
      [0, 1, 2].map((number) => `${sampler}-${number}.${name}`),
    );
    const slices = await cluster.kubectl(
      'get',
      'endpointslices',
      '-l',
      `kubernetes.io/service-name=${service}`,
      '-o',
      'jsonpath={.items[*].endpoints[*].hostname}',
    );
    assert.deepEqual(
      slices.split(' ').sort(),
      [0, 1, 2].map((number) => `${sampler}-${number}`),
    );
    return found;
  },

  async 'helm test passes'(cluster) {
    const { code, out } = await cluster.helm('test', release, '--logs', '--timeout', '60s');
    assert.equal(code, 0, out);
    assert.match(out, /3 addresses, 3 pods with names of their own/);
  },

  async 'three clients, nothing changes: error and slow traces arrive whole'(cluster) {
    const outcome = (await loaded(cluster, 600, 30)) as Outcome;
    isWhole(outcome);
    return outcome;
  },

  async 'samplers 3 to 6 to 3 under load'(cluster) {
    return loaded(cluster, 3600, 30, async () => {
      await upgrade(cluster, '--set', 'sampler.replicaCount=6');
      await cluster.eventually('the routers know six samplers', () => backendsKnown(cluster, 6));
      await upgrade(cluster);
      await cluster.eventually('the routers know three samplers', () => backendsKnown(cluster, 3));
    });
  },

  async 'large: samplers 9 to 30 to 9 under load, the range of the autoscaler'(cluster) {
    await upgrade(cluster, '--set', 'sampler.replicaCount=9');
    await cluster.eventually('the routers know nine samplers', () => backendsKnown(cluster, 9));
    const outcome = await loaded(cluster, 4800, 30, async () => {
      await upgrade(cluster, '--set', 'sampler.replicaCount=30');
      await cluster.eventually('the routers know thirty samplers', () => backendsKnown(cluster, 30));
      await upgrade(cluster, '--set', 'sampler.replicaCount=9');
      await cluster.eventually('the routers know nine samplers', () => backendsKnown(cluster, 9));
    });
    await upgrade(cluster);
    return outcome;
  },

  async 'rolling restart of the samplers under load'(cluster) {
    return loaded(cluster, 3600, 30, async () => {
      await cluster.kubectl('rollout', 'restart', `statefulset/${sampler}`);
      await cluster.kubectl('rollout', 'status', `statefulset/${sampler}`, '--timeout=240s');
    });
  },

  async 'rolling restart of the routers under load'(cluster) {
    const outcome = (await loaded(cluster, 1200, 30, async () => {
      await cluster.kubectl('rollout', 'restart', `deployment/${router}`);
      await cluster.kubectl('rollout', 'status', `deployment/${router}`, '--timeout=180s');
    })) as Outcome;
    assert.equal(outcome.unsent, 0);
    return outcome;
  },

  async 'upgrades and rolls back'(cluster) {
    const policies = '[{"name":"all","type":"always_sample"}]';
    await upgrade(cluster, '--set-json', `sampler.config.processors.tail_sampling.policies=${policies}`);
    assert.match(await cluster.kubectl('get', 'configmap', sampler, '-o', 'yaml'), /always_sample/);
    const { code, out } = await cluster.helm('rollback', release, '--wait', '--timeout', '300s');
    assert.equal(code, 0, out);
    assert.doesNotMatch(await cluster.kubectl('get', 'configmap', sampler, '-o', 'yaml'), /always_sample/);
    const outcome = (await loaded(cluster, 150, 30)) as Outcome;
    isWhole(outcome);
    return outcome;
  },

  async 'a sampler is evicted one at a time'(cluster) {
    const evict = (pod: string) => {
      const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace: cluster.namespace } };
      return cluster.createRaw(`/api/v1/namespaces/${cluster.namespace}/pods/${pod}/eviction`, body);
    };
    const first = await evict(`${sampler}-0`);
    assert.equal(first.code, 0, first.out);
    const second = await evict(`${sampler}-1`);
    assert.notEqual(second.code, 0);
    assert.match(second.out, /disruption budget/);
    await cluster.kubectl('wait', '--for=delete', `pod/${sampler}-0`, '--timeout=60s').catch(() => '');
    await cluster.eventually(
      'the sampler is back',
      async () => (await cluster.kubectl('get', 'statefulset', sampler, '-o', 'jsonpath={.status.readyReplicas}')) === '3',
    );
  },

  async 'a mismatched name is refused by the chart'(cluster) {
    const wrong = ['--set', `router.config.exporters.loadbalancing.resolver.dns.hostname=other.${cluster.namespace}.svc.cluster.local`];
    const { code, out } = await helmWith(cluster, ['upgrade'], wrong);
    assert.notEqual(code, 0);
    assert.match(
      out,
      /The routers would look for the samplers at "other\..*but the samplers' Service and their StatefulSet's serviceName are/s,
    );
    return /The routers would look.*?\./s.exec(out)?.[0];
  },

  async 'a mismatched serviceName, forced by hand, is named by the router'(cluster) {
    const statefulSet = JSON.parse(await cluster.kubectl('get', 'statefulset', sampler, '-o', 'json')) as {
      metadata: object;
      spec: { serviceName: string };
      status?: object;
    };
    await cluster.kubectl('delete', 'statefulset', sampler, '--cascade=foreground', '--wait');
    statefulSet.spec.serviceName = 'somewhere-else';
    await cluster.apply({
      ...statefulSet,
      status: undefined,
      metadata: { name: sampler, labels: (statefulSet.metadata as { labels: object }).labels },
    });
    await cluster.kubectl('rollout', 'status', `statefulset/${sampler}`, '--timeout=120s');
    await cluster.kubectl('rollout', 'restart', `deployment/${router}`);
    await cluster.kubectl('rollout', 'status', `deployment/${router}`, '--timeout=120s');
    const logs = () => cluster.kubectl('logs', '-l', 'app.kubernetes.io/component=router', '--tail=-1');
    await cluster.eventually('the router names it', async () => /none of which has a name of its own/.test(await logs()), 60_000);
    const test = await cluster.helm('test', release, '--logs', '--timeout', '60s');
    assert.notEqual(test.code, 0);
    assert.match(test.out, new RegExp(`StatefulSet ${sampler} has a spec\\.serviceName other than ${service}`));
    await cluster.kubectl('delete', 'pod', '-l', 'helm.sh/chart,app.kubernetes.io/component=test', '--ignore-not-found');
    const sentence = /Service \S+ has \d+ pods, none.*/.exec(await logs())?.[0];
    await cluster.kubectl('delete', 'statefulset', sampler, '--cascade=foreground', '--wait');
    await upgrade(cluster);
    return sentence;
  },

  async 'k8s resolver, with its Role and without'(cluster) {
    await upgrade(cluster, '--set', 'router.presets.k8sResolver.enabled=true');
    await cluster.eventually('the routers know three samplers', () => backendsKnown(cluster, 3));
    const outcome = (await loaded(cluster, 150, 30)) as Outcome;
    isWhole(outcome);
    await upgrade(cluster, '--set', 'router.presets.k8sResolver.enabled=true,router.role.create=false');
    await cluster.kubectl('rollout', 'restart', `deployment/${router}`);
    await cluster.kubectl('rollout', 'status', `deployment/${router}`, '--timeout=120s');
    const logs = await cluster.kubectl('logs', '-l', 'app.kubernetes.io/component=router', '--tail=-1');
    assert.match(logs, /may not list endpointslices\.discovery\.k8s\.io in namespace .* grant list and watch in a Role/);
    const sentence = /[^"]*may not list endpointslices[^"]*/.exec(logs)?.[0];
    await upgrade(cluster);
    return { withRole: outcome, withoutRole: sentence };
  },

  async 'network policies let through what the tiers need and nothing else'(cluster) {
    await upgrade(cluster, '--set', 'router.networkPolicy.enabled=true,sampler.networkPolicy.enabled=true');
    await cluster.eventually('the routers know three samplers', () => backendsKnown(cluster, 3));
    const outcome = (await loaded(cluster, 150, 30)) as Outcome;
    isWhole(outcome);
    const code = `import { connect } from 'node:net'; const s = connect(4317, '${sampler}-0.${service}'); s.setTimeout(3000, () => { console.log('denied'); process.exit(); }); s.on('connect', () => { console.log('open'); process.exit(); });`;
    assert.equal((await cluster.node('sink', code)).trim(), 'denied', 'a pod that is no router reaches a sampler');
    await upgrade(cluster);
    return outcome;
  },

  async 'mutual TLS from routers to samplers; who shows no certificate is turned away'(cluster) {
    const name = `${service}.${cluster.namespace}.svc.cluster.local`;
    const own = { sampler: selfSigned('samplers', { hosts: [name, `*.${name}`], addresses: [] }), router: selfSigned('routers') };
    for (const [tier, other] of [
      ['sampler', 'router'],
      ['router', 'sampler'],
    ] as const) {
      const stringData = { 'tls.crt': own[tier].cert, 'tls.key': own[tier].key, 'ca.crt': own[other].cert };
      await cluster.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: `${tier}-tls` }, stringData });
    }
    await upgrade(cluster, '--set', 'tls.enabled=true,tls.routerSecret=router-tls,tls.samplerSecret=sampler-tls');
    await cluster.eventually('the routers know three samplers', () => backendsKnown(cluster, 3));
    const outcome = (await loaded(cluster, 150, 30)) as Outcome;
    isWhole(outcome);
    const code = `import { connect } from 'node:tls';
      const s = connect({ host: '${sampler}-0.${service}', port: 4317, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
      s.on('error', (e) => { console.log(e.code); process.exit(); }); s.on('data', () => { console.log('taken'); process.exit(); });
      s.on('secureConnect', () => s.write('PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n')); s.on('close', () => { console.log('closed'); process.exit(); });`;
    assert.match(await cluster.node('sink', code), /ERR_SSL|closed|ECONNRESET/);
    await upgrade(cluster);
    return outcome;
  },

  async 'the autoscaler owns the replicas and follows the load'(cluster) {
    const hpa = ['--set', 'sampler.autoscaling.enabled=true,sampler.autoscaling.minReplicas=3,sampler.autoscaling.maxReplicas=6'];
    await upgrade(cluster, ...hpa);
    // Helm has taken the field `replicas` away, which leaves one until the autoscaler has looked.
    const ready = (count: number) => async () =>
      Number(await cluster.kubectl('get', 'statefulset', sampler, '-o', 'jsonpath={.status.readyReplicas}')) >= count;
    // Starting costs CPU, so there may be more of them soon.
    await cluster.eventually('three samplers', ready(3));
    const pods = (
      await cluster.kubectl('get', 'pod', '-l', 'app.kubernetes.io/component=sampler', '-o', 'jsonpath={.items[*].metadata.name}')
    ).split(' ');
    for (const pod of pods) await cluster.kubectl('annotate', 'pod', pod, 'rig/cpu=40m', '--overwrite');
    await cluster.eventually('six samplers', ready(6), 180_000);
    await cluster.eventually('the routers know six samplers', () => backendsKnown(cluster, 6));
    // An upgrade must not reset what the autoscaler decided.
    await upgrade(cluster, ...hpa, '--set', 'sampler.podAnnotations.note=changed');
    assert.equal(await cluster.kubectl('get', 'statefulset', sampler, '-o', 'jsonpath={.spec.replicas}'), '6');
  },

  async 'uninstalls and leaves nothing'(cluster) {
    const { code, out } = await cluster.helm('uninstall', release, '--wait', '--timeout', '180s');
    assert.equal(code, 0, out);
    const kinds = 'all,configmap,serviceaccount,role,rolebinding,pdb,hpa,networkpolicy,endpointslices,pvc,secret';
    const left = () => cluster.kubectl('get', kinds, '-l', `app.kubernetes.io/instance=${release}`, '-o', 'name');
    await cluster.eventually(
      'nothing is left',
      async () =>
        (await left())
          .replace('No resources found', '')
          .replace(/ in .* namespace\./, '')
          .trim() === '',
      120_000,
    );
  },

  async 'Helm 3 installs, upgrades and uninstalls too'(cluster) {
    const verb = ['upgrade', '--install', '--wait', '--timeout', '300s'];
    for (const more of [[], ['--set', 'sampler.podAnnotations.note=changed']]) {
      const { code, out } = await helmWith(cluster, verb, more, 'helm3');
      assert.equal(code, 0, out);
    }
    await cluster.eventually('the routers know three samplers', () => backendsKnown(cluster, 3));
    const pods = await cluster.kubectl(
      'get',
      'pod',
      '-l',
      `app.kubernetes.io/instance=${release}`,
      '-o',
      'jsonpath={.items[*].status.containerStatuses[0].restartCount}',
    );
    assert.match(pods, /^0( 0)*$/, 'containers were restarted');
    const outcome = (await loaded(cluster, 150, 30)) as Outcome;
    isWhole(outcome);
    const { code, out } = await cluster.helmOf('helm3', 'uninstall', release, '--wait', '--timeout', '180s');
    assert.equal(code, 0, out);
    return outcome;
  },
};
