/** strconv's ParseInt and ParseFloat with their errors. Any thread. */

import { goQuote } from './go-text.ts';
import { OttlError } from './values.ts';

const int64Max = 2n ** 63n - 1n;
const int64Min = -(2n ** 63n);

/** strconv.ParseInt(text, base, 64); base 0 looks at the prefix and admits underscores. */
export function parseGoInt(text: string, base: number): bigint | OttlError {
  const fault = (reason: string) => new OttlError(`strconv.ParseInt: parsing ${goQuote(text)}: ${reason}`);
  const syntax = 'invalid syntax';
  if (text === '') return fault(syntax);
  const negative = text[0] === '-';
  let digits = negative || text[0] === '+' ? text.slice(1) : text;
  if (digits === '') return fault(syntax);
  let radix = base;
  if (base === 0) {
    const prefix = /^0([xXbBoO])_?/.exec(digits);
    radix = 10;
    if (prefix !== null) {
      radix = { x: 16, b: 2, o: 8 }[prefix[1]!.toLowerCase()]!;
      digits = digits.slice(2).replace(/^_/, '');
    } else if (digits.length > 1 && digits[0] === '0') {
      radix = 8;
      digits = digits.slice(1).replace(/^_/, '');
    }
    if (/__|_$|^_/.test(digits) || digits === '') return fault(syntax);
    digits = digits.replaceAll('_', '');
  } else if (base === 1 || base > 36) return fault(`invalid base ${base}`);
  let value = 0n;
  const factor = BigInt(radix);
  for (const char of digits) {
    const digit = /[0-9a-zA-Z]/.test(char) ? Number.parseInt(char, 36) : 99;
    if (digit >= radix) return fault(syntax);
    if (value <= int64Max + 1n) value = value * factor + BigInt(digit);
  }
  const signed = negative ? -value : value;
  return signed > int64Max || signed < int64Min ? fault('value out of range') : signed;
}

const decimal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const hexFloat = /^([+-]?)0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?\d+)$/;

/** strconv.ParseFloat(text, 64): decimals, hexadecimals with a p exponent, inf, infinity and nan in any case. */
export function parseGoFloat(text: string): number | OttlError {
  const fault = (reason: string) => new OttlError(`strconv.ParseFloat: parsing ${goQuote(text)}: ${reason}`);
  if (decimal.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : fault('value out of range');
  }
  const word = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (word !== null) {
    if (word[2]!.toLowerCase() === 'nan') return word[1] === '' ? Number.NaN : fault('invalid syntax');
    return word[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  const hex = hexFloat.exec(text);
  if (hex === null || hex[2]! + hex[3]! === '') return fault('invalid syntax');
  const value = Number(BigInt(`0x${hex[2]!}${hex[3]!}`)) * 2 ** (Number(hex[4]) - 4 * hex[3]!.length);
  if (!Number.isFinite(value)) return fault('value out of range');
  return hex[1] === '-' ? -value : value;
}
