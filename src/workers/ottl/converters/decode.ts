/** The Decode converter: base64 and character encodings by their IANA names. Worker thread; built at compile time. */

import { type Converter, converter } from '../converter.ts';
import { CompileFault, dynamicGetter, type Getter } from '../getter.ts';
import { asString, OttlError, type OttlValue, PValue, typeName } from '../values.ts';

type Decoder = (bytes: Uint8Array) => string | OttlError;

/** Go's base64: line ends are skipped, padding and the last digit's unused bits are checked where Go does. */
function base64Decoder(urlSafe: boolean, padded: boolean): Decoder {
  const alphabet = urlSafe ? /[A-Za-z0-9\-_]/ : /[A-Za-z0-9+/]/;
  return (bytes) => {
    const text = Buffer.from(bytes).toString('latin1');
    const corrupt = (at: number) => new OttlError(`could not decode: illegal base64 data at input byte ${at}`);
    let digits = '';
    for (let i = 0; i < text.length; i++) {
      const char = text[i]!;
      if (char === '\n' || char === '\r') continue;
      if (alphabet.test(char)) {
        digits += char;
        continue;
      }
      if (char !== '=' || !padded) return corrupt(i);
      const over = digits.length % 4;
      const rest = text.slice(i + 1).replace(/[\r\n]/g, '');
      if (over < 2) return corrupt(i);
      if (over === 2 && !rest.startsWith('=')) return corrupt(text.length);
      const end = i + (over === 2 ? 1 + text.slice(i + 1).search(/=/) : 0) + 1;
      if (rest.length > (over === 2 ? 1 : 0)) return corrupt(end + text.slice(end).search(/[^\r\n]/));
      return Buffer.from(digits, 'base64').toString();
    }
    const over = digits.length % 4;
    if (over === 1 || (padded && over !== 0))
      return corrupt(text.length - over < 0 ? 0 : padded ? text.length - over + over - over : text.length - 1);
    return Buffer.from(digits, 'base64').toString();
  };
}

/** Source: the overrides of the Collector's textutils. Names that it takes as UTF-8; text that is none gets replacement characters. */
const utf8Names = new Set(['utf-8', 'utf8', 'ascii', 'us-ascii', '', 'utf-8-raw', 'utf8-raw', 'nop']);

function decoderOf(name: string): Decoder | OttlError {
  switch (name) {
    case 'base64':
      return base64Decoder(false, true);
    case 'base64-raw':
      return base64Decoder(false, false);
    case 'base64-url':
      return base64Decoder(true, true);
    case 'base64-raw-url':
      return base64Decoder(true, false);
  }
  const lower = name.toLowerCase();
  const label = utf8Names.has(lower) ? 'utf-8' : lower === 'utf-16' || lower === 'utf16' ? 'utf-16le' : lower;
  try {
    const decoder = new TextDecoder(label, { ignoreBOM: true });
    return (bytes) => decoder.decode(bytes);
  } catch {
    return new OttlError(`unsupported encoding '${name}'`);
  }
}

function decode(value: OttlValue, decoder: Decoder): string | OttlError {
  if (value instanceof Uint8Array) return decoder(value);
  if (typeof value === 'string') return decoder(Buffer.from(value));
  if (value instanceof PValue) return decoder(value.held instanceof Uint8Array ? value.held : Buffer.from(asString(value.held)));
  return new OttlError(`unsupported type provided to Decode function: ${typeName(value)}`);
}

export const decodeConverters: readonly Converter[] = [
  converter('Decode', ['Target Getter', 'Encoding StringGetter'], ([target, encoding]) => {
    const name = encoding as Getter<string>;
    const constant = name.literal ? decoderOf(name.value!) : undefined;
    if (constant instanceof OttlError) throw new CompileFault(constant.message);
    return dynamicGetter((view) => {
      const value = (target as Getter).get(view);
      if (value instanceof OttlError) return value;
      if (constant !== undefined) return decode(value, constant);
      const text = name.get(view);
      const decoder = text instanceof OttlError ? text : decoderOf(text);
      return decoder instanceof OttlError ? decoder : decode(value, decoder);
    });
  }),
];
