/** One request in protobuf and in every way to write it as JSON: all come out as the same bytes. */

import t, { type Test } from 'tap';
import { transcodeJson } from '../../src/main/receivers/otlp/json-transcoder.ts';
import { exportTraceServiceRequest } from '../../src/shared/otlp/messages.ts';
import { seededPrng } from '../../src/shared/prng.ts';
import {
  concat,
  Dice,
  doubleField,
  fixed32Field,
  fixed64Field,
  lengthField,
  randomRequest,
  spanIdOf,
  traceIdOf,
  utf8,
  varintField,
} from '../support/otlp.ts';

interface Style {
  readonly name: string;
  readonly snakeCase?: boolean;
  readonly upperCaseIds?: boolean;
  readonly enumNames?: boolean;
  /** 64-bit integers as numbers, however large. */
  readonly bareIntegers?: boolean;
  readonly unknownFields?: boolean;
  readonly nulls?: boolean;
  readonly doublesAsText?: boolean;
  readonly urlBase64?: boolean;
  readonly reversed?: boolean;
}

const styles: readonly Style[] = [
  { name: 'as the specification writes it' },
  { name: 'names of the .proto file', snakeCase: true },
  { name: 'upper-case ids', upperCaseIds: true },
  { name: 'enums as names', enumNames: true },
  { name: 'bare 64-bit integers', bareIntegers: true },
  { name: 'unknown fields', unknownFields: true },
  { name: 'nulls for what is absent', nulls: true },
  { name: 'doubles as text', doublesAsText: true },
  { name: 'base64 for URLs', urlBase64: true },
  { name: 'fields in reverse', reversed: true },
  {
    name: 'all at once',
    snakeCase: true,
    upperCaseIds: true,
    enumNames: true,
    bareIntegers: true,
    unknownFields: true,
    doublesAsText: true,
  },
];

const kinds = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'].map((name) => `SPAN_KIND_${name}`);
const codes = ['UNSET', 'OK', 'ERROR'].map((name) => `STATUS_CODE_${name}`);
const ids = new Set(['traceId', 'spanId', 'parentSpanId']);
const longs = new Set(['startTimeUnixNano', 'endTimeUnixNano', 'timeUnixNano', 'intValue']);
/** Stands for a bare number until the text is made. */
const bare = (text: string) => `@bare:${text}@`;

function doubleText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function jsonField(name: string, value: unknown, style: Style): unknown {
  if (Array.isArray(value)) return value.map((item) => jsonValue(item, style));
  if (value instanceof Uint8Array) {
    const hex = Buffer.from(value).toString('hex');
    if (ids.has(name)) return style.upperCaseIds ? hex.toUpperCase() : hex;
    return Buffer.from(value).toString(style.urlBase64 ? 'base64url' : 'base64');
  }
  if (longs.has(name)) return style.bareIntegers ? bare(String(value)) : value;
  if (name === 'doubleValue') {
    const double = value as number;
    return style.doublesAsText || !Number.isFinite(double) ? doubleText(double) : bare(doubleText(double));
  }
  if (style.enumNames && name === 'kind') return kinds[value as number] ?? value;
  if (style.enumNames && name === 'code') return codes[value as number] ?? value;
  return jsonValue(value, style);
}

function jsonValue(value: unknown, style: Style): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([name, inner]) => {
    const written = style.snakeCase ? name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : name;
    return [written, jsonField(name, inner, style)] as [string, unknown];
  });
  if (style.reversed) fields.reverse();
  if (style.unknownFields) fields.push(['of_a_later_version', { deep: [1, { er: null }] }], ['other', 'x']);
  if (style.nulls) for (const name of ['scope', 'attributes', 'droppedEventsCount']) if (!(name in value)) fields.push([name, null]);
  return Object.fromEntries(fields);
}

const jsonText = (value: unknown, style: Style) =>
  JSON.stringify(jsonValue(value, style)).replace(/"@bare:([^@]+)@"/g, (_, text: string) => text);

const decode = (bytes: Uint8Array, defaults: boolean) =>
  exportTraceServiceRequest.toObject(exportTraceServiceRequest.decode(bytes), { longs: String, defaults });

