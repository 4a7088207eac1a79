/** Reads times by strptime directives, as lenient as the Collector: one digit for two, blanks before numbers, any form of offset. Any thread. */

import { goQuote } from '../go-text.ts';
import { OttlError, Time, unixSeconds, utcZone, type Zone } from '../values.ts';
import { civilTime, daysFromCivil } from './civil-time.ts';
import { cutLayout, dayNames, type FormatPart, layoutOf, monthNames } from './strptime.ts';
import { fixedZone, loadZone, unixOfLocal, zoneNameOf } from './time-zones.ts';

/** What has been read so far; undefined is not given. */
interface Fields {
  year: number;
  month: number | undefined;
  day: number | undefined;
  hour: number;
  minute: number;
  second: number;
  nanos: number;
  pm: boolean | undefined;
  zone: Zone | undefined;
  offset: number | undefined;
  zoneName: string;
}

/** Directives whose elements are read with fewer digits than they are written with; each is a list of ways to read it. */
const lenient: Record<string, readonly string[]> = {
  m: ['1'],
  o: ['1'],
  q: ['1'],
  d: ['2'],
  e: ['2'],
  g: ['2'],
  I: ['3'],
  M: ['4'],
  S: ['5'],
  D: ['1/2/2006', '1/2/06'],
  x: ['1/2/2006', '1/2/06'],
  F: ['2006-1-2'],
  T: ['15:4:5'],
  X: ['15:4:5'],
  r: ['3:4:5 pm'],
  R: ['15:4'],
  c: ['Mon Jan 2 15:4:5 2006'],
  z: ['Z0700', 'Z07:00', 'Z07'],
};

/** What is there is no such element. */
const fail = -1;
/** It is one, but its value is outside of its range. */
const outOfRange = -2;

/** Reads one or two digits into a field; fails outside of its bounds. */
function number(text: string, at: number, twoDigits: boolean, min: number, max: number, set: (value: number) => void): number {
  const match = twoDigits ? /\d{2}/y : /\d{1,2}/y;
  match.lastIndex = at;
  const found = match.exec(text);
  if (found === null) return fail;
  const value = Number(found[0]);
  if (value < min || value > max) return outOfRange;
  set(value);
  return at + found[0].length;
}

function name(text: string, at: number, names: readonly string[], length: number | undefined, set: (index: number) => void): number {
  for (const [i, each] of names.entries()) {
    const wanted = length === undefined ? each : each.slice(0, length);
    if (text.slice(at, at + wanted.length).toLowerCase() !== wanted.toLowerCase()) continue;
    set(i);
    return at + wanted.length;
  }
  return fail;
}

function offset(text: string, at: number, pattern: RegExp, fields: Fields): number {
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  if (match === null) return fail;
  const [hours, minutes, seconds] = [Number(match[2]), Number(match[3] ?? 0), Number(match[4] ?? 0)];
  if (hours > 24 || minutes >= 60 || seconds >= 60) return fail;
  fields.offset = (match[1] === '-' ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds);
  return at + match[0].length;
}

function zoned(text: string, at: number, pattern: RegExp, fields: Fields): number {
  if (text[at] !== 'Z') return offset(text, at, pattern, fields);
  fields.zone = utcZone;
  return at + 1;
}

/** Source: parseTimeZone of Go: three to five capital letters that end in T, GMT with hours, ChST, MeST, or an offset. */
function zoneAbbreviation(text: string, at: number, fields: Fields): number {
  if (text.startsWith('UTC', at)) {
    fields.zone = utcZone;
    return at + 3;
  }
  const match = /ChST|MeST|GMT(?:[+-]\d{1,2})?|[+-]\d{2}(?:\d{2})?|[A-Z]{3}(?![A-Z])|[A-Z]{3}T(?![A-Z])|[A-Z]{4}T(?![A-Z])|WITA/y;
  match.lastIndex = at;
  const found = match.exec(text);
  if (found === null) return fail;
  fields.zoneName = found[0];
  return at + found[0].length;
}

function fraction(text: string, at: number, fields: Fields): number {
  const match = /[.,](\d+)/y;
  match.lastIndex = at;
  const found = match.exec(text);
  if (found === null) return at;
  fields.nanos = Number(found[1]!.slice(0, 9).padEnd(9, '0'));
  return at + found[0].length;
}

/** Seconds take a fraction with them even if the format has none. */
function seconds(text: string, at: number, fields: Fields, fractionFollows: boolean): number {
  const after = number(text, at, false, 0, 59, (value) => (fields.second = value));
  return after < 0 || fractionFollows ? after : fraction(text, after, fields);
}

function dayPeriod(text: string, at: number, upper: boolean, fields: Fields): number {
  const found = text.slice(at, at + 2);
  if (found === (upper ? 'PM' : 'pm')) fields.pm = true;
  else if (found === (upper ? 'AM' : 'am')) fields.pm = false;
  else return fail;
  return at + 2;
}

