/** OTLP/JSON to protobuf: equivalence with protobufjs, what the Collector's reader takes, and what it refuses. */

import zlib from 'node:zlib';
import t from 'tap';
import { JsonFault, transcodeJson } from '../../src/main/receivers/otlp/json-transcoder.ts';
import { exportTraceServiceRequest } from '../../src/shared/otlp/messages.ts';
import { startReceiver } from './receiver-rig.ts';

const transcode = (value: unknown) => transcodeJson(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
const decode = (bytes: Uint8Array) =>
  exportTraceServiceRequest.toObject(exportTraceServiceRequest.decode(bytes), { longs: String, bytes: String });
const inSpan = (span: object | string) =>
  typeof span === 'string'
    ? `{"resourceSpans":[{"scopeSpans":[{"spans":[${span}]}]}]}`
    : { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] };

const everything = {
  resourceSpans: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }], droppedAttributesCount: 1 },
      scopeSpans: [
        {
          scope: { name: 'lib', version: '1.2', attributes: [{ key: 'x', value: { boolValue: false } }] },
          spans: [
            {
              traceId: '5B8EFFF798038103D269B633813FC60C',
              spanId: 'eee19b7ec3c1b174',
              parentSpanId: 'EEE19B7EC3C1B173',
              traceState: 'a=1',
              flags: 257,
              name: 'Bestellung für 5 €',
              kind: 'SPAN_KIND_SERVER',
              startTimeUnixNano: '1544712660000000001',
              endTimeUnixNano: '1544712661000000007',
              attributes: [
                { key: 'int', value: { intValue: '-9223372036854775808' } },
                { key: 'double', value: { doubleValue: 1.5 } },
                { key: 'zero', value: { intValue: 0 } },
                { key: 'bytes', value: { bytesValue: 'AAEC/w==' } },
                { key: 'list', value: { arrayValue: { values: [{ stringValue: '' }, {}] } } },
                { key: 'map', value: { kvlistValue: { values: [{ key: 'k', value: { doubleValue: 'NaN' } }] } } },
                { key: 'none' },
              ],
              droppedAttributesCount: '2',
              events: [{ timeUnixNano: '1', name: 'e', attributes: [] }],
              links: [{ traceId: '5b8efff798038103d269b633813fc60d', spanId: 'eee19b7ec3c1b175' }],
              status: { code: 'STATUS_CODE_ERROR', message: 'no' },
            },
          ],
          schemaUrl: 'https://example.org/1',
        },
      ],
      schemaUrl: 'https://example.org/2',
    },
  ],
};

t.test('every field arrives where protobuf has it', async (t) => {
  const hex = (text: string) => Buffer.from(text, 'hex').toString('base64');
  const decoded = decode(transcode(everything)) as typeof everything;
  const [resourceSpans] = decoded.resourceSpans;
  const span = resourceSpans!.scopeSpans[0]!.spans[0]!;
  t.match(span, {
    traceId: hex('5b8efff798038103d269b633813fc60c'),
    spanId: hex('eee19b7ec3c1b174'),
    parentSpanId: hex('eee19b7ec3c1b173'),
    traceState: 'a=1',
    flags: 257,
    name: 'Bestellung für 5 €',
    kind: 2,
    startTimeUnixNano: '1544712660000000001',
    endTimeUnixNano: '1544712661000000007',
    droppedAttributesCount: 2,
    status: { code: 2, message: 'no' },
  });
  t.match(
    span.attributes,
    everything.resourceSpans[0]!.scopeSpans[0]!.spans[0]!.attributes.map(({ key }) => ({ key })),
  );
  t.equal(span.attributes[0]!.value!.intValue, '-9223372036854775808');
  t.equal(span.attributes[2]!.value!.intValue, '0', 'a zero in a oneof is written');
  t.equal(span.attributes[3]!.value!.bytesValue, 'AAEC/w==');
  t.equal(span.attributes[4]!.value!.arrayValue!.values.length, 2);
  t.same(span.attributes[5]!.value!.kvlistValue!.values[0]!.value.doubleValue, Number.NaN);
  t.equal(resourceSpans!.schemaUrl, 'https://example.org/2');
  t.equal(resourceSpans!.resource.droppedAttributesCount, 1);
});

t.test('other ways to write the same give the same bytes', async (t) => {
  const canonical = transcode(everything);
  const snakeCase = JSON.stringify(everything).replace(
    /"([a-z]+[A-Z]\w*)":/g,
    (_, key: string) => `"${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}":`,
  );
  t.not(snakeCase.indexOf('"start_time_unix_nano"'), -1);
  t.same(transcode(snakeCase), canonical, 'names of the .proto file');
  const numbers = JSON.stringify(everything)
    .replace('"1544712660000000001"', '1544712660000000001')
    .replace('"1544712661000000007"', ' 1544712661000000007 ')
    .replace('"-9223372036854775808"', '-9223372036854775808')
    .replace('"SPAN_KIND_SERVER"', '2')
    .replace('"STATUS_CODE_ERROR"', '2');
  t.same(transcode(numbers), canonical, '64-bit integers and enums as numbers, exact');
  const unknown = JSON.stringify(everything).replace('"name":"lib"', '"name":"lib","later":{"a":[1,{"b":null}]},"scope":7');
  t.same(transcode(unknown), canonical, 'unknown fields');
  const reordered = JSON.stringify(everything).replace('"name":"lib","version":"1.2"', '"version":"1.2","name":"lib"');
  t.same(transcode(reordered), canonical, 'another order');
});