/** Every style gives the bytes of the first; those say what `request` says. */
function compare(t: Test, request: Uint8Array, what: string): void {
  const plain = decode(request, false);
  const first = transcodeJson(Buffer.from(jsonText(plain, styles[0]!)));
  t.same(decode(first, true), decode(request, true), `${what}: the JSON means what the protobuf means`);
  for (const style of styles.slice(1)) {
    if (!Buffer.from(transcodeJson(Buffer.from(jsonText(plain, style)))).equals(first)) t.fail(`${what}: ${style.name}`);
  }
}

const attribute = (key: string, value: Uint8Array) => lengthField(9, concat(lengthField(1, utf8(key)), lengthField(2, value)));
const doubles = [0, -0, 1.5, -1e300, 5e-324, Number.MAX_VALUE, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 53 + 2];
const integers = [0n, 1n, -1n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)];
const nested = lengthField(
  5,
  concat(lengthField(1, lengthField(6, lengthField(1, lengthField(1, utf8('k'))))), lengthField(1, new Uint8Array())),
);

/** A span with every kind of value and every odd number, each field of every message set. */
const oddSpan = concat(
  lengthField(1, traceIdOf(1)),
  lengthField(2, spanIdOf(1)),
  lengthField(3, utf8('a=1')),
  lengthField(4, spanIdOf(2)),
  lengthField(5, utf8('"quoted"\\ \u0000\u2028 子 😀')),
  varintField(6, 99),
  fixed64Field(7, 2n ** 64n - 1n),
  fixed64Field(8, 2n ** 53n + 1n),
  ...doubles.map((value, index) => attribute(`double ${index}`, doubleField(4, value))),
  ...integers.map((value, index) => attribute(`integer ${index}`, varintField(3, value))),
  attribute('true', varintField(2, 1)),
  attribute('false', varintField(2, 0)),
  attribute('no text', lengthField(1, new Uint8Array())),
  attribute('bytes', lengthField(7, Uint8Array.of(0xfb, 0xff, 0xfe, 0))),
  attribute('no bytes', lengthField(7, new Uint8Array())),
  attribute('empty value', new Uint8Array()),
  attribute('nested', nested),
  attribute('empty list', lengthField(5, new Uint8Array())),
  attribute('empty map', lengthField(6, new Uint8Array())),
  varintField(10, 0xffff_ffff),
  lengthField(11, concat(fixed64Field(1, 1n), lengthField(2, utf8('event')), lengthField(3, lengthField(1, utf8('k'))), varintField(4, 3))),
  varintField(12, 1),
  lengthField(
    13,
    concat(lengthField(1, traceIdOf(3)), lengthField(2, spanIdOf(3)), lengthField(3, utf8('s')), varintField(5, 2), fixed32Field(6, 0x301)),
  ),
  varintField(14, 2),
  lengthField(15, concat(lengthField(2, utf8('no')), varintField(3, 7))),
  fixed32Field(16, 0xffff_ffff),
);

t.test('every kind of value and every odd number comes out the same, however it is written', async (t) => {
  const scope = concat(
    lengthField(1, utf8('lib')),
    lengthField(2, utf8('1')),
    lengthField(3, lengthField(1, utf8('k'))),
    varintField(4, 1),
  );
  const scopeSpans = lengthField(2, concat(lengthField(1, scope), lengthField(2, oddSpan), lengthField(3, utf8('https://scope'))));
  const resource = lengthField(1, concat(lengthField(1, lengthField(1, utf8('k'))), varintField(2, 5)));
  compare(t, lengthField(1, concat(resource, scopeSpans, lengthField(3, utf8('https://resource')))), 'odd');
  compare(t, lengthField(1, lengthField(2, concat(lengthField(2, new Uint8Array()), lengthField(2, new Uint8Array())))), 'empty spans');
});

t.test('property: random requests come out the same, however they are written', async (t) => {
  const dice = new Dice(seededPrng(7_4));
  for (let round = 0; round < 60; round++) compare(t, randomRequest(dice, { oddness: 0 }), `round ${round}`);
});
