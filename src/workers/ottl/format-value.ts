/** How Go's `%v` prints OTTL values: in the texts of errors and in the Format converter. Worker thread. */

import { formatFloatG } from './go-text.ts';
import {
  asString,
  Duration,
  Id,
  isPMap,
  isPSlice,
  isZero,
  Opaque,
  OttlError,
  type OttlValue,
  PlainInt,
  PValue,
  Time,
  TypedSlice,
  unixSeconds,
} from './values.ts';

/** time.Duration.String(). */
export function formatDuration(nanos: bigint): string {
  if (nanos === 0n) return '0s';
  const sign = nanos < 0n ? '-' : '';
  const size = nanos < 0n ? -nanos : nanos;
  const decimal = (value: bigint, unit: bigint, digits: number) => {
    const fraction = String(value % unit)
      .padStart(digits, '0')
      .replace(/0+$/, '');
    return `${value / unit}${fraction === '' ? '' : `.${fraction}`}`;
  };
  if (size < 1000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${decimal(size, 1000n, 3)}µs`;
  if (size < 1_000_000_000n) return `${sign}${decimal(size, 1_000_000n, 6)}ms`;
  const minute = 60_000_000_000n;
  const seconds = `${decimal(size % minute, 1_000_000_000n, 9)}s`;
  const minutes = size / minute;
  if (minutes === 0n) return `${sign}${seconds}`;
  return minutes < 60n ? `${sign}${minutes}m${seconds}` : `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

/** time.Time.String() without the monotonic part. */
export function formatTime(time: Time): string {
  const seconds = unixSeconds(time);
  const nanos = time.unixNano - seconds * 1_000_000_000n;
  const offset = time.zone.offsetSeconds(seconds);
  const local = new Date(Number(seconds + BigInt(offset)) * 1000);
  const stamp = Number.isNaN(local.getTime()) ? String(time.unixNano) : local.toISOString().slice(0, 19).replace('T', ' ');
  const fraction = nanos === 0n ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`;
  const minutes = Math.trunc(Math.abs(offset) / 60);
  const zone = `${offset < 0 ? '-' : '+'}${String(Math.trunc(minutes / 60)).padStart(2, '0')}${String(minutes % 60).padStart(2, '0')}`;
  return `${stamp}${fraction} ${zone} ${time.zone.abbreviation(seconds)}`;
}

function isText(value: OttlValue): value is string {
  return typeof value === 'string';
}

/** `%v`. pdata maps and slices print as addresses in Go; here as their type. */
export function formatValue(value: OttlValue | OttlError): string {
  if (value instanceof OttlError) return value.message;
  if (value === null) return '<nil>';
  if (isText(value)) return value;
  if (typeof value === 'number') return formatFloatG(value);
  if (typeof value !== 'object') return String(value);
  if (value instanceof Uint8Array) return `[${value.join(' ')}]`;
  if (value instanceof Duration) return formatDuration(value.nanos);
  if (value instanceof Time) return formatTime(value);
  if (value instanceof Id) return isZero(value.bytes) ? '' : Buffer.from(value.bytes).toString('hex');
  if (value instanceof PlainInt) return String(value.value);
  if (value instanceof PValue) return asString(value.held);
  if (value instanceof Map) {
    const keys = [...value.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return `map[${keys.map((key) => `${key}:${formatValue(value.get(key)!)}`).join(' ')}]`;
  }
  if (value instanceof TypedSlice) return `[${value.items.map(formatValue).join(' ')}]`;
  if (Array.isArray(value)) return `[${(value as readonly OttlValue[]).map(formatValue).join(' ')}]`;
  if (value instanceof Opaque || isPMap(value) || isPSlice(value)) return '{…}';
  return '<lambda>';
}
