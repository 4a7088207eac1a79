/** OTTL's arithmetic: Go's int64 and float64, and times with durations. Worker thread. */

import { formatValue } from './format-value.ts';
import type { MathOp } from './grammar.ts';
import { Duration, OttlError, type OttlValue, Time, typeName } from './values.ts';

const int64 = (value: bigint): bigint => BigInt.asIntN(64, value);
const int64Max = 2n ** 63n - 1n;

function calculateInts(left: bigint, right: bigint, op: MathOp): bigint | OttlError {
  switch (op) {
    case '+':
      return int64(left + right);
    case '-':
      return int64(left - right);
    case '*':
      return int64(left * right);
    case '/':
      return right === 0n ? new OttlError('attempted to divide by 0') : int64(left / right);
  }
}

function calculateFloats(left: number, right: number, op: MathOp): number | OttlError {
  switch (op) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return right === 0 ? new OttlError('attempted to divide by 0') : left / right;
  }
}

/** time.Time.Sub clamps to what a Duration holds. */
function between(left: Time, right: Time): Duration {
  const nanos = left.unixNano - right.unixNano;
  return new Duration(nanos > int64Max ? int64Max : nanos < -int64Max - 1n ? -int64Max - 1n : nanos);
}

const onlyAddAndSubtract = 'only addition and subtraction supported for time.Time and time.Duration';

function calculateTime(left: Time, right: OttlValue, op: MathOp): OttlValue | OttlError {
  if (op === '+') {
    if (right instanceof Duration) return new Time(left.unixNano + right.nanos, left.zone);
    return new OttlError(`time.Time must be added to time.Duration; found ${formatValue(right)} instead`);
  }
  if (op !== '-') return new OttlError(onlyAddAndSubtract);
  if (right instanceof Time) return between(left, right);
  if (right instanceof Duration) return new Time(left.unixNano + int64(-right.nanos), left.zone);
  return new OttlError(`time.Time or time.Duration must be subtracted from time.Time; found ${formatValue(right)} instead`);
}

function calculateDuration(left: Duration, right: OttlValue, op: MathOp): OttlValue | OttlError {
  if (op === '+') {
    if (right instanceof Duration) return new Duration(int64(left.nanos + right.nanos));
    if (right instanceof Time) return new Time(right.unixNano + left.nanos, right.zone);
    return new OttlError(`time.Duration must be added to time.Duration or time.Time; found ${formatValue(right)} instead`);
  }
  if (op !== '-') return new OttlError(onlyAddAndSubtract);
  if (right instanceof Duration) return new Duration(int64(left.nanos - right.nanos));
  return new OttlError(`time.Duration must be subtracted from time.Duration; found ${formatValue(right)} instead`);
}

/** Source: math.go of the Collector's pkg/ottl v0.161. Integers wrap as Go's do; an int and a float make a float. */
export function calculate(left: OttlValue, right: OttlValue, op: MathOp): OttlValue | OttlError {
  if (typeof left === 'bigint' || typeof left === 'number') {
    if (typeof left === 'bigint' && typeof right === 'bigint') return calculateInts(left, right, op);
    if (typeof right === 'bigint' || typeof right === 'number') return calculateFloats(Number(left), Number(right), op);
    return new OttlError(`${formatValue(right)} must be int64 or float64`);
  }
  if (left instanceof Time) return calculateTime(left, right, op);
  if (left instanceof Duration) return calculateDuration(left, right, op);
  return new OttlError(`${formatValue(left)} must be int64, float64, time.Time or time.Duration`);
}

export function negate(value: OttlValue): OttlValue | OttlError {
  if (typeof value === 'bigint') return int64(-value);
  if (typeof value === 'number') return -value;
  return new OttlError(`unsupported unary minus operation on type ${typeName(value)}`);
}
