/** Reads `key="text"`, `key=true`, `key=12` and `key=[…]` as telemetrygen's attribute flags do. Pure. */

import type { AttributeValue } from './wire-writer.ts';

/** A flag's value cannot be read; the message is in telemetrygen's words. */
export class FlagValueError extends Error {
  readonly code = 'FLAG_VALUE';
}

const forms =
  'value should be in one of the following formats: key="value", key=true, key=false, key=<integer>, or key=[<value1>, <value2>, ...]';

/** Errors: FlagValueError. */
export function parseAttributeFlag(text: string): readonly [key: string, value: AttributeValue] {
  const equals = text.indexOf('=');
  if (equals < 0) throw new FlagValueError(forms);
  const value = text.slice(equals + 1);
  const isList = value.startsWith('[') && value.endsWith(']') && value.length >= 2;
  return [text.slice(0, equals), isList ? parseList(value.slice(1, -1).trim()) : parseScalar(value)];
}

function parseScalar(text: string): string | boolean | bigint {
  if (text === 'true' || text === 'false') return text === 'true';
  if (/^[+-]?\d+$/.test(text)) return BigInt(text.replace('+', ''));
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"'))
    throw new FlagValueError('value should be a string wrapped in double quotes');
  return text.slice(1, -1);
}

function parseList(content: string): AttributeValue {
  if (content === '') throw new FlagValueError('slice should not be empty');
  const values = splitOutsideQuotes(content).map(parseScalar);
  if (values.some((value) => typeof value !== typeof values[0]))
    throw new FlagValueError('all items in a slice should be of the same type');
  return values as AttributeValue;
}

function splitOutsideQuotes(content: string): string[] {
  return content
    .split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/)
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
