/** What all tail_sampling instances of a process share: the pool of workers, and who decides early when memory is short. Main thread. */

import type { Arena } from '../../arena/arena.ts';
import { largestBlockBytes } from '../../arena/largest-block.ts';
import { createShardPool, type ShardPool } from './worker-pool.ts';

/** An instance, as the host sees it when memory is short. */
export interface PressureTarget {
  /**
   * Last write of the oldest segment that could be freed by deciding early; undefined when there is none, or the next component takes nothing more.
   * `andCurrent`: the one that is being filled counts too. Units: monotonic milliseconds.
   */
  oldestWriteMs(andCurrent: boolean): number | undefined;
  /** Decides every trace that arrived up to then. */
  decideEarly(arrivedBeforeMs: number): void;
}

/** Above this part of what is not tables the oldest traces are decided early; above the second, requests are refused. */
const softPart = 0.75;
const hardPart = 0.9;

export class SamplerHost {
  readonly #arena: Arena;
  readonly #targets = new Set<PressureTarget>();
  #fixedBytes = 0;
  #generation = 0;
  #workers = 0;
  #instances = 0;
  #pool: ShardPool | undefined;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Instances that will share the arena; each is announced when it is created, before any starts. */
  get instances(): number {
    return Math.max(1, this.#instances);
  }

  announce(workers: number): void {
    this.#instances++;
    this.#workers = Math.max(this.#workers, workers);
  }

  retire(): void {
    this.#instances--;
  }

  nextGeneration(): number {
    return ++this.#generation;
  }

  /** The instance's tables take `fixedBytes` of the arena for as long as it lives. */
  join(target: PressureTarget, fixedBytes: number): ShardPool {
    this.#targets.add(target);
    this.#fixedBytes += fixedBytes;
    this.#pool ??= createShardPool(this.#arena, this.#workers);
    return this.#pool;
  }

  async leave(target: PressureTarget, fixedBytes: number): Promise<void> {
    if (!this.#targets.delete(target)) return;
    this.#fixedBytes -= fixedBytes;
    if (this.#targets.size > 0 || !this.#pool) return;
    const pool = this.#pool;
    this.#pool = undefined;
    this.#workers = 0;
    await pool.destroy();
  }

  /** Whether a request may take a further segment of so many bytes. */
  mayGrow(bytes: number): boolean {
    return this.#used() + bytes <= this.#room() * hardPart;
  }

  /** Whether a request of so many bytes could be held if nothing else were. */
  couldHold(bytes: number): boolean {
    const blockBytes = 2 ** Math.ceil(Math.log2(bytes));
    return blockBytes <= Math.min(this.#room() * hardPart, largestBlockBytes(this.#arena.capacityBytes));
  }

  /**
   * Called after each request and each task: when memory is short, the instance with the oldest segment decides early. `refused`: a request had no
   * room, so memory is short whatever the sum says: it was large, or what is free lies scattered.
   */
  relieve(refused = false): void {
    if (!refused && this.#used() <= this.#room() * softPart) return;
    let oldest: PressureTarget | undefined;
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const target of this.#targets) {
      const writeMs = target.oldestWriteMs(refused);
      if (writeMs !== undefined && writeMs < oldestMs) {
        oldest = target;
        oldestMs = writeMs;
      }
    }
    oldest?.decideEarly(oldestMs);
  }

  #used(): number {
    return this.#arena.heldBytes() - this.#fixedBytes;
  }

  #room(): number {
    return this.#arena.capacityBytes - this.#fixedBytes;
  }
}

const hosts = new WeakMap<Arena, SamplerHost>();

/** The host of an arena: one per process, since a process has one arena. */
export function samplerHostOf(arena: Arena): SamplerHost {
  let host = hosts.get(arena);
  if (!host) {
    host = new SamplerHost(arena);
    hosts.set(arena, host);
  }
  return host;
}
