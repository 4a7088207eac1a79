import t from 'tap';
import { factBits, factRow, KernelError, resourceRow, runSpansMax, scopeRow } from '../../src/shared/arena/rows.ts';
import { KernelRig, kernelPlaces } from '../support/kernel-rig.ts';
import {
  anyValueBytes,
  concat,
  fixed32Field,
  fixed64Field,
  hex,
  keyValueBytes,
  lengthField,
  requestBytes,
  spanBytes,
  spanIdOf,
  tag,
  traceIdOf,
  unhex,
  utf8,
  varint,
  varintField,
} from '../support/otlp.ts';
import { referenceSpans } from '../support/otlp-reference.ts';

const rig = new KernelRig();
const none = new Uint8Array();

/** One span's fields in one scope in one resource; `spanAt` is the offset of its first field. */
function withSpan(...fields: Uint8Array[]): { request: Uint8Array; spanAt: number } {
  const body = concat(...fields);
  const request = lengthField(1, lengthField(2, lengthField(2, body)));
  return { request, spanAt: request.length - body.length };
}

/** An AnyValue that holds `levels` AnyValues, one in the other. */
function nested(levels: number): Uint8Array {
  let value = anyValueBytes('leaf');
  for (let i = 1; i < levels; i++) value = lengthField(5, lengthField(1, value));
  return value;
}

t.test('validate refuses malformed bytes with the offset and code of the first bad field', (t) => {
  const id = lengthField(1, traceIdOf(1));
  const cases: { name: string; fields: Uint8Array[]; bad: number; code: number }[] = [
    { name: 'a length past its message', fields: [id, unhex('2a05 6162')], bad: 18, code: KernelError.truncated },
    { name: 'a fixed64 cut short', fields: [id, unhex('39 01020304')], bad: 18, code: KernelError.truncated },
    { name: 'flags cut short', fields: [id, unhex('8501 0102')], bad: 18, code: KernelError.truncated },
    { name: 'a tag cut short', fields: [id, unhex('85')], bad: 18, code: KernelError.truncated },
    { name: 'a varint without an end', fields: [id, unhex('30 ffff')], bad: 18, code: KernelError.truncated },
    { name: 'a varint of eleven bytes', fields: [id, unhex('30 80808080808080808080 00')], bad: 18, code: KernelError.varint },
    { name: 'a length of 2^63', fields: [id, unhex('2a 80808080808080808001')], bad: 18, code: KernelError.truncated },
    { name: 'a length of 2^32 - 1', fields: [id, unhex('2a ffffffff0f')], bad: 18, code: KernelError.truncated },
    {
      name: 'a length that wraps a 32-bit position',
      fields: [id, unhex('2a f0ffffff0f'), new Uint8Array(64)],
      bad: 18,
      code: KernelError.truncated,
    },
    { name: 'a group', fields: [id, unhex('a30c a40c')], bad: 18, code: KernelError.wireType },
    { name: 'a reserved wire type', fields: [id, unhex('a60c')], bad: 18, code: KernelError.wireType },
    { name: 'a name as a varint', fields: [id, unhex('28 01')], bad: 18, code: KernelError.wireType },
    { name: 'a kind as bytes', fields: [id, unhex('32 00')], bad: 18, code: KernelError.wireType },
    { name: 'field number zero', fields: [id, unhex('02 00')], bad: 18, code: KernelError.fieldNumber },
    { name: 'a tag of more than 32 bits', fields: [id, unhex('8a80808010 00')], bad: 18, code: KernelError.fieldNumber },
    { name: 'a trace id of 15 bytes', fields: [lengthField(1, new Uint8Array(15))], bad: 0, code: KernelError.traceIdLength },
    { name: 'a trace id of 17 bytes', fields: [lengthField(1, new Uint8Array(17))], bad: 0, code: KernelError.traceIdLength },
    { name: 'a span id of 7 bytes', fields: [id, lengthField(2, new Uint8Array(7))], bad: 18, code: KernelError.spanIdLength },
    { name: 'a parent id of 9 bytes', fields: [id, lengthField(4, new Uint8Array(9))], bad: 18, code: KernelError.spanIdLength },
    {
      name: 'a link with a trace id of 8 bytes',
      fields: [lengthField(13, lengthField(1, new Uint8Array(8)))],
      bad: 2,
      code: KernelError.traceIdLength,
    },
    {
      name: 'a link with a span id of 16 bytes',
      fields: [lengthField(13, lengthField(2, new Uint8Array(16)))],
      bad: 2,
      code: KernelError.spanIdLength,
    },
    { name: 'an event time as a varint', fields: [lengthField(11, varintField(1, 5))], bad: 2, code: KernelError.wireType },
    { name: 'a status code as bytes', fields: [lengthField(15, lengthField(3, none))], bad: 2, code: KernelError.wireType },
    { name: 'an attribute key as a varint', fields: [lengthField(9, varintField(1, 5))], bad: 2, code: KernelError.wireType },
    {
      name: 'an attribute value cut short',
      fields: [lengthField(9, concat(lengthField(1, utf8('k')), unhex('12 05 0a')))],
      bad: 5,
      code: KernelError.truncated,
    },
    {
      name: 'a string value past its AnyValue',
      fields: [lengthField(9, concat(lengthField(1, utf8('k')), unhex('12 02 0a01')))],
      bad: 7,
      code: KernelError.truncated,
    },
    {
      name: 'a double value as a varint',
      fields: [lengthField(9, concat(lengthField(1, utf8('k')), unhex('12 02 2001')))],
      bad: 7,
      code: KernelError.wireType,
    },
  ];
  for (const { name, fields, bad, code } of cases) {
    const { request, spanAt } = withSpan(...fields);
    t.equal(rig.validate(request), -1, name);
    t.same([rig.kernel.errorOffset(), rig.kernel.errorCode()], [spanAt + bad, code], `${name}: where and what`);
  }
  t.end();
});

