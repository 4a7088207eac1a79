/** One payload to several consumers, several answers to one. Main thread. */

import { assertNever } from '../../shared/assert-never.ts';
import type { TracesConsumer, TracesPayload } from './component.ts';
import { accepted, type ConsumeOutcome, type RefusedOutcome, refusedPermanent } from './consume-outcome.ts';

/** A consumer that hands every payload to all of `consumers` at once and answers when the last has. One consumer is returned as it is. */
export function fanOut(consumers: readonly TracesConsumer[]): TracesConsumer {
  if (consumers.length === 1) return consumers[0] as TracesConsumer;
  return {
    async consume(payload) {
      return combineOutcomes(await Promise.all(consumers.map((consumer) => consumeSafely(consumer, payload))));
    },
  };
}

/** A consumer that throws breaks its contract; its neighbours must not pay for that, so it becomes a permanent refusal. */
async function consumeSafely(consumer: TracesConsumer, payload: TracesPayload): Promise<ConsumeOutcome> {
  try {
    return await consumer.consume(payload);
  } catch (error) {
    return refusedPermanent(`internal error: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * The answer of several consumers as one: accepted when all did; permanent when any is, as joined errors are in the Collector; else retryable
 * after the longest of the delays asked for.
 */
export function combineOutcomes(outcomes: readonly ConsumeOutcome[]): ConsumeOutcome {
  const refusals: RefusedOutcome[] = [];
  for (const outcome of outcomes) {
    switch (outcome.kind) {
      case 'accepted':
        break;
      case 'refused':
        refusals.push(outcome);
        break;
      default:
        return assertNever(outcome);
    }
  }
  if (refusals.length === 0) return accepted;
  const leading = refusals.find((refusal) => !refusal.retryable) ?? (refusals[0] as RefusedOutcome);
  if (refusals.length === 1) return leading;
  const message = [...new Set(refusals.map((refusal) => refusal.message))].join('; ');
  if (!leading.retryable) return { kind: 'refused', retryable: false, code: leading.code, message };
  const delays = refusals.flatMap((refusal) => (refusal.retryAfterMs === undefined ? [] : [refusal.retryAfterMs]));
  return { ...leading, message, ...(delays.length > 0 ? { retryAfterMs: Math.max(...delays) } : {}) };
}
