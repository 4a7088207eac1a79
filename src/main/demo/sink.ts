/** The demo's side of its sink: starts the process, asks it, ends it. Main thread. */

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DemoProcessError } from './managed-process.ts';
import type { SinkMessage, SinkQuestion } from './sink-messages.ts';

export class Sink {
  /** Where it takes OTLP. */
  readonly address: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(child: ChildProcess, port: number, ended: Promise<void>) {
    this.#child = child;
    this.address = `127.0.0.1:${port}`;
    this.#ended = ended;
  }

  /** Errors: DemoProcessError when the process does not come up. */
  static async start(environment: Readonly<Record<string, string | undefined>>): Promise<Sink> {
    const child = fork(fileURLToPath(new URL('./sink-process.ts', import.meta.url)), {
      execArgv: ['--initial-heap-size=64'],
      env: environment,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
    });
    const port = await new Promise<number>((resolve, reject) => {
      child.once('message', (message: SinkMessage) => resolve(message.kind === 'listening' ? message.port : 0));
      child.once('error', (error) => reject(new DemoProcessError(`Cannot start the sink: ${error.message}`)));
      child.once('exit', (code) => reject(new DemoProcessError(`Cannot start the sink: it ended with exit code ${code}`)));
    });
    return new Sink(child, port, ended);
  }

  async spansReceived(): Promise<number> {
    const message = await this.#ask('count');
    return message.kind === 'count' ? message.spansReceived : 0;
  }

  /** How many distinct spans of each trace came. */
  async spansByTrace(): Promise<ReadonlyMap<string, number>> {
    const message = await this.#ask('tally');
    return message.kind === 'tally' ? message.spansByTrace : new Map();
  }

  async forget(): Promise<void> {
    await this.#ask('forget');
  }

  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended;
  }

  /** One question at a time. */
  #ask(question: SinkQuestion): Promise<SinkMessage> {
    return new Promise((resolve, reject) => {
      const lost = () => reject(new DemoProcessError('The sink ended unexpectedly.'));
      if (!this.#child.connected) {
        lost();
        return;
      }
      this.#child.once('disconnect', lost);
      this.#child.once('message', (message: SinkMessage) => {
        this.#child.off('disconnect', lost);
        resolve(message);
      });
      this.#child.send(question);
    });
  }
}
