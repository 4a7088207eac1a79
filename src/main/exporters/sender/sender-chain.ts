/** Composes a sender chain once: queue → metrics → retry → timeout → send, and gives it the life of a component. Main thread. */

import type { ComponentSettings, DrainReport, TracesPayload } from '../../pipeline/component.ts';
import { nothingLost } from '../../pipeline/component.ts';
import type { ConsumeOutcome } from '../../pipeline/consume-outcome.ts';
import type { MetricAttributes } from '../../telemetry/metrics.ts';
import type { RetryConfig } from './back-off.ts';
import { MeteredSender } from './metered-sender.ts';
import { openPersistentQueue } from './open-persistent-queue.ts';
import type { PersistentQueue } from './persistent-queue.ts';
import type { QueueConfig } from './queue-config.ts';
import { QueueSender } from './queue-sender.ts';
import { RetrySender } from './retry-sender.ts';
import type { Sender } from './send-request.ts';
import { TimeoutSender } from './timeout-sender.ts';

export interface SenderChainConfig {
  readonly queue: QueueConfig | undefined;
  readonly retry: RetryConfig | undefined;
  /** 0 is none. */
  readonly timeoutMs: number;
}

/** What an exporter made of a chain offers; an exporter adds how it connects and closes. */
export interface SenderChain {
  start(): Promise<void>;
  consume(payload: TracesPayload): Promise<ConsumeOutcome>;
  /** Ends retries, sends what is queued once, and tells what was lost. Any number of times. */
  drain(deadlineMs: number): Promise<DrainReport>;
  stop(): void;
}

/** `attributes` go to the chain's metrics beside `exporter`: the address and port of the server on the otlp exporters. */
export function createSenderChain(
  settings: ComponentSettings,
  config: SenderChainConfig,
  send: Sender,
  attributes: MetricAttributes = {},
): SenderChain {
  const labels = { exporter: settings.id.text, ...attributes };
  const timed = config.timeoutMs > 0 ? new TimeoutSender(settings.clock, config.timeoutMs, send) : send;
  const retry = config.retry?.enabled ? new RetrySender(settings, config.retry, timed) : undefined;
  const metered = new MeteredSender(settings.metrics, labels, retry ?? timed);
  const queueConfig = config.queue?.enabled ? config.queue : undefined;
  let queue: QueueSender | PersistentQueue | undefined =
    queueConfig === undefined || queueConfig.storage !== undefined ? undefined : createQueue(settings, queueConfig, metered, labels);
  let stopObserving: (() => void)[] = [];
  return {
    async start() {
      const queueLabels = { exporter: settings.id.text, data_type: 'traces' };
      stopObserving = [settings.metrics.observe('otelcol_exporter_in_flight_requests', queueLabels, () => metered.inFlight())];
      if (queueConfig?.storage !== undefined) queue = await openPersistentQueue(settings, queueConfig, metered, labels);
      const started = queue;
      if (started === undefined) return;
      stopObserving.push(
        settings.metrics.observe('otelcol_exporter_queue_size', queueLabels, () => started.size()),
        settings.metrics.observe('otelcol_exporter_queue_capacity', queueLabels, () => started.capacity()),
      );
    },
    consume(payload) {
      const { bytes, spanCount, metadata, rows } = payload;
      const first: Sender = queue ?? metered;
      return first.send({
        chunks: [bytes],
        byteLength: bytes.length,
        spanCount,
        deadlineMs: Infinity,
        ...(metadata === undefined ? {} : { metadata }),
        ...(rows === undefined ? {} : { rows }),
      });
    },
    drain(deadlineMs) {
      retry?.stopRetrying();
      return queue?.drain(deadlineMs) ?? Promise.resolve(nothingLost);
    },
    stop() {
      retry?.stopRetrying();
      for (const stop of stopObserving) stop();
      stopObserving = [];
    },
  };
}

function createQueue(settings: ComponentSettings, config: QueueConfig, next: Sender, labels: MetricAttributes): QueueSender {
  const enqueueFailedSpans = settings.metrics.counter('otelcol_exporter_enqueue_failed_spans', labels);
  return new QueueSender({ arena: settings.arena, clock: settings.clock, logger: settings.logger, enqueueFailedSpans }, config, next);
}
