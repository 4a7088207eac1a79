/** Go's duration texts: reading, writing, and that one undoes the other. */

import fc from 'fast-check';
import t from 'tap';
import { formatDuration, formatNanoseconds, nanosecondsToMs, parseDuration } from '../../src/main/config/duration.ts';

/** Source: Go's time package, TestParseDuration and TestDurationString. */
const readings: readonly (readonly [text: string, milliseconds: number])[] = [
  ['0', 0],
  ['5s', 5_000],
  ['-5s', -5_000],
  ['+5s', 5_000],
  ['5.0s', 5_000],
  ['5.6s', 5_600],
  ['.5s', 500],
  ['5.s', 5_000],
  ['10ns', 0.00001],
  ['11us', 0.011],
  ['12µs', 0.012],
  ['12μs', 0.012],
  ['13ms', 13],
  ['1m30.5s', 90_500],
  ['3h30m', 12_600_000],
  ['39h9m14.425s', 140_954_425],
  ['1h1ms1ns', 3_600_001.000001],
];

const malformed: readonly (readonly [text: string, message: string])[] = [
  ['', 'time: invalid duration ""'],
  ['3', 'time: missing unit in duration "3"'],
  ['-', 'time: invalid duration "-"'],
  ['s', 'time: invalid duration "s"'],
  ['.', 'time: invalid duration "."'],
  ['.s', 'time: invalid duration ".s"'],
  ['2 seconds', 'time: unknown unit " seconds" in duration "2 seconds"'],
  ['1d', 'time: unknown unit "d" in duration "1d"'],
  ['9223372036854775808ns', 'time: invalid duration "9223372036854775808ns"'],
  ['3000000h', 'time: invalid duration "3000000h"'],
];

t.test('reads what Go reads', async (t) => {
  for (const [text, milliseconds] of readings) {
    const outcome = parseDuration(text);
    t.equal(outcome.kind === 'duration' ? nanosecondsToMs(outcome.nanoseconds) : outcome.message, milliseconds, text);
  }
});

t.test("refuses what Go refuses, in Go's words", async (t) => {
  for (const [text, message] of malformed) t.same(parseDuration(text), { kind: 'malformed', message }, text);
});

t.test('writes as Go writes', async (t) => {
  t.same(
    [0, 0.000001, 0.0011, 2.2, 3_300, 245_000, 245_001, 18_367_001, 480_000_000_001, -2.2].map((ms) => formatDuration(ms)),
    ['0s', '1ns', '1.1µs', '2.2ms', '3.3s', '4m5s', '4m5.001s', '5h6m7.001s', '133333h20m0.001s', '-2.2ms'],
  );
});

t.test('reading undoes writing, for every count of nanoseconds', async (t) => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (nanoseconds) => {
      const outcome = parseDuration(formatNanoseconds(nanoseconds));
      return outcome.kind === 'duration' && outcome.nanoseconds === nanoseconds;
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: -1e12, max: 1e12 }), (milliseconds) => {
      const outcome = parseDuration(formatDuration(milliseconds));
      return outcome.kind === 'duration' && nanosecondsToMs(outcome.nanoseconds) === milliseconds;
    }),
  );
  t.pass('held');
});
