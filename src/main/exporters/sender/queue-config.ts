/** What the user may say about a sending queue, typed; the fields are read in `sender-config.ts`. Main thread. */

export type QueueSizer = 'requests' | 'items' | 'bytes';

export interface QueueBatchConfig {
  readonly flushTimeoutMs: number;
  readonly minSize: number;
  /** 0 is no maximum. */
  readonly maxSize: number;
  readonly sizer: 'items' | 'bytes';
  /** Lower-case header names. */
  readonly metadataKeys: readonly string[];
}

export interface QueueConfig {
  readonly enabled: boolean;
  readonly numConsumers: number;
  readonly queueSize: number;
  readonly sizer: QueueSizer;
  readonly blockOnOverflow: boolean;
  readonly waitForResult: boolean;
  /** Id of a storage extension: the queue survives the process. */
  readonly storage: string | undefined;
  readonly batch: QueueBatchConfig | undefined;
}