t.test('validate refuses malformed headers outside spans', (t) => {
  const cases: [name: string, request: Uint8Array, offset: number, code: number][] = [
    ['resource spans as a varint', varintField(1, 1), 0, KernelError.wireType],
    ['scope spans as a varint', lengthField(1, varintField(2, 1)), 2, KernelError.wireType],
    ['spans as a varint', lengthField(1, lengthField(2, varintField(2, 1))), 4, KernelError.wireType],
    ['old scope spans as a varint', lengthField(1, varintField(1000, 1)), 2, KernelError.wireType],
    ['a schema URL as a varint', lengthField(1, varintField(3, 1)), 2, KernelError.wireType],
    ['a resource attribute of the wrong type', lengthField(1, lengthField(1, varintField(1, 1))), 4, KernelError.wireType],
    ['an entity reference of the wrong type', lengthField(1, lengthField(1, lengthField(3, varintField(2, 1)))), 6, KernelError.wireType],
    ['a scope name as a varint', lengthField(1, lengthField(2, lengthField(1, varintField(1, 1)))), 6, KernelError.wireType],
    ['a request cut in a length', unhex('0a'), 0, KernelError.truncated],
    ['a second bad resource spans', concat(requestBytes({}), unhex('0aff')), requestBytes({}).length, KernelError.truncated],
  ];
  for (const [name, request, offset, code] of cases) {
    t.equal(rig.validate(request), -1, name);
    t.same([rig.kernel.errorOffset(), rig.kernel.errorCode()], [offset, code], `${name}: where and what`);
  }
  t.end();
});

t.test('validate refuses values nested deeper than 128 and takes 128', (t) => {
  const attribute = (levels: number) => withSpan(lengthField(9, concat(lengthField(1, utf8('k')), lengthField(2, nested(levels))))).request;
  t.equal(rig.validate(attribute(128)), 1);
  t.equal(rig.validate(attribute(129)), -1);
  t.equal(rig.kernel.errorCode(), KernelError.depth);
  t.equal(rig.validate(attribute(1500)), -1, 'and does not run out of stack');
  t.equal(rig.kernel.errorCode(), KernelError.depth);
  t.end();
});

