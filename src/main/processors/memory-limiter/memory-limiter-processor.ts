/** The `memory_limiter` processor: refuses payloads while the process uses more memory than configured. Main thread. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Arena } from '../../arena/arena.ts';
import type { ComponentSettings, DrainReport, Processor, ProcessorType, TracesConsumer, TracesPayload } from '../../pipeline/component.ts';
import { ComponentLife } from '../../pipeline/component-state.ts';
import { type ConsumeOutcome, refusedRetryable } from '../../pipeline/consume-outcome.ts';
import { containerMemoryBytes } from '../../telemetry/container-memory.ts';
import type { BoundCounter, BoundGauge } from '../../telemetry/metrics.ts';
import { checkMemoryLimiter, type MemoryLimiterConfig, memoryLimiterSchema, memoryLimits } from './memory-limiter-config.ts';
import { type MemorySource, MemoryWatch } from './memory-watch.ts';

export const memoryLimiterProcessorType: ProcessorType<MemoryLimiterConfig> = {
  kind: 'processor',
  type: 'memory_limiter',
  schema: memoryLimiterSchema,
  check: checkMemoryLimiter,
  create: (settings, config, next) => new MemoryLimiterProcessor(settings, next, sharedWatch(settings, config)),
};

/** Pipelines that use the same configured id get the same config object, and so share one watch. */
const watchByConfig = new WeakMap<MemoryLimiterConfig, MemoryWatch>();

function sharedWatch(settings: ComponentSettings, config: MemoryLimiterConfig): MemoryWatch {
  const known = watchByConfig.get(config);
  if (known !== undefined) return known;
  const limits = memoryLimits(config, containerMemoryBytes());
  const attributes = { processor: settings.id.text };
  settings.metrics.gauge('ringtail_memory_limit_bytes', attributes).set(limits.hardBytes);
  const source = processMemory(settings.arena, settings.metrics.gauge('ringtail_memory_used_bytes', attributes));
  const watch = new MemoryWatch(config, limits, source, settings.clock, settings.logger);
  watchByConfig.set(config, watch);
  return watch;
}

/**
 * Heap, buffers outside the heap, and the arena's blocks in use. Not the resident set: pages of freed arena blocks stay resident and are used
 * again, so a limiter over it would refuse for ever after one peak.
 */
function processMemory(arena: Arena, used: BoundGauge): MemorySource {
  let collect: (() => void) | undefined;
  return {
    usedBytes() {
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      const usedBytes = heapUsed + arrayBuffers + arena.heldBytes();
      used.set(usedBytes);
      return usedBytes;
    },
    collectGarbage() {
      collect ??= exposedCollector();
      collect();
    },
  };
}

/** V8 shows its collector only to contexts made after the flag was set. */
function exposedCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

const refused = refusedRetryable('data refused due to high memory usage');

class MemoryLimiterProcessor implements Processor {
  readonly #next: TracesConsumer;
  readonly #watch: MemoryWatch;
  readonly #accepted: BoundCounter;
  readonly #refused: BoundCounter;
  readonly #incoming: BoundCounter;
  readonly #outgoing: BoundCounter;
  readonly #life: ComponentLife;
  #retained = false;

  constructor(settings: ComponentSettings, next: TracesConsumer, watch: MemoryWatch) {
    const attributes = { processor: settings.id.text };
    const items = { ...attributes, otel_signal: 'traces' };
    this.#next = next;
    this.#watch = watch;
    this.#accepted = settings.metrics.counter('otelcol_processor_memory_limiter_accepted_spans', attributes);
    this.#refused = settings.metrics.counter('otelcol_processor_memory_limiter_refused_spans', attributes);
    this.#incoming = settings.metrics.counter('otelcol_processor_incoming_items', items);
    this.#outgoing = settings.metrics.counter('otelcol_processor_outgoing_items', items);
    this.#life = new ComponentLife({
      start: () => {
        this.#retained = true;
        watch.retain();
      },
      stop: () => {
        if (this.#retained) watch.release();
      },
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

  consume(payload: TracesPayload): Promise<ConsumeOutcome> {
    this.#incoming.add(payload.spanCount);
    if (this.#watch.refusing) {
      this.#refused.add(payload.spanCount);
      return Promise.resolve(refused);
    }
    this.#accepted.add(payload.spanCount);
    this.#outgoing.add(payload.spanCount);
    return this.#next.consume(payload);
  }
}
