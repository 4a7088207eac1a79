/** Binding: references, pipelines, unknown types, checks; all faults in one go, each at its place. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in YAML.

import t from 'tap';
import { type BindOptions, bindConfiguration } from '../../src/main/config/bind-configuration.ts';
import { duration, object, string, uint } from '../../src/main/config/fields.ts';
import { loadConfiguration } from '../../src/main/config/load-configuration.ts';
import { readConfiguration } from '../../src/main/config/read-configuration.ts';
import type { ComponentType } from '../../src/main/pipeline/component.ts';
import { linesOf } from './load-rig.ts';

const never = (): never => {
  throw new Error('Binding creates nothing.');
};

/** Component types of the tests, so that these do not change with the real ones. */
const types: readonly ComponentType[] = [
  { kind: 'receiver', type: 'otlp', schema: object({ endpoint: string().default('localhost:4317') }), create: never },
  {
    kind: 'processor',
    type: 'batch',
    schema: object({ timeout: duration().default(200), size: uint(), max: uint() }),
    check: (config: { size: number; max: number }, id) =>
      config.max < config.size ? [{ severity: 'error', path: ['max'], message: `${id.text}: max must not be below size` }] : [],
    create: never,
  },
  { kind: 'exporter', type: 'otlp_grpc', aliases: ['otlp'], schema: object({ endpoint: string() }), create: never },
  { kind: 'extension', type: 'health_check', schema: object({}), create: never },
];

async function bind(text: string, options: BindOptions = {}) {
  const { configuration, faults } = await loadConfiguration([`yaml:${text}`], { environment: { BAD: '{receivers: [nope]}' } });
  if (configuration === undefined) throw new Error(linesOf(faults).join('\n'));
  const bound = bindConfiguration(configuration, types, options);
  return { ...bound, lines: linesOf(bound.faults).map((line) => line.replace('yaml::', '')) };
}

const base = `receivers:
  otlp:
processors:
  batch: {size: 5, max: 10}
exporters:
  otlp/a: {endpoint: x}
extensions:
  health_check:
service:
  extensions: [health_check]
  pipelines:
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [otlp/a]
`;

t.test('a good configuration binds without a word', async (t) => {
  const { configuration, lines } = await bind(base);
  t.same(lines, []);
  const { graph, telemetry } = configuration!;
  t.same(graph.pipelines, [{ id: 'traces', receivers: ['otlp'], processors: ['batch'], exporters: ['otlp/a'] }]);
  t.same(graph.serviceExtensions, ['health_check']);
  t.same(graph.receivers.get('otlp')?.config, { endpoint: 'localhost:4317' });
  t.same(graph.exporters.get('otlp/a')?.id, { type: 'otlp_grpc', name: 'a', text: 'otlp/a' }, 'an alias has its canonical type');
  t.same(graph.processors.get('batch')?.config, { timeout: 200, size: 5, max: 10 });
  t.equal(telemetry.metrics.level, 'normal');
});