t.test('validate accepts what is odd but valid', (t) => {
  const id = lengthField(1, traceIdOf(1));
  const { request: empty } = withSpan();
  t.equal(rig.validate(none), 0, 'an empty request');
  t.equal(rig.validate(empty), 1, 'an empty span');
  t.equal(rig.validate(withSpan(id, lengthField(2, none), lengthField(4, none)).request), 1, 'empty ids');
  t.equal(
    rig.validate(withSpan(id, lengthField(5, unhex('ff fe')), unhex('2a 83808000 616263')).request),
    1,
    'bytes that are no UTF-8, overlong lengths',
  );
  t.equal(rig.validate(withSpan(id, unhex('30 ffffffffffffffffff01')).request), 1, 'a varint of ten bytes');
  t.equal(
    rig.validate(withSpan(id, unhex('ffffffff0f').subarray(0, 0), lengthField(9, keyValueBytes('k', -1))).request),
    1,
    'a negative integer value',
  );
  t.equal(rig.validate(withSpan(tag(1, 2, 3), varint(16), traceIdOf(1)).request), 1, 'an overlong tag');
  t.end();
});

t.test('uniform holds only when every span begins with its only trace id', (t) => {
  const id = lengthField(1, traceIdOf(1));
  const uniform = (...fields: Uint8Array[]) => {
    t.equal(rig.validate(withSpan(...fields).request), 1);
    return rig.kernel.uniform();
  };
  t.equal(uniform(id, lengthField(13, id), lengthField(11, fixed64Field(1, 1n))), true);
  t.equal(uniform(lengthField(5, utf8('n')), id), false, 'not first');
  t.equal(uniform(id, id), false, 'twice');
  t.equal(uniform(id, tag(1, 2, 2), varint(0)), false, 'twice, the second empty and overlong');
  t.equal(uniform(), false, 'none');
  t.end();
});

t.test('split makes runs of adjacent spans of one trace and keeps headers in at most two pieces', (t) => {
  const span = (trace: number) => lengthField(2, spanBytes({ traceId: traceIdOf(trace), name: 'n' }));
  const schema = lengthField(3, utf8('u'));
  const scope = lengthField(1, lengthField(1, utf8('s')));
  const scopeBody = concat(span(1), span(1), span(2), scope, span(2), schema, span(1), varintField(77, 1));
  const request = lengthField(1, concat(lengthField(2, scopeBody), schema));
  t.equal(rig.split(request), 4);
  t.ok(rig.kernel.splitBytes() <= rig.kernel.splitBytesMax());
  const runs = [0, 1, 2, 3].map((i) => rig.run(i));
  t.same(
    runs.map(({ traceId, count }) => [traceId, count]),
    [
      [hex(traceIdOf(1)), 2],
      [hex(traceIdOf(2)), 1],
      [hex(traceIdOf(2)), 1],
      [hex(traceIdOf(1)), 1],
    ],
    'a field between two spans ends a run',
  );
  t.equal(runs[0]!.hash, runs[3]!.hash, 'equal ids, equal hashes');
  t.not(runs[0]!.hash, runs[1]!.hash);
  const word = (at: number) => rig.words[at / 4]!;
  const scopeRowAt = runs[0]!.scopeRow;
  const copied = word(scopeRowAt + scopeRow.firstPiece);
  t.equal(hex(rig.bytes.slice(copied, copied + word(scopeRowAt + scopeRow.firstLength))), hex(concat(scope, schema, varintField(77, 1))));
  t.equal(word(scopeRowAt + scopeRow.secondLength), 0);
  t.ok(copied >= kernelPlaces.rows && copied < kernelPlaces.rows + rig.kernel.splitBytes(), 'three pieces are copied into the tail');
  const resourceAt = word(scopeRowAt + scopeRow.resource);
  t.equal(word(resourceAt + resourceRow.firstPiece), kernelPlaces.input + request.length - schema.length, 'one piece stays where it is');
  t.equal(rig.frame([0, 1, 2, 3]).length, request.length, 'framing all of it again changes the order of fields only');
  t.end();
});

t.test('a run ends at runSpansMax spans and the next goes on', (t) => {
  const span = { traceId: traceIdOf(1) };
  const request = requestBytes({ a: 'b' }, { scopeName: 's', spans: Array.from({ length: runSpansMax + 5 }, () => span) });
  t.equal(rig.split(request, true), 2);
  t.same([rig.run(0).count, rig.run(1).count], [runSpansMax, 5]);
  t.equal(hex(rig.frame([0, 1])), hex(request), 'framed together they are what they were');
  t.end();
});

