/** Converters with regular expressions. Worker thread; built at compile time. */

import { compilePattern, type Pattern } from '../../../shared/re2.ts';
import { type Converter, converter } from '../converter.ts';
import { CompileFault, dynamicGetter, type Getter } from '../getter.ts';
import { goQuote } from '../go-text.ts';
import type { SpanView } from '../span-view.ts';
import { EntryMap, emptyMap, OttlError, type OttlValue } from '../values.ts';

type PatternOf = (view: SpanView) => Pattern | OttlError;

/** A pattern that is text in the condition is compiled once and refused at once when it is faulty; another is compiled when its text changes. */
export function patternOf(functionName: string, getter: Getter<string>): PatternOf {
  const told = (text: string, reason: string) =>
    `the regex pattern supplied to ${functionName} '${goQuote(text)}' is not a valid pattern: ${reason}`;
  if (getter.literal) {
    const outcome = compilePattern(getter.value!);
    if (outcome.kind === 'faulty') throw new CompileFault(told(getter.value!, outcome.message));
    return () => outcome.pattern;
  }
  let lastText: string | undefined;
  let last: Pattern | OttlError = new OttlError('');
  return (view) => {
    const text = getter.get(view);
    if (text instanceof OttlError) return new OttlError(told('', text.message));
    if (text === lastText) return last;
    const outcome = compilePattern(text);
    lastText = text;
    last = outcome.kind === 'faulty' ? new OttlError(outcome.message) : outcome.pattern;
    return last;
  };
}

/** Named groups of the first match, '' for one that took no part; an empty map without a match. */
function extractPatterns(pattern: Pattern, text: string): OttlValue | OttlError {
  const names = pattern.groupNames();
  if (names.every((name) => name === '')) return new OttlError('at least 1 named capture group must be supplied in the given regex');
  const groups = pattern.groups(text);
  if (groups === null) return emptyMap;
  const entries = new Map<string, string>();
  names.forEach((name, i) => {
    if (name !== '') entries.set(name, groups[i] ?? '');
  });
  return new EntryMap([...entries]);
}

function withPattern<T>(patternAt: PatternOf, target: Getter<T>, result: (pattern: Pattern, value: T) => OttlValue | OttlError): Getter {
  return dynamicGetter((view) => {
    const pattern = patternAt(view);
    if (pattern instanceof OttlError) return pattern;
    const value = target.get(view);
    return value instanceof OttlError ? value : result(pattern, value);
  });
}

export const patternConverters: readonly Converter[] = [
  converter('IsMatch', ['Target StringLikeGetter', 'Pattern StringGetter'], ([target, pattern]) =>
    withPattern<string | null>(patternOf('IsMatch', pattern), target, (compiled, text) => text !== null && compiled.matches(text)),
  ),
  converter('ExtractPatterns', ['Target StringGetter', 'Pattern StringGetter'], ([target, pattern]) =>
    withPattern<string>(patternOf('ExtractPatterns', pattern), target, extractPatterns),
  ),
];
