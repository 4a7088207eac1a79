import fc from 'fast-check';
import t from 'tap';
import { factBits, factRow, runRow } from '../../src/shared/arena/rows.ts';
import { seededPrng } from '../../src/shared/prng.ts';
import { KernelRig, kernelPlaces } from '../support/kernel-rig.ts';
import { Dice, decodeSpans, type RandomRequestOptions, randomRequest, spanTexts } from '../support/otlp.ts';
import { referenceSpans } from '../support/otlp-reference.ts';

const rig = new KernelRig();

/** Requests as functions of a seed: fast-check shrinks to a small seed and to fewer, tamer spans. */
const requests = fc
  .record({
    seed: fc.nat(),
    traces: fc.integer({ min: 1, max: 8 }),
    spansPerScopeMax: fc.integer({ min: 0, max: 12 }),
    oddness: fc.constantFrom(0, 0.1, 0.4),
  })
  .map(({ seed, ...options }: { seed: number } & RandomRequestOptions) => randomRequest(new Dice(seededPrng(seed)), options));

const rawTexts = (bytes: Uint8Array) =>
  referenceSpans(bytes)
    .map(({ body: _, ...rest }) => JSON.stringify(rest))
    .sort();

t.test('framing all runs of a split decodes to the same spans under the same resources and scopes', (t) => {
  fc.assert(
    fc.property(requests, fc.boolean(), (request, mayBeUniform) => {
      const expected = decodeSpans(request);
      if (rig.validate(request) !== expected.length) return false;
      const runs = rig.split(request, mayBeUniform && rig.kernel.uniform());
      const framed = rig.frame(Array.from({ length: runs }, (_, i) => i));
      return (
        JSON.stringify(spanTexts(decodeSpans(framed))) === JSON.stringify(spanTexts(expected)) &&
        JSON.stringify(rawTexts(framed)) === JSON.stringify(rawTexts(request))
      );
    }),
    { numRuns: 300 },
  );
  t.pass();
  t.end();
});

t.test('any assignment of runs to owners loses no span, doubles none, and keeps every span under its headers', (t) => {
  fc.assert(
    fc.property(requests, fc.integer({ min: 1, max: 7 }), fc.nat(), (request, owners, seed) => {
      const runs = rig.split(request);
      const prng = seededPrng(seed);
      const chains: number[][] = Array.from({ length: owners }, () => []);
      for (let i = 0; i < runs; i++) chains[Math.floor(prng.next() * owners)]!.push(i);
      const joined = chains.flatMap((chain) => rawTexts(rig.frame(chain))).sort();
      return JSON.stringify(joined) === JSON.stringify(rawTexts(request));
    }),
    { numRuns: 300 },
  );
  t.pass();
  t.end();
});

t.test('facts equal what protobufjs decodes', (t) => {
  fc.assert(
    fc.property(requests, (request) => {
      const spans = decodeSpans(request);
      const runs = rig.split(request);
      let next = 0;
      for (let i = 0; i < runs; i++) {
        const rows = rig.kernel.facts(kernelPlaces.rows + i * runRow.bytes, kernelPlaces.output);
        for (let j = 0; j < rows; j++) checkFacts(kernelPlaces.output + j * factRow.bytes, spans[next++]!.span);
      }
      return next === spans.length;
    }),
    { numRuns: 300 },
  );
  t.pass();
  t.end();
});

function checkFacts(row: number, span: Record<string, unknown>): void {
  const word = (offset: number) => rig.words[(row + offset) / 4]!;
  const long = (offset: number) => ((BigInt(word(offset + 4)) << 32n) | BigInt(word(offset))).toString();
  const base64 = (value: unknown) => Buffer.from(String(value ?? ''), 'base64');
  const has = (list: unknown) => Array.isArray(list) && list.length > 0;
  const parent = base64(span.parentSpanId);
  const status = span.status as { code?: number } | undefined;
  const traceState = String(span.traceState ?? '');
  const bits =
    (parent.length === 8 && parent.some((byte) => byte !== 0) ? factBits.hasParent : 0) |
    (traceState === '' ? 0 : factBits.hasTraceState) |
    (has(span.attributes) ? factBits.hasAttributes : 0) |
    (has(span.events) ? factBits.hasEvents : 0);
  const from = word(factRow.traceState);
  const expected = [
    String(span.startTimeUnixNano ?? 0),
    String(span.endTimeUnixNano ?? 0),
    span.flags ?? 0,
    status?.code ?? 0,
    bits,
    span.kind ?? 0,
    traceState,
  ];
  const actual = [
    long(factRow.start),
    long(factRow.end),
    word(factRow.flags),
    word(factRow.statusCode),
    word(factRow.bits),
    word(factRow.kind),
    Buffer.from(rig.bytes.slice(from, from + word(factRow.traceStateLength))).toString(),
  ];
  if (JSON.stringify(actual) !== JSON.stringify(expected))
    throw new Error(`facts ${JSON.stringify(actual)}, protobufjs ${JSON.stringify(expected)}`);
}
