/** The Piscina pool that runs shards, and the same thing on the main thread when there are no workers. Main thread. */

import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { kernelModule } from '../../../shared/kernel-module.ts';
import type { ShardTask, ShardTaskResult } from '../../../workers/shard/shard-settings.ts';
import { ShardRunner, type ShardWorkerData } from '../../../workers/shard-worker.ts';
import type { Arena } from '../../arena/arena.ts';

/** Runs tasks; the caller keeps at most one in flight per shard, so the queue is bounded by the number of shards. */
export interface ShardPool {
  /** Rejects when the worker died or the task threw; the shard's region then needs recovery. */
  run(task: ShardTask): Promise<ShardTaskResult>;
  /** Ends the threads. No task is in flight any more. */
  destroy(): Promise<void>;
}

const workerFile = fileURLToPath(
  import.meta.url.endsWith('.ts')
    ? import.meta.resolve('../../../workers/shard-worker.ts')
    : import.meta.resolve('../../../workers/shard-worker.js'),
);

export function createShardPool(arena: Arena, workers: number): ShardPool {
  return workers === 0 ? inlinePool(arena) : piscinaPool(arena, workers);
}

function inlinePool(arena: Arena): ShardPool {
  const runner = new ShardRunner(arena.memory, arena.kernel);
  return {
    async run(task) {
      return runner.run(task);
    },
    async destroy() {},
  };
}

/**
 * Piscina replaces a worker that dies, but gives up for good when one dies while it starts, and then keeps its tasks waiting for ever. So a pool
 * that is left without workers is ended, which rejects what waits, and the next task starts another.
 */
class WorkerPool implements ShardPool {
  readonly #options: object;
  #pool: Piscina | undefined;
  #destroyed = false;

  constructor(options: object) {
    this.#options = options;
  }

  run(task: ShardTask): Promise<ShardTaskResult> {
    this.#pool ??= this.#create();
    return this.#pool.run(task);
  }

  async destroy(): Promise<void> {
    this.#destroyed = true;
    await this.#pool?.destroy();
  }

  #create(): Piscina {
    const pool = new Piscina(this.#options);
    // What a dying worker has to say is said by the rejection of its task; without a listener the event would end the process.
    pool.on('error', () => undefined);
    pool.on('workerDestroy', () => queueMicrotask(() => this.#replaceIfEmpty(pool)));
    return pool;
  }

  #replaceIfEmpty(pool: Piscina): void {
    if (this.#destroyed || pool !== this.#pool || pool.threads.length > 0) return;
    this.#pool = undefined;
    void pool.destroy();
  }
}

function piscinaPool(arena: Arena, workers: number): ShardPool {
  const workerData: ShardWorkerData = { memory: arena.memory, kernelModule: kernelModule() };
  return new WorkerPool({
    filename: workerFile,
    name: 'runShardTask',
    workerData,
    minThreads: workers,
    maxThreads: workers,
    idleTimeout: Number.POSITIVE_INFINITY,
    maxQueue: Number.POSITIVE_INFINITY,
    concurrentTasksPerWorker: 1,
    atomics: 'sync',
    recordTiming: false,
    workerHistogram: false,
  });
}
