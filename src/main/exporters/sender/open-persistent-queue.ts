/** Joins a persistent queue to the storage extension that its configuration names. Main thread. */

import type { ComponentSettings } from '../../pipeline/component.ts';
import { ComponentStartError } from '../../pipeline/component-start-error.ts';
import { isStorageExtension } from '../../pipeline/storage-extension.ts';
import type { MetricAttributes } from '../../telemetry/metrics.ts';
import { PersistentQueue } from './persistent-queue.ts';
import type { QueueConfig } from './queue-config.ts';
import { QueueSender } from './queue-sender.ts';
import type { Sender } from './send-request.ts';

/** Errors: ComponentStartError, in the Collector's words, when there is no such extension; or when its log cannot be opened. */
export async function openPersistentQueue(
  settings: ComponentSettings,
  config: QueueConfig,
  next: Sender,
  labels: MetricAttributes,
): Promise<PersistentQueue> {
  const id = config.storage!;
  const extension = settings.extension(id);
  if (extension === undefined) {
    throw new ComponentStartError(
      'STORAGE',
      `no storage client extension found: "${id}" must stand under extensions and in service.extensions`,
    );
  }
  if (!isStorageExtension(extension))
    throw new ComponentStartError('STORAGE', `requested extension is not a storage extension: "${id}"; file_storage is one`);
  const { type, name } = settings.id;
  const log = await extension.openLog(`exporter_${type}_${name}_traces`);
  const { arena, clock, logger, metrics } = settings;
  const enqueueFailedSpans = metrics.counter('otelcol_exporter_enqueue_failed_spans', labels);
  const sendFailedSpans = metrics.counter('otelcol_exporter_send_failed_spans', labels);
  const unbounded: QueueConfig = { ...config, queueSize: Infinity, waitForResult: true, storage: undefined };
  const consumers = new QueueSender({ arena, clock, logger, enqueueFailedSpans }, unbounded, next);
  const queue = new PersistentQueue({ arena, clock, logger, enqueueFailedSpans, sendFailedSpans }, config, log, consumers);
  queue.start();
  return queue;
}
