/** Time zones by IANA name, from the ICU data of the runtime. Any thread. */

import { type Time, unixSeconds, utcZone, type Zone } from '../values.ts';

/** A zone of one offset, as a parsed "+0200" makes it. */
export function fixedZone(name: string, offset: number): Zone {
  return { offsetSeconds: () => offset, abbreviation: () => name };
}

const known = new Map<string, Zone | undefined>();

/** ICU abbreviates a zone only in the English of those who live in it. */
const abbreviationLocales = ['en-US', 'en-GB', 'en-AU', 'en-NZ', 'en-IN', 'en-ZA'];
/** Zones without summer time that it abbreviates nowhere. */
const abbreviations: Record<string, string> = {
  'Africa/Johannesburg': 'SAST',
  'Africa/Lagos': 'WAT',
  'Africa/Nairobi': 'EAT',
  'Asia/Hong_Kong': 'HKT',
  'Asia/Jakarta': 'WIB',
  'Asia/Karachi': 'PKT',
  'Asia/Kolkata': 'IST',
  'Asia/Seoul': 'KST',
  'Asia/Shanghai': 'CST',
  'Asia/Taipei': 'CST',
  'Asia/Tokyo': 'JST',
  'Europe/Moscow': 'MSK',
};

class NamedZone implements Zone {
  readonly #parts: Intl.DateTimeFormat;
  readonly #names: readonly Intl.DateTimeFormat[];
  readonly #name: string;

  constructor(name: string) {
    this.#parts = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    this.#name = name;
    this.#names = abbreviationLocales.map((locale) => new Intl.DateTimeFormat(locale, { timeZone: name, timeZoneName: 'short' }));
  }

  offsetSeconds(unix: bigint): number {
    const ms = Number(unix) * 1000;
    if (Number.isNaN(new Date(ms).getTime())) return 0;
    const parts: Partial<Record<Intl.DateTimeFormatPartTypes, string>> = {};
    for (const { type, value } of this.#parts.formatToParts(ms)) parts[type] = value;
    const year = parts.era?.startsWith('B') ? 1 - Number(parts.year) : Number(parts.year);
    const local = new Date(0);
    local.setUTCFullYear(year, Number(parts.month) - 1, Number(parts.day));
    local.setUTCHours(Number(parts.hour), Number(parts.minute), Number(parts.second));
    return Math.round(local.getTime() / 1000 - Number(unix));
  }

  abbreviation(unix: bigint): string {
    const ms = Number(unix) * 1000;
    if (Number.isNaN(new Date(ms).getTime())) return '';
    const fixed = Object.hasOwn(abbreviations, this.#name) ? abbreviations[this.#name] : undefined;
    if (fixed !== undefined) return fixed;
    let numeric = '';
    for (const names of this.#names) {
      const name = names.formatToParts(ms).find((part) => part.type === 'timeZoneName')?.value ?? '';
      if (!/^GMT[+-]/.test(name)) return name;
      numeric = name
        .slice(3)
        .replace(/^([+-])(\d)(?!\d)/, '$10$2')
        .replace(':', '');
    }
    return numeric;
  }
}

/** Zones of the IANA database without a slash; ICU knows more short names than that. */
const plainNames = new Set(
  'CET CST6CDT Cuba EET EST EST5EDT Egypt Eire GB GB-Eire GMT GMT0 Greenwich HST Hongkong Iceland Iran Israel Jamaica Japan Kwajalein Libya MET MST MST7MDT NZ NZ-CHAT Navajo PRC PST8PDT Poland Portugal ROC ROK Singapore Turkey UCT Universal W-SU WET Zulu'.split(
    ' ',
  ),
);

/** time.LoadLocation: undefined for a name that there is none of. */
export function loadZone(name: string): Zone | undefined {
  if (name === '' || name === 'UTC') return utcZone;
  if (!known.has(name)) {
    let zone: Zone | undefined;
    try {
      zone = name.includes('/') || plainNames.has(name) ? new NamedZone(name) : undefined;
    } catch {
      zone = undefined;
    }
    known.set(name, zone);
  }
  return known.get(name);
}

/** time.Local. */
export function localZone(): Zone {
  return loadZone(new Intl.DateTimeFormat().resolvedOptions().timeZone) ?? utcZone;
}

/** The moment at which clocks of `zone` show `localSeconds` (as if they were UTC): in a gap or an overlap, Go's choice. */
export function unixOfLocal(localSeconds: number, zone: Zone): number {
  const offset = zone.offsetSeconds(BigInt(localSeconds));
  return offset === 0 ? localSeconds : localSeconds - zone.offsetSeconds(BigInt(localSeconds - offset));
}

export function zoneNameOf(time: Time): string {
  return time.zone.abbreviation(unixSeconds(time));
}
