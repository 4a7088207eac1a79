/** The `boolean_attribute` policy: samples a trace in which an attribute of any resource or span has a given truth value. Worker thread. */

import { ValueKind } from './attribute-slots.ts';
import { type LeafPolicy, notSampledIfSettled, sampledIfSettled } from './policy.ts';

/** A present attribute of another type reads as false, as in the Collector. */
export function booleanAttribute(config: { readonly key: string; readonly value: boolean; readonly invertMatch: boolean }): LeafPolicy {
  return {
    stateWords: 0,
    attribute: {
      key: config.key,
      matches: (values, slot) => (values.kind[slot] === ValueKind.bool && values.first[slot] === 1) === config.value,
    },
    read: config.invertMatch ? notSampledIfSettled : sampledIfSettled,
  };
}
