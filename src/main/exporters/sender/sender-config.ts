/** The fields `sending_queue`, `retry_on_failure` and `timeout` as exporters declare them, their defaults, and the checks across them. Main thread. */

import type { ConfigFault, ConfigPath } from '../../config/config-fault.ts';
import { bool, choice, duration, float, type Infer, int, object, presence, string, stringList } from '../../config/fields.ts';
import type { RetryConfig } from './back-off.ts';
import type { QueueConfig, QueueSizer } from './queue-config.ts';

const batchSchema = object({
  flush_timeout: duration().default(200).describe('A batch is sent after this time whatever its size.'),
  min_size: int({ type: 'int64' }).default(8192).describe('A batch is sent when it has reached this size.'),
  max_size: int({ type: 'int64' }).default(0).describe('Larger batches are cut; 0 = no maximum.'),
  sizer: string().default('').describe('items or bytes; not written: that of the queue if written there, else items.'),
  partition: object({ metadata_keys: stringList().describe('Client metadata that must be equal within a batch.') }),
});

/** Source: exporterhelper.NewDefaultQueueConfig of the Collector. */
export const queueSchema = object({
  enabled: bool().default(true),
  num_consumers: int().default(10).describe('Requests that are sent at the same time.'),
  queue_size: int({ type: 'int64' }).default(1000).describe('Bound of the queue, in units of the sizer.'),
  sizer: string().default('').describe('What queue_size counts: requests (default), items (spans) or bytes.'),
  block_on_overflow: bool().default(false).describe('A full queue lets callers wait instead of refusing.'),
  wait_for_result: bool().default(false).describe('The caller hears the result of the send, not of the enqueueing.'),
  storage: string().default('').describe('Id of a storage extension that keeps the queue across restarts.'),
  batch: presence(batchSchema).optional(),
});
export type QueueFields = Infer<typeof queueSchema>;

/** Source: configretry.NewDefaultBackOffConfig; `enabled` is the field's own default only where an exporter retries by default. */
export function retrySchema(enabledByDefault: boolean) {
  return object({
    enabled: bool().default(enabledByDefault),
    initial_interval: duration().default(5_000).describe('Wait after the first failure.'),
    randomization_factor: float().default(0.5).describe('Jitter: each wait is multiplied with 1 ± this.'),
    multiplier: float().default(1.5).describe('Growth of the wait per failure.'),
    max_interval: duration().default(30_000).describe('Longest wait.'),
    max_elapsed_time: duration().default(300_000).describe('Time after which a request is given up; 0 = never.'),
  });
}
export type RetryFields = Infer<ReturnType<typeof retrySchema>>;

export const timeoutField = duration().default(5_000).describe('Limit for one attempt; 0 = none.');

/** What `compression` may be; anything else is refused when the configuration is read. */
export const grpcCompression = choice(['gzip', 'snappy', 'zstd', 'none', '']);

export function queueConfigOf(fields: QueueFields): QueueConfig {
  const sizer = (fields.sizer === '' ? 'requests' : fields.sizer) as QueueSizer;
  const { batch } = fields;
  return {
    enabled: fields.enabled,
    numConsumers: fields.num_consumers,
    queueSize: fields.queue_size,
    sizer,
    blockOnOverflow: fields.block_on_overflow,
    waitForResult: fields.wait_for_result,
    storage: fields.storage === '' ? undefined : fields.storage,
    batch: batch && {
      flushTimeoutMs: batch.flush_timeout,
      minSize: batch.min_size,
      maxSize: batch.max_size,
      sizer: batchSizerOf(fields) as 'items' | 'bytes',
      metadataKeys: batch.partition.metadata_keys.map((key) => key.toLowerCase()),
    },
  };
}

export function retryConfigOf(fields: RetryFields): RetryConfig {
  return {
    enabled: fields.enabled,
    initialIntervalMs: fields.initial_interval,
    randomizationFactor: fields.randomization_factor,
    multiplier: fields.multiplier,
    maxIntervalMs: fields.max_interval,
    maxElapsedTimeMs: fields.max_elapsed_time,
  };
}

