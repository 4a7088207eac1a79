/** Converters between times and text. Worker thread; built at compile time. */

import { type Converter, converter } from '../converter.ts';
import { CompileFault } from '../getter.ts';
import { OttlError, type Time, utcZone, type Zone } from '../values.ts';
import { map1 } from './map-arguments.ts';
import { cutFormat, cutLayout, dayNames, formatTimeBy, layoutOf, monthNames } from './strptime.ts';
import { parseTimeBy } from './time-parsing.ts';
import { loadZone, localZone } from './time-zones.ts';

function zoneOf(location: string | undefined, format: string): Zone {
  if (location === undefined || location === '') return format.endsWith('Z') ? utcZone : localZone();
  const zone = loadZone(location);
  if (zone === undefined) throw new CompileFault(`failed to load location ${location}: unknown time zone ${location}`);
  return zone;
}

/** Names of months and days of a language, put into English before the time is read. */
function translator(locale: string, format: string): (text: string) => string {
  let supported: string[];
  try {
    supported = Intl.DateTimeFormat.supportedLocalesOf(locale);
  } catch {
    supported = [];
  }
  if (supported.length === 0) throw new CompileFault(`unsupported locale '${locale}', value must be a supported BCP 47 language tag`);
  const words = new Map<string, string>();
  const longNames = { month: format.includes('%B'), weekday: format.includes('%A') };
  for (const style of ['long', 'short'] as const) {
    const add = (options: Intl.DateTimeFormatOptions, type: string, date: Date, english: string) => {
      const parts = new Intl.DateTimeFormat(locale, { ...options, timeZone: 'UTC' }).formatToParts(date);
      const word = parts.find((part) => part.type === type)?.value;
      if (word !== undefined)
        words.set(
          word.toLowerCase(),
          type === 'month' ? (longNames.month ? english : english.slice(0, 3)) : longNames.weekday ? english : english.slice(0, 3),
        );
    };
    if (/%[Bbh]/.test(format))
      monthNames.forEach((english, i) => {
        const date = new Date(Date.UTC(2024, i, 15));
        add({ month: style }, 'month', date, english);
        add({ month: style, day: 'numeric' }, 'month', date, english);
      });
    if (/%[Aa]/.test(format))
      dayNames.forEach((english, i) => {
        add({ weekday: style }, 'weekday', new Date(Date.UTC(2024, 0, 7 + i)), english);
      });
  }
  const byLength = [...words.keys()].sort((a, b) => b.length - a.length);
  return (text) => {
    let out = text;
    for (const word of byLength) {
      const at = out.toLowerCase().indexOf(word);
      if (at >= 0 && !/\p{L}/u.test(out[at + word.length] ?? ' ') && !/\p{L}/u.test(out[at - 1] ?? ' ')) {
        out = out.slice(0, at) + words.get(word)! + out.slice(at + word.length);
      }
    }
    return out;
  };
}

export const timeTextConverters: readonly Converter[] = [
  converter(
    'Time',
    ['Time StringGetter', 'Format string', 'Location string?', 'Locale string?'],
    ([target, format, location, locale], { clock }) => {
      if (format === '') throw new CompileFault('format cannot be nil');
      const zone = zoneOf(location, format);
      const translate = locale === undefined ? (text: string) => text : translator(locale, format);
      const parts = cutFormat(format);
      return map1<string>(target, (text) => {
        if (text === '') return new OttlError('time cannot be nil');
        return parseTimeBy(parts, translate(text), zone, clock.wallMs(), format);
      });
    },
  ),
  converter('FormatTime', ['Time TimeGetter', 'Format string'], ([time, format]) => {
    const elements = cutLayout(layoutOf(cutFormat(format)));
    return map1<Time>(time, (value) => formatTimeBy(elements, value));
  }),
];
