/** Letter case as Go sees it: rune by rune, and the word rules of strcase. Any thread. */

function perRune(text: string, change: (rune: string) => string): string {
  let out = '';
  for (const rune of text) {
    const changed = change(rune);
    out += [...changed].length === 1 ? changed : rune;
  }
  return out;
}

const ascii = /^[\0-\x7f]*$/;

export function goUpper(text: string): string {
  return ascii.test(text) ? text.toUpperCase() : perRune(text, (rune) => rune.toUpperCase());
}

export function goLower(text: string): string {
  return ascii.test(text) ? text.toLowerCase() : perRune(text, (rune) => (rune === 'İ' ? 'i' : rune.toLowerCase()));
}

/** strings.TrimSpace. */
export function goTrimSpace(text: string): string {
  return text.replace(
    /^[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/g,
    '',
  );
}

const isCap = (byte: number): boolean => byte >= 65 && byte <= 90;
const isLow = (byte: number): boolean => byte >= 97 && byte <= 122;
const isNum = (byte: number): boolean => byte >= 48 && byte <= 57;
const isGap = (byte: number): boolean => byte === 0x5f || byte === 0x20 || byte === 0x2d || byte === 0x2e;

/** Source: the rules of github.com/iancoleman/strcase (MIT): bytes, of which ToCamel drops all but letters and digits. */
export function toCamel(text: string): string {
  let source = goTrimSpace(text);
  const acronym = source === 'ID';
  if (acronym) source = 'Id';
  let out = '';
  let capNext = true;
  let prevIsCap = false;
  for (let byte of Buffer.from(source)) {
    const cap = isCap(byte);
    const low = isLow(byte);
    if (capNext) {
      if (low) byte -= 32;
    } else if (prevIsCap && cap && !acronym) byte += 32;
    prevIsCap = cap;
    if (cap || low) {
      out += String.fromCharCode(byte);
      capNext = false;
    } else if (isNum(byte)) {
      out += String.fromCharCode(byte);
      capNext = true;
    } else capNext = isGap(byte);
  }
  return out;
}

export function toSnake(text: string): string {
  const source = Buffer.from(goTrimSpace(text));
  const out: number[] = [];
  for (let i = 0; i < source.length; i++) {
    let byte = source[i]!;
    const cap = isCap(byte);
    const low = isLow(byte);
    if (cap) byte += 32;
    const next = source[i + 1];
    if (next !== undefined) {
      const num = isNum(byte);
      const changes =
        (cap && (isLow(next) || isNum(next))) || (low && (isCap(next) || isNum(next))) || (num && (isCap(next) || isLow(next)));
      if (changes) {
        if (cap && isLow(next) && i > 0 && isCap(source[i - 1]!)) out.push(0x5f);
        out.push(byte);
        if (low || num || isNum(next)) out.push(0x5f);
        continue;
      }
    }
    out.push(isGap(byte) ? 0x5f : byte);
  }
  return Buffer.from(out).toString();
}
