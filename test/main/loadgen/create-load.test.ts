/** The data of `ringtail loadgen`, against what telemetrygen v0.161 sends for the same flags. */

import t from 'tap';
import { TraceMix } from '../../../src/main/loadgen/trace-plan.ts';
import { capturedLoad, optionsOf } from '../../support/captured-load.ts';
import type { DecodedSpan } from '../../support/otlp.ts';

interface SpanFields {
  readonly name: string;
  readonly kind: number;
  readonly flags: number;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code?: number };
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
  readonly links?: readonly { readonly spanId: string; readonly flags: number; readonly attributes: readonly unknown[] }[];
  readonly droppedAttributesCount?: number;
}

const fieldsOf = (span: DecodedSpan) => span.span as unknown as SpanFields;
const nanos = (span: DecodedSpan) => {
  const { startTimeUnixNano, endTimeUnixNano } = fieldsOf(span);
  return { start: BigInt(startTimeUnixNano), end: BigInt(endTimeUnixNano) };
};

t.test('one trace is two spans: a client and its child', async (t) => {
  const { spans, report } = await capturedLoad(['traces=1', 'rate=0']);
  t.same(
    spans.map((span) => fieldsOf(span).name),
    ['okey-dokey-0', 'lets-go'],
    'the child ends first',
  );
  const [child, root] = spans.map(fieldsOf) as [SpanFields, SpanFields];
  t.equal(root.kind, 3);
  t.equal(child.kind, 2);
  t.equal(root.flags, 257);
  t.equal(child.flags, 257);
  t.equal(child.parentSpanId, root.spanId);
  t.notOk(root.parentSpanId);
  t.equal(spans[0]!.traceId, spans[1]!.traceId);
  const attributes = ({ attributes }: SpanFields) => attributes.map(({ key, value }) => [key, value.stringValue]);
  const peer = ['network.peer.address', '1.2.3.4'];
  t.same(attributes(root), [peer, ['service.peer.name', 'telemetrygen-server']]);
  t.same(attributes(child), [peer, ['service.peer.name', 'telemetrygen-client']]);
  t.match(spans[0]!.context, /telemetrygen.*https:\/\/opentelemetry\.io\/schemas\/1\.40\.0/);
  t.match(report, { traces: 1, kinds: { normal: 1 }, spans: { sent: 2, accepted: 2, failed: 0, rejected: 0 } });
});

t.test('children follow one another, and the parent spans them', async (t) => {
  const { spans } = await capturedLoad(['traces=1', 'rate=0', 'child-spans=5', 'span-duration=2s']);
  t.equal(spans.length, 6);
  const times = spans.map(nanos);
  const begin = times[5]!.start;
  for (let index = 0; index < 5; index++) {
    t.equal(times[index]!.start - begin, BigInt(index) * 2_000_000_000n);
    t.equal(times[index]!.end - begin, BigInt(index + 1) * 2_000_000_000n);
  }
  t.equal(times[5]!.end - begin, 10_000_000_000n);
  const age = Number(BigInt(Math.round(Date.now())) - begin / 1_000_000n);
  t.ok(age >= -1 && age < 60_000, 'times are of today');
});

t.test('ids differ, between traces and between spans', async (t) => {
  const { spans } = await capturedLoad(['traces=200', 'rate=0', 'workers=3', 'child-spans=3']);
  t.equal(spans.length, 3 * 200 * 4);
  t.equal(new Set(spans.map((span) => span.traceId)).size, 600);
  t.equal(new Set(spans.map((span) => fieldsOf(span).spanId)).size, spans.length);
});

t.test('status codes are telemetrygen’s numbers, not those of OTLP', async (t) => {
  for (const [text, code] of [
    ['0', 0],
    ['unset', 0],
    ['', 0],
    ['1', 2],
    ['Error', 2],
    ['2', 1],
    ['OK', 1],
  ] as const) {
    const { spans } = await capturedLoad(['traces=1', 'rate=0', `status-code=${text}`]);
    t.same(
      spans.map((span) => fieldsOf(span).status.code ?? 0),
      [code, code],
      text,
    );
  }
  t.throws(() => optionsOf('status-code=3'), /expected `status-code` to be one of \(Unset, Error, Ok\) or \(0, 1, 2\), got "3" instead/);
});

t.test('links go to earlier spans, once there are some', async (t) => {
  const { spans } = await capturedLoad(['traces=2', 'rate=0', 'span-links=5']);
  const [, firstRoot, , secondRoot] = spans.map(fieldsOf) as [SpanFields, SpanFields, SpanFields, SpanFields];
  t.same(firstRoot.links ?? [], [], 'nothing was there before the first root');
  t.equal(secondRoot.links?.length, 5);
  const earlier = spans.slice(0, 2).map((span) => fieldsOf(span).spanId);
  for (const [index, link] of (secondRoot.links ?? []).entries()) {
    t.ok(earlier.includes(link.spanId));
    t.equal(link.flags, 257);
    t.match(link.attributes, [
      { key: 'link.type', value: { stringValue: 'random' } },
      { key: 'link.index', value: { intValue: String(index) } },
    ]);
  }
});

