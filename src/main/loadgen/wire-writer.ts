/** Writes protobuf fields for what is built once and then copied: span templates, resources, scopes. Pure. */

import { Buffer } from 'node:buffer';

/** An attribute as the command line gives it. */
export type AttributeValue = string | boolean | bigint | readonly string[] | readonly boolean[] | readonly bigint[];
export type Attributes = readonly (readonly [key: string, value: AttributeValue])[];

export function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

const tag = (field: number, wireType: number) => varint(field * 8 + wireType);

export const varintField = (field: number, value: number | bigint) => Buffer.concat([tag(field, 0), varint(value)]);

export const bytesField = (field: number, ...body: readonly Uint8Array[]) =>
  Buffer.concat([tag(field, 2), varint(body.reduce((sum, part) => sum + part.length, 0)), ...body]);

export const stringField = (field: number, text: string) => bytesField(field, Buffer.from(text, 'utf8'));

export function fixed32Field(field: number, value: number): Buffer {
  const body = Buffer.alloc(4);
  body.writeUInt32LE(value);
  return Buffer.concat([tag(field, 5), body]);
}

export const fixed64Zero = (field: number) => Buffer.concat([tag(field, 1), Buffer.alloc(8)]);

/** KeyValue: key = 1, value = 2. AnyValue: string = 1, bool = 2, int = 3, array = 5 (values = 1). */
export function attributesField(field: number, attributes: Attributes): Buffer {
  return Buffer.concat(attributes.map(([key, value]) => bytesField(field, stringField(1, key), bytesField(2, anyValue(value)))));
}

function anyValue(value: AttributeValue): Buffer {
  switch (typeof value) {
    case 'string':
      return stringField(1, value);
    case 'boolean':
      return varintField(2, value ? 1 : 0);
    case 'bigint':
      return varintField(3, value);
    default:
      return bytesField(5, ...value.map((item) => bytesField(1, anyValue(item))));
  }
}
