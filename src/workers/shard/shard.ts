/** One shard's turn: takes new requests into its table, decides what is due, frames what is sampled. Whichever thread runs the shard. */

import { countDoubles, header, headerDoubles, requestBlock, ShardRunState, traceRow } from '../../shared/arena/region-layout.ts';
import { factBits, factRow, runRow, scopeRow } from '../../shared/arena/rows.ts';
import type { Kernel } from '../../shared/kernel.ts';
import { type ShardMemory, shardMemory } from '../../shared/trace-table/shard-memory.ts';
import { decidedReference, findReference, insertReference, readTraceId, removeReference } from '../../shared/trace-table/trace-index.ts';
import { appendRoot, freeTraceRow, takeTraceRow, traceAt } from '../../shared/trace-table/trace-rows.ts';
import { type CompiledPolicies, Trigger } from '../policies/compiled-policies.ts';
import { membersMax } from '../policies/otel-trace-state.ts';
import { dueRows, planBatch, triggerOf } from './due-batch.ts';
import { RunReader } from './run-reader.ts';
import { counterIndex, ShardColumns } from './shard-columns.ts';
import { ShardOutput } from './shard-output.ts';
import type { ShardSettings, ShardTask } from './shard-settings.ts';
import { ShardTaskStatus } from './shard-settings.ts';
import { ThresholdRoom } from './threshold-room.ts';
import { TraceSettler } from './trace-settler.ts';
import { TraceStateFramer } from './trace-state-framer.ts';

/** Bytes of requests that one task takes, so that a backlog is worked off in steps of a few milliseconds. */
const intakeBytesMax = 4 * 1024 * 1024;

/** Which shard a trace belongs to: mixed apart from the bits that the index uses. */
export function shardOfHash(hash: number, shards: number): number {
  return ((Math.imul(hash, 0x9e3779b1) >>> 16) * shards) >>> 16;
}

export class Shard {
  readonly memory: ShardMemory;
  readonly settings: ShardSettings;
  readonly index: number;
  /** Words of a trace row. */
  readonly stride: number;
  /** What this task has counted so far; added to the region when it ends, so that a crashed task counts nothing. */
  readonly counts = new Float64Array(countDoubles);
  readonly columns: ShardColumns;
  readonly output: ShardOutput;
  readonly settler: TraceSettler;
  /** Text of the last policy error of the last task, '' when there was none. */
  policyError = '';
  readonly #policies: CompiledPolicies;
  readonly #room: ThresholdRoom;
  /** Rows of traces whose fragment in the resource at hand awaits its verdict; span-ingest only. */
  readonly #fragments: number[] = [];
  readonly #id = { word0: 0, word1: 0, word2: 0, word3: 0 };
  readonly #reader: RunReader;
  #cursor = 0;
  #cursorRun = 0;
  #recoveries = 0;
  #blocked = false;

  constructor(memory: WebAssembly.Memory, kernel: Kernel, settings: ShardSettings, index: number, policies: CompiledPolicies) {
    this.memory = shardMemory(memory, settings.places[index]);
    this.settings = settings;
    this.index = index;
    this.stride = traceRow.words + policies.stateWords + (policies.stateWords & 1);
    const framer = policies.reportsThresholds
      ? new TraceStateFramer(this.memory, settings.otelcolCompatibility ? membersMax.otelcol : membersMax.w3c)
      : undefined;
    this.output = new ShardOutput(kernel, this.memory, framer);
    this.#reader = new RunReader(kernel, this.memory);
    this.#policies = policies;
    this.columns = new ShardColumns(this.memory, settings.policies.length);
    const { memory: views, output, counts, stride } = this;
    const eachSpan: RunReader['eachSpan'] = (firstRun, visit) => this.#reader.eachSpan(firstRun, visit);
    this.settler = new TraceSettler({ memory: views, settings, policies, output, counts, stride, eachSpan });
    this.#room = new ThresholdRoom({ memory: views, kernel, output, stride, markBytesMax: this.settler.markBytesMax });
  }

  run(task: ShardTask): ShardTaskStatus {
    this.#begin(task);
    let status: ShardTaskStatus = ShardTaskStatus.idle;
    if (this.output.flushPending()) {
      do {
        this.#blocked = false;
        status = this.#takeRequests();
      } while (this.#decideDue(task) && this.#blocked && !this.output.isFull);
    }
    if (this.output.isFull) status = ShardTaskStatus.outputFull;
    this.#commit();
    return status;
  }

  #begin(task: ShardTask): void {
    const { words, head } = this.memory;
    words[head + header.running] = ShardRunState.running;
    const epoch = (words[head + header.epoch] + 1) >>> 0;
    words[head + header.epoch] = epoch;
    this.#cursor = words[head + header.cursor];
    this.#cursorRun = words[head + header.cursorRun];
    this.settler.begin(epoch, task.nowMs);
    this.counts.fill(0);
    this.counts[counterIndex.recoveries] = this.#recoveries;
    this.#recoveries = 0;
    this.#policies.counters.reset();
    this.output.begin(task.outputAt, task.outputLength);
  }

