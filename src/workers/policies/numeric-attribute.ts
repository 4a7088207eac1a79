/** The `numeric_attribute` policy: samples a trace in which an integer attribute of any resource or span lies within bounds. Worker thread. */

import { ValueKind } from './attribute-slots.ts';
import { type LeafPolicy, notSampledIfSettled, sampledIfSettled } from './policy.ts';

const int64Max = (1n << 63n) - 1n;
const int64Min = -(1n << 63n);

/** A bound of 0 is no bound, and a present attribute of any other type than int reads as 0, both as in the Collector. */
export function numericAttribute(config: {
  readonly key: string;
  readonly minValue: bigint;
  readonly maxValue: bigint;
  readonly invertMatch: boolean;
}): LeafPolicy {
  const least = config.minValue === 0n ? int64Min : config.minValue;
  const greatest = config.maxValue === 0n ? int64Max : config.maxValue;
  const leastHigh = Number(least >> 32n);
  const leastLow = Number(least & 0xffffffffn);
  const greatestHigh = Number(greatest >> 32n);
  const greatestLow = Number(greatest & 0xffffffffn);
  return {
    stateWords: 0,
    attribute: {
      key: config.key,
      matches(values, slot) {
        const isInt = values.kind[slot] === ValueKind.int;
        const high = isInt ? values.second[slot] | 0 : 0;
        const low = isInt ? values.first[slot] : 0;
        return (
          (high > leastHigh || (high === leastHigh && low >= leastLow)) &&
          (high < greatestHigh || (high === greatestHigh && low <= greatestLow))
        );
      },
    },
    read: config.invertMatch ? notSampledIfSettled : sampledIfSettled,
  };
}
