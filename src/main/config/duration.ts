/** Go's duration texts ("1h2m3.5s", "300ms", "1.5µs") to milliseconds and back. Pure; both threads may use it. */

const nanosecondsPerUnit: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const nanosecondsPerMillisecond = 1_000_000n;
const nanosecondsMax = 2n ** 63n - 1n;
const term = /^([0-9]*)(?:\.([0-9]*))?([^0-9.]*)/;

export type DurationOutcome =
  | { readonly kind: 'duration'; readonly nanoseconds: bigint }
  | { readonly kind: 'malformed'; readonly message: string };

/**
 * Reads a duration as Go's time.ParseDuration does.
 *
 * Units:  nanoseconds; a fraction below one nanosecond is cut.
 * Bounds: a signed 64-bit count of nanoseconds, about ±292 years.
 * Errors: Go's own words, with the text quoted.
 */
export function parseDuration(text: string): DurationOutcome {
  const quoted = JSON.stringify(text);
  const invalid: DurationOutcome = { kind: 'malformed', message: `time: invalid duration ${quoted}` };
  const negative = text.startsWith('-');
  let rest = negative || text.startsWith('+') ? text.slice(1) : text;
  if (rest === '0') return { kind: 'duration', nanoseconds: 0n };
  if (rest === '') return invalid;
  let total = 0n;
  while (rest !== '') {
    const [all, whole, fraction, unit] = term.exec(rest)!;
    if (whole === '' && (fraction === undefined || fraction === '')) return invalid;
    if (unit === '') return { kind: 'malformed', message: `time: missing unit in duration ${quoted}` };
    const scale = nanosecondsPerUnit[unit!];
    if (scale === undefined) return { kind: 'malformed', message: `time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}` };
    total += BigInt(whole === '' ? '0' : whole!) * scale;
    if (fraction) total += (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length);
    if (total > nanosecondsMax + (negative ? 1n : 0n)) return invalid;
    rest = rest.slice(all!.length);
  }
  return { kind: 'duration', nanoseconds: negative ? -total : total };
}

/** Units: exact for every count that a double holds (below about 104 days to the nanosecond). */
export function nanosecondsToMs(nanoseconds: bigint): number {
  return Number(nanoseconds / nanosecondsPerMillisecond) + Number(nanoseconds % nanosecondsPerMillisecond) / 1e6;
}

/** Writes milliseconds as Go prints a duration: "0s", "1.5µs", "300ms", "1m0s", "1h2m3.5s". */
export function formatDuration(milliseconds: number): string {
  const whole = Math.trunc(milliseconds);
  return formatNanoseconds(BigInt(whole) * nanosecondsPerMillisecond + BigInt(Math.round((milliseconds - whole) * 1e6)));
}

export function formatNanoseconds(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return '0s';
  const sign = nanoseconds < 0n ? '-' : '';
  const count = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  if (count < 1_000n) return `${sign}${count}ns`;
  if (count < 1_000_000n) return `${sign}${decimal(count, 3)}µs`;
  if (count < 1_000_000_000n) return `${sign}${decimal(count, 6)}ms`;
  const minutes = count / 60_000_000_000n;
  const seconds = decimal(count % 60_000_000_000n, 9);
  if (minutes === 0n) return `${sign}${seconds}s`;
  return minutes < 60n ? `${sign}${minutes}m${seconds}s` : `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}s`;
}

function decimal(count: bigint, digits: number): string {
  const text = count.toString().padStart(digits + 1, '0');
  const fraction = text.slice(-digits).replace(/0+$/, '');
  return fraction === '' ? text.slice(0, -digits) : `${text.slice(0, -digits)}.${fraction}`;
}
