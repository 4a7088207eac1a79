/** Metrics as components see them: instruments are bound to their attributes once, at start. Main thread. */

export type MetricAttributes = Readonly<Record<string, string>>;

export interface BoundCounter {
  add(value: number): void;
}
export interface BoundGauge {
  set(value: number): void;
}
export interface BoundHistogram {
  record(value: number): void;
  /** Adds what was counted elsewhere: `bucketCounts` by the row's boundaries, one more than these, and the sum of the values. */
  merge(bucketCounts: ArrayLike<number>, sum: number): void;
}

/** Names are rows of `metrics-table.ts`, without the exposition's `_total`; an unknown name throws at start. The same name and attributes give the same instrument. */
export interface Metrics {
  counter(name: string, attributes?: MetricAttributes): BoundCounter;
  gauge(name: string, attributes?: MetricAttributes): BoundGauge;
  histogram(name: string, attributes?: MetricAttributes): BoundHistogram;
  /** A value read at each scrape (counter or gauge of the table). Returns how to end it. */
  observe(name: string, attributes: MetricAttributes, read: () => number): () => void;
}
