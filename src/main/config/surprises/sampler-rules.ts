/** What surprises in a `tail_sampling` processor beside its policies: capacity and times. Main thread. */

import type { ConfigPath } from '../config-fault.ts';
import { formatDuration } from '../duration.ts';
import type { RawMap } from '../raw-value.ts';
import { durationAt, type ExpectedLoad, grouped, mapAt, numberAt, type Report } from './finding.ts';

type SamplerRule = (config: RawMap, path: ConfigPath, load: ExpectedLoad, report: Report) => void;

/** A further finding is one more entry. */
export const samplerRules: readonly SamplerRule[] = [traceCapacity, rootWaitBeyondWait, cacheBelowTraces, waitOfNothing];

const decisionWaitDefaultMs = 30_000;

function traceCapacity(config: RawMap, path: ConfigPath, { tracesPerSecond }: ExpectedLoad, report: Report): void {
  if (tracesPerSecond === undefined || !('num_traces' in config)) return;
  const waitMs = durationAt(config, 'decision_wait', decisionWaitDefaultMs);
  const numTraces = numberAt(config, 'num_traces');
  const needed = Math.ceil((tracesPerSecond * waitMs) / 1000);
  if (needed <= numTraces) return;
  const message = `${numTraces} traces are room for ${(numTraces / tracesPerSecond).toFixed(1)} s at ${grouped(tracesPerSecond)} traces/s, and the decision wait is ${formatDuration(waitMs)}: the oldest would be decided early; ${needed} are needed`;
  report([...path, 'num_traces'], message);
}

function rootWaitBeyondWait(config: RawMap, path: ConfigPath, _load: ExpectedLoad, report: Report): void {
  const waitMs = durationAt(config, 'decision_wait', decisionWaitDefaultMs);
  const rootMs = durationAt(config, 'decision_wait_after_root_received', 0);
  if (rootMs <= 0 || rootMs < waitMs) return;
  const message = `${formatDuration(rootMs)} is not below decision_wait (${formatDuration(waitMs)}), which ends first: it changes nothing`;
  report([...path, 'decision_wait_after_root_received'], message);
}

/** A cache that forgets before the trace is out of the table cannot answer for its late spans. */
function cacheBelowTraces(config: RawMap, path: ConfigPath, _load: ExpectedLoad, report: Report): void {
  const cache = mapAt(config, 'decision_cache');
  const numTraces = numberAt(config, 'num_traces');
  for (const key of ['sampled_cache_size', 'non_sampled_cache_size']) {
    const size = numberAt(cache, key);
    if (size <= 0 || size >= numTraces) continue;
    const message = `${size} decisions are fewer than the ${numTraces} traces of num_traces: late spans of older ones start a trace of their own; write more than ${numTraces}`;
    report([...path, 'decision_cache', key], message);
  }
}

function waitOfNothing(config: RawMap, path: ConfigPath, _load: ExpectedLoad, report: Report): void {
  if (config.sampling_strategy === 'span-ingest' || durationAt(config, 'decision_wait', decisionWaitDefaultMs) >= 100) return;
  report([...path, 'decision_wait'], 'is shorter than a tick (100 ms): a trace is decided on the spans of its first request or two');
}
