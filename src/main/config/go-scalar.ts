/** Gives a plain YAML scalar the value that Go's yaml.v3 gives it: 0123 is octal, 50_000 is a number, yes and no are texts. Pure. */

import { FloatValue } from './raw-value.ts';

const words = new Map<string, unknown>([
  ...['', '~', 'null', 'Null', 'NULL'].map((word): [string, unknown] => [word, null]),
  ...['true', 'True', 'TRUE'].map((word): [string, unknown] => [word, true]),
  ...['false', 'False', 'FALSE'].map((word): [string, unknown] => [word, false]),
  ...['.nan', '.NaN', '.NAN'].map((word): [string, unknown] => [word, new FloatValue(Number.NaN)]),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map((word): [string, unknown] => [word, new FloatValue(Number.POSITIVE_INFINITY)]),
  ...['-.inf', '-.Inf', '-.INF'].map((word): [string, unknown] => [word, new FloatValue(Number.NEGATIVE_INFINITY)]),
]);

const integer = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]([0-7]+)|0([0-7]+)|(0|[1-9][0-9]*))$/;
const float = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;
const radixes = ['0x', '0b', '0o', '0o', ''] as const;

/** Integers beyond 2^53 come as bigint, floats as FloatValue; integers beyond 64 bits are floats, as in Go. */
export function goScalar(text: string): unknown {
  if (words.has(text)) return words.get(text);
  if (!/^[-+.0-9]/.test(text)) return text;
  const plain = text.startsWith('.') ? text : text.replaceAll('_', '');
  const match = integer.exec(plain);
  if (match !== null) {
    const group = match.findIndex((part, index) => index >= 2 && part !== undefined);
    const magnitude = BigInt(radixes[group - 2]! + match[group]!);
    const value = match[1] === '-' ? -magnitude : magnitude;
    if (value >= -(2n ** 63n) && value < 2n ** 64n) return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
  return float.test(plain) ? new FloatValue(Number(plain)) : text;
}
