/** OTLP requests that touch every rule of the mapping to Cloud Trace, and a Cloud Trace server that records what it is sent. */

import { Buffer } from 'node:buffer';
import { type Metadata, Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { batchWriteSpansPath } from '../../src/shared/google/cloud-trace.ts';
import { type Attributes, concat, lengthField, requestBytes, type SpanSpec, spanIdOf, traceIdOf, utf8 } from './otlp.ts';

const spanOf = (index: number, spec: Partial<SpanSpec> = {}): SpanSpec => ({ traceId: traceIdOf(index), spanId: spanIdOf(index), ...spec });
const oneSpan = (index: number, resource: Attributes, spec: Partial<SpanSpec> = {}) =>
  requestBytes(resource, { scopeName: 'io.shop', spans: [spanOf(index, spec)] });

/** A resource for each monitored resource, and for each way in which a label is found or missed. */
const resources: readonly Attributes[] = [
  { 'cloud.platform': 'gcp_compute_engine', 'cloud.availability_zone': 'z1', 'host.id': 'h1', 'cloud.region': 'r1' },
  { 'cloud.platform': 'gcp_app_engine', 'cloud.region': 'r1', 'faas.name': 'm', 'faas.version': 'v', 'faas.instance': 'i' },
  { 'cloud.platform': 'aws_ec2', 'host.id': 'h1', 'cloud.region': 'r1', 'cloud.account.id': 'a' },
  { 'cloud.platform': 'gcp_bare_metal_solution', 'host.id': 'h1', 'cloud.region': 'r1' },
  {
    'k8s.cluster.name': 'c',
    'k8s.namespace.name': 'n',
    'k8s.pod.name': 'p',
    'k8s.container.name': 'co',
    'cloud.availability_zone': 'z',
    'cloud.region': 'r',
  },
  {
    'cloud.platform': 'gcp_kubernetes_engine',
    'k8s.cluster.name': 'c',
    'k8s.namespace.name': 'n',
    'k8s.pod.name': 'p',
    'cloud.region': 'r',
  },
  { 'k8s.cluster.name': 'c', 'k8s.node.name': 'n' },
  { 'k8s.cluster.name': 'c' },
  { 'service.name': 'shop', 'service.instance.id': '1', 'service.namespace': 'ns' },
  { 'service.name': 'shop', 'service.instance.id': '1', 'cloud.availability_zone': 'z' },
  { 'service.name': 'unknown_service:java', 'service.instance.id': '1' },
  { 'service.name': 'unknown_service', 'service.instance.id': '1', 'faas.name': 'f', 'faas.instance': 'fi' },
  { 'faas.name': 'f', 'faas.instance': 'fi' },
  { 'service.name': '', 'service.instance.id': '', 'service.namespace': '', 'host.name': 'hn' },
  { 'service.name': 7n, 'service.instance.id': 8n, 'cloud.availability_zone': true },
  { 'host.id': '', 'host.name': 'hn', 'cloud.availability_zone': '', 'cloud.region': 'r' },
  { 'gcp.project.id': 'other-project', 'service.name': 'elsewhere' },
  { '': 'no key', only: 'one' },
  { 'otel.scope.name': 'named by the resource', 'otel.scope.version': 'so too' },
  {},
];

const everyValue: Attributes = {
  text: 'plain',
  empty: '',
  yes: true,
  no: false,
  integer: 42n,
  negative: -1n,
  large: 9007199254740993n,
  zero: 0n,
  half: 0.5,
  tiny: 1.5e-9,
  huge: 1.25e25,
  minus: -3.5e21,
  'not a number': Number.NaN,
  infinite: Number.POSITIVE_INFINITY,
  'minus infinite': Number.NEGATIVE_INFINITY,
  bytes: new Uint8Array([1, 2, 255]),
  list: ['a', 1n, 0.5, [true], new Uint8Array([7])],
  map: { b: 'x <b> & "y"', a: { deep: [1n] } },
  nothing: [],
  'service.name': 'the span says',
  'http.path': '/a',
  'http.host': 'h',
  'http.method': 'GET',
  'http.user_agent': 'ua',
  'http.status_code': 200n,
  'http.url': 'http://h/a',
  ['__proto__']: 'x',
  constructor: 'y',
};

const euro = '€';

/** One request. Ids are by index, so that spans can be told apart. */
export function everyCloudTrace(): Uint8Array {
  const kinds = [0, 1, 2, 3, 4, 5, 9].map((kind, index) =>
    spanOf(100 + index, { kind, startNanos: 1_700_000_000_123_456_789n, endNanos: 1_700_000_001_000_000_000n }),
  );
  const statuses = [
    spanOf(110, { statusCode: 0, statusMessage: 'not told' }),
    spanOf(111, { statusCode: 1, statusMessage: 'nor this' }),
    spanOf(112, { statusCode: 2, statusMessage: 'told' }),
    spanOf(113, { statusCode: 7, statusMessage: 'no such code' }),
  ];
  const parents = [
    spanOf(120, { parentSpanId: spanIdOf(1) }),
    spanOf(121, { parentSpanId: spanIdOf(121) }),
    spanOf(122, { parentSpanId: new Uint8Array(8) }),
    spanOf(123, { startNanos: 2n ** 63n + 5n, endNanos: 2n ** 64n - 1n }),
  ];
  const events = Array.from({ length: 300 }, (_, index) => ({
    name: `event ${index}`,
    timeNanos: BigInt(index),
    attributes: { index: BigInt(index) },
  }));
  const links = Array.from({ length: 140 }, (_, index) => ({
    traceId: traceIdOf(index),
    spanId: spanIdOf(index),
    attributes: index % 2 === 0 ? { 'http.path': 'p' } : {},
  }));
  const long: Attributes = {
    [`k${'x'.repeat(511)}`]: 'a key of 512 bytes',
    [`k${'x'.repeat(512)}`]: 'a key of 513 bytes',
    [euro.repeat(171)]: 'a key of 513 bytes, too',
    exact: 'v'.repeat(65_536),
    over: `v${euro.repeat(21_846)}`,
  };
  const limits = [
    spanOf(130, { name: `n${euro.repeat(400)}`, events, links }),
    spanOf(131, {
      name: 'n'.repeat(1024),
      attributes: long,
      events: [{ name: `e${euro.repeat(400)}`, attributes: { 'service.name': '' } }],
    }),
    spanOf(132, { name: '', attributes: { 'g.co/agent': 'someone else', 'http.path': 'first', '/http/path': 'second' } }),
  ];
  return concat(
    ...resources.map((resource, index) => oneSpan(index, resource, { name: `resource ${index}` })),
    oneSpan(90, { 'service.name': 'shop', region: 'eu' }, { name: 'every value', attributes: everyValue }),
    requestBytes(
      { 'service.name': 'shop' },
      { scopeName: 'io.shop', spans: [...kinds, ...statuses, ...parents, ...limits] },
      { spans: [spanOf(140, {})] },
    ),
    brokenText(),
    versionedScope(),
  );
}

/** Texts that are no UTF-8, which Go's library cuts out. */
function brokenText(): Uint8Array {
  const broken = Uint8Array.of(0x61, 0xff, 0xe2, 0x82, 0x62, 0xed, 0xa0, 0x80, 0xef, 0xbf, 0xbd, 0x63);
  const value = lengthField(2, lengthField(1, broken));
  const span = concat(
    lengthField(1, traceIdOf(150)),
    lengthField(2, spanIdOf(150)),
    lengthField(5, broken),
    lengthField(9, concat(lengthField(1, utf8('k')), value)),
    lengthField(15, concat(lengthField(2, broken), Uint8Array.of(0x18, 2))),
  );
  return lengthField(1, lengthField(2, lengthField(2, span)));
}

/** scope {name = 1, version = 2}, which the builders do not write. */
function versionedScope(): Uint8Array {
  const scope = lengthField(1, concat(lengthField(1, utf8('io.shop')), lengthField(2, utf8('1.2.3'))));
  const resource = lengthField(1, lengthField(1, concat(lengthField(1, utf8('r')), lengthField(2, lengthField(1, utf8('v'))))));
  const span = lengthField(2, concat(lengthField(1, traceIdOf(160)), lengthField(2, spanIdOf(160))));
  return lengthField(1, concat(resource, lengthField(2, concat(scope, span))));
}

export interface CloudCall {
  readonly bytes: Buffer;
  readonly metadata: Metadata;
}

export interface CloudServer {
  readonly port: number;
  readonly calls: CloudCall[];
  /** 0 is OK. */
  answer: (call: CloudCall) => number;
  stop(): void;
}

const identity = (bytes: Buffer): Buffer => bytes;

/** BatchWriteSpans of google.devtools.cloudtrace.v2.TraceService. */
export async function startCloudServer(): Promise<CloudServer> {
  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  const started: { -readonly [Key in keyof CloudServer]: CloudServer[Key] } = {
    port: 0,
    calls: [],
    answer: () => 0,
    stop: () => server.forceShutdown(),
  };
  const method = {
    path: batchWriteSpansPath,
    requestStream: false,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
  server.addService(
    { BatchWriteSpans: method },
    {
      BatchWriteSpans: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        const seen = { bytes: call.request, metadata: call.metadata };
        started.calls.push(seen);
        const code = started.answer(seen);
        if (code === 0) done(null, Buffer.alloc(0));
        else done({ code, details: `status ${code}` });
      },
    },
  );
  started.port = await new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error === null ? resolve(port) : reject(error))),
  );
  return started;
}
