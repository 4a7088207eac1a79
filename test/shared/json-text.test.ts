/** OTLP to OTLP/JSON: the Collector's own text, and a law for every request. */

import { readFileSync } from 'node:fs';
import t from 'tap';
import { transcodeJson } from '../../src/main/receivers/otlp/json-transcoder.ts';
import { jsonTextOf } from '../../src/shared/otlp/json-text.ts';
import { seededPrng } from '../../src/shared/prng.ts';
import { concat, Dice, keyValueBytes, lengthField, randomRequest, utf8, varintField } from '../support/otlp.ts';

const fixture = (name: string) => readFileSync(new URL(`../main/exporters/fixtures/${name}`, import.meta.url));

t.test('writes the text that the Collector’s file exporter wrote for the same request', async (t) => {
  const [line] = fixture('collector-file.json').toString('utf8').split('\n');
  t.equal(jsonTextOf(fixture('every-field.bin')), line);
});

t.test('what it writes reads back to a request with the same text', async (t) => {
  const dice = new Dice(seededPrng(17));
  for (let run = 0; run < 200; run++) {
    const request = randomRequest(dice, {});
    const text = jsonTextOf(request);
    const again = transcodeJson(Buffer.from(text, 'utf8'));
    if (jsonTextOf(again) !== text) t.equal(jsonTextOf(again), text, `run ${run}`);
  }
  t.pass('200 requests');
});

t.test('pieces of one embedded message are one message; the last scalar and the last member of a oneof count', async (t) => {
  const status = concat(lengthField(15, lengthField(2, utf8('why'))), lengthField(15, varintField(3, 2)));
  const twice = lengthField(2, concat(lengthField(1, utf8('text')), varintField(3, 0)));
  const attribute = lengthField(9, concat(lengthField(1, utf8('old')), lengthField(1, utf8('k')), twice));
  const span = concat(lengthField(5, utf8('old')), lengthField(5, utf8('new')), status, attribute, varintField(6, 2), varintField(6, 0));
  const request = lengthField(1, lengthField(2, lengthField(2, span)));
  const expected = '{"name":"new","attributes":[{"key":"k","value":{"intValue":"0"}}],"status":{"message":"why","code":2}}';
  t.equal(jsonTextOf(request), `{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[${expected}]}]}]}`);
});

t.test('reads bytes in shared memory and text that is no UTF-8', async (t) => {
  const bytes = lengthField(1, lengthField(1, lengthField(1, keyValueBytes('k', 'v'))));
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 8), 4, bytes.length);
  shared.set(bytes);
  t.equal(jsonTextOf(shared), jsonTextOf(bytes));
  const broken = lengthField(1, lengthField(3, new Uint8Array([0x61, 0xff])));
  t.equal(jsonTextOf(broken), '{"resourceSpans":[{"resource":{},"schemaUrl":"a\ufffd"}]}');
});
