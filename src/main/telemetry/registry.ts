/** The process's metrics in memory: bound instruments for components, one snapshot for the exposition. Main thread. */

import type { BoundCounter, BoundGauge, BoundHistogram, MetricAttributes, Metrics } from './metrics.ts';
import { type MetricRow, metricsTable } from './metrics-table.ts';

export interface NumberSeries {
  readonly attributes: MetricAttributes;
  readonly value: number;
}

export interface HistogramSeries {
  readonly attributes: MetricAttributes;
  /** One more than the row's boundaries; not cumulated. */
  readonly bucketCounts: Float64Array;
  readonly sum: number;
  readonly count: number;
}

export interface MetricFamily {
  readonly row: MetricRow;
  readonly numbers: readonly NumberSeries[];
  readonly histograms: readonly HistogramSeries[];
}

class NumberInstrument implements BoundCounter, BoundGauge, NumberSeries {
  readonly attributes: MetricAttributes;
  readonly observers = new Set<() => number>();
  #own = 0;
  #used = false;

  constructor(attributes: MetricAttributes) {
    this.attributes = attributes;
  }

  add(value: number): void {
    this.#own += value;
    this.#used = true;
  }

  set(value: number): void {
    this.#own = value;
    this.#used = true;
  }

  /** Bound once means shown, even at zero. */
  show(): void {
    this.#used = true;
  }

  get shown(): boolean {
    return this.#used || this.observers.size > 0;
  }

  get value(): number {
    let sum = this.#own;
    for (const read of this.observers) sum += read();
    return sum;
  }
}

class HistogramInstrument implements BoundHistogram, HistogramSeries {
  readonly attributes: MetricAttributes;
  readonly bucketCounts: Float64Array;
  readonly #boundaries: readonly number[];
  sum = 0;
  count = 0;

  constructor(attributes: MetricAttributes, boundaries: readonly number[]) {
    this.attributes = attributes;
    this.#boundaries = boundaries;
    this.bucketCounts = new Float64Array(boundaries.length + 1);
  }

  record(value: number): void {
    let low = 0;
    let high = this.#boundaries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= (this.#boundaries[middle] as number)) high = middle;
      else low = middle + 1;
    }
    (this.bucketCounts[low] as number)++;
    this.sum += value;
    this.count++;
  }

  merge(bucketCounts: ArrayLike<number>, sum: number): void {
    for (let bucket = 0; bucket < this.bucketCounts.length; bucket++) {
      (this.bucketCounts[bucket] as number) += bucketCounts[bucket] as number;
      this.count += bucketCounts[bucket] as number;
    }
    this.sum += sum;
  }
}

class Family {
  readonly row: MetricRow;
  readonly numbers = new Map<string, NumberInstrument>();
  readonly histograms = new Map<string, HistogramInstrument>();

  constructor(row: MetricRow) {
    this.row = row;
  }
}

/**
 * The registry behind `Metrics`.
 *
 * Bounds: one object per name and set of attribute values, made when it is bound; adding allocates nothing.
 * Errors: an unknown name, a wrong instrument or an attribute outside the table is a programming error and throws when it is bound.
 */
export class MetricRegistry implements Metrics {
  readonly #families = new Map<string, Family>();

  constructor(table: readonly MetricRow[] = metricsTable) {
    for (const row of table) this.#families.set(row.name, new Family(row));
  }

  counter(name: string, attributes: MetricAttributes = {}): BoundCounter {
    const instrument = this.#number(name, ['counter'], attributes);
    instrument.show();
    return instrument;
  }

  gauge(name: string, attributes: MetricAttributes = {}): BoundGauge {
    const instrument = this.#number(name, ['gauge'], attributes);
    instrument.show();
    return instrument;
  }

  histogram(name: string, attributes: MetricAttributes = {}): BoundHistogram {
    const family = this.#family(name, ['histogram'], attributes);
    const key = seriesKey(attributes);
    let instrument = family.histograms.get(key);
    if (instrument === undefined) {
      instrument = new HistogramInstrument(Object.freeze({ ...attributes }), family.row.boundaries ?? []);
      family.histograms.set(key, instrument);
    }
    return instrument;
  }

  /** Several readers of one series are summed: two instances of a component under one id are one series. */
  observe(name: string, attributes: MetricAttributes, read: () => number): () => void {
    const instrument = this.#number(name, ['counter', 'gauge'], attributes);
    const observer = () => read();
    instrument.observers.add(observer);
    return () => {
      instrument.observers.delete(observer);
    };
  }

  /** Families that have series, by name. */
  snapshot(): readonly MetricFamily[] {
    const families: MetricFamily[] = [];
    for (const { row, numbers, histograms } of this.#families.values()) {
      const shown = [...numbers.values()].filter((series) => series.shown);
      if (shown.length + histograms.size > 0) families.push({ row, numbers: shown, histograms: [...histograms.values()] });
    }
    return families.sort((a, b) => (a.row.name < b.row.name ? -1 : 1));
  }

  #number(name: string, instruments: readonly string[], attributes: MetricAttributes): NumberInstrument {
    const family = this.#family(name, instruments, attributes);
    const key = seriesKey(attributes);
    let instrument = family.numbers.get(key);
    if (instrument === undefined) {
      instrument = new NumberInstrument(Object.freeze({ ...attributes }));
      family.numbers.set(key, instrument);
    }
    return instrument;
  }

  #family(name: string, instruments: readonly string[], attributes: MetricAttributes): Family {
    const family = this.#families.get(name);
    if (family === undefined) throw new Error(`metric "${name}" is no row of metrics-table.ts`);
    if (!instruments.includes(family.row.instrument)) throw new Error(`metric "${name}" is a ${family.row.instrument}`);
    for (const attribute of Object.keys(attributes)) {
      if (!family.row.attributes.includes(attribute))
        throw new Error(`metric "${name}" has no attribute "${attribute}" in metrics-table.ts`);
    }
    return family;
  }
}

function seriesKey(attributes: MetricAttributes): string {
  return JSON.stringify(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
}