  /**
   * The last stores stand in one row without a call or a loop between them, where a thread that is being terminated does not stop: either all of
   * them happen or none.
   */
  #commit(): void {
    const { words, doubles, head, headDoubles } = this.memory;
    const oldest = words[head + header.arrivalHead];
    const arrival =
      oldest === 0 ? Number.POSITIVE_INFINITY : doubles[(traceAt(this.memory, this.stride, oldest - 1) + traceRow.arrival) / 2];
    const watermark = Math.min(arrival, this.output.pendingArrival);
    const nextDue = Math.min(arrival + this.settings.decisionWaitMs, this.#rootDue());
    this.policyError = this.#policies.counters.lastError;
    const { pendingRun, pendingSpans, pendingArrival, usedBytes, spans, neededBytes, unparseableTraceStates } = this.output.result();
    this.counts[counterIndex.unparseableTraceStates] += unparseableTraceStates;
    this.counts[counterIndex.decisionRowsForgotten] += this.settler.decisions.forgotten;
    this.settler.decisions.forgotten = 0;
    const bank = this.columns.stage(this.counts, this.#policies.counters);
    const cursor = this.#cursor;
    const cursorRun = this.#cursorRun;
    words[head + header.cursor] = cursor;
    words[head + header.cursorRun] = cursorRun;
    words[head + header.pendingRun] = pendingRun;
    words[head + header.pendingSpans] = pendingSpans;
    words[head + header.pendingSkip] = this.output.pendingSkip;
    words[head + header.outputUsed] = usedBytes;
    words[head + header.outputSpans] = spans;
    words[head + header.outputNeeded] = neededBytes;
    words[head + header.bank] = bank;
    doubles[headDoubles + headerDoubles.pendingArrival] = pendingArrival;
    doubles[headDoubles + headerDoubles.watermark] = watermark;
    doubles[headDoubles + headerDoubles.nextDue] = nextDue;
    words[head + header.running] = ShardRunState.idle;
  }

  /** After a rebuild, which counts nothing: notes that it happened. The task that follows commits it. */
  noteRecovery(): void {
    this.counts.fill(0);
    this.#recoveries = 1;
  }

  // ---- intake

  #takeRequests(): ShardTaskStatus {
    const { words, place } = this.memory;
    // Pairs with the store in the main thread's RequestLog.append: the block is complete once its sequence is counted.
    const end = Atomics.load(words, place.ringHeadAt / 4) >>> 0;
    let bytes = 0;
    while (this.#cursor !== end) {
      if (bytes > intakeBytesMax) return ShardTaskStatus.moreRequests;
      const block = words[place.ringAt / 4 + (this.#cursor & (place.ringSlots - 1))];
      if (!this.#takeBlock(block, this.#cursorRun, words[(block + requestBlock.runCount) / 4])) {
        return this.#blocked ? ShardTaskStatus.blocked : ShardTaskStatus.outputFull;
      }
      bytes += words[(block + requestBlock.bytesLength) / 4];
      this.#cursor = (this.#cursor + 1) >>> 0;
      this.#cursorRun = 0;
    }
    return ShardTaskStatus.idle;
  }

  /** Takes runs [from, to) of a block; false when output room ran out, the cursor then stands at the run to take next. */
  #takeBlock(block: number, from: number, to: number): boolean {
    const { words, doubles } = this.memory;
    const arrivalMs = doubles[(block + requestBlock.receivedMs) / 8];
    const runs = words[(block + requestBlock.runs) / 4];
    this.#policies.beginRequest();
    let resource = 0;
    for (let run = from; run < to; run++) {
      const at = runs + run * runRow.bytes;
      const before = resource;
      if (this.settings.spanIngest) resource = this.#nextResource(at, resource);
      if (resource !== before && !this.#hasRoomForResource(at, runs + to * runRow.bytes)) return this.#stopAt(run, arrivalMs);
      if (!this.#isOurs(words[(at + runRow.hash) / 4])) continue;
      if (!this.#takeRun(at, arrivalMs)) return this.#stopAt(run, arrivalMs);
    }
    if (this.settings.spanIngest) this.#judgeFragments();
    if (!this.output.flushLate(arrivalMs)) {
      this.#cursorRun = to;
      return false;
    }
    return true;
  }

  /** Another worker may go on from here, and it does not know which fragments are open. */
  #stopAt(run: number, arrivalMs: number): false {
    this.#cursorRun = run;
    this.#judgeFragments();
    this.output.flushLate(arrivalMs);
    return false;
  }

  #isOurs(hash: number): boolean {
    return this.settings.shards === 1 || shardOfHash(hash, this.settings.shards) === this.index;
  }

  #hasRoomForResource(run: number, end: number): boolean {
    return !this.#policies.reportsThresholds || this.#room.hasForResource(run, end, (hash) => this.#isOurs(hash));
  }

  #takeRun(run: number, arrivalMs: number): boolean {
    const { words } = this.memory;
    const hash = words[(run + runRow.hash) / 4];
    readTraceId(this.memory, words[(run + runRow.traceId) / 4], this.#id);
    const reference = findReference(this.memory, this.stride, this.#id, hash);
    if (reference >= decidedReference) {
      this.settler.takeLate(run, reference);
      return true;
    }
    let row = reference - 1;
    if (reference === 0) {
      row = this.#createTrace(hash, arrivalMs);
      if (row < 0) return false;
    }
    this.counts[counterIndex.spansTaken] += words[(run + runRow.spanCount) / 4];
    this.addRun(row, run, arrivalMs);
    if (this.settings.spanIngest) this.#openFragment(row);
    if (this.settings.traceBytesMax > 0) this.#checkSize(row);
    return true;
  }

  #openFragment(row: number): void {
    const at = traceAt(this.memory, this.stride, row);
    if (this.memory.words[at + traceRow.fragment] === 1) return;
    this.memory.words[at + traceRow.fragment] = 1;
    this.#fragments.push(row);
  }

  /** The resource row of the run; fragments end where another resource begins. */
  #nextResource(run: number, before: number): number {
    const { words } = this.memory;
    const resource = words[(words[(run + runRow.scope) / 4] + scopeRow.resource) / 4];
    if (resource !== before) this.#judgeFragments();
    return resource;
  }

