/** Converters over times and durations. Worker thread; built at compile time. */

import { type Converter, converter } from '../converter.ts';
import { dynamicGetter, type Getter } from '../getter.ts';
import { type Duration, OttlError, type OttlValue, Time, unixSeconds } from '../values.ts';
import { type CivilTime, civilTime } from './civil-time.ts';
import { parseGoDuration } from './go-duration.ts';
import { map1, map2 } from './map-arguments.ts';

const int64 = (value: bigint): bigint => BigInt.asIntN(64, value);

const part = (name: string, read: (civil: CivilTime) => number): Converter =>
  converter(name, ['Time TimeGetter'], ([time]) => map1<Time>(time, (value) => BigInt(read(civilTime(value)))));

/** Division that cuts towards negative infinity, as Unix times before 1970 need it. */
function floorDiv(value: bigint, by: bigint): bigint {
  const whole = value / by;
  return value % by < 0n ? whole - 1n : whole;
}

const sinceEpoch = (name: string, nanosPerUnit: bigint): Converter =>
  converter(name, ['Time TimeGetter'], ([time]) => map1<Time>(time, (value) => int64(floorDiv(value.unixNano, nanosPerUnit))));

/** Whole units of a duration, cut towards zero. */
const whole = (name: string, nanosPerUnit: bigint): Converter =>
  converter(name, ['Duration DurationGetter'], ([duration]) => map1<Duration>(duration, (value) => value.nanos / nanosPerUnit));

/** Units of a duration as a float: the whole ones and the rest are divided apart, as Go does. */
const fraction = (name: string, nanosPerUnit: bigint): Converter =>
  converter(name, ['Duration DurationGetter'], ([duration]) =>
    map1<Duration>(duration, (value) => Number(value.nanos / nanosPerUnit) + Number(value.nanos % nanosPerUnit) / Number(nanosPerUnit)),
  );

const yearOneNano = -62135596800n * 1_000_000_000n;

/** time.Truncate counts from the year 1. */
function truncateTime(time: Time, duration: Duration): Time {
  if (duration.nanos <= 0n) return time;
  const since = time.unixNano - yearOneNano;
  const rest = ((since % duration.nanos) + duration.nanos) % duration.nanos;
  return new Time(time.unixNano - rest, time.zone);
}

function unix(seconds: Getter<bigint>, nanoseconds: Getter<bigint> | undefined): Getter {
  return dynamicGetter<OttlValue>((view) => {
    const whole = seconds.get(view);
    if (whole instanceof OttlError) return whole;
    const nanos = nanoseconds === undefined ? 0n : nanoseconds.get(view);
    return nanos instanceof OttlError ? nanos : new Time(whole * 1_000_000_000n + nanos);
  });
}

export const timeConverters: readonly Converter[] = [
  part('Year', (civil) => civil.year),
  part('Month', (civil) => civil.month),
  part('Day', (civil) => civil.day),
  part('Weekday', (civil) => civil.weekday),
  part('Hour', (civil) => civil.hour),
  part('Minute', (civil) => civil.minute),
  part('Second', (civil) => civil.second),
  part('Nanosecond', (civil) => civil.nanosecond),
  sinceEpoch('UnixNano', 1n),
  sinceEpoch('UnixMicro', 1000n),
  sinceEpoch('UnixMilli', 1_000_000n),
  converter('UnixSeconds', ['Time TimeGetter'], ([time]) => map1<Time>(time, unixSeconds)),
  whole('Nanoseconds', 1n),
  whole('Microseconds', 1000n),
  whole('Milliseconds', 1_000_000n),
  fraction('Seconds', 1_000_000_000n),
  fraction('Minutes', 60_000_000_000n),
  fraction('Hours', 3_600_000_000_000n),
  converter('Duration', ['Duration StringGetter'], ([text]) => {
    if (!text.literal) return map1<string>(text, parseGoDuration);
    const value = parseGoDuration(text.value);
    return dynamicGetter(() => value);
  }),
  converter('Now', [], (_, { clock }) => dynamicGetter(() => new Time(BigInt(Math.round(clock.wallMs() * 1000)) * 1000n))),
  converter('Unix', ['Seconds IntGetter', 'Nanoseconds IntGetter?'], ([seconds, nanoseconds]) => unix(seconds, nanoseconds)),
  converter('TruncateTime', ['Time TimeGetter', 'Duration DurationGetter'], ([time, duration]) =>
    map2<Time, Duration>(time, duration, truncateTime),
  ),
];
