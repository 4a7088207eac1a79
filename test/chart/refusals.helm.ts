import t from 'tap';
import { helmAt, render } from './render.ts';
import { helmPrograms } from './tools.ts';

const { helm3, helm4 } = helmPrograms();

/** A reference that only the pod can follow. */
const fromPod = (name: string) => `\${env:${name}}`;

/** Values, and what the refusal has to say. Both generations of Helm refuse; their words around ours differ. */
const schemaRefusals: readonly (readonly [string, unknown, RegExp])[] = [
  ['a key that does not exist', { router: { replicas: 3 } }, /replicas/],
  ['the mode of the Collector chart', { sampler: { mode: 'statefulset' } }, /mode/],
  ['a block that does not exist', { backend: {} }, /backend/],
  ['a floating tag', { image: { tag: 'latest' } }, /tag/],
  ['a digest that is none', { image: { digest: 'sha256:12' } }, /digest/],
  ['a privileged port', { router: { ports: { otlp: { enabled: true, containerPort: 443 } } } }, /containerPort/],
  ['a name with capitals', { fullnameOverride: 'Traces' }, /fullnameOverride/],
  ['a strategy of the other workload', { sampler: { rollout: { strategy: 'Recreate' } } }, /strategy/],
  ['text for a number', { sampler: { replicaCount: 'nine' } }, /replicaCount/],
];

const name44 = 'a'.repeat(45);

const sentences: readonly (readonly [string, unknown, RegExp])[] = [
  [
    'routers that ask for another Service',
    { router: { config: { exporters: { loadbalancing: { resolver: { dns: { hostname: 'elsewhere.traces.svc.cluster.local' } } } } } } },
    /routers would look for the samplers at "elsewhere\.traces\.svc\.cluster\.local".*serviceName are "demo-ringtail-sampler-headless" in namespace "traces".*set sampler\.serviceName to "elsewhere"/s,
  ],
  [
    'routers that ask in another namespace',
    { router: { config: { exporters: { load_balancing: { resolver: { k8s: { service: 'demo-ringtail-sampler-headless.other' } } } } } } },
    /resolver k8s of exporter load_balancing.*in namespace "traces"/s,
  ],
  ['no balancer at all', { router: { alternateConfig: { exporters: { debug: {} } } } }, /no load_balancing exporter with a resolver/],
  [
    'a grace period below the decision wait',
    { sampler: { terminationGracePeriodSeconds: 30 } },
    /terminationGracePeriodSeconds is 30, but ending takes 62 s: preStop 37 s \+ decision wait 10 s \+ flush 10 s \+ 5 s/,
  ],
  [
    'a grace period below a decision wait of the user',
    { sampler: { terminationGracePeriodSeconds: 60, config: { processors: { tail_sampling: { decision_wait: '1m30s' } } } } },
    /ending takes 142 s: preStop 37 s \+ decision wait 90 s/,
  ],
  [
    'a preStop shorter than DNS takes',
    { sampler: { preStopSeconds: 10 } },
    /routers go on sending to a sampler for up to 37 s.*DNS TTL 30 s \+ resolver interval 5 s \+ 2 s/s,
  ],
  [
    'a name for which Kubernetes makes no pods',
    { fullnameOverride: name44 },
    /has 53 characters\. Kubernetes makes no pods for a StatefulSet whose name has more than 52/,
  ],
  ['two autoscalers', { sampler: { externalHPA: true } }, /sampler\.autoscaling\.enabled and sampler\.externalHPA are both true/],
  ['an autoscaler upside down', { sampler: { autoscaling: { minReplicas: 31 } } }, /minReplicas \(31\) is above maxReplicas \(30\)/],
  ['percent of nothing', { sampler: { resources: { requests: { cpu: null } } } }, /sampler\.resources\.requests\.cpu is not set/],
  ['too little memory', { router: { resources: { limits: { memory: '64Mi' } } } }, /router\.resources\.limits\.memory is 64 MiB/],
  [
    'memory promised twice',
    { sampler: { memory: { heapFraction: 0.9 }, resources: { limits: { memory: '240Mi' } } } },
    /leave less than 24 of 240 MiB/,
  ],
  ['a quantity that is none', { sampler: { resources: { limits: { memory: '2 GB' } } } }, /sampler\.resources\.limits\.memory is "2 GB"/],
  ['probes without health_check', { sampler: { config: { service: { extensions: [] } } } }, /starts no health_check extension/],
  [
    'a decision wait that only the pod knows',
    { sampler: { config: { processors: { tail_sampling: { decision_wait: fromPod('WAIT') } } } } },
    /decision_wait is "\$\{env:WAIT\}", which is no duration.*set drain\.decisionWaitSeconds/s,
  ],
  ['a Service elsewhere without a name', { sampler: { service: { create: false } } }, /name it in sampler\.serviceName/],
  [
    'liveness that would mean readiness',
    { router: { config: { extensions: { health_check: { liveness_path: null } } } } },
    /liveness probe of the router asks for \/livez, but extension health_check does not answer there/,
  ],
  ['nothing', { router: { enabled: false }, sampler: { enabled: false } }, /nothing to install/],
  ['one name for both Services', { router: { fullnameOverride: 'x' }, sampler: { serviceName: 'x' } }, /would both be named x/],
];

for (const [generation, program] of Object.entries({ helm3, helm4 })) {
  t.test(`${generation} refuses, by the schema,`, async (t) => {
    for (const [what, values, words] of schemaRefusals) {
      const { error } = await render(helmAt(program), { values });
      t.match(error, words, what);
      t.match(error, /schema/, what);
    }
  });
  t.test(`${generation} refuses, in a sentence of the chart,`, async (t) => {
    for (const [what, values, words] of sentences) t.match((await render(helmAt(program), { values })).error, words, what);
  });
}

t.test('takes what looks wrong and is right', async (t) => {
  const helm = helmAt(helm4);
  const right: readonly (readonly [string, unknown])[] = [
    [
      'a wait only the pod knows, with the number',
      { drain: { decisionWaitSeconds: 20 }, sampler: { config: { processors: { tail_sampling: { decision_wait: fromPod('WAIT') } } } } },
    ],
    [
      'a target only the pod knows',
      { router: { config: { exporters: { loadbalancing: { resolver: { dns: { hostname: fromPod('TARGET') } } } } } } },
    ],
    [
      'samplers elsewhere',
      {
        sampler: { enabled: false },
        router: { config: { exporters: { loadbalancing: { resolver: { dns: { hostname: 'far.away' } } } } } },
      },
    ],
    [
      'the Service name alone',
      { router: { config: { exporters: { loadbalancing: { resolver: { k8s: { service: 'demo-ringtail-sampler-headless' } } } } } } },
    ],
    [
      'an SRV name',
      {
        router: {
          config: {
            exporters: {
              loadbalancing: { resolver: { dns: { hostname: '_otlp._tcp.demo-ringtail-sampler-headless.traces.svc.cluster.local' } } },
            },
          },
        },
      },
    ],
    ['no memory limit', { sampler: { resources: { limits: null } } }],
  ];
  for (const [what, values] of right) t.equal((await render(helm, { values })).error, '', what);
});
