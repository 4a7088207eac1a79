/** Durations as Go writes them: "1h30m", "-1.5s", "100ms". Any thread. */

import { goQuote } from '../go-text.ts';
import { Duration, OttlError } from '../values.ts';

const units: Record<string, bigint> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const limit = 2n ** 63n;

/** time.ParseDuration with its errors. */
export function parseGoDuration(text: string): Duration | OttlError {
  const invalid = new OttlError(`time: invalid duration ${goQuote(text)}`);
  const negative = text.startsWith('-');
  let rest = negative || text.startsWith('+') ? text.slice(1) : text;
  if (rest === '0') return new Duration(0n);
  if (rest === '') return invalid;
  let total = 0n;
  while (rest !== '') {
    const number = /^(\d*)(?:\.(\d*))?/.exec(rest)!;
    const [matched, integer = '', fraction = ''] = number;
    if (integer === '' && fraction === '') return invalid;
    rest = rest.slice(matched.length);
    const name = /^[^.0-9]*/.exec(rest)![0];
    if (name === '') return new OttlError(`time: missing unit in duration ${goQuote(text)}`);
    rest = rest.slice(name.length);
    const unit = Object.hasOwn(units, name) ? units[name]! : undefined;
    if (unit === undefined) return new OttlError(`time: unknown unit ${goQuote(name)} in duration ${goQuote(text)}`);
    if (BigInt(integer === '' ? 0 : integer) > limit / unit) return invalid;
    const digits = fraction.slice(0, 18);
    const part = digits === '' ? 0n : BigInt(Math.trunc(Number(BigInt(digits)) * (Number(unit) / 10 ** digits.length)));
    total += BigInt(integer === '' ? 0 : integer) * unit + part;
    if (total > limit) return invalid;
  }
  if (!negative && total === limit) return invalid;
  return new Duration(negative ? -total : total);
}
