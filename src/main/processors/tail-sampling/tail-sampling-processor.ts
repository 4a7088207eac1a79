/** The `tail_sampling` processor: holds each trace for the decision wait and hands on what the policies sample. Main thread; judging is in workers. */

import { serialize } from 'node:v8';
import { compilePolicies, sharedRegionBytes, traceStateGate } from '../../../workers/policies/compile-policies.ts';
import type { ShardSettings } from '../../../workers/shard/shard-settings.ts';
import type { ArenaBlock } from '../../arena/arena.ts';
import {
  type ComponentSettings,
  type DrainReport,
  nothingLost,
  type Processor,
  type ProcessorType,
  type TracesConsumer,
  type TracesPayload,
} from '../../pipeline/component.ts';
import { ComponentLife } from '../../pipeline/component-state.ts';
import { accepted, type ConsumeOutcome, GrpcStatus, refusedPermanent, refusedRetryable } from '../../pipeline/consume-outcome.ts';

import { planRegion, type RegionPlan } from './region-plan.ts';
import { RequestLog } from './request-log.ts';
import { SampledOutput } from './sampled-output.ts';
import { type PressureTarget, type SamplerHost, samplerHostOf } from './sampler-host.ts';
import { SamplingHistograms } from './sampling-histograms.ts';
import { type MeasuredSampler, observeSampler, SamplerTotals } from './sampling-metrics.ts';
import { ShardScheduler } from './shard-scheduler.ts';
import { checkTailSampling, type TailSamplingConfig, tailSamplingSchema } from './tail-sampling-config.ts';

/** Requests are gathered in segments of this size; a larger request gets a segment of its own. */
const segmentBytesMax = 1024 * 1024;
/** Sampled spans are framed into pieces of this size. */
const outputBytes = 256 * 1024;
const retryWhenFullMs = 500;
/** Without RetryInfo: sending it again would not help. */
const tooLarge = refusedPermanent('the request is larger than the memory for undecided traces', GrpcStatus.resourceExhausted);
/** What the Collector holds when `num_traces` is not written. */
const collectorNumTraces = 50_000;

export const tailSamplingProcessorType: ProcessorType<TailSamplingConfig> = {
  kind: 'processor',
  type: 'tail_sampling',
  schema: tailSamplingSchema,
  check: checkTailSampling,
  create: (settings, config, next) => new TailSamplingProcessor(settings, config, next),
};

/** Everything that lives from start to stop. */
interface Running {
  readonly plan: RegionPlan;
  readonly blocks: readonly ArenaBlock[];
  readonly log: RequestLog;
  readonly output: SampledOutput;
  readonly scheduler: ShardScheduler;
  readonly target: PressureTarget;
  readonly fixedBytes: number;
  readonly totals: SamplerTotals;
  endMetrics(): void;
}

class TailSamplingProcessor implements Processor, MeasuredSampler {
  readonly account = { receivedSpans: 0, refusedSpans: 0 };
  readonly #settings: ComponentSettings;
  readonly #config: TailSamplingConfig;
  readonly #next: TracesConsumer;
  readonly #host: SamplerHost;
  readonly #life: ComponentLife;
  readonly #mayGrow = (bytes: number): boolean => this.#host.mayGrow(bytes);
  #running: Running | undefined;
  #policyErrorLoggedMs = Number.NEGATIVE_INFINITY;

