/** The googlecloud exporter against a Cloud Trace server: what the Collector's own exporter wrote there for the same traces, and how calls end. */

import type { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { decimalText } from '../../../../src/main/exporters/googlecloud/cloud-span.ts';
import { checkGoogleCloud, googleCloudSchema, targetOf } from '../../../../src/main/exporters/googlecloud/googlecloud-config.ts';
import { GoogleCloudExporter } from '../../../../src/main/exporters/googlecloud/googlecloud-exporter.ts';
import type { Extension } from '../../../../src/main/pipeline/component.ts';
import { batchWriteSpansRequest } from '../../../../src/shared/google/cloud-trace.ts';
import { type CloudServer, everyCloudTrace, startCloudServer } from '../../../support/cloud-traces.ts';
import { componentRig, configOf } from '../../../support/component-rig.ts';
import { concat, requestBytes, spanIdOf, traceIdOf } from '../../../support/otlp.ts';

interface Written {
  readonly name: string;
  readonly spans: readonly Record<string, unknown>[];
}

function decoded(bytes: Uint8Array): Written {
  const message = batchWriteSpansRequest.decode(bytes);
  return batchWriteSpansRequest.toObject(message, { longs: String }) as unknown as Written;
}

/** What the Collector wrote: requests behind their length. */
function recorded(name: string): Buffer[] {
  const file = gunzipSync(readFileSync(new URL(`../fixtures/${name}`, import.meta.url)));
  const requests: Buffer[] = [];
  for (let at = 0; at < file.length; ) {
    const end = at + 4 + file.readUInt32BE(at);
    requests.push(file.subarray(at + 4, end));
    at = end;
  }
  return requests;
}

const agentKey = 'g.co/agent';
type AttributeMap = Record<string, { stringValue?: { value: string } }>;

/** By name, with the writer's own name blanked where it wrote it. */
function spansByName(requests: readonly Buffer[]): Map<string, Record<string, unknown>> {
  const spans = new Map<string, Record<string, unknown>>();
  for (const request of requests) {
    const { name: parent, spans: written } = decoded(request);
    for (const span of written) {
      const { attributeMap } = span.attributes as { attributeMap: AttributeMap };
      const agent = attributeMap[agentKey]?.stringValue;
      if (agent !== undefined && /^(?:ringtail |opentelemetry-go )/.test(agent.value)) agent.value = 'the exporter';
      spans.set(String(span.name), { parent, ...span });
    }
  }
  return spans;
}

const cloud: CloudServer = await startCloudServer();
t.teardown(() => cloud.stop());
t.beforeEach(() => {
  cloud.calls.length = 0;
  cloud.answer = () => 0;
});

async function exporting(raw: object = {}, extensions: Readonly<Record<string, Extension>> = {}) {
  const rig = componentRig('googlecloud');
  const { trace = {}, ...rest } = raw as { trace?: object };
  const config = configOf(googleCloudSchema, {
    project: 'test-project',
    sending_queue: { enabled: false },
    trace: { endpoint: `127.0.0.1:${cloud.port}`, use_insecure: true, ...trace },
    ...rest,
  });
  const exporter = new GoogleCloudExporter({ ...rig.settings, extension: (id) => extensions[id] }, config);
  await exporter.start();
  return { ...rig, exporter };
}

const mapped = [
  ['cloud-trace.bin.gz', {}],
  [
    'cloud-trace-renamed.bin.gz',
    {
      attribute_mappings: [
        { key: 'http.path', replacement: 'path' },
        { key: 'k', replacement: 'renamed' },
      ],
    },
  ],
] as const;

for (const [fixture, trace] of mapped) {
  t.test(`writes what the Collector wrote: ${fixture}`, async (t) => {
    const { exporter } = await exporting({ trace });
    t.same(await exporter.consume({ bytes: everyCloudTrace(), spanCount: 40 }), { kind: 'accepted' });
    await exporter.stop();
    const theirs = spansByName(recorded(fixture));
    const ours = spansByName(cloud.calls.map(({ bytes }) => bytes));
    t.ok(theirs.size > 35, `${theirs.size} spans`);
    t.same([...ours.keys()].sort(), [...theirs.keys()].sort());
    for (const [name, span] of theirs) t.same(ours.get(name), span, name);
    for (const request of recorded(fixture))
      t.equal(
        batchWriteSpansRequest.encode(batchWriteSpansRequest.decode(request)).finish().length,
        request.length,
        'the tables know every field',
      );
  });
}

t.test('one call per project, with the project in its name and headers', async (t) => {
  const { exporter, metric } = await exporting({ destination_project_quota: true, user_agent: 'me {{version}}' });
  const span = { traceId: traceIdOf(1), spanId: spanIdOf(1) };
  const bytes = concat(
    requestBytes({ 'gcp.project.id': 'a' }, { spans: [span] }),
    requestBytes({ x: 'y' }, { spans: [span, span] }),
    requestBytes({ 'gcp.project.id': 'a' }, { spans: [span] }),
    requestBytes({ 'gcp.project.id': '' }, { spans: [span] }),
  );
  t.same(await exporter.consume({ bytes, spanCount: 5 }), { kind: 'accepted' });
  const calls = cloud.calls.map(({ bytes: request, metadata }) => [
    decoded(request).name,
    decoded(request).spans.length,
    ...['x-goog-request-params', 'x-goog-user-project', 'authorization'].map((name) => metadata.get(name)[0]),
  ]);
  t.same(calls.sort(), [
    ['projects/a', 2, 'name=projects%2Fa', 'a', undefined],
    ['projects/test-project', 3, 'name=projects%2Ftest-project', 'test-project', undefined],
  ]);
  t.match(cloud.calls[0]!.metadata.get('user-agent')[0], /^me 0\.0\.0/);
  t.equal(metric('otelcol_exporter_sent_spans', { exporter: 'googlecloud' }), 5);
  await exporter.stop();
});

const oneSpan = { bytes: requestBytes({}, { spans: [{ traceId: traceIdOf(1), spanId: spanIdOf(1) }] }), spanCount: 1 };

t.test('an unavailable server is tried again within the timeout, and refuses for now after it', async (t) => {
  const { exporter } = await exporting();
  cloud.answer = () => (cloud.calls.length < 3 ? 14 : 0);
  t.same(await exporter.consume(oneSpan), { kind: 'accepted' });
  t.equal(cloud.calls.length, 3);
  cloud.calls.length = 0;
  cloud.answer = () => 7;
  t.match(await exporter.consume(oneSpan), { kind: 'refused', retryable: false, code: 7 });
  t.equal(cloud.calls.length, 1, 'permission denied is final');
  await exporter.stop();
  const hasty = await exporting({ timeout: '250ms' });
  cloud.answer = () => 14;
  t.match(await hasty.exporter.consume(oneSpan), { kind: 'refused', retryable: true });
  await hasty.exporter.stop();
});

t.test('what one project took is not sent again because another did not', async (t) => {
  const { exporter } = await exporting({ timeout: '250ms' });
  cloud.answer = ({ bytes }) => (decoded(bytes).name === 'projects/bad' ? 14 : 0);
  const span = { traceId: traceIdOf(1), spanId: spanIdOf(1) };
  const bytes = concat(requestBytes({ 'gcp.project.id': 'bad' }, { spans: [span] }), requestBytes({}, { spans: [span] }));
  t.match(await exporter.consume({ bytes, spanCount: 2 }), { kind: 'refused', retryable: false });
  t.equal(cloud.calls.filter((call) => decoded(call.bytes).name === 'projects/test-project').length, 1);
  await exporter.stop();
});

t.test('ends while it waits to try again', async (t) => {
  const { exporter } = await exporting({ timeout: '60s', sending_queue: { enabled: true } });
  cloud.answer = () => 14;
  t.same(await exporter.consume(oneSpan), { kind: 'accepted' });
  for (let waited = 0; cloud.calls.length < 2 && waited < 10_000; waited += 10) await new Promise((resolve) => setTimeout(resolve, 10));
  const beganMs = performance.now();
  t.same(await exporter.drain(performance.now() + 20_000), { spansLost: 1 });
  t.ok(performance.now() - beganMs < 15_000);
  await exporter.stop();
});

t.test('authorization comes from the credentials, or from an authenticator', async (t) => {
  const auth = { clientHeaders: () => [['authorization', 'Bearer mine']], start() {}, drain() {}, stop() {} } as unknown as Extension;
  const { exporter } = await exporting({ authenticator: 'bearertokenauth' }, { bearertokenauth: auth });
  await exporter.consume(oneSpan);
  t.equal(cloud.calls[0]!.metadata.get('authorization')[0], 'Bearer mine');
  await exporter.stop();
  await t.rejects(exporting({ authenticator: 'nobody' }), /failed to resolve authenticator "nobody"/);

  const config = configOf(googleCloudSchema, {});
  const start = (find: () => Promise<{ project: string; headers: () => Promise<[] | [[string, string]]> }>) =>
    new GoogleCloudExporter(componentRig('googlecloud').settings, config, undefined, find).start();
  await t.rejects(
    start(async () => {
      throw new Error('none here');
    }),
    /error finding default application credentials: none here/,
  );
  await t.rejects(
    start(async () => ({ project: '', headers: async () => [] })),
    /no project set in config/,
  );
});

t.test('credentials that cannot be had refuse for now; those that can go with every attempt', async (t) => {
  let tokens = 0;
  const config = configOf(googleCloudSchema, { sending_queue: { enabled: false }, timeout: '2s' });
  const { settings } = componentRig('googlecloud');
  const headersSeen: unknown[] = [];
  const client = {
    export: async (_chunks: unknown, _length: number, _deadline: number, headers: readonly (readonly [string, string])[]) => {
      headersSeen.push(Object.fromEntries(headers).authorization);
      return headersSeen.length === 1 ? { status: 14, message: 'busy' } : { status: 0, message: '' };
    },
    ready: () => true,
    connect: () => {},
    close: async () => {},
  };
  const find = async () => ({
    project: 'from-credentials',
    headers: async (): Promise<[[string, string]]> => {
      if (++tokens === 1) throw new Error('no token yet');
      return [['authorization', `Bearer ${tokens}`]];
    },
  });
  const exporter = new GoogleCloudExporter(settings, config, () => client, find);
  await exporter.start();
  t.same(await exporter.consume(oneSpan), { kind: 'accepted' });
  t.same(headersSeen, ['Bearer 2', 'Bearer 3']);
  await exporter.stop();
});

t.test('doubles are plain decimals', async (t) => {
  const texts = [
    0,
    -0,
    1,
    -1.5,
    1e21,
    1.25e25,
    -3.5e21,
    1e-7,
    1.5e-9,
    -2.5e-10,
    5e-324,
    123456789.125,
    Number.NaN,
    Infinity,
    -Infinity,
  ].map(decimalText);
  t.same(texts.slice(0, 10), [
    '0',
    '-0',
    '1',
    '-1.5',
    `1${'0'.repeat(21)}`,
    `125${'0'.repeat(23)}`,
    `-35${'0'.repeat(20)}`,
    '0.0000001',
    '0.0000000015',
    '-0.00000000025',
  ]);
  t.same(texts.slice(10), [`0.${'0'.repeat(323)}5`, '123456789.125', 'NaN', '+Inf', '-Inf']);
});

t.test('what cannot work is refused when the configuration is read', async (t) => {
  const faults = (raw: object) =>
    checkGoogleCloud(configOf(googleCloudSchema, raw), []).map(
      ({ severity, path, message }) => `${severity} ${path.join('.')}: ${message}`,
    );
  t.same(faults({}), []);
  t.same(faults({ project: 'p', metric: { prefix: 'x' }, log: { default_log_name: 'y' } }), []);
  const twice = [
    { key: 'a', replacement: 'b' },
    { key: 'a', replacement: 'c' },
    { key: 'd', replacement: 'c' },
  ];
  t.match(faults({ trace: { attribute_mappings: twice } }), [
    /1\.key: duplicate key in traces\.attribute_mappings: "a"/,
    /2\.replacement: duplicate replacement/,
  ]);
  t.match(faults({ trace: { compression: 'gzip' } }), [/compression is only available for logs and metrics/]);
  t.match(faults({ trace: { use_insecure: true } }), [/^warning trace\.use_insecure: has no effect without an endpoint/]);
  t.match(faults({ trace: { use_insecure: true, endpoint: 'x:1' } }), [/^error project: has to be written/]);
  t.match(faults({ impersonate: { subject: 's' } }), [/impersonate\.subject/]);
  t.throws(() => configOf(googleCloudSchema, { retry_on_failure: {} }), /invalid keys: retry_on_failure/);
  const address = (trace: object) => targetOf(configOf(googleCloudSchema, { trace })) as { host: string; port: number };
  t.match(address({}), { host: 'cloudtrace.googleapis.com', port: 443 });
  t.match(address({ universe_domain: 'u.example' }), { host: 'cloudtrace.u.example', port: 443 });
  t.match(address({ endpoint: 'host' }), { host: 'host', port: 443 });
  t.match(address({ endpoint: 'host:5' }), { host: 'host', port: 5 });
});
