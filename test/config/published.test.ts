/** Forms found in published configurations, each cut down to the fact: it loads, or one sentence says what to do. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in YAML.

import t from 'tap';
import { readConfiguration } from '../../src/main/config/read-configuration.ts';
import { componentTypes } from '../../src/main/pipeline/component-types.ts';
import { linesOf } from './load-rig.ts';

const indent = (text: string, by: number) => text.replace(/^(?=.)/gm, ' '.repeat(by));

const router = `receivers:
  otlp:
    protocols:
      grpc:
      http:
exporters:
  loadbalancing:
    routing_key: traceID
    protocol:
      otlp:
        timeout: 1s
        tls:
          insecure: true
    resolver:
      dns:
        hostname: sampler-headless.tracing.svc.cluster.local
service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [loadbalancing]
`;
const sampler = (policies: string, rest = '') => `receivers: {otlp: {protocols: {grpc: {endpoint: "0.0.0.0:4317"}}}}
processors:
  tail_sampling:
    decision_wait: 10s
    num_traces: 100
    expected_new_traces_per_sec: 10
    policies: ${policies}
exporters: {nop: }
${rest === '' ? 'service: {pipelines: {traces: {receivers: [otlp], processors: [tail_sampling], exporters: [nop]}}}' : rest}
`;
const errors = '[{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]';
const plain = sampler(errors);
const resource = (name: string, config: string, version = 'v1beta1') =>
  `apiVersion: opentelemetry.io/${version}\nkind: OpenTelemetryCollector\nmetadata:\n  name: ${name}\nspec:\n  mode: deployment\n  config:${version === 'v1beta1' ? '' : ' |'}\n${indent(config, 4)}`;
const rights = 'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: reader\nrules: []\n';

const environment = { API_KEY: 'k', POD_IP: '127.0.0.1' };

async function read(text: string, { tracesOnly = false, select = '' } = {}) {
  const file = t.testdir({ 'c.yaml': text });
  const options = { environment, sets: [], featureGates: new Set<string>(), tracesOnly };
  const outcome = await readConfiguration([`${file}/c.yaml${select}`], componentTypes, options);
  const lines = (severity: 'error' | 'warning') => linesOf(outcome.faults.filter((fault) => fault.severity === severity));
  return { pipelines: outcome.configuration?.graph.pipelines, errors: lines('error'), warnings: lines('warning') };
}

interface Case {
  readonly form: string;
  readonly text: string;
  readonly select?: string;
  readonly tracesOnly?: boolean;
  /** Every error, in order; none when it loads. */
  readonly errors?: readonly RegExp[];
  /** Warnings among those given. */
  readonly warnings?: readonly RegExp[];
}

