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

function piscinaPool(arena: Arena, workers: number): ShardPool {
  const workerData: ShardWorkerData = { memory: arena.memory, kernelModule: kernelModule() };
  const pool = new Piscina({
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
  return {
    run: (task) => pool.run(task),
    destroy: () => pool.destroy(),
  };
}