t.test('split reads a missing trace id as sixteen zeros and the last of several', (t) => {
  const two = concat(lengthField(1, traceIdOf(1)), lengthField(5, utf8('n')), lengthField(1, traceIdOf(2)));
  const back = concat(lengthField(1, traceIdOf(1)), lengthField(1, none));
  const scope = concat(lengthField(2, lengthField(5, utf8('n'))), lengthField(2, two), lengthField(2, back));
  t.equal(rig.split(lengthField(1, lengthField(2, scope))), 3);
  t.same(
    [0, 1, 2].map((i) => rig.run(i).traceId),
    ['0'.repeat(32), hex(traceIdOf(2)), '0'.repeat(32)],
  );
  t.end();
});

t.test('scope spans under their old field number count only where there are no others', (t) => {
  const scope = (trace: number) => lengthField(2, spanBytes({ traceId: traceIdOf(trace) }));
  const old = lengthField(1, concat(lengthField(3, utf8('u')), lengthField(1000, scope(1))));
  t.equal(rig.split(old), 1);
  t.same(
    referenceSpans(rig.frame([0])).map(({ traceId }) => traceId),
    [hex(traceIdOf(1))],
  );
  t.notMatch(hex(rig.frame([0])), 'c23e', 'the frame has them under the present number');
  const both = lengthField(1, concat(lengthField(1000, scope(1)), lengthField(2, scope(2))));
  t.equal(rig.split(both), 1);
  t.equal(rig.run(0).traceId, hex(traceIdOf(2)));
  t.equal(rig.validate(both), 1);
  t.end();
});

t.test('facts reads what policies ask for, the last of repeated fields, absent as zero', (t) => {
  const fields = concat(
    spanBytes({
      traceId: traceIdOf(1),
      spanId: spanIdOf(1),
      traceState: 'a=b',
      parentSpanId: spanIdOf(2),
      kind: 2,
      startNanos: 1_700_000_000_000_000_001n,
      endNanos: 1_700_000_000_000_000_777n,
      attributes: { a: 1, b: 'x' },
      events: [{ name: 'e' }],
      statusMessage: 'm',
      statusCode: 2,
    }),
    varintField(6, 3),
    lengthField(9, keyValueBytes('late', true)),
    fixed32Field(16, 0x301),
    lengthField(15, lengthField(2, utf8('a status without a code leaves the code'))),
  );
  const { request, spanAt } = withSpan(fields);
  t.equal(rig.split(request), 1);
  t.equal(rig.kernel.facts(kernelPlaces.rows, kernelPlaces.output), 1);
  const word = (offset: number) => rig.words[(kernelPlaces.output + offset) / 4]!;
  const long = (offset: number) => (BigInt(word(offset + 4)) << 32n) | BigInt(word(offset));
  const text = (from: number, to: number) => hex(rig.bytes.slice(from, to));
  t.equal(word(factRow.span), kernelPlaces.input + spanAt);
  t.equal(word(factRow.spanLength), fields.length);
  t.equal(long(factRow.start), 1_700_000_000_000_000_001n);
  t.equal(long(factRow.end), 1_700_000_000_000_000_777n);
  t.equal(word(factRow.flags), 0x301);
  t.equal(word(factRow.kind), 3);
  t.equal(word(factRow.statusCode), 2);
  t.equal(word(factRow.bits), factBits.hasParent | factBits.hasTraceState | factBits.hasAttributes | factBits.hasEvents);
  t.ok(text(word(factRow.attributes), word(factRow.attributesEnd)).startsWith(hex(lengthField(9, keyValueBytes('a', 1)))));
  t.ok(text(word(factRow.attributes), word(factRow.attributesEnd)).endsWith(hex(lengthField(9, keyValueBytes('late', true)))));
  t.equal(
    text(word(factRow.events), word(factRow.eventsEnd)),
    hex(lengthField(11, concat(fixed64Field(1, 0n), lengthField(2, utf8('e'))))),
  );
  t.equal(text(word(factRow.traceState), word(factRow.traceState) + word(factRow.traceStateLength)), hex(utf8('a=b')));

  const bare = withSpan(lengthField(1, traceIdOf(1)), lengthField(4, new Uint8Array(8)), lengthField(3, none)).request;
  t.equal(rig.split(bare), 1);
  t.equal(rig.kernel.facts(kernelPlaces.rows, kernelPlaces.output), 1);
  const rest = Array.from(rig.words.subarray(kernelPlaces.output / 4 + 2, kernelPlaces.output / 4 + 16));
  t.same(rest, new Array(14).fill(0), 'a parent id of zeros is none, an empty trace state is none');
  t.end();
});
