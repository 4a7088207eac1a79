/** What policies count, as plain columns that the main thread reads into metrics. Worker thread. */

import type { Verdict } from './policy.ts';

/** Verdicts that are votes: not sampled, sampled, dropped. */
export const verdictsCounted = 3;

/** Cells of the by-verdict columns: `policy * verdictsCounted + verdict`. All columns grow until `reset`. */
export class PolicyCounters {
  /** count_traces_sampled, count_spans_sampled, count_bytes_sampled of spec 1.13. */
  readonly traces: Float64Array;
  readonly spans: Float64Array;
  readonly bytes: Float64Array;
  /** sampling_policy_execution_count and, in milliseconds, sampling_policy_execution_time_sum. */
  readonly executions: Float64Array;
  readonly executionMs: Float64Array;
  /** sampling_policy_evaluation_error, which has no policy attribute. */
  evaluationErrors = 0;
  /** Text of the last error, for one log line; '' when there was none. */
  lastError = '';
  /** Index of the policy that it came from. */
  lastErrorPolicy = -1;
  /** Errors of conditions that `error_mode: ignore` passed over, and the text of the last one. */
  ignoredErrors = 0;
  lastIgnoredError = '';

  constructor(policies: number) {
    this.traces = new Float64Array(policies * verdictsCounted);
    this.spans = new Float64Array(policies * verdictsCounted);
    this.bytes = new Float64Array(policies * verdictsCounted);
    this.executions = new Float64Array(policies);
    this.executionMs = new Float64Array(policies);
  }

  vote(policy: number, verdict: Verdict, spanCount: number, sizeBytes: number): void {
    const cell = policy * verdictsCounted + verdict;
    this.traces[cell]++;
    this.spans[cell] += spanCount;
    this.bytes[cell] += sizeBytes;
  }

  fail(policy: number, text: string): void {
    this.evaluationErrors++;
    this.lastError = text;
    this.lastErrorPolicy = policy;
  }

  ignore(text: string): void {
    this.ignoredErrors++;
    this.lastIgnoredError = text;
  }

  reset(): void {
    this.traces.fill(0);
    this.spans.fill(0);
    this.bytes.fill(0);
    this.executions.fill(0);
    this.executionMs.fill(0);
    this.evaluationErrors = 0;
    this.lastError = '';
    this.lastErrorPolicy = -1;
    this.ignoredErrors = 0;
    this.lastIgnoredError = '';
  }
}
