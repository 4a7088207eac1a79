/** Sizes of the Collector's encoding (spec 1.5): its vectors, and what wire bytes have that its encoding has not. */

import t from 'tap';
import { fieldBytes, headerBodyBytes, spanBodyBytes, varintBytes } from '../../../src/shared/otlp/otlp-sizes.ts';
import {
  type Attributes,
  attributesBytes,
  concat,
  fixed32Field,
  fixed64Field,
  lengthField,
  unhex,
  utf8,
  varintField,
} from '../../support/otlp.ts';

const none = new Uint8Array();
const traceId = unhex('0102030405060708090a0b0c0d0e0f10');
const spanId = unhex('0102030405060708');
const spanSize = (...fields: Uint8Array[]) => spanBodyBytes(concat(...fields), 0, concat(...fields).length);
const resourceSize = (attributes: Attributes) => {
  const header = lengthField(1, attributesBytes(1, attributes));
  return headerBodyBytes('resource', header, 0, header.length);
};

/** ResourceSpansSize of one resource with one scope that holds the span. */
const oneSpan = (resource: Attributes, ...fields: Uint8Array[]) =>
  fieldBytes(resourceSize(resource)) + fieldBytes(fieldBytes(0) + fieldBytes(spanSize(...fields)));

t.test('the vectors of the Collector', (t) => {
  t.equal(fieldBytes(headerBodyBytes('resource', none, 0, 0)), 2);
  t.equal(oneSpan({}), 16);
  t.equal(fieldBytes(oneSpan({})), 18);
  const ids = [lengthField(1, traceId), lengthField(2, spanId)];
  t.equal(oneSpan({}, ...ids), 40);
  t.equal(oneSpan({ 'service.name': 'test-service' }, ...ids, lengthField(5, utf8('test-span'))), 83);
  t.end();
});

t.test('what the Collector does not write does not count', (t) => {
  const empty = spanSize();
  t.equal(empty, 8, 'three ids and a status');
  t.equal(spanSize(lengthField(1, new Uint8Array(16)), lengthField(4, new Uint8Array(8))), empty, 'ids of zeros');
  t.equal(
    spanSize(lengthField(3, none), lengthField(5, none), varintField(6, 0), fixed64Field(7, 0n), fixed32Field(16, 0)),
    empty,
    'default values',
  );
  t.equal(spanSize(varintField(200, 7), lengthField(63, utf8('unknown'))), empty, 'unknown fields');
  t.equal(spanSize(varintField(6, 2, 3), varintField(10, 300, 2)), empty + 2 + 3, 'overlong varints');
  t.equal(spanSize(lengthField(5, utf8('replaced')), lengthField(5, utf8('x'))), empty + 3, 'the last of two names');
  t.equal(spanSize(lengthField(15, lengthField(2, utf8('m'))), lengthField(15, varintField(3, 2))), empty + 5, 'a status in two pieces');
  t.end();
});

t.test('fixed and negative scalars', (t) => {
  t.equal(spanSize(fixed32Field(16, 257)), 8 + 6);
  t.equal(spanSize(fixed64Field(8, 1n)), 8 + 9);
  t.equal(spanSize(varintField(6, 2n ** 64n - 1n)), 8 + 11);
  t.equal(resourceSize({ k: -1n }), fieldBytes(3 + fieldBytes(11)));
  t.same([0, 127, 128, 16_383, 16_384, 2 ** 28 - 1, 2 ** 28, 2 ** 32 - 1].map(varintBytes), [1, 1, 2, 2, 3, 4, 5, 5]);
  t.end();
});
