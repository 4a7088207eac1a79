/** Metrics under the Collector's own names, with its help texts and boundaries. Main thread. */

import { type Instrument, type MetricRow, type MoreOfRow, row } from './metric-row.ts';

const unitSizes = [
  10, 25, 50, 75, 100, 250, 500, 750, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10000, 20000, 30000, 50000, 100000,
] as const;
const byteSizes = [
  128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576, 2097152, 4194304, 8388608, 16777216,
] as const;
const tickMs = [
  1, 2, 5, 10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 2000, 3000, 4000, 5000, 10000, 20000, 30000, 50000,
] as const;
const backendMs = [5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] as const;
/** What the OpenTelemetry SDK uses where an instrument names no bounds. */
const sdkDefault = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000] as const;

const receiverRows: readonly MetricRow[] = [
  row(
    'otelcol_receiver_accepted_spans',
    'counter',
    '{span}',
    'receiver transport',
    'Number of spans successfully pushed into the pipeline. [Alpha]',
  ),
  row(
    'otelcol_receiver_refused_spans',
    'counter',
    '{span}',
    'receiver transport',
    'Number of spans that could not be pushed into the pipeline. [Alpha]',
  ),
  row(
    'otelcol_receiver_failed_spans',
    'counter',
    '{span}',
    'receiver transport',
    'The number of spans that failed to be processed by the receiver due to internal errors. [Alpha]',
  ),
  row('otelcol_receiver_requests', 'counter', '{request}', 'receiver transport outcome', 'The number of requests performed. [Alpha]'),
];

const processorRows: readonly MetricRow[] = [
  row('otelcol_processor_incoming_items', 'counter', '{item}', 'processor otel_signal', 'Number of items passed to the processor. [Alpha]'),
  row(
    'otelcol_processor_outgoing_items',
    'counter',
    '{item}',
    'processor otel_signal',
    'Number of items emitted from the processor. [Alpha]',
  ),
  row('otelcol_processor_batch_batch_send_size', 'histogram', '{unit}', 'processor', 'Number of units in the batch [Development]', {
    boundaries: unitSizes,
  }),
  row(
    'otelcol_processor_batch_batch_send_size_bytes',
    'histogram',
    'By',
    'processor',
    'Number of bytes in batch that was sent. Only available on detailed level. [Development]',
    { boundaries: byteSizes, detailed: true },
  ),
  row(
    'otelcol_processor_batch_batch_size_trigger_send',
    'counter',
    '{time}',
    'processor',
    'Number of times the batch was sent due to a size trigger [Development]',
  ),
  row(
    'otelcol_processor_batch_timeout_trigger_send',
    'counter',
    '{time}',
    'processor',
    'Number of times the batch was sent due to a timeout trigger [Development]',
  ),
  row(
    'otelcol_processor_batch_metadata_cardinality',
    'gauge',
    '{combination}',
    'processor',
    'Number of distinct metadata value combinations being processed [Development]',
  ),
  row(
    'otelcol_processor_memory_limiter_accepted_spans',
    'counter',
    '{span}',
    'processor',
    'Number of spans successfully pushed into the next component in the pipeline. [Alpha]',
  ),
  row(
    'otelcol_processor_memory_limiter_refused_spans',
    'counter',
    '{span}',
    'processor',
    'Number of spans that were rejected by the next component in the pipeline. [Alpha]',
  ),
];

const tailSamplingPrefix = 'otelcol_processor_tail_sampling_';

function tailSampling(
  name: string,
  instrument: Instrument,
  unit: string,
  attributes: string,
  help: string,
  more: MoreOfRow = {},
): MetricRow {
  return row(`${tailSamplingPrefix}${name}`, instrument, unit, attributes, `${help} [Development]`, more);
}

const tailSamplingRows: readonly MetricRow[] = [
  tailSampling('new_trace_id_received', 'counter', '{traces}', '', 'Counts the arrival of new traces'),
  tailSampling('sampling_traces_on_memory', 'gauge', '{traces}', '', 'Tracks the number of traces current on memory'),
  tailSampling(
    'sampling_trace_dropped_too_early',
    'counter',
    '{traces}',
    '',
    'Count of traces that needed to be dropped before the configured wait time',
  ),
  tailSampling('traces_dropped_too_large', 'counter', '{traces}', '', 'Count of traces that were dropped because they were too large'),
  tailSampling(
    'sampling_trace_removal_age',
    'histogram',
    's',
    '',
    'Time (in seconds) from arrival of a new trace until its removal from memory',
    {
      boundaries: sdkDefault,
    },
  ),
  tailSampling(
    'sampling_late_span_age',
    'histogram',
    's',
    '',
    'Time (in seconds) from the sampling decision was taken and the arrival of a late span',
    { boundaries: sdkDefault },
  ),
  tailSampling(
    'sampling_decision_timer_latency',
    'histogram',
    'ms',
    '',
    'Latency (in milliseconds) of each run of the sampling decision timer',
    { boundaries: tickMs },
  ),
  tailSampling('sampling_policy_evaluation_error', 'counter', '{errors}', '', 'Count of sampling policy evaluation errors'),
  tailSampling(
    'sampling_policy_execution_count',
    'counter',
    '{executions}',
    'policy',
    'Total number of executions of a specific sampling policy',
  ),
  tailSampling(
    'sampling_policy_execution_time_sum',
    'counter',
    'us',
    'policy',
    'Total time spent (in microseconds) executing a specific sampling policy',
  ),
  tailSampling(
    'count_traces_sampled',
    'counter',
    '{traces}',
    'policy sampled decision',
    'Count of traces that were sampled or not per sampling policy',
  ),
  tailSampling(
    'count_spans_sampled',
    'counter',
    '{spans}',
    'policy sampled decision',
    'Count of spans that were sampled or not per sampling policy',
  ),
  tailSampling(
    'count_bytes_sampled',
    'counter',
    'By',
    'policy sampled decision',
    'Count of bytes that were sampled or not per sampling policy',
  ),
  tailSampling(
    'global_count_traces_sampled',
    'counter',
    '{traces}',
    'sampled decision',
    'Global count of traces that were sampled or not by at least one policy',
  ),
  tailSampling(
    'early_releases_from_cache_decision',
    'counter',
    '{spans}',
    'sampled',
    'Number of spans that were able to be immediately released due to a decision cache hit.',
  ),
  tailSampling(
    'count_spans_with_unparseable_tracestate',
    'counter',
    '{spans}',
    '',
    'Count of spans skipped while rewriting the effective `th` because their tracestate could not be parsed',
  ),
];

