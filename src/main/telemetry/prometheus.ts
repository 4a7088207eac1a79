/** Metrics as Prometheus text, formatted as the Collector's own: no unit suffixes or scope labels, `_total` only on request. Main thread. */

import type { MetricAttributes } from './metrics.ts';
import type { MetricRow } from './metrics-table.ts';
import type { HistogramSeries, MetricFamily } from './registry.ts';

export interface ExpositionOptions {
  /** `_total` on counters; the Collector's default reader leaves it away (`without_type_suffix`). */
  readonly typeSuffix: boolean;
  /** Rows that exist only at `level: detailed`. */
  readonly detailed: boolean;
  /** Labels of `target_info`. */
  readonly resource: MetricAttributes;
}

export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores';

/**
 * One scrape.
 *
 * Source: Prometheus text exposition format 0.0.4; family, label and bucket order as client_golang prints them.
 */
export function prometheusText(families: readonly MetricFamily[], options: ExpositionOptions): string {
  const lines: string[] = [];
  for (const family of families) {
    if (family.row.detailed && !options.detailed) continue;
    const name = exposedName(family.row, options);
    header(lines, name, family.row.instrument, family.row.help);
    for (const series of family.numbers) lines.push(`${name}${labels(series.attributes)} ${numberText(series.value)}`);
    for (const series of family.histograms) histogramLines(lines, name, series, family.row.boundaries ?? []);
  }
  header(lines, 'target_info', 'gauge', 'Target metadata');
  lines.push(`target_info${labels(options.resource)} 1`, '');
  return lines.join('\n');
}

function exposedName(row: MetricRow, options: ExpositionOptions): string {
  return row.instrument === 'counter' && options.typeSuffix ? `${row.name}_total` : row.name;
}

function header(lines: string[], name: string, instrument: string, help: string): void {
  lines.push(`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${instrument}`);
}

function histogramLines(lines: string[], name: string, series: HistogramSeries, boundaries: readonly number[]): void {
  let cumulated = 0;
  for (let index = 0; index < boundaries.length; index++) {
    cumulated += series.bucketCounts[index] as number;
    lines.push(`${name}_bucket${labels(series.attributes, numberText(boundaries[index] as number))} ${cumulated}`);
  }
  lines.push(`${name}_bucket${labels(series.attributes, '+Inf')} ${series.count}`);
  lines.push(
    `${name}_sum${labels(series.attributes)} ${numberText(series.sum)}`,
    `${name}_count${labels(series.attributes)} ${series.count}`,
  );
}

function labels(attributes: MetricAttributes, upperBound?: string): string {
  const pairs = Object.entries(attributes)
    .map(([key, value]) => [key.replaceAll(/[^a-zA-Z0-9_]/g, '_'), value] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (upperBound !== undefined) pairs.push(['le', upperBound]);
  if (pairs.length === 0) return '';
  return `{${pairs.map(([key, value]) => `${key}="${escaped(value)}"`).join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
