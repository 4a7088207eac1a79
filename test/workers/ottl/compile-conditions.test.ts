import t from 'tap';
import { factRow, resourceRow, scopeRow } from '../../../src/shared/arena/rows.ts';
import { systemClock } from '../../../src/shared/clock.ts';
import { seededPrng } from '../../../src/shared/prng.ts';
import { type CompiledConditions, compileConditions, OttlFault } from '../../../src/workers/ottl/compile-conditions.ts';
import { standardConverters } from '../../../src/workers/ottl/converters/standard-converters.ts';
import { SpanView } from '../../../src/workers/ottl/span-view.ts';
import { encodeRequest, fixture, sampleSpans, viewOfFirstSpan } from './sample-spans.ts';

const options = { featureGates: new Set<string>(), clock: systemClock };

function compiled(texts: readonly string[], context: 'span' | 'spanevent' = 'span'): CompiledConditions {
  const conditions = compileConditions(texts, context, options);
  if (conditions instanceof OttlFault) throw new Error(conditions.message);
  return conditions;
}

const rich = () => viewOfFirstSpan(sampleSpans().get('rich')!);

t.test('tells every condition at fault in names, but of several that break the grammar the first', async (t) => {
  const names = compileConditions(['Foo(1)', 'true', 'bar == 1'], 'span', options);
  t.ok(names instanceof OttlFault);
  const lines = (names as OttlFault).message.split('\n');
  t.equal(lines.length, 2);
  t.match(lines[0], /^unable to parse OTTL condition "Foo\(1\)": undefined function "Foo"$/);
  t.match(lines[1], /^unable to parse OTTL condition "span.bar == 1": segment "bar" from path "span.bar" is not a valid path/);
  const grammar = compileConditions(['name ==', 'Foo(1)', '=='], 'span', options);
  t.equal((grammar as OttlFault).message, 'condition has invalid syntax at 1:8: (expected Field ("." Field)*)');
});

t.test('puts the context name before bare paths and leaves the others', async (t) => {
  const [condition] = compiled(['name == "a" and span.kind == 2 or resource.attributes[name] == nil'], 'spanevent').conditions;
  t.equal(condition!.rewritten, 'spanevent.name == "a" and span.kind == 2 or resource.attributes[spanevent.name] == nil');
  t.equal(condition!.text, 'name == "a" and span.kind == 2 or resource.attributes[name] == nil');
});

t.test('reads the events of a span one after the other', async (t) => {
  const [condition] = compiled(['name == "retry"'], 'spanevent').conditions;
  const view = rich();
  const answers: unknown[] = [];
  while (view.nextEvent()) answers.push(condition!.evaluate(view));
  t.same(answers, [false, true]);
  t.equal(view.nextEvent(), false);
});

t.test('reads a span under a cursor of kernel rows, scope and resource in two pieces', async (t) => {
  const bytes = encodeRequest({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'svc' } }] },
        scopeSpans: [{ scope: { name: 'lib' }, spans: [{ name: 'one', attributes: [{ key: 'k', value: { intValue: 7 } }] }] }],
      },
    ],
  });
  const raw = viewOfFirstSpan(bytes);
  const words = new Uint32Array(64);
  words[factRow.span >> 2] = raw.spanFrom;
  words[factRow.spanLength >> 2] = raw.spanTo - raw.spanFrom;
  const [scopeAt, resourceAt] = [32, 48];
  // An empty first piece: everything before the spans stands in the second.
  words[scopeAt + (scopeRow.secondPiece >> 2)] = raw.scopeSpans().from;
  words[scopeAt + (scopeRow.secondLength >> 2)] = raw.scopeSpans().to - raw.scopeSpans().from;
  words[resourceAt + (resourceRow.firstPiece >> 2)] = raw.resourceSpans().from;
  words[resourceAt + (resourceRow.firstLength >> 2)] = raw.resourceSpans().to - raw.resourceSpans().from;
  const view = new SpanView();
  view.atSpan({ bytes, words, fact: 0, scopeRow: scopeAt * 4, resourceRow: resourceAt * 4 });
  const [condition] = compiled([
    'name == "one" and attributes["k"] == 7 and scope.name == "lib" and resource.attributes["service.name"] == "svc"',
  ]).conditions;
  t.equal(condition!.evaluate(view), true);
});

t.test('knows every converter of the Collector, and no other', async (t) => {
  t.same([...standardConverters.keys()].sort(), fixture<string[]>('converter-names'));
  t.ok(compileConditions(['IsRootSpan()'], 'spanevent', options) instanceof OttlFault);
  t.notOk(compileConditions(['IsRootSpan()'], 'span', options) instanceof OttlFault);
});

t.test('has a recorded answer of the Collector for every converter', async (t) => {
  const texts = ['language', 'converters', 'values'].flatMap((name) => fixture<{ text: string }[]>(name).map(({ text }) => text));
  const untested = fixture<string[]>('converter-names').filter((name) => !texts.some((text) => text.includes(`${name}(`)));
  t.same(untested, []);
});

t.test('makes identifiers from the randomness it is given', async (t) => {
  const one = () => compileConditions(['UUID() == UUIDv7()'], 'span', { ...options, prng: seededPrng(1) }) as CompiledConditions;
  t.equal(one().conditions[0]!.evaluate(rich()), false);
  const texts = [
    'IsMatch(UUID(), "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")',
    'IsMatch(UUIDv7(), "^[0-9a-f]{8}-[0-9a-f]{4}-7")',
  ];
  for (const { evaluate } of compiled(texts).conditions) t.equal(evaluate(rich()), true);
});

t.test('takes the time of Now from the clock it is given', async (t) => {
  const clock = { ...systemClock, wallMs: () => 1_760_000_000_123 };
  const conditions = compileConditions(['UnixMilli(Now()) == 1760000000123'], 'span', { ...options, clock }) as CompiledConditions;
  t.equal(conditions.conditions[0]!.evaluate(rich()), true);
});

t.test(
  'refuses conditions nested beyond its stack, and is done soon with texts that cost a backtracking parser exponential time',
  async (t) => {
    const deep = compileConditions([`${'('.repeat(20_000)}true${')'.repeat(20_000)}`], 'span', options);
    t.match((deep as OttlFault).message, /nested too deeply/);
    t.notOk(compileConditions([`${'('.repeat(40)}name == "a"${')'.repeat(40)}`], 'span', options) instanceof OttlFault);
    const nested = (end: string) => `${'Int('.repeat(60)}1${' + 1)'.repeat(60)}${end}`;
    t.notOk(compileConditions([nested(' == 1')], 'span', options) instanceof OttlFault);
    t.ok(compileConditions([nested(' ==')], 'span', options) instanceof OttlFault);
  },
);

t.test('keeps to the span when its bytes end too soon', async (t) => {
  const bytes = sampleSpans().get('rich')!;
  const conditions = compiled([
    'attributes["num.a"] == 5',
    'Len(attributes) > 1',
    'status.code == 2',
    'String(attributes["map.a"]) == ""',
    'Len(events) == 2',
  ]).conditions;
  const whole = viewOfFirstSpan(bytes);
  for (let cut = 1; cut < 200; cut += 7) {
    const view = new SpanView();
    view.atRaw({ bytes, span: [whole.spanFrom, whole.spanTo - cut], scopeSpans: [0, 0], resourceSpans: [0, 0] });
    for (const { evaluate } of conditions) evaluate(view);
    let events = 0;
    while (view.nextEvent()) t.ok(++events < 10 || cut < 0);
  }
});