/** One edit of the base, and the lines it gives. */
const edits: readonly (readonly [name: string, old: string, edited: string, lines: readonly RegExp[]])[] = [
  ['unknown key', 'size: 5,', 'sise: 5,', [/^4:11: processors.batch.sise: has invalid keys: sise; did you mean size\?$/]],
  ['bad value', 'size: 5,', 'size: many,', [/^4:11: processors.batch.size: expected type 'uint64', got unconvertible type 'string'/]],
  ['check across fields', 'max: 10', 'max: 1', [/^4:20: processors.batch.max: batch: max must not be below size$/]],
  [
    'unknown type',
    '  batch:',
    '  batchh:',
    [
      /^4:3: processors.batchh: unknown type: "batchh" for id: "batchh" \(valid values: \[batch\]\); did you mean batch\?$/,
      /^14:20: .*references processor "batch" which is not configured; did you mean batchh\?$/,
    ],
  ],
  [
    'a component of the Collector that is not built',
    'otlp/a: {endpoint: x}',
    'otlp/a: {endpoint: x}\n  kafka/b:',
    [/^7:3: warning: exporters.kafka\/b: the exporter kafka is not built yet; built are: otlp, otlp_grpc; no pipeline of traces names it/],
  ],
  [
    'a component of the Collector that is not built, in a pipeline',
    'exporters: [otlp/a]',
    'exporters: [otlp/a, kafka/b]\nexporters::kafka/b: ',
    [/^16:1: exporters.kafka\/b: the exporter kafka is not built yet; built are: otlp, otlp_grpc$/],
  ],
  [
    'dangling receiver',
    'receivers: [otlp]',
    'receivers: [otlp/b]',
    [
      /^2:3: warning: receivers.otlp: is configured but no pipeline names it/,
      /^13:19: service.pipelines.traces.receivers\[0\]: service::pipelines::traces: references receiver "otlp\/b" which is not configured; did you mean otlp\?$/,
    ],
  ],
  [
    'dangling exporter',
    'exporters: [otlp/a]',
    'exporters: [otlp/a, zzz]',
    [
      /^15:27: service.pipelines.traces.exporters\[1\]: service::pipelines::traces: references exporter "zzz" which is not configured; configured: otlp\/a$/,
    ],
  ],
  [
    'dangling extension',
    '[health_check]',
    '[health_check, health_check/b]',
    [/^10:30: service.extensions\[1\]: service::extensions: references extension "health_check\/b" which is not configured/],
  ],
  [
    'processor twice',
    '[batch]',
    '[batch, batch]',
    [/^14:27: .*: service::pipelines::traces: references processor "batch" multiple times$/],
  ],
  [
    'no exporter in a pipeline',
    'exporters: [otlp/a]',
    'exporters: []',
    [/^6:3: warning: exporters.otlp\/a: /, /^12:5: service.pipelines.traces: service::pipelines::traces: must have at least one exporter$/],
  ],
  [
    'unknown signal',
    '    traces:',
    '    trace:',
    [/^12:5: service.pipelines.trace: service::pipelines: unknown signal "trace" in pipeline "trace"; did you mean traces\?$/],
  ],
  [
    'an extension that only shows',
    'health_check:\n',
    'health_check:\n  zpages: {endpoint: x}\n',
    [/^9:3: warning: extensions.zpages: the extension zpages is not part of Ringtail and is ignored/],
  ],
  [
    'a mistyped extension',
    'health_check:\n',
    'health_check:\n  zpagess:\n',
    [
      /^9:3: extensions.zpagess: unknown type: "zpagess" .*did you mean zpages\?/,
      /^9:3: warning: extensions.zpagess: is configured but not listed/,
    ],
  ],
  [
    'empty name',
    '  otlp:\n',
    '  otlp/:\n',
    [
      /^2:3: receivers.otlp\/: in "otlp\/" id: the part after \/ should not be empty$/,
      /no receiver configuration specified/,
      /references receiver "otlp" which is not configured/,
    ],
  ],
  [
    'unknown top-level key',
    'service:\n',
    'processor_s: {}\nservice:\n',
    [/^9:1: processor_s: has invalid keys: processor_s; did you mean processors\?$/],
  ],
  [
    'unknown key in service',
    '  extensions: [',
    '  pipeline_s: {}\n  extensions: [',
    [/^10:3: service.pipeline_s: has invalid keys: pipeline_s; did you mean pipelines\?$/],
  ],
  [
    'unknown key in a pipeline',
    '      processors: [batch]',
    '      processors: [batch]\n      sinks: [x]',
    [/^15:7: service.pipelines.traces.sinks: has invalid keys: sinks/],
  ],
  ['connectors', 'service:\n', 'connectors: {forward: }\nservice:\n', [/^9:14: warning: connectors.forward: .* is left out/]],
  [
    'unknown log level',
    'service:\n',
    'service:\n  telemetry: {logs: {level: loud}}\n',
    [/^10:22: service.telemetry.logs.level: unrecognized level: "loud"/],
  ],
  [
    'a pipeline out of a reference',
    'traces:\n      receivers: [otlp]\n      processors: [batch]\n      exporters: [otlp/a]',
    'traces: ${BAD}',
    [
      /warning: receivers.otlp/,
      /warning: processors.batch/,
      /warning: exporters.otlp/,
      /^12:5: .*at least one exporter/,
      /^12:13: service.pipelines.traces.receivers\[0\]: .*references receiver "nope"/,
    ],
  ],
];