function readElement(element: string, text: string, at: number, fields: Fields, next: string): number {
  switch (element) {
    case '2006': {
      if (!/\d{4}/y.test(text.slice(at, at + 4))) return fail;
      fields.year = Number(text.slice(at, at + 4));
      return at + 4;
    }
    case '06':
      return number(text, at, true, 0, 99, (value) => (fields.year = value + (value >= 69 ? 1900 : 2000)));
    case '1':
    case '01':
      return number(text, at, element === '01', 1, 12, (value) => (fields.month = value));
    case 'Jan':
      return name(text, at, monthNames, 3, (index) => (fields.month = index + 1));
    case 'January':
      return name(text, at, monthNames, undefined, (index) => (fields.month = index + 1));
    case 'Mon':
      return name(text, at, dayNames, 3, () => {});
    case 'Monday':
      return name(text, at, dayNames, undefined, () => {});
    case '2':
    case '02':
      return number(text, at, element === '02', 0, 99, (value) => (fields.day = value));
    case '_2':
      return number(text, text[at] === ' ' ? at + 1 : at, false, 0, 99, (value) => (fields.day = value));
    case '15':
      return number(text, at, false, 0, 23, (value) => (fields.hour = value));
    case '3':
    case '03':
      return number(text, at, element === '03', 0, 12, (value) => (fields.hour = value));
    case '4':
    case '04':
      return number(text, at, element === '04', 0, 59, (value) => (fields.minute = value));
    case '5':
    case '05':
      return seconds(text, at, fields, /^[.,]9/.test(next));
    case 'PM':
    case 'pm':
      return dayPeriod(text, at, element === 'PM', fields);
    case 'Z0700':
      return zoned(text, at, /([+-])(\d{2})(\d{2})/y, fields);
    case 'Z07:00':
      return zoned(text, at, /([+-])(\d{2}):(\d{2})/y, fields);
    case 'Z07':
      return zoned(text, at, /([+-])(\d{2})/y, fields);
    case '-070000':
      return offset(text, at, /([+-])(\d{2})(\d{2})(\d{2})/y, fields);
    case '-07:00:00':
      return offset(text, at, /([+-])(\d{2}):(\d{2}):(\d{2})/y, fields);
    case '-07:00':
      return offset(text, at, /([+-])(\d{2}):(\d{2})/y, fields);
    case '-07':
      return offset(text, at, /([+-])(\d{2})/y, fields);
    case 'MST':
      return zoneAbbreviation(text, at, fields);
    default:
      return fraction(text, at, fields);
  }
}

/** Text between elements: a run of blanks stands for any number of them. */
function skipText(wanted: string, text: string, at: number): number {
  for (let i = 0; i < wanted.length; ) {
    if (wanted[i] === ' ') {
      if (at < text.length && text[at] !== ' ') return fail;
      while (wanted[i] === ' ') i++;
      while (text[at] === ' ') at++;
    } else if (wanted[i] !== text[at]) return fail;
    else {
      i++;
      at++;
    }
  }
  return at;
}

/** Reads a layout; numbers may have blanks before them. */
function readLayout(layout: string, text: string, from: number, fields: Fields, after: string): number {
  const elements = cutReadable(layout);
  let at = from;
  for (const [i, element] of elements.entries()) {
    const next = elements[i + 1]?.text ?? after;
    if (element.kind === 'text') {
      at = skipText(element.text, text, at);
      if (at < 0) return at;
      continue;
    }
    let end = readElement(element.text, text, at, fields, next);
    if (end === fail && /^[\dZ]/.test(element.text)) {
      const blanks = /[\t\n\f\r ]+/y;
      blanks.lastIndex = at;
      const found = blanks.exec(text);
      if (found !== null) end = readElement(element.text, text, at + found[0].length, fields, next);
    }
    if (end < 0) return end;
    at = end;
  }
  return at;
}

/** Offsets with and without a colon are read only by their own, so they are not cut further. */
function cutReadable(layout: string): readonly { kind: 'text' | 'element'; text: string }[] {
  return layout === 'Z07:00' || layout === 'Z07' ? [{ kind: 'element', text: layout }] : cutLayout(layout);
}

/** How Go calls a directive's value that is out of range. */
const rangeNames: Record<string, string> = {
  m: 'month',
  o: 'month',
  q: 'month',
  H: 'hour',
  l: 'hour',
  I: 'hour',
  M: 'minute',
  S: 'second',
};

const daysInMonth = (year: number, month: number): number => daysFromCivil(year, month + 1, 1) - daysFromCivil(year, month, 1);

