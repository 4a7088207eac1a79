/** The load balancer's metrics, bound once per backend. Main thread. */

import type { BoundCounter, BoundHistogram, Metrics } from '../../telemetry/metrics.ts';

interface BackendInstruments {
  readonly latency: BoundHistogram;
  readonly succeeded: BoundCounter;
  readonly failed: BoundCounter;
}

export class BalancerMetrics {
  readonly #metrics: Metrics;
  readonly #backends = new Map<string, BackendInstruments>();
  readonly #rerouted: BoundCounter;
  readonly #retried: BoundCounter;
  readonly #repeated: BoundCounter;

  constructor(metrics: Metrics, exporter: string) {
    this.#metrics = metrics;
    this.#rerouted = metrics.counter('ringtail_loadbalancer_rerouted_spans', { exporter });
    this.#retried = metrics.counter('ringtail_loadbalancer_retried_spans', { exporter });
    this.#repeated = metrics.counter('ringtail_loadbalancer_repeated_spans', { exporter });
  }

  callEnded(endpoint: string, durationMs: number, success: boolean): void {
    let bound = this.#backends.get(endpoint);
    if (bound === undefined) {
      bound = {
        latency: this.#metrics.histogram('otelcol_loadbalancer_backend_latency', { endpoint }),
        succeeded: this.#metrics.counter('otelcol_loadbalancer_backend_outcome', { endpoint, success: 'true' }),
        failed: this.#metrics.counter('otelcol_loadbalancer_backend_outcome', { endpoint, success: 'false' }),
      };
      this.#backends.set(endpoint, bound);
    }
    bound.latency.record(durationMs);
    (success ? bound.succeeded : bound.failed).add(1);
  }

  rerouted(spanCount: number): void {
    this.#rerouted.add(spanCount);
  }

  repeated(spanCount: number): void {
    this.#repeated.add(spanCount);
  }

  retried(spanCount: number): void {
    this.#retried.add(spanCount);
  }
}