  #judgeFragments(): void {
    const { words } = this.memory;
    for (const row of this.#fragments) {
      const at = traceAt(this.memory, this.stride, row);
      if (words[at + traceRow.fragment] === 0) continue;
      words[at + traceRow.fragment] = 0;
      this.settler.judgeFragment(row);
    }
    this.#fragments.length = 0;
  }

  #checkSize(row: number): void {
    const { words } = this.memory;
    const at = traceAt(this.memory, this.stride, row);
    const sizeBytes = words[at + traceRow.sizeBytes] + this.#policies.sizeBytes(words, at + traceRow.words);
    if (sizeBytes <= this.settings.traceBytesMax) return;
    words[at + traceRow.fragment] = 0;
    this.settler.dropTooLarge(row, sizeBytes);
  }

  /** Returns the new trace's row, or -1 when room has to be made first and cannot be now. */
  #createTrace(hash: number, arrivalMs: number): number {
    while (this.#held() >= this.settings.tracesMax) {
      if (!this.#makeRoom()) return -1;
    }
    const row = takeTraceRow(this.memory, this.stride, this.#id, hash, arrivalMs);
    insertReference(this.memory, hash, row + 1);
    this.counts[counterIndex.tracesCreated]++;
    return row;
  }

  #held(): number {
    return this.memory.words[this.memory.head + header.traceCount] + this.settler.decisions.heldRecords();
  }

  #makeRoom(): boolean {
    switch (this.settings.overflow) {
      case 'early':
        return this.#decideOldest();
      case 'block':
        this.#blocked = true;
        return false;
      case 'evict':
        if (this.settler.decisions.heldRecords() > 0) this.settler.decisions.evictHeld();
        else this.#evictOldest();
        return true;
    }
  }

  /** As the Collector does it: the oldest trace is gone, undecided. */
  #evictOldest(): void {
    const { words, head } = this.memory;
    const row = words[head + header.arrivalHead] - 1;
    const at = traceAt(this.memory, this.stride, row);
    this.counts[counterIndex.evictedTraces]++;
    this.counts[counterIndex.evictedSpans] += words[at + traceRow.spanCount];
    removeReference(this.memory, words[at + traceRow.hash], row + 1);
    freeTraceRow(this.memory, this.stride, row);
  }

  /** Appends the run to an undecided trace and folds its spans into the policies' state. */
  addRun(row: number, run: number, arrivalMs: number): void {
    const { words } = this.memory;
    const at = traceAt(this.memory, this.stride, row);
    words[(run + runRow.next) / 4] = 0;
    if (words[at + traceRow.firstRun] === 0) words[at + traceRow.firstRun] = run;
    else words[(words[at + traceRow.lastRun] + runRow.next) / 4] = run;
    words[at + traceRow.lastRun] = run;
    words[at + traceRow.spanCount] += words[(run + runRow.spanCount) / 4];
    const wantsRoot = this.settings.rootWaitMs > 0 && words[at + traceRow.rootDueDelta] === 0;
    const state = at + traceRow.words;
    if (wantsRoot || this.#policies.wantsSpans(words, state)) this.#foldRun(row, run, state, wantsRoot, arrivalMs);
  }

  #foldRun(row: number, run: number, state: number, wantsRoot: boolean, arrivalMs: number): void {
    const { words, place } = this.memory;
    const end = this.#reader.read(run);
    const { cursor } = this.#reader;
    let sawRoot = false;
    const policies = this.#policies;
    for (let fact = place.factsAt / 4; fact < end; fact += factRow.bytes / 4) {
      cursor.fact = fact;
      policies.fold(cursor, words, state);
      if ((words[fact + factRow.bits / 4] & factBits.hasParent) === 0) sawRoot = true;
    }
    if (wantsRoot && sawRoot) this.#rootSeen(row, arrivalMs);
  }

  #rootSeen(row: number, nowMs: number): void {
    const at = traceAt(this.memory, this.stride, row);
    const delta = Math.ceil(nowMs - this.memory.doubles[(at + traceRow.arrival) / 2] + this.settings.rootWaitMs);
    if (delta < this.settings.decisionWaitMs) appendRoot(this.memory, this.stride, row, delta);
  }

  // ---- decisions

  /** Whether anything was decided. */
  #decideDue(task: ShardTask): boolean {
    if (this.#policies.reportsThresholds && !this.settings.spanIngest) return this.#decideBatch(task);
    const { words, head, doubles } = this.memory;
    let decided = false;
    const dueBefore = task.drain ? Number.POSITIVE_INFINITY : task.nowMs - this.settings.decisionWaitMs;
    while (this.output.pendingRun === 0) {
      const oldest = words[head + header.arrivalHead];
      if (oldest === 0) break;
      const arrival = doubles[(traceAt(this.memory, this.stride, oldest - 1) + traceRow.arrival) / 2];
      if (this.#rootDue() <= Math.min(task.nowMs, arrival + this.settings.decisionWaitMs)) {
        this.settler.decide(words[head + header.rootHead] - 1, Trigger.root);
      } else if (arrival <= dueBefore) {
        this.settler.decide(oldest - 1, task.drain ? Trigger.drain : Trigger.wait);
      } else if (arrival <= task.earlyBeforeMs) {
        this.settler.decide(oldest - 1, Trigger.early);
      } else break;
      decided = true;
    }
    return decided;
  }

  /** Gate `usetracestate`: limiters choose among all that is due, and what is sampled is rewritten while it is framed. */
  #decideBatch(task: ShardTask): boolean {
    if (this.output.isFull) return false;
    const { memory, stride, settings } = this;
    const rows = dueRows(memory, stride, task, settings.decisionWaitMs);
    const sizes = rows.map((row) => this.#room.bytesOf(row));
    const plan = planBatch(sizes, this.output.roomBytes);
    const { count, requireBytes } = this.output.isShort ? { count: Math.min(1, rows.length), requireBytes: 0 } : plan;
    const batch = rows.slice(0, count);
    if (count > 0) this.settler.judgeBatch(batch);
    for (const row of batch) this.settler.decide(row, triggerOf(memory, stride, row, task, settings.decisionWaitMs));
    if (requireBytes > 0) this.output.require(requireBytes);
    return count > 0;
  }

  #rootDue(): number {
    const first = this.memory.words[this.memory.head + header.rootHead];
    if (first === 0) return Number.POSITIVE_INFINITY;
    const at = traceAt(this.memory, this.stride, first - 1);
    return this.memory.doubles[(at + traceRow.arrival) / 2] + this.memory.words[at + traceRow.rootDueDelta] - 1;
  }

  /** Decides the oldest trace on what is there. False when nothing can be decided because output waits for room. */
  #decideOldest(): boolean {
    const oldest = this.memory.words[this.memory.head + header.arrivalHead];
    if (oldest === 0 || this.output.isFull) return false;
    if (this.#policies.reportsThresholds && !this.#room.hasForTrace(oldest - 1)) return false;
    if (this.#policies.reportsThresholds) this.settler.judgeBatch([oldest - 1]);
    this.settler.decide(oldest - 1, Trigger.early);
    return true;
  }
}
