/** Times by strptime directives: the format cut into elements, and formatting. Any thread. */

import { CompileFault } from '../getter.ts';
import type { Time } from '../values.ts';
import { type CivilTime, civilTime } from './civil-time.ts';

/** Elements by their text in Go's reference time, which is what the directives stand for. */
export type ElementText = string;

const directives: Record<string, ElementText> = {
  Y: '2006',
  y: '06',
  m: '01',
  o: '_1',
  q: '1',
  b: 'Jan',
  h: 'Jan',
  B: 'January',
  d: '02',
  e: '_2',
  g: '2',
  a: 'Mon',
  A: 'Monday',
  H: '15',
  l: '3',
  I: '03',
  p: 'PM',
  P: 'pm',
  M: '04',
  S: '05',
  L: '999',
  f: '999999',
  s: '999999999',
  Z: 'MST',
  z: 'Z0700',
  w: '-070000',
  i: '-07',
  j: '-07:00',
  k: '-07:00:00',
  D: '01/02/2006',
  x: '01/02/2006',
  F: '2006-01-02',
  T: '15:04:05',
  X: '15:04:05',
  r: '03:04:05 pm',
  R: '15:04',
  n: '\n',
  t: '\t',
  '%': '%',
  c: 'Mon Jan 02 15:04:05 2006',
};

/** A directive or text between directives, in order. */
export type FormatPart = { readonly directive: string } | { readonly text: string };

/**
 * Checks a format and cuts it.
 *
 * Errors: throws CompileFault: digits in it, a fraction without a point or comma before it, an unknown directive.
 */
export function cutFormat(format: string): readonly FormatPart[] {
  if (format === '') throw new CompileFault('format cannot be nil');
  if (/\d/.test(format)) throw new CompileFault('format string should not contain decimals');
  const fraction = /[^.,]%[Lfs]/.exec(format);
  if (fraction !== null) {
    throw new CompileFault(`invalid fractional seconds directive: '${fraction[0]}'. must be preceded with '.' or ','`);
  }
  const parts: FormatPart[] = [];
  const unknown: string[] = [];
  let at = 0;
  for (const match of format.matchAll(/%./gsu)) {
    if (match[0] === '%\n') continue;
    if (match.index > at) parts.push({ text: format.slice(at, match.index) });
    const directive = match[0].slice(1);
    if (!Object.hasOwn(directives, directive)) unknown.push(`unsupported ctimefmt.toNative() directive: ${match[0]}`);
    parts.push({ directive });
    at = match.index + match[0].length;
  }
  if (at < format.length) parts.push({ text: format.slice(at) });
  if (unknown.length > 0) throw new CompileFault(`invalid strptime format: [${unknown.join(' ')}]`);
  return parts;
}

/** Elements of the reference time; longer ones before those that they begin with. */
const elementPattern =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|PM|pm|2006|_2|_1|-070000|-07:00:00|-07:00|-07|Z0700|[.,]9+(?!\d)|01|02|03|04|05|06|15|1|2|3|4|5/g;

export type Element = { readonly kind: 'text' | 'element'; readonly text: string };

/** A Go layout cut into elements and the text between them. */
export function cutLayout(layout: string): Element[] {
  const elements: Element[] = [];
  let at = 0;
  for (const match of layout.matchAll(elementPattern)) {
    if (match.index > at) elements.push({ kind: 'text', text: layout.slice(at, match.index) });
    elements.push({ kind: 'element', text: match[0] });
    at = match.index + match[0].length;
  }
  if (at < layout.length) elements.push({ kind: 'text', text: layout.slice(at) });
  return elements;
}

export function layoutOf(parts: readonly FormatPart[]): string {
  return parts.map((part) => ('text' in part ? part.text : directives[part.directive]!)).join('');
}

export const monthNames = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
export const dayNames = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

const two = (value: number): string => String(value).padStart(2, '0');
const hour12 = ({ hour }: CivilTime): number => hour % 12 || 12;

function offset(seconds: number, separator: string, parts: 1 | 2 | 3): string {
  const size = Math.abs(seconds);
  const numbers = [Math.floor(size / 3600), Math.floor(size / 60) % 60, size % 60].slice(0, parts);
  return (seconds < 0 ? '-' : '+') + numbers.map(two).join(separator);
}

function fraction(text: string, nanosecond: number): string {
  const digits = String(nanosecond)
    .padStart(9, '0')
    .slice(0, text.length - 1)
    .replace(/0+$/, '');
  return digits === '' ? '' : text[0] + digits;
}

function year(value: number): string {
  return value < 0 ? `-${String(-value).padStart(4, '0')}` : String(value).padStart(4, '0');
}

function formatElement(text: string, civil: CivilTime): string {
  switch (text) {
    case '2006':
      return year(civil.year);
    case '06':
      return two(((civil.year % 100) + 100) % 100);
    case '01':
      return two(civil.month);
    case '_1':
      return `_${civil.month}`;
    case '1':
      return String(civil.month);
    case 'Jan':
      return monthNames[civil.month - 1]!.slice(0, 3);
    case 'January':
      return monthNames[civil.month - 1]!;
    case '02':
      return two(civil.day);
    case '_2':
      return String(civil.day).padStart(2, ' ');
    case '2':
      return String(civil.day);
    case 'Mon':
      return dayNames[civil.weekday]!.slice(0, 3);
    case 'Monday':
      return dayNames[civil.weekday]!;
    case '15':
      return two(civil.hour);
    case '3':
      return String(hour12(civil));
    case '03':
      return two(hour12(civil));
    case 'PM':
      return civil.hour >= 12 ? 'PM' : 'AM';
    case 'pm':
      return civil.hour >= 12 ? 'pm' : 'am';
    case '04':
      return two(civil.minute);
    case '4':
      return String(civil.minute);
    case '05':
      return two(civil.second);
    case '5':
      return String(civil.second);
    case 'MST':
      return civil.zoneName !== '' ? civil.zoneName : offset(civil.offsetSeconds, '', civil.offsetSeconds % 3600 === 0 ? 1 : 2);
    case 'Z0700':
      return civil.offsetSeconds === 0 ? 'Z' : offset(civil.offsetSeconds, '', 2);
    case '-070000':
      return offset(civil.offsetSeconds, '', 3);
    case '-07':
      return offset(civil.offsetSeconds, '', 1);
    case '-07:00':
      return offset(civil.offsetSeconds, ':', 2);
    case '-07:00:00':
      return offset(civil.offsetSeconds, ':', 3);
    default:
      return fraction(text, civil.nanosecond);
  }
}

/** Source: time.Time.Format of Go over the layout that the directives stand for. */
export function formatTimeBy(elements: readonly Element[], time: Time): string {
  const civil = civilTime(time);
  return elements.map(({ kind, text }) => (kind === 'text' ? text : formatElement(text, civil))).join('');
}
