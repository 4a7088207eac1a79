/** Decides when each shard has a turn, and what happens with what the turn left: output, freed segments, the next due time, a crash. Main thread. */

import { header, headerDoubles, ShardRunState } from '../../../shared/arena/region-layout.ts';
import type { Clock, Timer } from '../../../shared/clock.ts';
import { type ShardMemory, shardMemory } from '../../../shared/trace-table/shard-memory.ts';
import { type ShardTask, ShardTaskStatus } from '../../../workers/shard/shard-settings.ts';
import type { Arena, ArenaBlock } from '../../arena/arena.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { RegionPlan } from './region-plan.ts';
import type { RequestLog } from './request-log.ts';
import type { SampledOutput } from './sampled-output.ts';
import type { ShardPool } from './worker-pool.ts';

export interface SchedulerOptions {
  readonly arena: Arena;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pool: ShardPool;
  readonly log: RequestLog;
  readonly output: SampledOutput;
  readonly plan: RegionPlan;
  readonly generation: number;
  readonly settings: ArenaBlock;
  readonly settingsLength: number;
  readonly outputBytes: number;
  /** A policy could not judge some trace; the text of the last such error of a task. */
  policyFailed(text: string): void;
  /** Called after each task. Units: milliseconds from handing it out to its answer. */
  afterTask(taskMs: number): void;
}

/** A shard's turn costs about 0.1 ms of handing over, so requests wait this long for company, unless this much is waiting. */
const turnIntervalMs = 50;
const inboxBytesMax = 1024 * 1024;
/** The arena's smallest block: a smaller output is not lent. */
const outputBytesMin = 64 * 1024;
/** Crashes in a row after which a shard keeps everything instead of judging (DESIGN: a stated fallback). */
const crashesMax = 10;

interface ShardState {
  readonly index: number;
  readonly memory: ShardMemory;
  running: boolean;
  crashes: number;
  crashed: boolean;
  blocked: boolean;
  lastTurnMs: number;
  /** Epoch of the region when the task was handed out: another one after a crash means that the task had begun. */
  epochBefore: number;
  /** Waits for output room of this many bytes; 0 when it does not. */
  waitsForBytes: number;
  output: ArenaBlock | undefined;
}

