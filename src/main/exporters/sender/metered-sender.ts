/** The account of an exporter: spans sent, spans that failed for good, requests in flight. Main thread. */

import type { BoundCounter, MetricAttributes, Metrics } from '../../telemetry/metrics.ts';
import type { Sender, SendOutcome, SendRequest } from './send-request.ts';

export class MeteredSender implements Sender {
  readonly #next: Sender;
  readonly #sentSpans: BoundCounter;
  readonly #sendFailedSpans: BoundCounter;

  #inFlight = 0;

  constructor(metrics: Metrics, attributes: MetricAttributes, next: Sender) {
    this.#next = next;
    this.#sentSpans = metrics.counter('otelcol_exporter_sent_spans', attributes);
    this.#sendFailedSpans = metrics.counter('otelcol_exporter_send_failed_spans', attributes);
  }

  /** Requests that are being sent, waits between attempts included. */
  inFlight(): number {
    return this.#inFlight;
  }

  async send(request: SendRequest): Promise<SendOutcome> {
    this.#inFlight++;
    const outcome = await this.#next.send(request);
    this.#inFlight--;
    (outcome.kind === 'accepted' ? this.#sentSpans : this.#sendFailedSpans).add(request.spanCount);
    return outcome;
  }
}
