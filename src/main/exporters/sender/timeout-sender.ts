/** The timeout stage: gives each attempt its deadline. The transport keeps it, because only it knows when the lent bytes are free again. Main thread. */

import type { Clock } from '../../../shared/clock.ts';
import type { Sender, SendOutcome, SendRequest } from './send-request.ts';

export class TimeoutSender implements Sender {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #next: Sender;

  constructor(clock: Clock, timeoutMs: number, next: Sender) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#next = next;
  }

  send(request: SendRequest): Promise<SendOutcome> {
    const deadlineMs = Math.min(request.deadlineMs, this.#clock.monotonicMs() + this.#timeoutMs);
    return this.#next.send({ ...request, deadlineMs });
  }
}
