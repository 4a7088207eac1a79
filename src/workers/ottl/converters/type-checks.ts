/** Converters between simple types, and questions about types. Worker thread; built at compile time. */

import { type Converter, converter } from '../converter.ts';
import { dynamicGetter, type Getter, type GetterName } from '../getter.ts';
import { parseGoInt } from '../go-numbers.ts';
import { formatFloatG, goQuote } from '../go-text.ts';
import { Duration, Id, isPMap, isPSlice, isZero, Opaque, OttlError, type OttlValue, PValue, Time, TypedSlice } from '../values.ts';
import { map1 } from './map-arguments.ts';

/** True when the argument passes its check, false when it is plainly of another type. */
const isType = (name: string, getterName: GetterName): Converter =>
  converter(name, [`Target ${getterName}`], ([target]) =>
    dynamicGetter((view) => {
      const value = (target as Getter).get(view);
      if (!(value instanceof OttlError)) return true;
      return value.isTypeError ? false : value;
    }),
  );

const convert = (name: string, getterName: GetterName): Converter =>
  converter(name, [`Target ${getterName}`], ([target]) => target as Getter);

/** time.Time's zero is the year 1. */
const zeroTimeNano = -62135596800n * 1_000_000_000n;

function isEmpty(value: OttlValue): boolean {
  if (value === null || value === false || value === 0n || value === 0 || value === '') return true;
  if (typeof value !== 'object') return false;
  if (value instanceof PValue) return value.held === null;
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length === 0;
  if (value instanceof Map) return value.size === 0;
  if (isPMap(value)) return value.entries().length === 0;
  if (isPSlice(value)) return value.items().length === 0;
  if (value instanceof TypedSlice) return value.items.length === 0;
  if (value instanceof Duration) return value.nanos === 0n;
  if (value instanceof Time) return value.unixNano === zeroTimeNano;
  return value instanceof Id && isZero(value.bytes);
}

function isList(value: OttlValue): boolean {
  if (value instanceof PValue) return isPSlice(value.held);
  if (value instanceof Opaque) return value.type !== 'ptrace.Status';
  return isPSlice(value) || value instanceof TypedSlice || Array.isArray(value);
}

/** The sum rule of payment card numbers. Errors: a character that is no digit. */
function isValidLuhn(text: string): boolean | OttlError {
  const digits = Buffer.from(text.replaceAll(' ', ''));
  if (digits.length === 0) return false;
  let sum = 0;
  let double = false;
  for (let i = digits.length - 1; i >= 0; i--, double = !double) {
    const digit = digits[i]! - 48;
    if (digit < 0 || digit > 9) {
      return new OttlError(`strconv.Atoi: parsing ${goQuote(String.fromCharCode(digits[i]!))}: invalid syntax`);
    }
    const counted = double ? digit * 2 : digit;
    sum += counted > 9 ? counted - 9 : counted;
  }
  return sum % 10 === 0;
}

const nilInput = new OttlError('invalid input: <nil>');

export const typeConverters: readonly Converter[] = [
  isType('IsString', 'StringGetter'),
  isType('IsInt', 'IntGetter'),
  isType('IsDouble', 'FloatGetter'),
  isType('IsBool', 'BoolGetter'),
  isType('IsMap', 'PMapGetter'),
  converter('IsList', ['Target Getter'], ([target]) => map1<OttlValue>(target, isList)),
  converter('IsEmpty', ['Target Getter'], ([target]) => map1<OttlValue>(target, isEmpty)),
  convert('Int', 'IntLikeGetter'),
  convert('Double', 'FloatLikeGetter'),
  convert('Bool', 'BoolLikeGetter'),
  convert('String', 'StringLikeGetter'),
  converter('Hex', ['Target ByteSliceLikeGetter'], ([target]) =>
    map1<Uint8Array | null>(target, (bytes) => (bytes === null ? '' : Buffer.from(bytes).toString('hex'))),
  ),
  converter('Log', ['Target FloatLikeGetter'], ([target]) =>
    map1<number | null>(target, (value) => {
      if (value === null) return nilInput;
      if (value <= 0) return new OttlError(`invalid input: expected number greater than zero but got ${formatFloatG(value)}`);
      return Math.log(value);
    }),
  ),
  converter('IsValidLuhn', ['Target StringLikeGetter'], ([target]) =>
    map1<string | null>(target, (text) => (text === null ? nilInput : isValidLuhn(text))),
  ),
  converter('ParseInt', ['Target StringGetter', 'Base IntGetter'], ([target, base]) =>
    dynamicGetter((view) => {
      const text = (target as Getter<string>).get(view);
      if (text instanceof OttlError) return text;
      if (text === '') return new OttlError('invalid target value for ParseInt function, target cannot be empty');
      const radix = (base as Getter<bigint>).get(view);
      if (radix instanceof OttlError) return radix;
      if (radix < 0n) return new OttlError(`invalid base value: ${radix} for ParseInt function, base cannot be negative`);
      return parseGoInt(text, Number(radix));
    }),
  ),
];