const exporterRows: readonly MetricRow[] = [
  row(
    'otelcol_exporter_sent_spans',
    'counter',
    '{span}',
    'exporter server.address server.port',
    'Number of spans successfully sent to destination. [Alpha]',
  ),
  row(
    'otelcol_exporter_send_failed_spans',
    'counter',
    '{span}',
    'exporter server.address server.port error.type error.permanent',
    'Number of spans in failed attempts to send to destination. At detailed telemetry level, includes attributes: error.type (semantic convention), error.permanent. [Alpha]',
  ),
  row(
    'otelcol_exporter_enqueue_failed_spans',
    'counter',
    '{span}',
    'exporter server.address server.port',
    'Number of spans failed to be added to the sending queue. [Alpha]',
  ),
  row('otelcol_exporter_queue_size', 'gauge', '{batch}', 'exporter data_type', 'Current size of the retry queue (in batches). [Alpha]'),
  row(
    'otelcol_exporter_queue_capacity',
    'gauge',
    '{batch}',
    'exporter data_type',
    'Fixed capacity of the retry queue (in batches). [Alpha]',
  ),
  row(
    'otelcol_exporter_in_flight_requests',
    'gauge',
    '{request}',
    'exporter data_type',
    'Number of export requests currently in-flight (including retry backoff). [Development]',
  ),
  row(
    'otelcol_exporter_enqueue_size',
    'histogram',
    '{unit}',
    'exporter',
    'Number of units in the request added to the sending queue. Only available on detailed level. [Development]',
    { boundaries: unitSizes, detailed: true },
  ),
  row(
    'otelcol_exporter_enqueue_size_bytes',
    'histogram',
    'By',
    'exporter',
    'Number of bytes in the request added to the sending queue. Only available on detailed level. [Development]',
    { boundaries: byteSizes, detailed: true },
  ),
  row(
    'otelcol_exporter_queue_batch_send_size',
    'histogram',
    '{unit}',
    'exporter',
    'Number of units in the batch. Only recorded when batching is enabled. Only available on detailed level. [Development]',
    { boundaries: unitSizes, detailed: true },
  ),
  row(
    'otelcol_exporter_queue_batch_send_size_bytes',
    'histogram',
    'By',
    'exporter',
    'Number of bytes in batch that was sent. Only recorded when batching is enabled. Only available on detailed level. [Development]',
    { boundaries: byteSizes, detailed: true },
  ),
];

const loadBalancerRows: readonly MetricRow[] = [
  row('otelcol_loadbalancer_backend_latency', 'histogram', 'ms', 'endpoint', 'Response latency in ms for the backends. [Development]', {
    boundaries: backendMs,
  }),
  row(
    'otelcol_loadbalancer_backend_outcome',
    'counter',
    '{outcomes}',
    'endpoint success',
    'Number of successes and failures for each endpoint. [Development]',
  ),
  row(
    'otelcol_loadbalancer_num_backend_updates',
    'counter',
    '{updates}',
    'resolver',
    'Number of times the list of backends was updated. [Development]',
  ),
  row('otelcol_loadbalancer_num_backends', 'gauge', '{backends}', 'resolver', 'Current number of backends in use. [Development]'),
  row(
    'otelcol_loadbalancer_num_resolutions',
    'counter',
    '{resolutions}',
    'resolver success',
    'Number of times the resolver has triggered new resolutions. [Development]',
  ),
];

const processRows: readonly MetricRow[] = [
  row('otelcol_process_uptime', 'counter', 's', '', 'Uptime of the process [Alpha]'),
  row('otelcol_process_cpu_seconds', 'counter', 's', '', 'Total CPU user and system time in seconds [Alpha]'),
  row('otelcol_process_memory_rss', 'gauge', 'By', '', 'Total physical memory (resident set size) [Alpha]'),
  row('otelcol_process_runtime_heap_alloc_bytes', 'gauge', 'By', '', 'Bytes of allocated heap objects [Alpha]'),
  row(
    'otelcol_process_runtime_total_sys_memory_bytes',
    'gauge',
    'By',
    '',
    'Total bytes of memory obtained from the OS for heap and buffers [Alpha]',
  ),
];

export const collectorMetrics: readonly MetricRow[] = [
  ...receiverRows,
  ...processorRows,
  ...tailSamplingRows,
  ...exporterRows,
  ...loadBalancerRows,
  ...processRows,
];
