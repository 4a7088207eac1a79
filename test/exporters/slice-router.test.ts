/** Splitting by owner: nothing lost, nothing doubled, every span with its context, and the Collector's routing keys. */

import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import t from 'tap';
import { createOtelcolRing } from '../../src/discovery/otelcol-ring.ts';
import type { Placement } from '../../src/discovery/placement.ts';
import { createSlotTable } from '../../src/discovery/slot-table.ts';
import { FrameBlocks, type FrameCursor } from '../../src/main/exporters/loadbalancing/frame-blocks.ts';
import { OwnerByAttributes } from '../../src/main/exporters/loadbalancing/owner-by-attributes.ts';
import { OwnerByTraceId, SliceRouter } from '../../src/main/exporters/loadbalancing/slice-router.ts';
import { seededPrng } from '../../src/shared/prng.ts';
import {
  type Attributes,
  concat,
  Dice,
  decodeSpans,
  randomRequest,
  requestBytes,
  type SpanSpec,
  spanIdOf,
  spanTexts,
  traceIdOf,
} from '../support/otlp.ts';
import { rigSettings } from './exporter-rig.ts';

const { arena } = rigSettings({ arenaBytes: 32 * 1024 * 1024 });
const endpointsOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `10.0.0.${index + 1}:4317`);

t.test('any split over backends holds each span once, at the owner of its trace, with its context', async (t) => {
  // One router for all runs, as in the exporter: nothing of a request may stay behind.
  const blocks = new FrameBlocks(arena, 16 * 1024 * 1024);
  const router = new SliceRouter(arena, blocks, new OwnerByTraceId(arena));
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 9 }), fc.boolean(), (seed, backends, inArena) => {
      const bytes = randomRequest(new Dice(seededPrng(seed)));
      const spans = decodeSpans(bytes);
      const lent = inArena ? arena.acquire(bytes.length)! : undefined;
      lent?.bytes.set(bytes);
      const placement = createSlotTable(endpointsOf(backends));
      const cursors = endpointsOf(backends).map((): FrameCursor => ({ current: undefined }));
      const routed = router.route(lent?.bytes.subarray(0, bytes.length) ?? bytes, spans.length, placement, (owner) => ({
        cursor: cursors[owner]!,
        pendingBytes: 0,
      }));
      if (routed.kind === 'refused') return false;
      const found = routed.parts.flatMap((part) => {
        const partSpans = decodeSpans(part.bytes);
        const owned = partSpans.every(
          (span) => placement.ownerOfTraceId(Buffer.from(span.traceId.padStart(32, '0'), 'hex'), 0) === part.owner,
        );
        if (!owned || partSpans.length !== part.spanCount) throw new Error('a span at another owner');
        return partSpans;
      });
      for (const part of routed.parts) if (part.frame !== undefined) blocks.release(part.frame);
      if (lent !== undefined) arena.release(lent);
      return JSON.stringify(spanTexts(found)) === JSON.stringify(spanTexts(spans)) && blocks.heldBytes() === 0;
    }),
    { numRuns: 200 },
  );
  t.equal(arena.heldBytes(), 0);
});

t.test('malformed bytes are refused for good with their offset, and no memory for now', async (t) => {
  const blocks = new FrameBlocks(arena, 0);
  const router = new SliceRouter(arena, blocks, new OwnerByTraceId(arena));
  const target = { cursor: { current: undefined }, pendingBytes: 0 };
  const bytes = requestBytes({}, { spans: Array.from({ length: 20 }, (_, index) => ({ traceId: traceIdOf(index * 77) })) });
  const placement = createSlotTable(endpointsOf(3));
  t.match(
    router.route(bytes.subarray(0, bytes.length - 3), 20, placement, () => target),
    { kind: 'refused', retryable: false, code: 3 },
  );
  t.match(
    router.route(bytes, 20, placement, () => target),
    { kind: 'refused', retryable: true, retryAfterMs: 1000 },
  );
  t.equal(arena.heldBytes(), 0);
});

