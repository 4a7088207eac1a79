/** Which backend owns a routing key: the seam behind which the slot table and the Collector's ring stand. Any thread. */

/** Immutable; built beside the old one and swapped in one assignment. Owners are indexes into `endpoints`. */
export interface Placement {
  readonly endpoints: readonly string[];
  /** Hash over the table's content: equal on two routers iff they place alike. Shape: 16 hex digits. */
  readonly digest: string;
  /** Owner of the trace id that lies at `bytes[at … at + 16)`. Allocates nothing. -1 when `endpoints` is empty. */
  ownerOfTraceId(bytes: Uint8Array, at: number): number;
  /** Owner of a routing key of any length (service, attributes). */
  ownerOfKey(key: Uint8Array): number;
}