t.test('nothing and null are nothing', async (t) => {
  t.equal(transcode('{}').length, 0);
  t.equal(transcode('{"resourceSpans":null}').length, 0);
  t.equal(transcode('{"resourceSpans":[]}').length, 0);
  t.same(decode(transcode(inSpan({ traceId: null, name: null, attributes: null, status: null }))), decode(transcode(inSpan({}))));
});

t.test('the last member of a oneof counts', async (t) => {
  const bytes = transcode(inSpan('{"attributes":[{"key":"a","value":{"stringValue":"x","intValue":"5"}}]}'));
  t.match(decode(bytes), inSpan({ attributes: [{ key: 'a', value: { intValue: '5' } }] }));
});

function faultOf(value: unknown): JsonFault {
  try {
    transcode(value);
  } catch (error) {
    if (error instanceof JsonFault) return error;
    throw error;
  }
  throw new Error(`taken: ${JSON.stringify(value)}`);
}

t.test('a wrong value is refused with the place where it stands', async (t) => {
  const at = 'resourceSpans[0].scopeSpans[0].spans[0]';
  const rows: [text: string | object, message: string | RegExp][] = [
    ['', /JSON/],
    ['[]', 'expected an object, found an array'],
    ['null', 'expected an object, found null'],
    ['{"resourceSpans":{}}', 'resourceSpans: expected an array, found an object'],
    ['{"resourceSpans":[5]}', 'resourceSpans[0]: expected an object, found the number 5'],
    [inSpan({ spanId: '0102' }), `${at}.spanId: expected 16 hexadecimal digits, found the string "0102"`],
    [inSpan({ traceId: 5 }), `${at}.traceId: expected a string, found the number 5`],
    [inSpan({ name: 5 }), `${at}.name: expected a string, found the number 5`],
    [inSpan({ kind: 'SERVER' }), /spans\[0\]\.kind: expected a number or one of SPAN_KIND_UNSPECIFIED, .* found the string "SERVER"$/],
    [
      inSpan({ startTimeUnixNano: '-1' }),
      `${at}.startTimeUnixNano: expected an integer from 0 to 18446744073709551615, found the string "-1"`,
    ],
    [inSpan('{"startTimeUnixNano":18446744073709551616}'), /found the number 18446744073709551616$/],
    [inSpan({ startTimeUnixNano: 1.5 }), /found the number 1.5$/],
    [inSpan({ flags: 2 ** 32 }), /flags: expected an integer from 0 to 4294967295/],
    [
      inSpan({ attributes: [{ key: 'a', value: { boolValue: 'true' } }] }),
      `${at}.attributes[0].value.boolValue: expected true or false, found the string "true"`,
    ],
    [inSpan({ attributes: [{ key: 'a', value: { bytesValue: '!' } }] }), /bytesValue: expected base64/],
    [inSpan({ attributes: [{ key: 'a', value: { doubleValue: 'x' } }] }), /doubleValue: expected a number/],
  ];
  for (const [text, message] of rows) {
    t.match(faultOf(text).message, message, JSON.stringify(text));
  }
});

t.test('nesting is bounded, and deep text is no crash', async (t) => {
  const nested = (depth: number) =>
    inSpan(`{"attributes":[{"key":"a","value":${'{"arrayValue":{"values":['.repeat(depth)}{}${']}}'.repeat(depth)}}]}`);
  t.ok(transcode(nested(20)).length > 0);
  t.throws(() => transcode(nested(500)), /nested deeper than 128/);
  faultOf('['.repeat(200_000));
  faultOf(`{"x":${'['.repeat(100_000)}1700000000000000000${']'.repeat(100_000)},"resourceSpans":5}`);
});

t.test('gRPC, HTTP with protobuf and HTTP with JSON bring the same bytes into the pipeline', async (t) => {
  const rig = await startReceiver({ http: {} });
  t.teardown(async () => {
    await rig.receiver.drain(0);
    await rig.receiver.stop();
  });
  const bytes = transcode(everything);
  const post = (body: Uint8Array | string, headers: Record<string, string>) =>
    fetch(`http://127.0.0.1:${rig.httpPort}/v1/traces`, {
      method: 'POST',
      body: Buffer.from(body as string),
      headers: { ...headers, connection: 'close' },
    });
  t.equal((await post(bytes, { 'content-type': 'application/x-protobuf' })).status, 200);
  t.equal((await post(JSON.stringify(everything), { 'content-type': 'application/json' })).status, 200);
  const gzip = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
  t.equal((await post(zlib.gzipSync(JSON.stringify(everything)), gzip)).status, 200);
  t.equal(rig.seen.length, 3);
  for (const seen of rig.seen) t.ok(seen.bytes.equals(bytes));
});

t.test('megabytes of brackets are refused before they are parsed; brackets in strings are none', async (t) => {
  const nested = (depth: number) => Buffer.from(`{"resourceSpans":${'['.repeat(depth)}${']'.repeat(depth)}}`);
  t.throws(() => transcodeJson(nested(2_000_000)), /^brackets are nested deeper than 272$/);
  t.throws(() => transcodeJson(nested(20_000)), /expected an object, found an array/, 'a small one is parsed');
  const text = `[{\\"${'['.repeat(100_000)}`;
  const request = {
    resourceSpans: [{ schemaUrl: 'x', scopeSpans: [{ spans: [{ name: text }] }] }, ...Array.from({ length: 600 }, () => ({}))],
  };
  t.ok(transcodeJson(Buffer.from(JSON.stringify(request))).length > 100_000);
});
