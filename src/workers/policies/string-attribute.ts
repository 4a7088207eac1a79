/** The `string_attribute` policy: samples a trace in which a text attribute of any resource or span is one of, or matches, the listed values. Worker thread. */

import { compilePattern, type Pattern } from '../../shared/re2.ts';
import { ValueKind } from './attribute-slots.ts';
import { ByteMemo, equalBytes } from './byte-memo.ts';
import { type LeafPolicy, notSampledIfSettled, sampledIfSettled } from './policy.ts';

const defaultCacheSize = 128;

type ByteTest = (bytes: Uint8Array, at: number, length: number) => boolean;

/**
 * A present attribute of another type reads as an empty text, never as its number or list. An empty text of a resource is tested, one of a span is not.
 * Source: spec 1.4.4.
 */
export function stringAttribute(config: {
  readonly key: string;
  readonly values: readonly string[];
  readonly enabledRegexMatching: boolean;
  readonly cacheMaxSize: number;
  readonly invertMatch: boolean;
}): LeafPolicy {
  const test = config.enabledRegexMatching ? anyPattern(config.values, config.cacheMaxSize) : oneOf(config.values);
  return {
    stateWords: 0,
    attribute: {
      key: config.key,
      matches(values, slot, bytes, ofResource) {
        const isString = values.kind[slot] === ValueKind.string;
        const length = isString ? values.second[slot] : 0;
        return (length > 0 || ofResource) && test(bytes, isString ? values.first[slot] : 0, length);
      },
    },
    read: config.invertMatch ? notSampledIfSettled : sampledIfSettled,
  };
}

/** Exact membership, compared as bytes; empty entries count for nothing. */
export function oneOf(values: readonly string[]): ByteTest {
  const encoder = new TextEncoder();
  const byLength: (Uint8Array[] | undefined)[] = [];
  for (const value of new Set(values)) {
    const bytes = encoder.encode(value);
    if (bytes.length > 0) (byLength[bytes.length] ??= []).push(bytes);
  }
  return (bytes, at, length) => {
    const candidates = byLength[length];
    if (candidates === undefined) return false;
    for (const candidate of candidates) if (equalBytes(candidate, bytes, at, length)) return true;
    return false;
  };
}

/** Any expression hits. The texts that occur are few, so answers are remembered and a span costs no decoding. */
function anyPattern(expressions: readonly string[], cacheMaxSize: number): ByteTest {
  const patterns = expressions.map(patternOf);
  const memo = new ByteMemo(cacheMaxSize > 0 ? Math.min(cacheMaxSize, 1 << 20) : defaultCacheSize);
  // A decoder refuses views over shared memory, so the text is copied first.
  const find: ByteTest = (bytes, at, length) => {
    const text = Buffer.from(bytes.subarray(at, at + length)).toString('utf8');
    return patterns.some((pattern) => pattern.matches(text));
  };
  return (bytes, at, length) => memo.ask(bytes, at, length, find);
}

function patternOf(expression: string): Pattern {
  const outcome = compilePattern(expression);
  if (outcome.kind === 'pattern') return outcome.pattern;
  throw new Error(`invalid regex \`${expression}\`: ${outcome.message}`);
}