  constructor(settings: ComponentSettings, config: TailSamplingConfig, next: TracesConsumer) {
    this.#settings = settings;
    this.#config = config;
    this.#next = next;
    this.#host = samplerHostOf(settings.arena);
    this.#host.announce(config.workers ?? shardsOf(config));
    this.#life = new ComponentLife({
      start: () => this.#start(),
      drain: (deadlineMs) => this.#drain(deadlineMs),
      stop: () => this.#stop(),
    });
  }

  start(): Promise<void> {
    return this.#life.start();
  }
  drain(deadlineMs: number): Promise<DrainReport> {
    return this.#life.drain(deadlineMs);
  }
  stop(): Promise<void> {
    return this.#life.stop();
  }

  get exportedSpans(): number {
    return this.#running?.output.exportedSpans ?? 0;
  }
  get lostSpans(): number {
    return this.#running?.output.lostSpans ?? 0;
  }
  get tasks(): number {
    return this.#running?.scheduler.tasks ?? 0;
  }
  get failures(): number {
    return this.#running?.scheduler.failures ?? 0;
  }
  lagMs(): number {
    return this.#running?.scheduler.lagMs() ?? 0;
  }

  async consume(payload: TracesPayload): Promise<ConsumeOutcome> {
    const running = this.#running;
    this.account.receivedSpans += payload.spanCount;
    const outcome =
      running && this.#life.running ? await this.#takeInTurn(running, payload) : refusedRetryable('tail_sampling is not running');
    if (outcome.kind === 'refused') this.account.refusedSpans += payload.spanCount;
    return outcome;
  }

  /** `block_on_overflow`: refuses while the table is full; under `--compatibility otelcol` it keeps the caller waiting. */
  async #takeInTurn(running: Running, payload: TracesPayload): Promise<ConsumeOutcome> {
    const { scheduler } = running;
    if (this.#config.block_on_overflow && scheduler.blocked) {
      if (!this.#settings.otelcolCompatibility) return this.#full('num_traces traces are held');
      while (scheduler.blocked && this.#life.running) await scheduler.turnEnded();
      if (!this.#life.running) return refusedRetryable('tail_sampling is not running');
    }
    return this.#take(running, payload);
  }

  #take(running: Running, payload: TracesPayload): ConsumeOutcome {
    const { log, scheduler } = running;
    const outcome = log.append(payload, this.#settings.clock.monotonicMs(), scheduler.cursor, this.#mayGrow);
    switch (outcome) {
      case 'appended':
        scheduler.requestArrived(payload.bytes.length);
        this.#host.relieve();
        return accepted;
      case 'full':
        if (!this.#host.couldHold(payload.bytes.length)) return tooLarge;
        this.#host.relieve(true);
        return this.#full('the memory for undecided traces is used up');
      case 'behind':
        return this.#full('too many requests wait to be taken');
      case 'malformed':
        return refusedPermanent('malformed request', GrpcStatus.invalidArgument);
    }
  }

  #full(why: string): ConsumeOutcome {
    return refusedRetryable(`tail_sampling is full: ${why}`, { code: GrpcStatus.resourceExhausted, retryAfterMs: retryWhenFullMs });
  }

  async #start(): Promise<void> {
    const { arena, clock, logger, featureGates, otelcolCompatibility } = this.#settings;
    const config = this.#config;
    if (config.sample_on_first_match && featureGates.has(traceStateGate)) {
      logger.warn(
        {},
        'sample_on_first_match leaves policies unasked, so the thresholds written into tracestate may be stricter than all policies together',
      );
    }
    const shards = shardsOf(config);
    const context = { sampleOnFirstMatch: config.sample_on_first_match, otelcolCompatibility, featureGates, shards, shardIndex: 0 };
    const bytesGate = featureGates.has('processor.tailsamplingprocessor.metricstatcountbytessampled');
    const needsSizes = config.maximum_trace_size_bytes > 0 || bytesGate;
    const compiled = compilePolicies(config.policies, { ...context, needsSizes, atDecision: !this.#judgesOnIngest() });
    const plan = planRegion(arena, {
      shards,
      stateWords: compiled.stateWords,
      policies: compiled.names.length,
      numTraces: config.num_traces ?? (otelcolCompatibility ? collectorNumTraces : undefined),
      sampledCacheSize: wantedRecords(config.decision_cache.sampled_cache_size),
      nonSampledCacheSize: wantedRecords(config.decision_cache.non_sampled_cache_size),
      records: this.#record() !== 'off',
      instances: this.#host.instances,
    });
    const sharedBytes = sharedRegionBytes(config.policies, context);
    const { block: settingsBlock, length } = this.#writeSettings(plan, needsSizes, sharedBytes);
    const blocks = [...plan.blocks, settingsBlock];
    const fixedBytes = blocks.reduce((total, block) => total + block.length, plan.ring.length);
    const log = new RequestLog(arena, {
      segmentBytes: segmentBytesOf(arena.capacityBytes),
      ring: plan.ring,
      ringSlots: plan.places[0].ringSlots,
    });
    const output = new SampledOutput({
      arena,
      clock,
      logger,
      next: this.#next,
      bytesMax: arena.capacityBytes / 4,
      onRoom: () => scheduler.roomFreed(),
    });
    const totals = new SamplerTotals(arena.memory, plan, compiled.names.length);
    const histograms = new SamplingHistograms(this.#settings.metrics, totals.columns);
    const target: PressureTarget = {
      oldestWriteMs: (andCurrent) => (config.block_on_overflow || scheduler.isStuck ? undefined : log.oldestWriteMs(andCurrent)),
      decideEarly: (arrivedBeforeMs) => scheduler.decideEarly(arrivedBeforeMs),
    };
    const scheduler: ShardScheduler = new ShardScheduler({
      arena,
      clock,
      logger,
      pool: this.#host.join(target, fixedBytes),
      log,
      output,
      plan,
      generation: this.#host.nextGeneration(),
      settings: settingsBlock,
      settingsLength: length,
      outputBytes: Math.min(outputBytes, segmentBytesOf(arena.capacityBytes)),
      policyFailed: (text) => this.#policyFailed(text),
      afterTask: (taskMs) => {
        histograms.afterTask(taskMs);
        this.#host.relieve();
      },
    });
    const endMetrics = observeSampler(this.#settings, totals, this, compiled.names);
    await scheduler.firstTurns();
    this.#running = { plan, blocks, log, output, scheduler, target, fixedBytes, totals, endMetrics };
  }

  /** Settings for the workers, then the words that limiters share, in one block. */
  #writeSettings(plan: RegionPlan, needsSizes: boolean, sharedBytes: number): { block: ArenaBlock; length: number } {
    const config = this.#config;
    const compatible = this.#settings.otelcolCompatibility;
    const build = (sharedAt: number): Buffer =>
      serialize({
        instance: this.#settings.id.text,
        shards: shardsOf(config),
        places: plan.places,
        decisionWaitMs: config.decision_wait,
        rootWaitMs: config.decision_wait_after_root_received,
        tracesMax: plan.tracesMax,
        overflow: config.block_on_overflow ? 'block' : compatible ? 'evict' : 'early',
        sampledStayHeld: compatible && !config.block_on_overflow && wantedRecords(config.decision_cache.sampled_cache_size) === undefined,
        otherStayHeld: compatible && !config.block_on_overflow && wantedRecords(config.decision_cache.non_sampled_cache_size) === undefined,
        traceBytesMax: config.maximum_trace_size_bytes,
        sampledRecordsMax: plan.sampledRecordsMax,
        otherRecordsMax: plan.otherRecordsMax,
        needsSizes,
        record: this.#record(),
        // A drop policy can only be judged on the whole trace: with one, ingest waits for the deadline, where the Collector would never sample.
        spanIngest: this.#judgesOnIngest(),
        sampleOnFirstMatch: config.sample_on_first_match,
        otelcolCompatibility: this.#settings.otelcolCompatibility,
        featureGates: [...this.#settings.featureGates],
        policies: config.policies,
        sharedAt,
        sharedLength: sharedBytes,
      } satisfies ShardSettings);
    const room = build(0xffffffff).length + 64;
    const block = this.#settings.arena.acquire(sharedBytes + room);
    if (!block) throw new Error('broken invariant: the arena had room for the tables and has none for their settings');
    block.bytes.fill(0, 0, sharedBytes);
    const bytes = build(block.offset + room - (room % 8));
    const sharedAt = block.offset + room - (room % 8);
    block.bytes.set(bytes);
    block.bytes.fill(0, sharedAt - block.offset, sharedAt - block.offset + sharedBytes);
    return { block, length: bytes.length };
  }

  /** A drop policy that may still match would keep every fragment from being sampled, so with one the whole trace is judged at its deadline. */
  #judgesOnIngest(): boolean {
    const { sampling_strategy: strategy, policies } = this.#config;
    return strategy === 'span-ingest' && (this.#settings.otelcolCompatibility || !policies.some(({ type }) => type === 'drop'));
  }

  /** The Collector's gate asks for what `record: policy` does. */
  #record(): 'off' | 'policy' | 'full' {
    const { record } = this.#config;
    return record === 'off' && this.#settings.featureGates.has('processor.tailsamplingprocessor.recordpolicy') ? 'policy' : record;
  }

  #policyFailed(text: string): void {
    const nowMs = this.#settings.clock.monotonicMs();
    if (nowMs - this.#policyErrorLoggedMs < 10_000) return;
    this.#policyErrorLoggedMs = nowMs;
    this.#settings.logger.warn({ error: text }, 'a sampling policy failed to judge a trace');
  }

  async #drain(deadlineMs: number): Promise<DrainReport> {
    const running = this.#running;
    if (!running) return nothingLost;
    const { scheduler, output } = running;
    if (!this.#config.drop_pending_traces_on_shutdown) await scheduler.drain(deadlineMs);
    const lostBefore = output.lostSpans;
    await output.settle(deadlineMs);
    const undecided = this.#config.drop_pending_traces_on_shutdown
      ? 0
      : this.account.receivedSpans - this.account.refusedSpans - running.totals.decidedSpans();
    return { spansLost: undecided + scheduler.waitingSpans() + output.lostSpans - lostBefore };
  }

  async #stop(): Promise<void> {
    this.#host.retire();
    const running = this.#running;
    if (!running) return;
    await running.scheduler.stop();
    await running.output.settle(Number.NEGATIVE_INFINITY);
    running.endMetrics();
    await this.#host.leave(running.target, running.fixedBytes);
    this.#running = undefined;
    running.log.release();
    for (const block of running.blocks) this.#settings.arena.release(block);
  }
}

function segmentBytesOf(capacityBytes: number): number {
  return Math.min(segmentBytesMax, Math.max(64 * 1024, 2 ** Math.floor(Math.log2(capacityBytes / 64))));
}

function shardsOf(config: TailSamplingConfig): number {
  return Math.max(1, config.num_shards);
}

/** Without a cache the Collector remembers a decision as long as the trace's entry lives, so 0 is our default and not "forget at once". */
function wantedRecords(size: number | undefined): number | undefined {
  return size !== undefined && size > 0 ? size : undefined;
}