const cases: readonly Case[] = [
  { form: 'a router as in the documentation', text: router },
  { form: 'policies as a flow list', text: plain },
  {
    form: 'both tiers and their rights in one file',
    text: [rights, resource('lb', router), resource('samplers', plain)].join('---\n'),
    errors: [/several configurations \(lb, samplers\); say which one: .*c\.yaml#lb/],
  },
  { form: 'one of both tiers', text: [rights, resource('lb', router), resource('samplers', plain)].join('---\n'), select: '#samplers' },
  { form: 'a resource of the old version, its configuration a text', text: resource('samplers', plain, 'v1alpha1') },
  {
    form: 'an umbrella chart with an agent and a gateway',
    text: `global: {clusterName: c}\nagent:\n  enabled: true\n  config:\n${indent(router, 4)}gateway:\n  replicaCount: 3\n  config:\n${indent(plain, 4)}`,
    errors: [/several configurations \(agent\.config, gateway\.config\); say which one/],
  },
  {
    form: 'the gateway of an umbrella chart',
    text: `agent:\n  config:\n${indent(router, 4)}gateway:\n  config:\n${indent(plain, 4)}`,
    select: '#gateway.config',
    warnings: [/the configuration lies under gateway\.config/],
  },
  {
    form: 'a name that is none',
    text: resource('lb', router),
    select: '#samplers',
    errors: [/holds no configuration named samplers; it holds lb/],
  },
  { form: 'values of the kube stack chart', text: `collectors:\n  gateway:\n    mode: deployment\n    config:\n${indent(plain, 6)}` },
  {
    form: 'values beside a service of Kubernetes',
    text: `mode: deployment\nservice: {type: ClusterIP}\nalternateConfig:\n${indent(router, 2)}`,
  },
  {
    form: 'values of a chart of its own',
    text: `enabled: true\nnames: {a: b}\ngateways:\n  eu:\n    collectorConfig: |\n${indent(plain, 6)}`,
  },
  {
    form: 'values without a configuration',
    text: 'enabled: true\nnameOverride: x\nservice: {type: ClusterIP}\nimage: {tag: 1}\n',
    errors: [/:1:1: this is no configuration: .* at its top stand enabled, nameOverride, service, image$/],
  },
  { form: 'a Compose file', text: `services: {otel: {image: x}}\nconfigs:\n  otel:\n    content: |\n${indent(plain, 6)}` },
  { form: 'a ConfigMap', text: `kind: ConfigMap\nmetadata: {name: c}\ndata:\n  collector.yaml: |\n${indent(plain, 4)}` },
  {
    form: 'a template of a chart',
    text: router.replace('sampler-headless', '{{ include "x.name" . }}-headless'),
    errors: [/:16:19: this is a template \(\{\{ i…\), not YAML yet: render it first/],
  },
  {
    form: 'a sampler alone, as its README shows it',
    text: `tail_sampling:\n  decision_wait: 10s\n  policies: [{name: a, type: latency, latency: {threshold: 5}}]\n`,
    errors: [/^\S+:1:1: tail_sampling: tail_sampling is a processor, and this file is a part/, /has invalid keys: threshold/],
  },
  {
    form: 'an exporter among the processors',
    text: sampler(errors).replace('  tail_sampling:', '  loadbalancing: {routing_key: traceID}\n  tail_sampling:'),
    errors: [/unknown type: "loadbalancing" for id: "loadbalancing" .*; write it below exporters/],
  },
  { form: 'an endpoint that the balancer replaces', text: router.replace('timeout: 1s', 'endpoint: placeholder:4317') },
  { form: 'a service of Kubernetes, its name alone', text: router.replace(/dns:\n\s+hostname: .*/, 'k8s: {service: samplers}') },
  {
    form: 'TLS settings of old Collectors',
    text: router.replace(/tls:\n\s+insecure/, 'insecure'),
    warnings: [/canonical is otlp: \{ tls: \{ insecure: true \} \}/],
  },
  {
    form: 'a policy type that does not exist',
    text: sampler('[{name: a, type: or, or: {or_sub_policy: []}}]'),
    errors: [/unknown sampling policy type or/],
  },
  {
    form: 'a condition where bounds belong',
    text: sampler('[{name: a, type: numeric_attribute, numeric_attribute: {key: k, value_condition: {greater_than: 500}}}]'),
    errors: [/has invalid keys: value_condition/],
  },
  {
    form: 'metrics out of spans',
    text: sampler(
      errors,
      `connectors: {spanmetrics: {dimensions: [{name: a}]}}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [tail_sampling], exporters: [nop, spanmetrics]}
    metrics: {receivers: [spanmetrics], exporters: [nop]}`,
    ),
    errors: [
      /connectors\.spanmetrics: the connector spanmetrics is not built: .*--traces-only to leave it out/,
      /Ringtail runs traces only/,
    ],
  },
  {
    form: 'metrics out of spans, traces only',
    tracesOnly: true,
    text: sampler(
      errors,
      `connectors: {spanmetrics: }
service:
  pipelines:
    traces: {receivers: [otlp], processors: [tail_sampling], exporters: [nop, spanmetrics]}
    traces/metrics: {receivers: [otlp], processors: [], exporters: [spanmetrics]}
    metrics: {receivers: [spanmetrics], exporters: [nop]}`,
    ),
    warnings: [
      /the connector spanmetrics is left out/,
      /the pipeline traces\/metrics is left out/,
      /the metrics pipeline metrics is left out/,
    ],
  },
  {
    form: 'pipelines of traces joined by a connector',
    tracesOnly: true,
    text: sampler(
      errors,
      `connectors: {forward: }
service:
  pipelines:
    traces/in: {receivers: [otlp], exporters: [forward]}
    traces/out: {receivers: [forward], processors: [tail_sampling], exporters: [nop]}`,
    ),
    errors: [/the connector forward feeds pipelines of traces, and connectors are not built/],
  },
  {
    form: 'extensions that only show',
    text: `extensions: {health_check: , pprof: {endpoint: ":1888"}, zpages: , memory_ballast: }\n${plain.replace('service: {', 'service: {extensions: [health_check, pprof, zpages, memory_ballast], ')}`,
    warnings: [/the extension zpages is not part of Ringtail/],
  },
  {
    form: 'components of other signals, by their new names',
    text: `${plain.replace('receivers: {', 'receivers: {kafka_metrics: , filelog: , prometheus: {config: }, ')}`,
    warnings: [/receivers\.kafka_metrics: .*it is left out/],
  },
  {
    form: 'the logging exporter',
    text: plain.replace('{nop: }', '{logging: {loglevel: debug}}').replace('exporters: [nop]', 'exporters: [logging]'),
    warnings: [/read as debug/],
  },
  {
    form: 'its own metrics, the old way',
    text: plain.replace('service: {', 'service: {telemetry: {metrics: {address: "0.0.0.0:8888"}}, '),
  },
  {
    form: 'a backend over TLS with a key out of the environment',
    text: plain
      .replace('{nop: }', '{otlp/x: {endpoint: "https://x.example:443", headers: {api-key: "${API_KEY}"}}}')
      .replace('exporters: [nop]', 'exporters: [otlp/x]'),
  },
  { form: 'an address out of the environment', text: plain.replace('0.0.0.0:4317', '${env:POD_IP}:4317') },
];

for (const { form, text, select, tracesOnly, errors: wanted = [], warnings = [] } of cases) {
  t.test(`${form} ${wanted.length === 0 ? 'loads' : 'gets a sentence'}`, async (t) => {
    const found = await read(text, { ...(select === undefined ? {} : { select }), ...(tracesOnly === undefined ? {} : { tracesOnly }) });
    t.match(found.errors, [...wanted]);
    t.equal(found.errors.length, wanted.length, found.errors.join('\n'));
    t.equal(found.pipelines === undefined, wanted.length > 0);
    for (const warning of warnings) t.match(found.warnings.join('\n'), warning);
  });
}

t.test('what is left out is not in the graph', async (t) => {
  const found = cases.find(({ form }) => form === 'metrics out of spans, traces only') as Case;
  const { pipelines } = await read(found.text, { tracesOnly: true });
  t.same(pipelines, [{ id: 'traces', receivers: ['otlp'], processors: ['tail_sampling'], exporters: ['nop'] }]);
});
