/** The sampler's histograms: ages come from the shards' columns after each task, the timer's latency from the task itself. Main thread. */

import { ageDoubles, lateAgeAt, removalAgeAt } from '../../../shared/arena/region-layout.ts';
import type { ShardColumns } from '../../../workers/shard/shard-columns.ts';
import type { BoundHistogram, Metrics } from '../../telemetry/metrics.ts';

const prefix = 'otelcol_processor_tail_sampling_';

/** One cumulative histogram in shared memory and how far it was read. */
class AgeReader {
  readonly #histogram: BoundHistogram;
  readonly #columns: ShardColumns;
  readonly #at: number;
  readonly #before = new Float64Array(ageDoubles);
  readonly #now = new Float64Array(ageDoubles);

  constructor(histogram: BoundHistogram, columns: ShardColumns, at: number) {
    this.#histogram = histogram;
    this.#columns = columns;
    this.#at = at;
  }

  read(): void {
    const before = this.#before;
    const now = this.#now;
    this.#columns.ages(this.#at, now);
    let counted = 0;
    for (let index = 0; index < ageDoubles; index++) {
      const total = now[index];
      now[index] -= before[index];
      before[index] = total;
      counted += now[index];
    }
    if (counted !== 0) this.#histogram.merge(now.subarray(0, ageDoubles - 1), now[ageDoubles - 1]);
  }
}

export class SamplingHistograms {
  readonly #timerLatency: BoundHistogram;
  readonly #ages: readonly AgeReader[];

  constructor(metrics: Metrics, shards: readonly ShardColumns[]) {
    this.#timerLatency = metrics.histogram(`${prefix}sampling_decision_timer_latency`);
    const late = metrics.histogram(`${prefix}sampling_late_span_age`);
    const removal = metrics.histogram(`${prefix}sampling_trace_removal_age`);
    this.#ages = shards.flatMap((columns) => [new AgeReader(late, columns, lateAgeAt), new AgeReader(removal, columns, removalAgeAt)]);
  }

  /** After a task that took `taskMs` from being handed out to its answer. */
  afterTask(taskMs: number): void {
    this.#timerLatency.record(taskMs);
    for (const ages of this.#ages) ages.read();
  }
}