t.test('faults, each at its place with what would be right', async (t) => {
  for (const [name, old, edited, expected] of edits) {
    t.ok(base.includes(old), name);
    const { lines, configuration } = await bind(base.replace(old, edited));
    const found = lines.filter((line) => expected.some((pattern) => pattern.test(line)));
    t.equal(found.length, expected.length, `${name}: ${lines.join(' | ')}`);
    t.ok(lines.length - found.length <= 1, `${name}: nothing more than an unused component: ${lines.join(' | ')}`);
    t.equal(
      configuration === undefined,
      expected.some((pattern) => !/warning|zpages is/.test(pattern.source)),
      name,
    );
  }
});

t.test('all faults come in one go, in the order of the file', async (t) => {
  const text = base.replace('size: 5', 'sise: 5').replace('{endpoint: x}', '{endpoint: [x]}').replace('[batch]', '[batch, nope]');
  const { lines, configuration } = await bind(text);
  t.equal(configuration, undefined);
  t.match(lines, [/^4:11: /, /^6:12: /, /^14:27: /]);
  t.equal(lines.length, 3);
});

t.test('other signals are refused in one sentence, and left out with tracesOnly', async (t) => {
  const text = `${base}    logs/b:\n      receivers: [otlp]\n      exporters: [otlp/a]\n`;
  const refused = await bind(text);
  t.match(refused.lines, [
    /^16:5: service.pipelines.logs\/b: service::pipelines::logs\/b: Ringtail runs traces only and would not deliver these logs; run it \(otlp, otlp\/a\) in a Collector/,
  ]);
  const left = await bind(
    `${text}exporters::kafka: \n`.replace('exporters: [otlp/a]\nexporters', 'exporters: [otlp/a, kafka]\nexporters'),
    { tracesOnly: true },
  );
  t.match(left.lines[0], /^16:5: warning: service.pipelines.logs\/b: the logs pipeline logs\/b is left out/);
  t.match(left.lines[1], /^19:1: warning: exporters.kafka: .* so it is left out$/);
  t.same(
    left.configuration?.graph.pipelines.map((pipeline) => pipeline.id),
    ['traces'],
  );
});

t.test('an empty configuration says what is needed', async (t) => {
  t.match((await bind('# nothing')).lines, [
    /empty configuration file: receivers, exporters and service are needed/,
    /service must have at least one pipeline/,
  ]);
  t.match((await bind(base.replace(/receivers:\n {2}otlp:\n/, ''))).lines.join('\n'), /no receiver configuration specified in config/);
  t.match((await bind(base.replace(/ {2}pipelines:.*$/s, ''))).lines.join('\n'), /service must have at least one pipeline/);
  const allowed = await bind('service:', { featureGates: new Set(['service.AllowNoPipelines']) });
  t.same(allowed.lines, []);
});

t.test('a fault of loading keeps a configuration from running although it binds', async (t) => {
  const { configuration, faults } = await readConfiguration([`yaml:${base.replace('endpoint: x', 'endpoint: "${nosuch:x}"')}`], types, {
    environment: {},
  });
  t.equal(configuration, undefined);
  t.match(linesOf(faults), [/^yaml::6:22: exporters.otlp\/a.endpoint: scheme "nosuch" is not supported/]);
});