/** The keys that a request's spans are routed by, in order of first use. */
function keysOf(names: readonly string[], request: Uint8Array): string[] {
  const keys: string[] = [];
  const placement: Placement = {
    endpoints: ['a', 'b'],
    digest: '',
    ownerOfTraceId: () => 0,
    ownerOfKey: (key) => keys.push(Buffer.from(key).toString()) % 2,
  };
  const blocks = new FrameBlocks(arena, 1024 * 1024);
  const router = new SliceRouter(arena, blocks, new OwnerByAttributes(arena, names));
  const cursors: FrameCursor[] = [{ current: undefined }, { current: undefined }];
  const routed = router.route(request, 1, placement, (owner) => ({ cursor: cursors[owner]!, pendingBytes: 0 }));
  if (routed.kind === 'routed') for (const part of routed.parts) if (part.frame !== undefined) blocks.release(part.frame);
  return keys;
}

const oneSpan = (resource: Attributes, more: Partial<SpanSpec> = {}): Uint8Array =>
  requestBytes(resource, { spans: [{ traceId: traceIdOf(1), spanId: spanIdOf(1), ...more }] });

t.test('routing keys are encoded as the Collector encodes them', async (t) => {
  const keyOf = (names: string[], resource: Attributes, more: Partial<SpanSpec> = {}) => keysOf(names, oneSpan(resource, more))[0];
  t.equal(keyOf(['k'], { k: 'abc' }), 'k=abc|');
  t.equal(keyOf(['k'], { k: 42n }), 'k=42|');
  t.equal(keyOf(['k'], { k: -5n }), 'k=-5|');
  t.equal(keyOf(['k'], { k: 3.5 }), 'k=3.5|');
  t.equal(keyOf(['k'], { k: true }), 'k=true|');
  t.equal(keyOf(['k'], { k: '' }), 'k=|');
  t.equal(keyOf(['k'], { k: new Uint8Array([1, 2, 255]) }), 'k=AQL/|');
  t.equal(keyOf(['k'], { k: { b: 1n, a: 'x<y', c: [true, 2.5] } }), 'k={"a":"x<y","b":1,"c":[true,2.5]}|');
  t.equal(keyOf(['k'], { k: ['a', 1n] }), 'k=["a",1]|');
  t.equal(keyOf(['a', 'b'], { a: 'foo', b: 'bar' }), 'a=foo|b=bar|');
  t.equal(keyOf(['a', 'b'], { a: 'foob', b: 'ar' }), 'a=foob|b=ar|');
  t.equal(keyOf(['none'], {}), 'none=|');
  t.equal(keyOf(['span.name'], {}, { name: 'GET /' }), 'span.name=GET /|');
  t.equal(keyOf(['span.kind'], {}, { kind: 2 }), 'span.kind=Server|');
  t.equal(keyOf(['span.kind', 'span.name'], {}, { name: 'n' }), 'span.kind=Unspecified|span.name=n|');
  t.equal(keyOf(['s'], {}, { attributes: { s: 'span' } }), 's=span|');
  t.equal(keyOf(['s'], { s: 'resource' }, { attributes: { s: 'span' } }), 's=resource|');
});

t.test('spans of one trace within a scope follow its first span; two services of a trace are two keys', async (t) => {
  const spans = [1, 2, 1, 2].map((trace, index) => ({ traceId: traceIdOf(trace), spanId: spanIdOf(index), name: `n${index}` }));
  t.same(keysOf(['span.name'], requestBytes({}, { spans })), ['span.name=n0|', 'span.name=n1|']);
  const both = concat(oneSpan({ 'service.name': 'x' }), oneSpan({ 'service.name': 'y' }));
  t.same(keysOf(['service.name'], both), ['service.name=x|', 'service.name=y|']);
});

t.test('service keys hit the Collector’s backends on its ring', async (t) => {
  const ring = createOtelcolRing(endpointsOf(3));
  for (const [key, endpoint] of [
    ['service.name=checkout|', '10.0.0.3:4317'],
    ['service.name=|', '10.0.0.3:4317'],
  ] as const) {
    t.equal(ring.endpoints[ring.ownerOfKey(Buffer.from(key))], endpoint);
  }
});
