/** The `ottl_condition` policy: samples a trace in which any span, or any event of one, meets any of its conditions. Worker thread. */

import type { Clock } from '../../shared/clock.ts';
import { type CompiledCondition, compileConditions, type OttlContext, OttlFault } from '../ottl/compile-conditions.ts';
import { SpanView } from '../ottl/span-view.ts';
import { type LeafPolicy, Verdict } from './policy.ts';

/** What a leaf needs of the worker it is compiled for. */
export interface OttlSettings {
  readonly featureGates: ReadonlySet<string>;
  readonly clock: Clock;
  /** Conditions that ask for the time are read at the decision, over all spans again; false where each fragment is judged when it comes. */
  readonly atDecision: boolean;
  /** Told of each error that `error_mode: ignore` passes over. */
  warn(text: string): void;
}

const Outcome = { no: 0, yes: 1, failed: 2 } as const;
type Outcome = (typeof Outcome)[keyof typeof Outcome];

const failedWord = 0;
const verdictOf = [Verdict.notSampled, Verdict.sampled, Verdict.error] as const;
/** Within a text literal it costs a second look at the spans and nothing else. */
const asksForTime = /\bNow\s*\(/;

/**
 * State: one word, 1 when the policy failed. Spans are tried in order, each with the span conditions and then its events with theirs, until one is met or, with
 * `propagate`, one fails; either settles the policy. Source: spec 1.4.8.
 */
export function ottlCondition(
  config: {
    readonly errorMode: 'propagate' | 'ignore' | 'silent';
    readonly span: readonly string[];
    readonly spanevent: readonly string[];
  },
  settings: OttlSettings,
): LeafPolicy {
  const onSpan = compiled(config.span, 'span', settings);
  const onEvent = compiled(config.spanevent, 'spanevent', settings);
  const view = new SpanView();
  let lastError = '';

  function ask(conditions: readonly CompiledCondition[]): Outcome {
    for (const condition of conditions) {
      const answer = condition.evaluate(view);
      if (answer === true) return Outcome.yes;
      if (answer === false || config.errorMode === 'silent') continue;
      const text = `failed to eval condition: ${condition.text}, ${answer.message}`;
      if (config.errorMode === 'ignore') settings.warn(text);
      else {
        lastError = text;
        return Outcome.failed;
      }
    }
    return Outcome.no;
  }

  function tryAll(): Outcome {
    const outcome = ask(onSpan);
    if (outcome !== Outcome.no || onEvent.length === 0) return outcome;
    while (view.nextEvent()) {
      const ofEvent = ask(onEvent);
      if (ofEvent !== Outcome.no) return ofEvent;
    }
    return Outcome.no;
  }

  const lastErrorText = (): string => lastError;
  if (settings.atDecision && [...config.span, ...config.spanevent].some((text) => asksForTime.test(text))) {
    return {
      stateWords: 0,
      read(_settled, trace) {
        let outcome: Outcome = Outcome.no;
        trace.eachSpan?.(trace.firstRun, (span) => {
          view.atSpan(span);
          outcome = tryAll();
          return outcome !== Outcome.no;
        });
        return verdictOf[outcome];
      },
      lastError: lastErrorText,
    };
  }
  return {
    stateWords: 1,
    fold(span, words, at) {
      view.atSpan(span);
      const outcome = tryAll();
      if (outcome === Outcome.failed) words[at + failedWord] = 1;
      return outcome !== Outcome.no;
    },
    read(settled, _trace, words, at) {
      if (!settled) return Verdict.notSampled;
      return words[at + failedWord] === 1 ? Verdict.error : Verdict.sampled;
    },
    lastError: lastErrorText,
  };
}

function compiled(texts: readonly string[], context: OttlContext, settings: OttlSettings): readonly CompiledCondition[] {
  if (texts.length === 0) return [];
  const outcome = compileConditions(texts, context, settings);
  if (outcome instanceof OttlFault) throw new Error(outcome.message);
  return outcome.conditions;
}
