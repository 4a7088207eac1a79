/** A process that the demo started: its readiness, its last words, its end. Main thread. */

import { type ChildProcess, spawn } from 'node:child_process';
import { get } from 'node:http';
import type { Clock } from '../../shared/clock.ts';

export interface ManagedProcessSettings {
  readonly clock: Clock;
  /** As people call it: `sampler 3`. */
  readonly name: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Answers 200 when the process is ready. */
  readonly healthUrl: string;
  /** What it listens on, for the sentence that says why it could not. */
  readonly listensOn: string;
}

/** A process of the demo could not start or ended too early. The message is for people. */
export class DemoProcessError extends Error {
  readonly code = 'DEMO_PROCESS';
}

const healthIntervalMs = 150;
const lastWordsMax = 2_000;
const killAfterMs = 8_000;

export class ManagedProcess {
  readonly #settings: ManagedProcessSettings;
  readonly #child: ChildProcess;
  readonly #ended = Promise.withResolvers<void>();
  #lastWords = '';
  #stopping = false;
  #end: string | undefined;

  constructor(settings: ManagedProcessSettings) {
    this.#settings = settings;
    this.#child = spawn(process.execPath, settings.arguments, { env: settings.environment, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr?.on('data', (text: Buffer) => {
      this.#lastWords = (this.#lastWords + text.toString('utf8')).slice(-lastWordsMax);
    });
    this.#child.on('error', (error) => this.#ending(error.message));
    this.#child.on('close', (code, signal) => this.#ending(signal === null ? `exit code ${code}` : `signal ${signal}`));
  }

  get name(): string {
    return this.#settings.name;
  }

  /** A sentence when the process ended although nobody asked it to. */
  deathNote(): string | undefined {
    if (this.#end === undefined || this.#stopping) return undefined;
    const words = lastError(this.#lastWords);
    return `${this.#settings.name} (${this.#settings.listensOn}) ended with ${this.#end}${words === '' ? '' : `: ${words}`}`;
  }

  /** Units: `deadlineMs` is on the monotonic clock. Errors: DemoProcessError when the process ends or is not ready in time. */
  async untilReady(deadlineMs: number): Promise<void> {
    const { clock, name, healthUrl, listensOn } = this.#settings;
    for (;;) {
      const note = this.deathNote();
      if (note !== undefined) throw new DemoProcessError(`Cannot start: ${note}`);
      if (await isHealthy(healthUrl)) return;
      if (clock.monotonicMs() > deadlineMs) throw new DemoProcessError(`Cannot start: ${name} (${listensOn}) was not ready in time`);
      await new Promise<void>((resolve) => clock.after(healthIntervalMs, resolve));
    }
  }

  /** Asks the process to drain and end; ends it by force when it does not. Any number of times. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#end !== undefined) return;
    this.#child.kill('SIGTERM');
    const timer = this.#settings.clock.after(killAfterMs, () => this.#child.kill('SIGKILL'));
    await this.#ended.promise;
    timer.cancel();
  }

  #ending(how: string): void {
    this.#end ??= how;
    this.#ended.resolve();
  }
}

function isHealthy(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}

/** The part of a log that says what went wrong: the last error's own text, else the last line. */
function lastError(log: string): string {
  const lines = log.split('\n').filter((line) => line.trim() !== '');
  const line =
    lines.findLast((candidate) => candidate.includes('\terror\t') || /^(?:ringtail|\w*Error): /.test(candidate)) ?? lines.at(-1) ?? '';
  const found = /"error":"((?:[^"\\]|\\.)*)"/.exec(line);
  return found === null ? line.trim() : (JSON.parse(`"${found[1]}"`) as string);
}
