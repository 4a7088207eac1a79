/** Texts as Go prints them: quoted strings and floats, so that faults and converters read like the Collector's. Any thread. */

const encoder = new TextEncoder();

/** Bytes that Go counts in a string. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

const shortEscapes: Record<number, string> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
};
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u;

/** A string as `%q` prints it. */
export function goQuote(text: string): string {
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (shortEscapes[code] !== undefined) out += shortEscapes[code];
    else if (code >= 0x20 && code < 0x7f) out += char;
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else if (printable.test(char)) out += char;
    else if (code < 0x10000) out += `\\u${code.toString(16).padStart(4, '0')}`;
    else out += `\\U${code.toString(16).padStart(8, '0')}`;
  }
  return `${out}"`;
}

/** The digits and the decimal exponent of a finite double's shortest form: value = 0.d1d2… × 10^exponent. */
function shortest(value: number): { negative: boolean; digits: string; exponent: number } {
  const [mantissa, exponent] = Math.abs(value).toExponential().split('e') as [string, string];
  return { negative: value < 0 || Object.is(value, -0), digits: mantissa.replace('.', ''), exponent: Number(exponent) + 1 };
}

function special(value: number): string | undefined {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return undefined;
}

/** strconv.FormatFloat(value, 'f', -1, 64). */
export function formatFloatF(value: number): string {
  const named = special(value);
  if (named !== undefined) return named;
  const { negative, digits, exponent } = shortest(value);
  let out: string;
  if (exponent <= 0) out = `0.${'0'.repeat(-exponent)}${digits}`;
  else if (exponent >= digits.length) out = digits + '0'.repeat(exponent - digits.length);
  else out = `${digits.slice(0, exponent)}.${digits.slice(exponent)}`;
  if (value === 0) out = '0';
  return negative ? `-${out}` : out;
}

/** strconv.FormatFloat(value, 'e', -1, 64): at least two exponent digits. */
export function formatFloatE(value: number): string {
  const named = special(value);
  if (named !== undefined) return named;
  const { negative, digits, exponent } = shortest(value);
  const power = value === 0 ? 0 : exponent - 1;
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
  return `${negative ? '-' : ''}${digits[0]}${fraction}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

/** `%v` of a float64: the shortest digits, in exponent form below 1e-4 and from 1,000,000 on. */
export function formatFloatG(value: number): string {
  const named = special(value);
  if (named !== undefined) return named;
  const power = value === 0 ? 0 : shortest(value).exponent - 1;
  return power < -4 || power >= 6 ? formatFloatE(value) : formatFloatF(value);
}

/** A float64 as encoding/json writes it; the caller refuses what is not finite. */
export function formatFloatJson(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-6 && size < 1e21)) return formatFloatF(value);
  return formatFloatE(value).replace(/e-0(\d)$/, 'e-$1');
}

/** The same as goccy/go-json writes it: two exponent digits. */
export function formatFloatGoccy(value: number): string {
  const size = Math.abs(value);
  return size === 0 || (size >= 1e-6 && size < 1e21) ? formatFloatF(value) : formatFloatE(value);
}

/** Go compares strings bytewise; UTF-16 order differs from it where surrogates meet U+E000 and above. */
export function compareStrings(left: string, right: string): number {
  if (left === right) return 0;
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i++) {
    const a = left.charCodeAt(i);
    const b = right.charCodeAt(i);
    if (a === b) continue;
    const aHigh = a >= 0xd800 && a < 0xe000;
    const bHigh = b >= 0xd800 && b < 0xe000;
    if (aHigh !== bHigh) return aHigh ? (b >= 0xe000 ? 1 : a - b) : a >= 0xe000 ? -1 : a - b;
    return a - b;
  }
  return left.length - right.length;
}
