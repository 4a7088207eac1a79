/** One row of the table of metrics. Main thread. */

export interface MetricRow {
  readonly name: string;
  readonly instrument: 'counter' | 'gauge' | 'histogram';
  /** UCUM, as in the OpenTelemetry API. */
  readonly unit: string;
  readonly help: string;
  /** Every attribute that a series of this metric may carry. */
  readonly attributes: readonly string[];
  /** Histograms only: upper bounds of the buckets, ascending. */
  readonly boundaries?: readonly number[];
  /** Present only at `level: detailed`. */
  readonly detailed?: true;
}

export type Instrument = MetricRow['instrument'];

export type MoreOfRow = { readonly boundaries?: readonly number[]; readonly detailed?: true };

/** Shape: `attributes` are names apart by blanks. */
export function row(name: string, instrument: Instrument, unit: string, attributes: string, help: string, more: MoreOfRow = {}): MetricRow {
  return { name, instrument, unit, help, attributes: attributes === '' ? [] : attributes.split(' '), ...more };
}
