/** The Format converter: Go's fmt.Sprintf over OTTL values. Worker thread; built at compile time. */

import { type Converter, converter } from '../converter.ts';
import { formatValue } from '../format-value.ts';
import { dynamicGetter, type Getter } from '../getter.ts';
import { formatFloatE, formatFloatF, formatFloatG, goQuote } from '../go-text.ts';
import { Duration, Id, isPMap, isPSlice, OttlError, type OttlValue, PlainInt, Time, typeName } from '../values.ts';

interface Directive {
  readonly flags: string;
  readonly width: number | undefined;
  readonly precision: number | undefined;
  readonly verb: string;
}

/** Pads to the width: left with blanks or zeros (behind the sign), or right. */
function pad(text: string, { flags, width }: Directive, numeric = false): string {
  const missing = (width ?? 0) - Array.from(text).length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (!flags.includes('0')) return ' '.repeat(missing) + text;
  const sign = numeric && /^[+-]/.test(text) ? text[0]! : '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}

function signed(text: string, { flags }: Directive): string {
  if (text.startsWith('-') || text.startsWith('+')) return text;
  return flags.includes('+') ? `+${text}` : flags.includes(' ') ? ` ${text}` : text;
}

const bases: Record<string, number> = { b: 2, o: 8, O: 8, d: 10, x: 16, X: 16 };

function formatInteger(value: bigint, directive: Directive): string | undefined {
  const { verb, flags, precision } = directive;
  const size = value < 0n ? -value : value;
  if (verb === 'c') return pad(String.fromCodePoint(Number(size > 0x10ffffn ? 0xfffdn : size)), directive);
  if (verb === 'q') return pad(`'${String.fromCodePoint(Number(size > 0x10ffffn ? 0xfffdn : size))}'`, directive);
  if (verb === 'U') return pad(`U+${size.toString(16).toUpperCase().padStart(4, '0')}`, directive);
  const base = bases[verb === 'v' ? 'd' : verb];
  if (base === undefined) return undefined;
  let digits = size.toString(base);
  if (verb === 'X') digits = digits.toUpperCase();
  if (precision !== undefined) digits = digits.padStart(precision, '0');
  const prefix = verb === 'O' ? '0o' : flags.includes('#') ? ({ x: '0x', X: '0X', o: '0', b: '0b' }[verb] ?? '') : '';
  return pad(
    signed(`${value < 0n ? '-' : ''}${prefix}${digits}`, directive),
    precision === undefined ? directive : { ...directive, flags: flags.replace('0', '') },
    true,
  );
}

function twoDigitExponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

function formatFloat(value: number, directive: Directive): string | undefined {
  const { verb, precision } = directive;
  let text: string;
  if (!Number.isFinite(value)) text = 'eEfFgGv'.includes(verb) ? formatFloatG(value) : '';
  else if (verb === 'v' || verb === 'g' || verb === 'G')
    text = precision === undefined ? formatFloatG(value) : generalFloat(value, precision);
  else if (verb === 'f' || verb === 'F') text = precision === undefined ? value.toFixed(6) : fixedFloat(value, precision);
  else if (verb === 'e' || verb === 'E') text = twoDigitExponent(value.toExponential(Math.min(precision ?? 6, 100)));
  else return undefined;
  if (text === '') return undefined;
  if (verb === 'E' || verb === 'G') text = text.replace('e', 'E');
  return pad(signed(text, directive), Number.isFinite(value) ? directive : { ...directive, flags: directive.flags.replace('0', '') }, true);
}

function fixedFloat(value: number, precision: number): string {
  if (Math.abs(value) < 1e21) return value.toFixed(Math.min(precision, 100));
  return precision === 0 ? formatFloatF(value) : `${formatFloatF(value)}.${'0'.repeat(Math.min(precision, 100))}`;
}

/** `%.3g`: the given number of significant digits, without trailing zeros. */
function generalFloat(value: number, precision: number): string {
  const digits = Math.max(1, Math.min(precision, 100));
  const [mantissa, power] = value.toExponential(digits - 1).split('e') as [string, string];
  const exponent = Number(power);
  const rounded = Number(`${mantissa}e${power}`);
  return exponent < -4 || exponent >= digits ? formatFloatE(rounded) : formatFloatF(rounded);
}

function formatText(text: string, directive: Directive): string | undefined {
  const { verb, flags, precision } = directive;
  const cut = precision === undefined ? text : Array.from(text).slice(0, precision).join('');
  if (verb === 'v' || verb === 's') return pad(cut, directive);
  if (verb === 'q') return pad(flags.includes('#') && !cut.includes('`') ? `\`${cut}\`` : goQuote(cut), directive);
  if (verb === 'x' || verb === 'X') return formatBytes(Buffer.from(cut), directive);
  return undefined;
}

function formatBytes(bytes: Uint8Array, directive: Directive): string | undefined {
  const { verb } = directive;
  if (verb === 'v' || verb === 'd') return pad(`[${bytes.join(' ')}]`, directive);
  if (verb === 's') return pad(Buffer.from(bytes).toString(), directive);
  if (verb === 'q') return pad(goQuote(Buffer.from(bytes).toString()), directive);
  const hex = Buffer.from(bytes).toString('hex');
  return verb === 'x' ? pad(hex, directive) : verb === 'X' ? pad(hex.toUpperCase(), directive) : undefined;
}

/** Lists and maps apply the verb to what they hold. */
function formatOne(value: OttlValue, directive: Directive): string {
  const { verb } = directive;
  if (verb === 'T') return pad(typeName(value), directive);
  let text: string | undefined;
  if (value === null) text = verb === 'v' ? pad('<nil>', directive) : undefined;
  else if (typeof value === 'boolean') text = verb === 'v' || verb === 't' ? pad(String(value), directive) : undefined;
  else if (typeof value === 'bigint') text = formatInteger(value, directive);
  else if (typeof value === 'number') text = formatFloat(value, directive);
  else if (typeof value === 'string') text = formatText(value, directive);
  else if (value instanceof Uint8Array) text = formatBytes(value, directive);
  else if (value instanceof Duration && !'vsqxX'.includes(verb)) text = formatInteger(value.nanos, directive);
  else if (value instanceof Duration || value instanceof Id || value instanceof Time) text = formatText(formatValue(value), directive);
  else if (value instanceof PlainInt) text = formatInteger(value.value, directive);
  else if (value instanceof Map) {
    const keys = [...value.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return `map[${keys.map((key) => `${formatOne(key, directive)}:${formatOne(value.get(key)!, directive)}`).join(' ')}]`;
  } else if (Array.isArray(value)) return `[${(value as readonly OttlValue[]).map((item) => formatOne(item, directive)).join(' ')}]`;
  else if (verb === 'v' || verb === 's' || isPMap(value) || isPSlice(value)) text = pad(formatValue(value), directive);
  if (text !== undefined) return text;
  return value === null ? `%!${verb}(<nil>)` : `%!${verb}(${typeName(value)}=${formatValue(value)})`;
}

const directivePattern = /%([-+# 0]*)(\[(\d+)\])?(\*|\d+)?(?:\.(\*|\d+)?)?(\[(\d+)\])?/y;

/** fmt.Sprintf, with its notes on missing, extra and unfit arguments. */
export function sprintf(format: string, args: readonly OttlValue[]): string {
  let out = '';
  let next = 0;
  let reordered = false;
  const star = (): number | undefined => {
    const value = args[next++];
    return typeof value === 'bigint' && value >= -1_000_000n && value <= 1_000_000n ? Number(value) : undefined;
  };
  for (let at = 0; at < format.length; ) {
    const percent = format.indexOf('%', at);
    if (percent < 0) return out + format.slice(at) + extra(args, next, reordered);
    out += format.slice(at, percent);
    directivePattern.lastIndex = percent;
    const match = directivePattern.exec(format)!;
    at = directivePattern.lastIndex;
    const verb = String.fromCodePoint(format.codePointAt(at) ?? 0);
    if (at >= format.length) return `${out}%!(NOVERB)${extra(args, next, reordered)}`;
    at += verb.length;
    for (const index of [match[3], match[7]]) {
      if (index === undefined) continue;
      next = Number(index) - 1;
      reordered = true;
    }
    const hasDot = match[0].includes('.');
    const width = match[4] === '*' ? star() : match[4] === undefined ? undefined : Math.min(Number(match[4]), 1_000_000);
    const precision = match[5] === '*' ? star() : hasDot ? Math.min(Number(match[5] ?? 0), 1_000_000) : undefined;
    const flags = width !== undefined && width < 0 ? `${match[1]}-` : match[1]!;
    if (verb === '%') out += '%';
    else if (next >= args.length || next < 0) out += `%!${verb}(${reordered ? 'BADINDEX' : 'MISSING'})`;
    else out += formatOne(args[next++]!, { flags, width: width === undefined ? undefined : Math.abs(width), precision, verb });
  }
  return out + extra(args, next, reordered);
}

function extra(args: readonly OttlValue[], next: number, reordered: boolean): string {
  if (reordered || next >= args.length) return '';
  const rest = args.slice(next).map((value) => (value === null ? '<nil>' : `${typeName(value)}=${formatValue(value)}`));
  return `%!(EXTRA ${rest.join(', ')})`;
}

export const formatConverters: readonly Converter[] = [
  converter('Format', ['Format string', 'Vals []Getter'], ([format, vals]) => {
    const getters = vals as readonly Getter[];
    return dynamicGetter((view) => {
      const values: OttlValue[] = [];
      for (const getter of getters) {
        const value = getter.get(view);
        if (value instanceof OttlError) return value;
        values.push(value);
      }
      return sprintf(format, values);
    });
  }),
];
