/** Reads htpasswd text and verifies passwords against it. Main thread. */

import { createHash, timingSafeEqual } from 'node:crypto';
import bcrypt from 'bcryptjs';

/** User → hash, as htpasswd wrote it. */
export type PasswordTable = ReadonlyMap<string, string>;

/** Shape: `user:hash` a line; empty lines and those that begin with # are nothing. Errors: an Error that names the line. */
export function parseHtpasswd(text: string): PasswordTable {
  const table = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const entry = line.trim();
    if (entry === '' || entry.startsWith('#')) continue;
    const colon = entry.indexOf(':');
    if (colon <= 0) throw new Error(`htpasswd: line ${index + 1}: expected user:hash`);
    table.set(entry.slice(0, colon), entry.slice(colon + 1));
  }
  return table;
}

/** Kinds: bcrypt ($2a$, $2b$, $2y$), {SHA}, {SSHA}, MD5 ($apr1$), else the password itself. */
export function isPassword(hash: string, password: string): boolean {
  if (/^\$2[aby]\$/.test(hash)) return bcrypt.compareSync(password, hash);
  if (hash.startsWith('{SHA}')) return isEqual(hash.slice(5), sha1(password).toString('base64'));
  if (hash.startsWith('{SSHA}')) {
    const bytes = Buffer.from(hash.slice(6), 'base64');
    return isEqual(bytes.subarray(0, 20).toString('hex'), sha1(password, bytes.subarray(20)).toString('hex'));
  }
  if (hash.startsWith('$apr1$')) return isEqual(hash, apr1(password, hash.split('$')[2] ?? ''));
  return isEqual(hash, password);
}

function isEqual(left: string, right: string): boolean {
  const [a, b] = [createHash('sha256').update(left).digest(), createHash('sha256').update(right).digest()];
  return timingSafeEqual(a, b);
}

function sha1(password: string, salt: Uint8Array = new Uint8Array(0)): Buffer {
  return createHash('sha1').update(password, 'utf8').update(salt).digest();
}

function md5(...parts: readonly (Uint8Array | string)[]): Buffer {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

const apr1Alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Source: Poul-Henning Kamp's MD5 crypt with Apache's magic; the odd steps are its definition. */
function apr1(password: string, salt: string): string {
  const key = Buffer.from(password, 'utf8');
  const alternate = md5(key, salt, key);
  const first: (Uint8Array | string)[] = [key, '$apr1$', salt];
  for (let left = key.length; left > 0; left -= 16) first.push(alternate.subarray(0, Math.min(16, left)));
  for (let bits = key.length; bits > 0; bits >>= 1) first.push(bits & 1 ? Buffer.alloc(1) : key.subarray(0, 1));
  let digest = md5(...first);
  for (let round = 0; round < 1_000; round++) {
    const parts: (Uint8Array | string)[] = [round & 1 ? key : digest];
    if (round % 3) parts.push(salt);
    if (round % 7) parts.push(key);
    parts.push(round & 1 ? digest : key);
    digest = md5(...parts);
  }
  let text = '';
  const put = (value: number, count: number) => {
    for (let rest = value, index = 0; index < count; index++, rest >>>= 6) text += apr1Alphabet[rest & 63];
  };
  for (const [a, b, c] of [
    [0, 6, 12],
    [1, 7, 13],
    [2, 8, 14],
    [3, 9, 15],
    [4, 10, 5],
  ] as const)
    put((digest[a]! << 16) | (digest[b]! << 8) | digest[c]!, 4);
  put(digest[11]!, 2);
  return `$apr1$${salt}$${text}`;
}
