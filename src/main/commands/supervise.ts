/** `--workers N`: keeps N processes of this program running that share their ports, hands on signals, and ends with them. Main thread. */

import { type ChildProcess, fork } from 'node:child_process';
import type { Logger } from '../telemetry/logger.ts';
import { createPinoLogger, defaultLoggerSettings } from '../telemetry/pino-logger.ts';
import { ExitCode, type ProcessHost } from './process-host.ts';

export interface SuperviseOptions {
  readonly workers: number;
  /** The program's file, and its arguments for worker `index`. */
  readonly file: string;
  argumentsOf(index: number): readonly string[];
}

/** A worker that ends sooner than this after its start counts as failing, and is started again after a growing pause. */
const stableAfterMs = 5_000;
const pauseMsMin = 100;
const pauseMsMax = 5_000;
const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Runs until a signal ends it, or until a worker cannot start at all. Returns the exit code: the worst of the workers'. */
export function superviseWorkers(options: SuperviseOptions, host: ProcessHost): Promise<ExitCode> {
  return new Supervisor(options, host).untilEnd();
}

class Supervisor {
  readonly #options: SuperviseOptions;
  readonly #host: ProcessHost;
  readonly #logger: Logger = createPinoLogger(defaultLoggerSettings);
  readonly #children = new Map<number, ChildProcess>();
  readonly #ended = Promise.withResolvers<ExitCode>();
  readonly #failures: number[];
  #exitCode: ExitCode = ExitCode.done;
  #ending = false;
  #isHopeless = false;

  constructor(options: SuperviseOptions, host: ProcessHost) {
    this.#options = options;
    this.#host = host;
    this.#failures = new Array(options.workers).fill(0);
  }

  async untilEnd(): Promise<ExitCode> {
    const handlers = signals.map((signal) => [signal, () => this.#forward(signal)] as const);
    for (const [signal, handler] of handlers) process.on(signal, handler);
    for (let index = 0; index < this.#options.workers; index++) this.#start(index);
    try {
      return await this.#ended.promise;
    } finally {
      for (const [signal, handler] of handlers) process.off(signal, handler);
    }
  }

  #start(index: number): void {
    const { file, argumentsOf } = this.#options;
    const startMs = this.#host.clock.monotonicMs();
    // A process group of its own: Ctrl-C reaches workers once, through us. When we die the channel closes, and they end by themselves.
    const child = fork(file, [...argumentsOf(index)], { detached: true });
    this.#children.set(index, child);
    child.once('exit', (code, signal) => this.#exited(index, code, signal, startMs));
    child.once('error', (error) => this.#logger.error({ worker: index, error: error.message }, 'A worker cannot be started.'));
  }

  #forward(signal: NodeJS.Signals): void {
    if (signal !== 'SIGHUP') this.#ending = true;
    for (const child of this.#children.values()) child.kill(signal);
    if (this.#children.size === 0) this.#ended.resolve(this.#exitCode);
  }

  #exited(index: number, code: number | null, signal: NodeJS.Signals | null, startMs: number): void {
    this.#children.delete(index);
    const { clock } = this.#host;
    const livedMs = clock.monotonicMs() - startMs;
    const hopeless = code === ExitCode.refused || (code === ExitCode.failed && livedMs < stableAfterMs);
    if (this.#ending || hopeless) {
      // What one worker says against the start is said for all; the others are only told to end.
      if (!this.#isHopeless) this.#exitCode = Math.max(this.#exitCode, code ?? ExitCode.terminated) as ExitCode;
      this.#isHopeless ||= hopeless;
      if (!this.#ending) this.#forward('SIGTERM');
      else if (this.#children.size === 0) this.#ended.resolve(this.#exitCode);
      return;
    }
    this.#failures[index] = livedMs < stableAfterMs ? this.#failures[index]! + 1 : 0;
    const delayMs = Math.min(pauseMsMax, pauseMsMin * 2 ** this.#failures[index]!);
    this.#logger.error({ worker: index, code, signal, delayMs }, 'A worker ended unexpectedly and is started again.');
    clock.after(delayMs, () => {
      if (!this.#ending) this.#start(index);
      else if (this.#children.size === 0) this.#ended.resolve(this.#exitCode);
    });
  }
}
