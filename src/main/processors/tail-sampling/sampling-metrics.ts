/** The sampler's account as metrics: read from the shards' regions at each scrape, so that counting costs nothing. Main thread. */

import { header, type ShardCounter } from '../../../shared/arena/region-layout.ts';
import { type ShardMemory, shardMemory } from '../../../shared/trace-table/shard-memory.ts';
import { ShardColumns } from '../../../workers/shard/shard-columns.ts';
import type { ComponentSettings } from '../../pipeline/component.ts';
import type { RegionPlan } from './region-plan.ts';

/** What the main thread counts itself. */
export interface IntakeAccount {
  receivedSpans: number;
  refusedSpans: number;
}

export interface MeasuredSampler {
  readonly account: IntakeAccount;
  readonly exportedSpans: number;
  readonly lostSpans: number;
  readonly tasks: number;
  readonly failures: number;
  /** How far the slowest shard is behind. Units: milliseconds. */
  lagMs(): number;
}

const prefix = 'otelcol_processor_tail_sampling_';
const verdicts = [
  ['false', 'not_sampled'],
  ['true', 'sampled'],
  ['false', 'dropped'],
] as const;

/** The totals of all shards of one instance. */
export class SamplerTotals {
  readonly columns: readonly ShardColumns[];
  readonly #shards: readonly ShardMemory[];

  constructor(memory: WebAssembly.Memory, plan: RegionPlan, policies: number) {
    this.#shards = plan.places.map((place) => shardMemory(memory, place));
    this.columns = this.#shards.map((shard) => new ShardColumns(shard, policies));
  }

  get(counter: ShardCounter): number {
    let total = 0;
    for (const columns of this.columns) total += columns.counter(counter);
    return total;
  }

  /** Spans that have their decision, late ones included. */
  decidedSpans(): number {
    return this.sampledSpans() + this.notSampledSpans() + this.droppedSpans();
  }
  sampledSpans(): number {
    return this.get('spansSampled') + this.get('lateSpansSampled');
  }
  notSampledSpans(): number {
    return this.get('spansNotSampled') + this.get('lateSpansNotSampled') + this.get('tooLargeSpans');
  }
  droppedSpans(): number {
    return this.get('spansDropped') + this.get('lateSpansDropped') + this.get('evictedSpans');
  }

  tracesHeld(): number {
    let total = 0;
    for (const { words, head } of this.#shards) total += words[head + header.traceCount];
    return total;
  }
}

/** Registers everything; returns how to end it. */
export function observeSampler(
  settings: ComponentSettings,
  totals: SamplerTotals,
  sampler: MeasuredSampler,
  policyNames: readonly string[],
): () => void {
  const ends: (() => void)[] = [];
  const observe = (name: string, attributes: Record<string, string>, read: () => number): void => {
    ends.push(settings.metrics.observe(name, attributes, read));
  };
  observeGlobal(observe, totals);
  observeAccount(observe, settings.id.text, totals, sampler);
  observePolicies(observe, settings, totals, policyNames);
  return () => {
    for (const end of ends) end();
  };
}

type Observe = (name: string, attributes: Record<string, string>, read: () => number) => void;

function observeGlobal(observe: Observe, totals: SamplerTotals): void {
  observe(`${prefix}new_trace_id_received`, {}, () => totals.get('tracesCreated'));
  observe(`${prefix}sampling_traces_on_memory`, {}, () => totals.tracesHeld());
  observe(`${prefix}sampling_trace_dropped_too_early`, {}, () => totals.get('evictedTraces'));
  observe(`${prefix}traces_dropped_too_large`, {}, () => totals.get('tooLargeTraces'));
  observe(`${prefix}count_spans_with_unparseable_tracestate`, {}, () => totals.get('unparseableTraceStates'));
  observe(`${prefix}global_count_traces_sampled`, { sampled: 'true', decision: 'sampled' }, () => totals.get('tracesSampled'));
  observe(`${prefix}global_count_traces_sampled`, { sampled: 'false', decision: 'not_sampled' }, () => totals.get('tracesNotSampled'));
  observe(`${prefix}global_count_traces_sampled`, { sampled: 'false', decision: 'dropped' }, () => totals.get('tracesDropped'));
  observe(`${prefix}early_releases_from_cache_decision`, { sampled: 'true' }, () => totals.get('lateSpansSampled'));
  observe(
    `${prefix}early_releases_from_cache_decision`,
    { sampled: 'false' },
    () => totals.get('lateSpansNotSampled') + totals.get('lateSpansDropped'),
  );
}

function observeAccount(observe: Observe, processor: string, totals: SamplerTotals, sampler: MeasuredSampler): void {
  const { account } = sampler;
  observe('ringtail_account_received_spans', { processor }, () => account.receivedSpans);
  observe('ringtail_account_refused_spans', { processor }, () => account.refusedSpans);
  observe('ringtail_account_sampled_spans', { processor }, () => totals.sampledSpans());
  observe('ringtail_account_not_sampled_spans', { processor }, () => totals.notSampledSpans());
  observe('ringtail_account_dropped_spans', { processor }, () => totals.droppedSpans());
  observe('ringtail_account_buffered_spans', { processor }, () => account.receivedSpans - account.refusedSpans - totals.decidedSpans());
  observe('ringtail_account_exported_spans', { processor }, () => sampler.exportedSpans);
  observe('ringtail_account_lost_spans', { processor }, () => sampler.lostSpans);
  observe('ringtail_early_decisions', { processor }, () => totals.get('earlyDecisions'));
  observe('ringtail_shard_lag_seconds', { processor, shard: 'all' }, () => sampler.lagMs() / 1000);
  observe('ringtail_shard_tasks', { processor }, () => sampler.tasks);
  observe('ringtail_shard_task_failures', { processor }, () => sampler.failures);
}

function observePolicies(observe: Observe, settings: ComponentSettings, totals: SamplerTotals, policyNames: readonly string[]): void {
  const { columns } = totals;
  const sum = (read: (column: ShardColumns) => number) => () => columns.reduce((total, column) => total + read(column), 0);
  observe(
    `${prefix}sampling_policy_evaluation_error`,
    {},
    sum((column) => column.evaluationErrors),
  );
  const label = settings.id.name === '' ? '' : `${settings.id.name}.`;
  for (const [index, name] of policyNames.entries()) {
    const policy = `${label}${name}`;
    observe(
      `${prefix}sampling_policy_execution_count`,
      { policy },
      sum((column) => column.executions(index)),
    );
    observe(
      `${prefix}sampling_policy_execution_time_sum`,
      { policy },
      sum((column) => Math.round(column.executionMs(index) * 1000)),
    );
    for (const [verdict, [sampled, decision]] of verdicts.entries()) {
      const attributes = { policy, sampled, decision };
      observe(
        `${prefix}count_traces_sampled`,
        attributes,
        sum((column) => column.traces(index, verdict)),
      );
      if (settings.featureGates.has('processor.tailsamplingprocessor.metricstatcountspanssampled')) {
        observe(
          `${prefix}count_spans_sampled`,
          attributes,
          sum((column) => column.spans(index, verdict)),
        );
      }
      if (settings.featureGates.has('processor.tailsamplingprocessor.metricstatcountbytessampled')) {
        observe(
          `${prefix}count_bytes_sampled`,
          attributes,
          sum((column) => column.bytes(index, verdict)),
        );
      }
    }
  }
}
