/** The seam between components that keep data across restarts and the extension that keeps it. Main thread. */

import type { Component, Extension } from './component.ts';

/** Names a record for as long as its log is open. `itemCount` is the owner's own count (spans). */
export interface StoredRecord {
  readonly sequence: number;
  readonly itemCount: number;
  readonly byteLength: number;
}

export type AppendOutcome =
  | { readonly kind: 'stored'; readonly record: StoredRecord }
  | { readonly kind: 'failed'; readonly message: string };

/**
 * An ordered log of one owner. What `append` has stored survives the end of the process, however it ends, until it is acknowledged.
 *
 * A record may come back although it was acknowledged, when the process ends in the same instant: owners deliver at least once.
 */
export interface StorageLog {
  /** What the log held when it was opened, oldest first. */
  readonly recovered: readonly StoredRecord[];
  /** Life: the chunks are lent until the promise settles, which is when the record is safe. */
  append(chunks: readonly Uint8Array[], byteLength: number, itemCount: number): Promise<AppendOutcome>;
  /** Copies the record into `target`, which has its byte length. Errors: false when its bytes are gone or damaged; the log has said so. */
  read(record: StoredRecord, target: Uint8Array): Promise<boolean>;
  /** The record is not needed any more. */
  acknowledge(record: StoredRecord): void;
  /** Settles when everything appended and acknowledged so far is written. */
  flush(): Promise<void>;
}

export interface StorageExtension extends Extension {
  /** Errors: ComponentStartError when the log is in use elsewhere or its place cannot be read or written. The extension closes it. */
  openLog(owner: string): Promise<StorageLog>;
}

export function isStorageExtension(component: Component): component is StorageExtension {
  return 'openLog' in component;
}
