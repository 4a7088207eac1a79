/** What a kept span's scope says of the decision (gate `recordpolicy`, option `record`), as bytes to append while framing. Worker thread. */

import { Trigger } from './compiled-policies.ts';

/** What is known of the decision when spans leave. */
export interface RecordedDecision {
  /** The credited policy; '' writes nothing. */
  readonly policy: string;
  /** The composite's winning sub-policy; undefined unless a composite is to be named. */
  readonly compositePolicy?: string | undefined;
  /** The spans came after the decision. */
  readonly isLate: boolean;
  /** With `record: full` only. */
  readonly trigger?: Trigger | undefined;
}

const triggerNames = Object.fromEntries(Object.entries(Trigger).map(([name, value]) => [value, name]));
const encoder = new TextEncoder();

/**
 * Shape:  one whole ScopeSpans.scope field, to be appended to the body of each ScopeSpans; empty when there is nothing to say. A scope that comes in two fields
 *         is one message to every protobuf decoder, its attributes one after the other, so the source's scope stays as it is.
 * Source: spec 1.12; ScopeSpans.scope = 1, InstrumentationScope.attributes = 3, KeyValue { key = 1, value = 2 }, AnyValue { string_value = 1, bool_value = 2 }.
 */
export function scopeFieldFor(decision: RecordedDecision): Uint8Array {
  const attributes: Uint8Array[] = [];
  const text = (key: string, value: string) => attributes.push(keyValue(key, lengthField(0x0a, encoder.encode(value))));
  if (decision.policy !== '') text('tailsampling.policy', decision.policy);
  if (decision.compositePolicy !== undefined) text('tailsampling.composite_policy', decision.compositePolicy);
  if (decision.isLate) attributes.push(keyValue('tailsampling.cached_decision', Uint8Array.of(0x10, 1)));
  if (decision.trigger !== undefined) text('tailsampling.trigger', triggerNames[decision.trigger]);
  return attributes.length === 0 ? new Uint8Array(0) : lengthField(0x0a, Buffer.concat(attributes));
}

function keyValue(key: string, anyValue: Uint8Array): Uint8Array {
  return lengthField(0x1a, Buffer.concat([lengthField(0x0a, encoder.encode(key)), lengthField(0x12, anyValue)]));
}

function lengthField(tag: number, body: Uint8Array): Uint8Array {
  const length: number[] = [];
  for (let rest = body.length; ; rest >>>= 7) {
    length.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
    if (rest < 0x80) break;
  }
  return Buffer.concat([Uint8Array.of(tag, ...length), body]);
}
