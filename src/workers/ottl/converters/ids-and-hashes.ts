/** Converters that make identifiers and hashes. Worker thread; built at compile time. */

import { createHash } from 'node:crypto';
import type { Prng } from '../../../shared/prng.ts';
import { type Converter, converter } from '../converter.ts';
import { CompileFault, dynamicGetter, type Getter, literalGetter } from '../getter.ts';
import { utf8 } from '../go-text.ts';
import { Id, type IdType, OttlError } from '../values.ts';
import { fnv1a64, murmur3x64, murmur3x86 } from './hash-functions.ts';
import { map1 } from './map-arguments.ts';
import { xxh3Hex, xxh128Hex } from './xxh3.ts';

const digest = (name: string, algorithm: string): Converter =>
  converter(name, ['Target StringGetter'], ([target]) => map1<string>(target, (text) => createHash(algorithm).update(text).digest('hex')));
const textHash = (name: string, hash: (bytes: Uint8Array) => string | bigint): Converter =>
  converter(name, ['Target StringGetter'], ([target]) => map1<string>(target, (text) => hash(utf8(text))));

function toId(name: string, type: IdType, length: number, bytes: Uint8Array): Id | OttlError {
  if (bytes.length === length) return new Id(type, bytes);
  if (bytes.length !== 2 * length) {
    return new OttlError(`${name}: could not decode ID: invalid length: expected ${length} or ${2 * length} bytes, got ${bytes.length}`);
  }
  const text = Buffer.from(bytes).toString('latin1');
  const bad = /[^0-9a-fA-F]/.exec(text);
  if (bad === null) return new Id(type, Uint8Array.from(Buffer.from(text, 'hex')));
  const code = bad[0].charCodeAt(0);
  const shown =
    code >= 0x20 && code < 0x7f
      ? `'${bad[0] === "'" || bad[0] === '\\' ? '\\' : ''}${bad[0]}'`
      : code >= 0xa1 && code !== 0xad
        ? `'${bad[0]}'`
        : runeEscape(code);
  const unicode = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  return new OttlError(
    `${name}: could not decode ID: invalid hex: encoding/hex: invalid byte: ${unicode}${shown === '' ? '' : ` ${shown}`}`,
  );
}

/** `%#U` shows no character for what cannot be printed. */
function runeEscape(_code: number): string {
  return '';
}

const id = (name: string, type: IdType, length: number): Converter =>
  converter(name, ['Target ByteSliceLikeGetter'], ([target]) => {
    const getter = target as Getter<Uint8Array | null>;
    const none = new Uint8Array(0);
    if (!getter.literal) return map1<Uint8Array | null>(getter, (bytes) => toId(name, type, length, bytes ?? none));
    const value = toId(name, type, length, getter.value ?? none);
    if (value instanceof OttlError) throw new CompileFault(value.message);
    return literalGetter(value);
  });

function randomBytes(prng: Prng): Uint8Array {
  return Uint8Array.from({ length: 16 }, () => Math.floor(prng.next() * 256));
}

function uuidText(bytes: Uint8Array, version: number): string {
  bytes[6] = (bytes[6]! & 0x0f) | (version << 4);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export const idConverters: readonly Converter[] = [
  digest('MD5', 'md5'),
  digest('SHA1', 'sha1'),
  digest('SHA256', 'sha256'),
  digest('SHA512', 'sha512'),
  textHash('FNV', (bytes) => BigInt.asIntN(64, fnv1a64(bytes))),
  textHash('Murmur3Hash', murmur3x86),
  textHash('Murmur3Hash128', murmur3x64),
  textHash('XXH3', xxh3Hex),
  textHash('XXH128', xxh128Hex),
  id('TraceID', 'pcommon.TraceID', 16),
  id('SpanID', 'pcommon.SpanID', 8),
  id('ProfileID', 'pprofile.ProfileID', 16),
  converter('UUID', [], (_, { prng }) => dynamicGetter(() => uuidText(randomBytes(prng), 4))),
  converter('UUIDv7', [], (_, { prng, clock }) =>
    dynamicGetter(() => {
      const bytes = randomBytes(prng);
      new DataView(bytes.buffer).setBigUint64(0, (BigInt(Math.floor(clock.wallMs())) << 16n) | BigInt((bytes[6]! << 8) | bytes[7]!));
      return uuidText(bytes, 7);
    }),
  ),
];
