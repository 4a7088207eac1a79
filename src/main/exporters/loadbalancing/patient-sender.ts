/** The stage between a queue in front and the balancer: waits while nothing of a request can be sent, because a queue drops what is refused. Main thread. */

import type { Clock, Timer } from '../../../shared/clock.ts';
import type { Sender, SendOutcome, SendRequest } from '../sender/send-request.ts';

const pauseMs = 1_000;

export interface PatientSenderSettings {
  readonly clock: Clock;
  /** Infinity is for ever. */
  readonly patienceMs: number;
  /** Whether an outcome means that no part of the request has gone anywhere, and a later try may fare better. */
  isNotBegun(outcome: SendOutcome): boolean;
}

export class PatientSender implements Sender {
  readonly #settings: PatientSenderSettings;
  readonly #next: Sender;
  readonly #waits = new Map<() => void, Timer>();
  #stopped = false;

  constructor(settings: PatientSenderSettings, next: Sender) {
    this.#settings = settings;
    this.#next = next;
  }

  async send(request: SendRequest): Promise<SendOutcome> {
    const { clock, patienceMs, isNotBegun } = this.#settings;
    const endMs = clock.monotonicMs() + patienceMs;
    for (;;) {
      const outcome = await this.#next.send(request);
      if (!isNotBegun(outcome) || this.#stopped || clock.monotonicMs() >= endMs) return outcome;
      await this.#wait();
    }
  }

  /** Something has changed: what waits tries again now. */
  wake(): void {
    for (const [resolve, timer] of this.#waits) {
      timer.cancel();
      resolve();
    }
    this.#waits.clear();
  }

  /** Waits end, and none begins. */
  stop(): void {
    this.#stopped = true;
    this.wake();
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#settings.clock.after(pauseMs, () => {
        this.#waits.delete(resolve);
        resolve();
      });
      this.#waits.set(resolve, timer);
    });
  }
}