function batchSizerOf(fields: QueueFields): string {
  return fields.batch?.sizer || fields.sizer || 'items';
}

/** Source: exporterhelper's QueueBatchConfig.Validate and BatchConfig.Validate; the words are theirs. */
export function checkQueue(fields: QueueFields | undefined, path: ConfigPath): readonly ConfigFault[] {
  if (fields === undefined || !fields.enabled) return [];
  const faults: ConfigFault[] = [];
  const fault = (message: string, ...below: string[]): void => {
    faults.push({ severity: 'error', path: [...path, ...below], message });
  };
  if (!['', 'requests', 'items', 'bytes'].includes(fields.sizer))
    fault(`invalid sizer: "${fields.sizer}"; one of requests, items, bytes`, 'sizer');
  if (fields.num_consumers <= 0) fault('`num_consumers` must be positive', 'num_consumers');
  if (fields.queue_size <= 0) fault('`queue_size` must be positive', 'queue_size');
  if (fields.storage !== '' && fields.wait_for_result) {
    fault('`wait_for_result` is not supported with a persistent queue configured with `storage`', 'wait_for_result');
  }
  if (fields.batch !== undefined) checkBatch(fields, fields.batch, fault);
  return faults;
}

function checkBatch(
  fields: QueueFields,
  batch: NonNullable<QueueFields['batch']>,
  fault: (message: string, ...below: string[]) => void,
): void {
  const sizer = batchSizerOf(fields);
  if (sizer !== 'items' && sizer !== 'bytes')
    fault(`\`batch\` supports only \`items\` or \`bytes\` sizer, found "${sizer}"`, 'batch', 'sizer');
  if (sizer === (fields.sizer || 'requests') && batch.min_size > fields.queue_size) {
    fault('`min_size` must be less than or equal to `queue_size`', 'batch', 'min_size');
  }
  if (batch.flush_timeout <= 0) fault(`\`flush_timeout\` must be positive, found ${batch.flush_timeout}`, 'batch', 'flush_timeout');
  if (batch.min_size < 0) fault(`\`min_size\` must be non-negative, found ${batch.min_size}`, 'batch', 'min_size');
  if (batch.max_size < 0) fault(`\`max_size\` must be non-negative, found ${batch.max_size}`, 'batch', 'max_size');
  if (batch.max_size > 0 && batch.max_size < batch.min_size) {
    fault(`\`max_size\` (${batch.max_size}) must be greater or equal to \`min_size\` (${batch.min_size})`, 'batch', 'max_size');
  }
  const seen = new Set<string>();
  for (const key of batch.partition.metadata_keys) {
    const lower = key.toLowerCase();
    if (seen.has(lower)) fault(`duplicate entry in metadata_keys: "${lower}" (case-insensitive)`, 'batch', 'partition', 'metadata_keys');
    seen.add(lower);
  }
}

/** Source: configretry's BackOffConfig.Validate; the words are theirs. */
export function checkRetry(fields: RetryFields | undefined, path: ConfigPath): readonly ConfigFault[] {
  if (fields === undefined || !fields.enabled) return [];
  const faults: ConfigFault[] = [];
  const fault = (key: keyof RetryFields, message: string): void => {
    faults.push({ severity: 'error', path: [...path, key], message });
  };
  for (const key of ['initial_interval', 'multiplier', 'max_interval', 'max_elapsed_time'] as const) {
    if (fields[key] < 0) fault(key, `'${key}' must be non-negative`);
  }
  if (fields.randomization_factor < 0 || fields.randomization_factor > 1)
    fault('randomization_factor', "'randomization_factor' must be within [0, 1]");
  if (fields.max_elapsed_time > 0) {
    for (const key of ['initial_interval', 'max_interval'] as const) {
      if (fields.max_elapsed_time < fields[key]) fault('max_elapsed_time', `'max_elapsed_time' must not be less than '${key}'`);
    }
  }
  return faults;
}

export function checkTimeout(timeoutMs: number, path: ConfigPath): readonly ConfigFault[] {
  return timeoutMs < 0 ? [{ severity: 'error', path: [...path, 'timeout'], message: "'timeout' must be non-negative" }] : [];
}
