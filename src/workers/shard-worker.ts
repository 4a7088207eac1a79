/** Entry of a Piscina worker: runs one shard's turn per task, over the shared memory. Worker thread (or main, inline). */

import { deserialize } from 'node:v8';
import { workerData } from 'node:worker_threads';
import { systemClock } from '../shared/clock.ts';
import type { Kernel } from '../shared/kernel.ts';
import { instantiateKernel } from '../shared/kernel-module.ts';
import { compilePolicies } from './policies/compile-policies.ts';
import { recoverShard } from './shard/recover-shard.ts';
import { Shard } from './shard/shard.ts';
import type { ShardSettings, ShardTask, ShardTaskResult } from './shard/shard-settings.ts';

/** The stated fallback of a shard whose policies keep failing: losing nothing is worth more than saving. */
const keepAllPolicies: ShardSettings['policies'] = [{ type: 'always_sample', name: 'ringtail.fallback' }];

/** What the pool gives every worker once. */
export interface ShardWorkerData {
  readonly memory: WebAssembly.Memory;
  readonly kernelModule: WebAssembly.Module;
}

/** Shards that a thread has compiled, by generation and index. State is in shared memory; only code and compiled policies are here. */
export class ShardRunner {
  readonly #memory: WebAssembly.Memory;
  readonly #kernel: Kernel;
  readonly #shards = new Map<string, Shard>();

  constructor(memory: WebAssembly.Memory, kernel: Kernel) {
    this.#memory = memory;
    this.#kernel = kernel;
  }

  run(task: ShardTask): ShardTaskResult {
    const shard = this.#shard(task);
    if (task.recoverFrom) recoverShard(shard, task.recoverFrom);
    const status = shard.run(task);
    return shard.policyError === '' ? status : { status, policyError: shard.policyError };
  }

  /** A reload leaves shards of the old generation behind; they are dropped when more than a few generations pile up. */
  #shard(task: ShardTask): Shard {
    const key = `${task.generation}/${task.shard}/${task.keepAll}`;
    const known = this.#shards.get(key);
    if (known) return known;
    // Copied because deserialize keeps no reference but may not read shared memory in place.
    const copy = Buffer.from(new Uint8Array(this.#memory.buffer, task.settingsAt, task.settingsLength));
    const settings: ShardSettings = deserialize(copy);
    const policies = compilePolicies(task.keepAll ? keepAllPolicies : settings.policies, {
      sampleOnFirstMatch: settings.sampleOnFirstMatch,
      otelcolCompatibility: settings.otelcolCompatibility,
      featureGates: new Set(settings.featureGates),
      shards: settings.shards,
      shardIndex: task.shard,
      needsSizes: settings.needsSizes,
      atDecision: !settings.spanIngest,
      shared: { buffer: this.#memory.buffer, byteOffset: settings.sharedAt, byteLength: settings.sharedLength },
      clock: systemClock,
    });
    const shard = new Shard(this.#memory, this.#kernel, settings, task.shard, policies);
    this.#shards.set(key, shard);
    return shard;
  }

  /** Forgets the compiled shards of a generation that has ended. */
  forget(generation: number): void {
    for (const key of this.#shards.keys()) if (key.startsWith(`${generation}/`)) this.#shards.delete(key);
  }
}

let runner: ShardRunner | undefined;

/** Piscina's task function. Everything else is in the shard's header. */
export function runShardTask(task: ShardTask): ShardTaskResult {
  if (!runner) {
    const data = (Array.isArray(workerData) ? workerData[1] : workerData) as ShardWorkerData;
    runner = new ShardRunner(data.memory, instantiateKernel(data.kernelModule, data.memory));
  }
  return runner.run(task);
}
