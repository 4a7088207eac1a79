/** The once-only life that components share: who calls what when, and who gets which promise. Main thread. */

import assert from 'node:assert';
import { type Component, type DrainReport, nothingLost } from './component.ts';

/**
 *      created ──start──► starting ──► running ──drain──► draining ──► drained
 *         │                  │            │                  │            │
 *         └──────────────────┴─── stop ───┴──────────────────┴────────────┴──► stopped
 *
 * `stopped` is final. A start that failed leaves `starting` for nothing but `stop`.
 */
export const ComponentState = {
  created: 'created',
  starting: 'starting',
  running: 'running',
  draining: 'draining',
  drained: 'drained',
  stopped: 'stopped',
} as const;
export type ComponentState = (typeof ComponentState)[keyof typeof ComponentState];

/** What a component does at each turn; each is called at most once, never two at a time. */
export interface ComponentHooks {
  start?(): Promise<void> | void;
  drain?(deadlineMs: number): Promise<DrainReport> | DrainReport;
  stop?(): Promise<void> | void;
}

/**
 * Keeps the contract of `Component` over three hooks.
 *
 * `start` a second time, or after `drain` or `stop`, is a broken invariant. `drain` before `start` does nothing. `stop` waits for a start or
 * a drain under way (both end by themselves) and runs its hook even after a failed start, so that what was opened half-way is closed.
 * The state changes before the first await; concurrent callers get the same promise.
 */
export class ComponentLife implements Component {
  readonly #hooks: ComponentHooks;
  #state: ComponentState = ComponentState.created;
  #started: Promise<void> | undefined;
  #drained: Promise<DrainReport> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(hooks: ComponentHooks) {
    this.#hooks = hooks;
  }

  get state(): ComponentState {
    return this.#state;
  }

  /** True while new data may be taken. */
  get running(): boolean {
    return this.#state === ComponentState.running;
  }

  start(): Promise<void> {
    assert(this.#state === ComponentState.created, `start of a component that is ${this.#state}`);
    this.#state = ComponentState.starting;
    this.#started = this.#runStart();
    return this.#started;
  }

  drain(deadlineMs: number): Promise<DrainReport> {
    if (this.#drained !== undefined) return this.#drained;
    const neverStarted = this.#state === ComponentState.created || this.#state === ComponentState.stopped;
    if (this.#state !== ComponentState.stopped) this.#state = ComponentState.draining;
    this.#drained = neverStarted ? this.#drainNothing() : this.#runDrain(deadlineMs);
    return this.#drained;
  }

  stop(): Promise<void> {
    if (this.#stopped !== undefined) return this.#stopped;
    const neverStarted = this.#started === undefined;
    this.#state = ComponentState.stopped;
    this.#stopped = neverStarted ? Promise.resolve() : this.#runStop();
    return this.#stopped;
  }

  async #runStart(): Promise<void> {
    await this.#hooks.start?.();
    if (this.#state === ComponentState.starting) this.#state = ComponentState.running;
  }

  async #drainNothing(): Promise<DrainReport> {
    if (this.#state === ComponentState.draining) this.#state = ComponentState.drained;
    return nothingLost;
  }

  async #runDrain(deadlineMs: number): Promise<DrainReport> {
    try {
      await this.#started;
    } catch {
      return nothingLost;
    }
    try {
      return (await this.#hooks.drain?.(deadlineMs)) ?? nothingLost;
    } finally {
      if (this.#state === ComponentState.draining) this.#state = ComponentState.drained;
    }
  }

  async #runStop(): Promise<void> {
    await Promise.allSettled([this.#started, this.#drained]);
    await this.#hooks.stop?.();
  }
}
