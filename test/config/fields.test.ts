/** The vocabulary of component configurations: the Collector's decoding rules and its words. */

import { inspect } from 'node:util';
import t from 'tap';
import {
  bool,
  choice,
  componentId,
  decode,
  duration,
  ExpandedValue,
  type FieldSchema,
  float,
  headers,
  int,
  int64,
  list,
  map,
  object,
  presence,
  Secret,
  secret,
  string,
  stringList,
  uint,
} from '../../src/main/config/fields.ts';
import { FloatValue } from '../../src/main/config/raw-value.ts';

function decoded<Value>(schema: FieldSchema<Value>, raw: unknown): Value {
  const outcome = decode(schema, raw);
  if (outcome.kind === 'decoded') return outcome.config;
  throw new Error(outcome.faults.map((fault) => fault.message).join('; '));
}

function messages(schema: FieldSchema<unknown>, raw: unknown): string[] {
  const outcome = decode(schema, raw);
  const faults = outcome.kind === 'decoded' ? outcome.warnings : outcome.faults;
  return faults.map((fault) => `${fault.severity} ${fault.path.join('.')}: ${fault.message}`);
}

t.test('undefined and null both give the default, and without one the zero value', async (t) => {
  const schema = object({
    a: string().default('x'),
    b: string(),
    n: uint().default(5),
    d: duration(),
    o: bool().optional(),
    l: list(int()),
    m: map(int()),
  });
  const empty = { a: 'x', b: '', n: 5, d: 0, o: undefined, l: [], m: new Map() };
  t.same(decoded(schema, undefined), empty);
  t.same(decoded(schema, { a: null, b: null, n: null, d: null, o: null, l: null, m: null }), empty);
});

t.test('a reference that gave null is the zero value, not the default', async (t) => {
  const nothing = new ExpandedValue(null, '');
  t.same(decoded(object({ n: uint().default(5), a: string().default('x') }), { n: nothing, a: nothing }), { n: 0, a: '' });
});

t.test('a text takes a reference as it was written, and no number or bool', async (t) => {
  t.equal(decoded(string(), new ExpandedValue(83, '0123')), '0123');
  t.match(messages(string(), 12), ["error : expected type 'string', got unconvertible type 'int'; put it in quotes: \"12\""]);
  t.match(messages(string(), true), [/got unconvertible type 'bool'/]);
});

t.test('bools and numbers are not read out of texts', async (t) => {
  t.match(messages(bool(), 'true'), ["error : expected type 'bool', got unconvertible type 'string'; write true or false"]);
  t.match(messages(uint(), '5'), ["error : expected type 'uint64', got unconvertible type 'string'; write the number without quotes"]);
  t.match(messages(float(), 'ten'), ["error : expected type 'float64', got unconvertible type 'string'"]);
  t.equal(decoded(float(), 3), 3);
});

t.test('integers keep the range of their type', async (t) => {
  t.same(messages(uint(), -1), ["error : cannot parse value as 'uint64': -1 overflows uint"]);
  t.match(messages(int({ type: 'int32' }), 2 ** 31), [/cannot parse value as 'int32': 2147483648 overflows int32/]);
  t.match(messages(uint({ type: 'uint32' }), 2 ** 32), [/overflows uint/]);
  t.match(messages(int({ min: 1 }), 0), ['error : must be at least 1, found 0']);
  t.equal(decoded(int64(), 9_223_372_036_854_775_807n), 9_223_372_036_854_775_807n);
  t.match(messages(int64(), 2n ** 63n), [/overflows int64/]);
  t.match(messages(int(), new FloatValue(Number.POSITIVE_INFINITY)), [/not a finite number/]);
});

t.test('a fraction for an integer is cut, with a warning', async (t) => {
  t.equal(decoded(int(), new FloatValue(12.5)), 12);
  t.equal(decoded(int(), new FloatValue(-12.5)), -12);
  t.same(messages(int(), new FloatValue(12.5)), ['warning : is a whole number (int); 12.5 is cut to 12']);
  t.same(messages(int(), new FloatValue(12)), []);
});

t.test('a duration is milliseconds with fractions, and a bare integer nanoseconds with a warning', async (t) => {
  t.equal(decoded(duration(), '1.5ms'), 1.5);
  t.equal(decoded(duration(), '100us'), 0.1);
  t.equal(decoded(duration(), 5), 0.000005);
  t.match(messages(duration(), 5), [/^warning : 5 without a unit is 5 nanoseconds; if seconds are meant, write 5s$/]);
  t.match(messages(duration(), '2 seconds'), [/^error : time: unknown unit " seconds" in duration "2 seconds"/]);
  t.match(messages(duration(), ['2s']), [/got unconvertible type '\[\]interface {}'/]);
});