function toTime(fields: Fields, zone: Zone): Time | OttlError | undefined {
  if (fields.pm === true && fields.hour < 12) fields.hour += 12;
  else if (fields.pm === false && fields.hour === 12) fields.hour = 0;
  const month = fields.month ?? 1;
  const day = fields.day ?? 1;
  if (day < 1 || day > daysInMonth(fields.year, month)) return undefined;
  const local = daysFromCivil(fields.year, month, day) * 86400 + fields.hour * 3600 + fields.minute * 60 + fields.second;
  const at = (unix: number, in_: Zone) => new Time(BigInt(unix) * 1_000_000_000n + BigInt(fields.nanos), in_);
  if (fields.zone !== undefined) return at(unixOfLocal(local, fields.zone), fields.zone);
  if (fields.offset !== undefined) {
    const unix = local - fields.offset;
    return at(unix, zone.offsetSeconds(BigInt(unix)) === fields.offset ? zone : fixedZone('', fields.offset));
  }
  if (fields.zoneName === '') return at(unixOfLocal(local, zone), zone);
  const named = at(unixOfLocal(local, zone), zone);
  if (zoneNameOf(named) === fields.zoneName) return named;
  const hours = /^(?:GMT)?([+-]\d+)$/.exec(fields.zoneName);
  const seconds = hours === null ? 0 : Number(hours[1]) * 3600;
  return at(
    local - (fields.zoneName.startsWith('GMT') ? seconds : 0),
    fixedZone(fields.zoneName, fields.zoneName.startsWith('GMT') ? seconds : 0),
  );
}

function read(parts: readonly FormatPart[], text: string, zone: Zone, format: string): Time | OttlError {
  const fields: Fields = {
    year: 0,
    month: undefined,
    day: undefined,
    hour: 0,
    minute: 0,
    second: 0,
    nanos: 0,
    pm: undefined,
    zone: undefined,
    offset: undefined,
    zoneName: '',
  };
  let at = 0;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!;
    const following = parts[i + 1];
    const after =
      following !== undefined && 'text' in following
        ? `${following.text}${parts[i + 2] === undefined ? '' : layoutOf([parts[i + 2]!])}`
        : '';
    let ways: readonly string[];
    if ('text' in part) {
      const fractional = following !== undefined && 'directive' in following && 'Lfs'.includes(following.directive);
      ways = [fractional ? part.text.slice(0, -1) : part.text];
    } else if ('Lfs'.includes(part.directive)) ways = ['.9'];
    else ways = Object.hasOwn(lenient, part.directive) ? lenient[part.directive]! : [layoutOf([part])];
    let end = fail;
    for (const way of ways) {
      end = readLayout(way, text, at, fields, after);
      if (end !== fail) break;
    }
    if (end === outOfRange)
      return new OttlError(
        `parsing time ${goQuote(text)}: ${rangeNames['directive' in part ? part.directive : ''] ?? 'value'} out of range`,
      );
    if (end === fail) {
      const wanted = 'text' in part ? part.text : `%${part.directive}`;
      return new OttlError(
        `parsing time ${goQuote(text)} as ${goQuote(format)}: cannot parse ${goQuote(text.slice(at))} as ${goQuote(wanted)}`,
      );
    }
    at = end;
  }
  if (at !== text.length) return new OttlError(`parsing time ${goQuote(text)}: extra text: ${goQuote(text.slice(at))}`);
  return toTime(fields, zone) ?? new OttlError(`parsing time ${goQuote(text)}: day out of range`);
}

/** A year that is not given is this one, or the last if the time would be more than a week ahead. */
function completeYear(time: Time, nowMs: number): Time {
  const civil = civilTime(time);
  if (civil.year > 0) return time;
  const inYear = (year: number) => {
    const local = daysFromCivil(year, civil.month, civil.day) * 86400 + civil.hour * 3600 + civil.minute * 60 + civil.second;
    return new Time(BigInt(unixOfLocal(local, time.zone)) * 1_000_000_000n + BigInt(civil.nanosecond), time.zone);
  };
  const now = new Time(BigInt(Math.floor(nowMs)) * 1_000_000n, time.zone);
  const year = civilTime(now).year;
  const found = inYear(year);
  return found.unixNano > now.unixNano + 7n * 86_400_000_000_000n ? inYear(year - 1) : found;
}

/**
 * Reads `text` by the parts of a format; what names no zone is in `zone`.
 *
 * Source: ctimefmt and timeutils of the Collector v0.161, over time.Parse of Go.
 */
export function parseTimeBy(parts: readonly FormatPart[], text: string, zone: Zone, nowMs: number, format: string): Time | OttlError {
  const found = read(parts, text, zone, format);
  if (found instanceof OttlError) return found;
  const name = zoneNameOf(found);
  const unix = unixSeconds(found);
  if (found.zone.offsetSeconds(unix) !== 0 || name === 'UTC' || name === zone.abbreviation(unix)) return completeYear(found, nowMs);
  const named = loadZone(name);
  if (named === undefined) return new OttlError(`failed to load location ${name}: unknown time zone ${name}`);
  const again = read(parts, text, named, format);
  return completeYear(again instanceof OttlError ? found : again, nowMs);
}
