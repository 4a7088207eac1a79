/** The one table of metrics: every name the process can expose, with instrument, unit, help and attributes. Main thread. */

import { collectorMetrics } from './collector-metrics.ts';
import type { MetricRow } from './metric-row.ts';
import { ringtailMetrics } from './ringtail-metrics.ts';

export type { MetricRow } from './metric-row.ts';

export const metricsTable: readonly MetricRow[] = Object.freeze([...collectorMetrics, ...ringtailMetrics]);