t.test('a text where a list is expected is split on commas', async (t) => {
  t.same(decoded(stringList(), 'a,b, c'), ['a', 'b', ' c']);
  t.same(decoded(stringList(), ''), []);
  t.match(messages(stringList(), [1]), [/^error 0: expected type 'string'/]);
  t.match(messages(stringList(), { a: 1 }), [/source data must be an array or slice/]);
});

t.test('an unknown key is a fault that names the nearest known one', async (t) => {
  const schema = object({ decision_wait: duration(), num_traces: uint() });
  t.same(messages(schema, { decision_wiat: '3s' }), ['error decision_wiat: has invalid keys: decision_wiat; did you mean decision_wait?']);
  t.same(messages(schema, { zzzzzz: 1 }), ['error zzzzzz: has invalid keys: zzzzzz; known here: decision_wait, num_traces']);
  const lenient = object({ decision_wait: duration() }, { unknownKeys: 'warn' });
  t.match(messages(lenient, { decision_wiat: '3s' }), [/^warning decision_wiat: unknown key decision_wiat is ignored; did you mean/]);
});

t.test('all faults come in one go, each with its path', async (t) => {
  const schema = object({ a: list(object({ n: uint(), d: duration() })), b: map(bool()), c: bool() });
  const found = messages(schema, { a: [{}, { n: 'x', d: 'y' }], b: { k: 1 }, c: 5, d: 1 });
  t.same(
    found.map((message) => message.split(':')[0]),
    ['error d', 'error a.1.n', 'error a.1.d', 'error b.k', 'error c'],
  );
});

t.test('a warning deep inside carries its whole path', async (t) => {
  const schema = object({ a: list(map(duration())) });
  t.match(messages(schema, { a: [{}, { k: 7 }] }), ['warning a.1.k: 7 without a unit']);
});

t.test('an old key is read with a warning, and refused beside the key of today', async (t) => {
  const schema = object({ timeout: duration() }, { renamed: { time_out: 'timeout' } });
  t.same(decoded(schema, { time_out: '1s' }), { timeout: 1000 });
  t.same(messages(schema, { time_out: '1s' }), ['warning time_out: is the old name of timeout; write timeout']);
  t.match(messages(schema, { time_out: '1s', timeout: '2s' }), [/^error time_out: /]);
});

t.test('a written null switches a presence block on', async (t) => {
  const schema = object({ queue: presence(object({ size: uint().default(1000) })).optional() });
  t.same(decoded(schema, { queue: null }), { queue: { size: 1000 } });
  t.same(decoded(schema, {}), { queue: undefined });
  t.match(messages(schema, { queue: { size: 'x' } }), [/^error queue.size: /]);
});

t.test('a choice names what may be written', async (t) => {
  t.match(messages(choice(['requests', 'items']), 'item'), [
    'error : unsupported value "item", expected one of "requests", "items"; did you mean items?',
  ]);
});

t.test('headers come as a map or as a list, and no way of printing shows their values', async (t) => {
  for (const raw of [{ authorization: 'Bearer abc' }, [{ name: 'authorization', value: 'Bearer abc' }]]) {
    const [header] = decoded(headers(), raw);
    t.equal(header?.name, 'authorization');
    t.equal(header?.value.reveal(), 'Bearer abc');
    t.notMatch(`${header?.value} ${JSON.stringify(header)} ${inspect(header)}`, /abc/);
  }
  t.equal(String(new Secret('x')), '[REDACTED]');
  t.equal(decoded(secret(), new ExpandedValue(1234, '1234')).reveal(), '1234');
});

t.test('component ids are type or type/name', async (t) => {
  t.same(decoded(componentId(), 'otlp/2'), { type: 'otlp', name: '2', text: 'otlp/2' });
  t.same(decoded(componentId(), ' otlp / 2 '), { type: 'otlp', name: '2', text: 'otlp/2' });
  t.match(messages(componentId(), 'otlp/'), ['error : in "otlp/" id: the part after / should not be empty']);
  t.match(messages(componentId(), '/x'), [/the part before \/ should not be empty/]);
  t.match(messages(componentId(), 'a b'), [/invalid character\(s\) in type "a b"/]);
});