export class ShardScheduler {
  tasks = 0;
  failures = 0;
  readonly #options: SchedulerOptions;
  readonly #shards: ShardState[];
  #inboxBytes = 0;
  #earlyBeforeMs = Number.NEGATIVE_INFINITY;
  #draining = false;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #idleWaiters: (() => void)[] = [];

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#shards = options.plan.places.map((place, index) => ({
      index,
      memory: shardMemory(options.arena.memory, place),
      running: false,
      crashes: 0,
      crashed: false,
      blocked: false,
      lastTurnMs: Number.NEGATIVE_INFINITY,
      epochBefore: 0,
      waitsForBytes: 0,
      output: undefined,
    }));
  }

  /** Sequence of the first request that some shard has not taken whole. */
  get cursor(): number {
    const { next } = this.#options.log;
    let behind = 0;
    for (const { memory } of this.#shards) behind = Math.max(behind, (next - memory.words[memory.head + header.cursor]) | 0);
    return (next - behind) >>> 0;
  }

  /** One empty turn of every shard: compiles the policies in a worker. Rejects when no worker can run them. */
  async firstTurns(): Promise<void> {
    for (const shard of this.#shards) await this.#options.pool.run(this.#taskFor(shard));
  }

  /** Undecided traces of all shards, as of their last tasks. */
  tracesHeld(): number {
    let held = 0;
    for (const { memory } of this.#shards) held += memory.words[memory.head + header.traceCount];
    return held;
  }

  /** Spans that are decided and wait for output room. */
  waitingSpans(): number {
    let spans = 0;
    for (const { memory } of this.#shards) {
      const { words, head } = memory;
      if (words[head + header.pendingRun] !== 0) spans += words[head + header.pendingSpans];
    }
    return spans;
  }

  /** Whether every shard waits for the next component to take what is decided: deciding more makes no room. */
  get isStuck(): boolean {
    return this.#shards.every((shard) => shard.waitsForBytes > 0 && !shard.running);
  }

  /** Whether some shard waits for a trace to come due before it takes more (`block_on_overflow`). */
  get blocked(): boolean {
    return this.#shards.some((shard) => shard.blocked);
  }

  /** Resolves after the next task. */
  turnEnded(): Promise<void> {
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** How long ago the oldest request came that some shard has not taken. Units: milliseconds. */
  lagMs(): number {
    const { log, clock } = this.#options;
    const { cursor } = this;
    return cursor === log.next ? 0 : Math.max(0, clock.monotonicMs() - log.receivedMs(cursor));
  }

  /** A request of `bytes` was appended. */
  requestArrived(bytes: number): void {
    this.#inboxBytes += bytes;
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#inboxBytes >= inboxBytesMax) this.#runAll();
    else this.#wakeAt(nowMs + turnIntervalMs);
  }

  /** Every trace that arrived up to then is decided on what is there. Units: monotonic milliseconds. */
  decideEarly(arrivedBeforeMs: number): void {
    if (arrivedBeforeMs <= this.#earlyBeforeMs) return;
    this.#earlyBeforeMs = arrivedBeforeMs;
    this.#runAll();
  }

  /** Output room came back. */
  roomFreed(): void {
    for (const shard of this.#shards) if (shard.waitsForBytes > 0) this.#run(shard);
  }

  /** Decides everything that is held; resolves when all of it went to the output, or at the deadline. */
  async drain(deadlineMs: number): Promise<void> {
    this.#draining = true;
    const { clock } = this.#options;
    const expiry = clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), () => this.#tellIdle(true));
    this.#runAll();
    while (!this.#empty() && clock.monotonicMs() < deadlineMs) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    expiry.cancel();
  }

  /** Resolves when no task is under way; starts none from now on. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timerAtMs = Number.NEGATIVE_INFINITY;
    this.#draining = true;
    for (const shard of this.#shards) shard.waitsForBytes = 0;
    this.#stopped = true;
    while (this.#shards.some((shard) => shard.running)) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    for (const shard of this.#shards) {
      if (shard.output) this.#options.arena.release(shard.output);
      shard.output = undefined;
    }
  }

  #stopped = false;

  #empty(): boolean {
    const { log } = this.#options;
    return this.#shards.every(({ memory, running }) => {
      const { words, head } = memory;
      return (
        !running &&
        words[head + header.traceCount] === 0 &&
        words[head + header.pendingRun] === 0 &&
        words[head + header.cursor] === log.next
      );
    });
  }

  #runAll(): void {
    this.#inboxBytes = 0;
    for (const shard of this.#shards) this.#run(shard);
  }

  #run(shard: ShardState): void {
    if (shard.running || this.#stopped) return;
    const { clock, output, outputBytes, pool } = this.#options;
    shard.running = true;
    shard.output = this.#outputFor(shard, Math.max(outputBytes, shard.waitsForBytes), output);
    shard.waitsForBytes = 0;
    shard.lastTurnMs = clock.monotonicMs();
    const { words, head } = shard.memory;
    shard.epochBefore = words[head + header.epoch];
    if (words[head + header.running] === ShardRunState.rebuilding) words[head + header.running] = ShardRunState.running;
    this.tasks++;
    pool.run(this.#taskFor(shard)).then(
      (result) => {
        if (typeof result === 'number') this.#finished(shard, result);
        else {
          this.#options.policyFailed(result.policyError);
          this.#finished(shard, result.status);
        }
      },
      (error) => this.#crashed(shard, error),
    );
  }

  /** A block of that size; a smaller one when nothing is under way that could make room: the shard then frames what waits in pieces. */
  #outputFor(shard: ShardState, bytes: number, output: SampledOutput): ArenaBlock | undefined {
    if (shard.output && shard.output.length >= bytes) return shard.output;
    if (shard.output) this.#options.arena.release(shard.output);
    const block = output.lend(bytes);
    if (block || !output.idle) return block;
    for (let smaller = bytes / 2; smaller >= outputBytesMin; smaller /= 2) {
      const found = output.lend(smaller);
      if (found) return found;
    }
    return undefined;
  }

  #taskFor(shard: ShardState): ShardTask {
    const { clock, generation, settings, settingsLength, log } = this.#options;
    const task = {
      generation,
      settingsAt: settings.offset,
      settingsLength,
      shard: shard.index,
      nowMs: clock.monotonicMs(),
      earlyBeforeMs: this.#earlyBeforeMs,
      drain: this.#draining,
      keepAll: shard.crashes >= crashesMax,
      outputAt: shard.output?.offset ?? 0,
      outputLength: shard.output?.length ?? 0,
    };
    if (!shard.crashed) return task;
    const { doubles, headDoubles } = shard.memory;
    return { ...task, recoverFrom: log.unsettledBlocks(doubles[headDoubles + headerDoubles.watermark]) };
  }

  #finished(shard: ShardState, status: ShardTaskStatus): void {
    const startedMs = shard.lastTurnMs;
    shard.running = false;
    shard.crashed = false;
    shard.blocked = status === ShardTaskStatus.blocked;
    if (shard.crashes < crashesMax) shard.crashes = 0;
    this.#deliver(shard);
    this.#freeSegments();
    if (status === ShardTaskStatus.outputFull) this.#awaitRoom(shard);
    else if (status === ShardTaskStatus.moreRequests) this.#run(shard);
    else this.#afterTurn(shard);
    this.#options.afterTask(this.#options.clock.monotonicMs() - startedMs);
    if (!shard.running) this.#tellIdle(false);
  }

  #deliver(shard: ShardState): void {
    const { words, head } = shard.memory;
    const used = words[head + header.outputUsed];
    if (used === 0 || !shard.output) return;
    const block = shard.output;
    shard.output = undefined;
    this.#options.output.deliver(block, used, words[head + header.outputSpans]);
  }

  #awaitRoom(shard: ShardState): void {
    const { words, head } = shard.memory;
    const needed = words[head + header.outputNeeded];
    shard.waitsForBytes = needed;
    const { output, outputBytes, clock } = this.#options;
    // A block that is still here was too small for anything: another of its size would be no better.
    const uselessBytes = shard.output?.length ?? 0;
    shard.output = this.#outputFor(shard, Math.max(outputBytes, needed), output);
    if (shard.output && (shard.output.length >= needed || shard.output.length > uselessBytes)) this.#run(shard);
    else this.#wakeAt(clock.monotonicMs() + turnIntervalMs);
  }

  #afterTurn(shard: ShardState): void {
    const { words, doubles, head, headDoubles } = shard.memory;
    const nowMs = this.#options.clock.monotonicMs();
    if (words[head + header.cursor] !== this.#options.log.next && !shard.blocked) {
      if (this.#inboxBytes >= inboxBytesMax) this.#runAll();
      else this.#wakeAt(shard.lastTurnMs + turnIntervalMs);
      return;
    }
    if (this.#draining && words[head + header.traceCount] > 0) this.#run(shard);
    else this.#wakeAt(Math.max(nowMs + turnIntervalMs, doubles[headDoubles + headerDoubles.nextDue]));
  }

  #crashed(shard: ShardState, error: unknown): void {
    const { words, head } = shard.memory;
    shard.running = false;
    this.failures++;
    // A task that died before it began left nothing to mend; one that died after its commit has done its work.
    const state = words[head + header.running];
    const begun = words[head + header.epoch] !== shard.epochBefore || state === ShardRunState.rebuilding;
    const committed = begun && state === ShardRunState.idle;
    if (begun && !committed) {
      shard.crashed = true;
      shard.crashes++;
    }
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const fields = { shard: shard.index, crashes: shard.crashes, error: message };
    if (shard.crashes === crashesMax) {
      this.#options.logger.error(
        fields,
        'a shard task keeps failing: from now on this shard samples every trace; restart with a mended configuration',
      );
    } else this.#options.logger.error(fields, 'a shard task failed; its traces are rebuilt from the requests and the task is run again');
    if (committed) this.#finished(shard, ShardTaskStatus.moreRequests);
    else if (this.#stopped) this.#tellIdle(false);
    else if (begun) this.#run(shard);
    else this.#wakeAt(this.#options.clock.monotonicMs() + turnIntervalMs);
  }

  #freeSegments(): void {
    let watermark = Number.POSITIVE_INFINITY;
    for (const { memory } of this.#shards) watermark = Math.min(watermark, memory.doubles[memory.headDoubles + headerDoubles.watermark]);
    // A task that is under way may be appending to its traces what it has not committed; its committed words still hold.
    this.#options.log.free({ cursor: this.cursor, watermark });
  }

  #wakeAt(atMs: number): void {
    if (atMs >= this.#timerAtMs || atMs === Number.POSITIVE_INFINITY || this.#stopped) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.#options.clock.after(Math.max(1, atMs - this.#options.clock.monotonicMs()), () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#runAll();
    });
  }

  #tellIdle(always: boolean): void {
    if (!always && this.#shards.some((shard) => shard.running)) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const wake of waiters) wake();
  }
}
