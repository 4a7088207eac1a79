/** Configuration of the `batch` processor. Main thread. */

import type { ConfigFault } from '../../config/config-fault.ts';
import { duration, type Infer, object, stringList, uint } from '../../config/fields.ts';

export const batchSchema = object({
  timeout: duration().default(200).describe('A batch is sent at the latest this long after its first span; 0 = at once.'),
  send_batch_size: uint({ type: 'uint32' }).default(8192).describe('Spans that make a batch; 0 = every payload at once.'),
  send_batch_max_size: uint({ type: 'uint32' }).default(0).describe('A larger batch is cut; 0 = never.'),
  metadata_keys: stringList().describe('One batcher for each combination of values of these client metadata keys.'),
  metadata_cardinality_limit: uint({ type: 'uint32' }).default(1000).describe('Most combinations; 0 = no limit.'),
});
export type BatchConfig = Infer<typeof batchSchema>;

export function checkBatch(config: BatchConfig): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const fault = (path: string, message: string) => faults.push({ severity: 'error', path: [path], message });
  if (config.send_batch_max_size > 0 && config.send_batch_max_size < config.send_batch_size) {
    fault('send_batch_max_size', 'send_batch_max_size must be greater or equal to send_batch_size');
  }
  const seen = new Set<string>();
  for (const key of config.metadata_keys) {
    const lower = key.toLowerCase();
    if (seen.has(lower)) fault('metadata_keys', `duplicate entry in metadata_keys: "${lower}" (case-insensitive)`);
    seen.add(lower);
  }
  if (config.timeout < 0) fault('timeout', 'timeout must be greater or equal to 0');
  return faults;
}