t.test('attributes, service, remote parent and padding are as asked', async (t) => {
  const flags = ['traces=1', 'rate=0', 'marshal', 'size=2', 'service=shop', 'otlp-attributes=zone="b,c"', 'otlp-attributes=n=-5'];
  const { spans } = await capturedLoad([...flags, 'telemetry-attributes=ok=true', 'telemetry-attributes=list=["a,b","c"]']);
  const [child, root] = spans.map(fieldsOf) as [SpanFields, SpanFields];
  t.equal(child.flags, 769);
  t.equal(root.flags, 257);
  const { resource } = JSON.parse(spans[0]!.context) as { resource: { attributes: unknown[] } };
  t.match(resource.attributes, [
    { key: 'service.name', value: { stringValue: 'shop' } },
    { key: 'zone', value: { stringValue: 'b,c' } },
    { key: 'n', value: { intValue: '-5' } },
  ]);
  t.match(child.attributes.slice(2), [
    { key: 'ok', value: { boolValue: true } },
    { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a,b' }, { stringValue: 'c' }] } } },
  ]);
  t.equal(child.attributes.length, 4);
  t.same(
    root.attributes.slice(4).map(({ key, value }) => [key, String(value.stringValue).length]),
    [
      ['load-0', 1_048_576],
      ['load-1', 1_048_576],
    ],
  );
  t.throws(() => optionsOf('otlp-attributes=a=b'), /wrapped in double quotes/);
  t.throws(() => optionsOf('otlp-attributes=a'), /one of the following formats/);
  t.throws(() => optionsOf('otlp-attributes=a=["x",1]'), /same type/);
});

t.test('batches have the size asked for, and without batching one span', async (t) => {
  const batched = await capturedLoad(['traces=25', 'rate=0', 'batch-size=20']);
  t.same(
    batched.requests.map((request) => request.length),
    [20, 20, 10],
  );
  const single = await capturedLoad(['traces=3', 'rate=0', 'batch=false']);
  t.same(
    single.requests.map((request) => request.length),
    [1, 1, 1, 1, 1, 1],
  );
});

t.test('the rate holds for spans, and a duration ends the run', async (t) => {
  const { spans } = await capturedLoad(['rate=10', 'duration=500ms']);
  t.ok(spans.length >= 2 && spans.length <= 20, `${spans.length} spans`);
  t.equal(spans.length % 2, 0, 'a trace that has begun is completed');
});

t.test('a mix has exact shares of error and slow traces', async (t) => {
  const { spans, report } = await capturedLoad(['traces=200', 'rate=0', 'mix=error=1,slow=2', 'spans=4']);
  t.same(report.kinds, { normal: 194, slow: 4, error: 2 });
  const failed = spans.filter((span) => fieldsOf(span).status.code === 2);
  t.equal(failed.length, 2 * 4);
  const roots = spans.filter((span) => fieldsOf(span).name === 'lets-go');
  const seconds = roots.map((span) => Number(nanos(span).end - nanos(span).start) / 1e9);
  t.equal(seconds.filter((duration) => duration > 1.9).length, 4);
  t.throws(() => optionsOf('mix=odd=1'), /unknown kind/);
  t.throws(() => optionsOf('mix=error=60,slow=50'), /more than 100/);
  const plan = (kind: string) => ({ kind, spans: [] });
  const mix = new TraceMix([{ plan: plan('error'), percent: 33.3 }], plan('normal'));
  t.equal(Array.from({ length: 1000 }, () => mix.next().kind).filter((kind) => kind === 'error').length, 333);
});

t.test('several services share every trace, each in its own requests, and requests take turns over endpoints', async (t) => {
  const { requests, byTarget, spans } = await capturedLoad(['traces=40', 'rate=0', 'services=3', 'spans=6', 'batch-size=10'], 2);
  t.equal(spans.length, 240);
  const serviceOf = (span: DecodedSpan) => /telemetrygen-\d/.exec(span.context)?.[0];
  for (const request of requests) t.equal(new Set(request.map(serviceOf)).size, 1);
  const services = new Map<string, Set<string | undefined>>();
  for (const span of spans) services.set(span.traceId, (services.get(span.traceId) ?? new Set()).add(serviceOf(span)));
  t.ok([...services.values()].every((names) => names.size === 3));
  t.same(
    byTarget.map((own) => own.length),
    [12, 12],
  );
});
