/** Splits a W3C tracestate into its members, in place. Worker thread. */

const membersMax = 32;
const comma = 0x2c;
const equalsSign = 0x3d;
const blank = 0x20;
const tab = 0x09;
const atSign = 0x40;

/**
 *     list   = member *( "," member ), empty members passed, at most 32, no key twice
 *     member = OWS key "=" value OWS                 (OWS on these two sides only)
 *     key    = lcalpha 0*255(keychar) | (lcalpha | digit) 0*240(keychar) "@" lcalpha 0*13(keychar)
 *     keychar = lcalpha | digit | "_" | "-" | "*" | "/"
 *     value  = 0*255(%x20-7E without "," and "=") and one of these other than a blank
 *
 * Source: W3C Trace Context; spec 1.4.7.
 */
export class TraceStateMembers {
  count = 0;
  readonly keyAt = new Uint32Array(membersMax);
  readonly keyLength = new Uint32Array(membersMax);
  readonly valueAt = new Uint32Array(membersMax);
  readonly valueLength = new Uint32Array(membersMax);

  /** Whether bytes[from, to) are a valid tracestate; its members then stand in the columns. */
  parse(bytes: Uint8Array, from: number, to: number): boolean {
    this.count = 0;
    let start = from;
    while (start < to) {
      let end = start;
      while (end < to && bytes[end] !== comma) end++;
      if (end > start && !this.#take(bytes, start, end)) return false;
      start = end + 1;
    }
    return true;
  }

  #take(bytes: Uint8Array, from: number, to: number): boolean {
    let separator = from;
    while (separator < to && bytes[separator] !== equalsSign) separator++;
    if (separator === to) return false;
    let key = from;
    while (key < separator && isBlank(bytes[key])) key++;
    let valueEnd = to;
    while (valueEnd > separator + 1 && isBlank(bytes[valueEnd - 1])) valueEnd--;
    if (!isKey(bytes, key, separator) || !isValue(bytes, separator + 1, valueEnd)) return false;
    if (this.count === membersMax || this.#has(bytes, key, separator - key)) return false;
    this.keyAt[this.count] = key;
    this.keyLength[this.count] = separator - key;
    this.valueAt[this.count] = separator + 1;
    this.valueLength[this.count] = valueEnd - separator - 1;
    this.count++;
    return true;
  }

  #has(bytes: Uint8Array, key: number, length: number): boolean {
    for (let index = 0; index < this.count; index++) {
      if (this.keyLength[index] !== length) continue;
      let same = 0;
      while (same < length && bytes[key + same] === bytes[this.keyAt[index] + same]) same++;
      if (same === length) return true;
    }
    return false;
  }
}

function isBlank(byte: number): boolean {
  return byte === blank || byte === tab;
}

function isLowerAlpha(byte: number): boolean {
  return byte >= 0x61 && byte <= 0x7a;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isKey(bytes: Uint8Array, from: number, to: number): boolean {
  let separator = from;
  while (separator < to && bytes[separator] !== atSign) separator++;
  if (separator === to) return isKeyPart(bytes, from, to, 255, false);
  return isKeyPart(bytes, from, separator, 240, true) && isKeyPart(bytes, separator + 1, to, 13, false);
}

function isKeyPart(bytes: Uint8Array, from: number, to: number, restMax: number, digitFirst: boolean): boolean {
  if (from === to || to - from - 1 > restMax) return false;
  if (!isLowerAlpha(bytes[from]) && !(digitFirst && isDigit(bytes[from]))) return false;
  for (let index = from + 1; index < to; index++) {
    const byte = bytes[index];
    // "_", "-", "*" and "/" beside letters and digits.
    if (!isLowerAlpha(byte) && !isDigit(byte) && byte !== 0x5f && byte !== 0x2d && byte !== 0x2a && byte !== 0x2f) return false;
  }
  return true;
}

function isValue(bytes: Uint8Array, from: number, to: number): boolean {
  if (from === to || to - from > 256) return false;
  for (let index = from; index < to; index++) {
    const byte = bytes[index];
    if (byte < blank || byte > 0x7e || byte === comma || byte === equalsSign) return false;
  }
  return bytes[to - 1] !== blank;
}
