/** What surprises in the order of a pipeline of traces, and in what its parts are to each other. Main thread. */

import { isTraces, pipelinesOf } from '../bind-service.ts';
import type { ConfigPath } from '../config-fault.ts';
import { formatDuration } from '../duration.ts';
import type { RawMap } from '../raw-value.ts';
import {
  componentsOf,
  durationAt,
  type ExpectedLoad,
  grouped,
  heldBytesPerSpan,
  listAt,
  mib,
  numberAt,
  type Report,
  typeOf,
  wireBytesPerSpan,
} from './finding.ts';

interface Pipeline {
  readonly path: ConfigPath;
  readonly processors: readonly string[];
  readonly exporters: readonly string[];
  /** By id, with plain values. */
  readonly processorConfigs: ReadonlyMap<string, RawMap>;
}

type PipelineRule = (pipeline: Pipeline, load: ExpectedLoad, report: Report) => void;

/** A further finding is one more entry. */
const rules: readonly PipelineRule[] = [
  batchBeforeBalancing,
  batchBeforeSampling,
  samplingBeforeBalancing,
  limiterNotFirst,
  batchBeyondMessage,
  memoryForLoad,
];

const processorTypes = ['batch', 'memory_limiter', 'tail_sampling'];

export function checkPipelines(raw: RawMap, load: ExpectedLoad, report: Report): void {
  const processorConfigs = new Map(componentsOf(raw, 'processors', processorTypes));
  for (const [id, written] of pipelinesOf(raw)) {
    if (!isTraces(id)) continue;
    const path = ['service', 'pipelines', id];
    const ids = (key: string) => listAt(written, key).map((item) => String(item).trim());
    const pipeline = { path, processors: ids('processors'), exporters: ids('exporters'), processorConfigs };
    for (const rule of rules) rule(pipeline, load, report);
  }
}

const isBalancer = (id: string) => ['loadbalancing', 'load_balancing'].includes(typeOf(id));

function indexOfType(ids: readonly string[], type: string): number {
  return ids.findIndex((id) => typeOf(id) === type);
}

/** The batch answers "taken" before anything is sent; loadbalancing puts requests together by itself. */
function batchBeforeBalancing({ path, processors, exporters }: Pipeline, _load: ExpectedLoad, report: Report): void {
  const balancing = exporters.find(isBalancer);
  const index = indexOfType(processors, 'batch');
  if (balancing === undefined || index < 0) return;
  const message = `${processors[index]} in front of ${balancing} answers senders before a backend has the spans, and saves nothing: ${balancing} puts calls together by itself; remove it to have honest acknowledgements`;
  report([...path, 'processors', index], message);
}

function batchBeforeSampling({ path, processors, processorConfigs }: Pipeline, _load: ExpectedLoad, report: Report): void {
  const [batch, sampling] = [indexOfType(processors, 'batch'), indexOfType(processors, 'tail_sampling')];
  if (batch < 0 || sampling < 0 || batch > sampling) return;
  const delay = formatDuration(durationAt(processorConfigs.get(processors[batch]!) ?? {}, 'timeout', 200));
  const message = `${processors[batch]} in front of ${processors[sampling]} holds every span for up to ${delay} and gains nothing: all spans are held anyway; put it behind, where it joins what is kept`;
  report([...path, 'processors', batch], message);
}

function samplingBeforeBalancing({ path, processors, exporters }: Pipeline, _load: ExpectedLoad, report: Report): void {
  const balancing = exporters.find(isBalancer);
  const index = indexOfType(processors, 'tail_sampling');
  if (balancing === undefined || index < 0) return;
  const message = `${processors[index]} decides before ${balancing} brings the spans of a trace together: each router decides on the part that it has; sample behind the balancer`;
  report([...path, 'processors', index], message);
}

function limiterNotFirst({ path, processors }: Pipeline, _load: ExpectedLoad, report: Report): void {
  const index = indexOfType(processors, 'memory_limiter');
  if (index <= 0) return;
  report([...path, 'processors', index], `refuses only what ${processors.slice(0, index).join(', ')} let through; put it first`);
}

const receiverLimitMib = 4;

/** What a batch may weigh against what receivers take. */
function batchBeyondMessage({ processors, exporters, processorConfigs }: Pipeline, _load: ExpectedLoad, report: Report): void {
  const index = indexOfType(processors, 'batch');
  if (index < 0 || !exporters.some((id) => ['otlp', 'otlp_grpc'].includes(typeOf(id)))) return;
  const config = processorConfigs.get(processors[index]!) ?? {};
  const maximum = numberAt(config, 'send_batch_max_size');
  const spans = maximum > 0 ? maximum : numberAt(config, 'send_batch_size', 8192);
  if (spans * wireBytesPerSpan <= receiverLimitMib * mib) return;
  const message = `${grouped(spans)} spans of ${wireBytesPerSpan} bytes are ${((spans * wireBytesPerSpan) / mib).toFixed(1)} MiB, and OTLP/gRPC receivers take ${receiverLimitMib} MiB unless max_recv_msg_size_mib says more; 8192 is safe`;
  const key = maximum > 0 ? 'send_batch_max_size' : 'send_batch_size';
  report(['processors', processors[index]!, key], message);
}

const spansPerTraceDefault = 15;

/** What is held during the decision wait against the limit. */
function memoryForLoad({ processors, processorConfigs }: Pipeline, load: ExpectedLoad, report: Report): void {
  const sampling = processorConfigs.get(processors[indexOfType(processors, 'tail_sampling')] ?? '');
  const limiter = processors[indexOfType(processors, 'memory_limiter')];
  if (sampling === undefined || limiter === undefined || load.tracesPerSecond === undefined) return;
  const limitMib = numberAt(processorConfigs.get(limiter) ?? {}, 'limit_mib');
  const waitMs = durationAt(sampling, 'decision_wait', 30_000);
  const spansPerTrace = load.spansPerTrace ?? spansPerTraceDefault;
  const spans = (load.tracesPerSecond * spansPerTrace * waitMs) / 1000;
  const neededMib = Math.ceil((spans * heldBytesPerSpan) / mib);
  if (limitMib === 0 || neededMib <= limitMib) return;
  const message = `${grouped(load.tracesPerSecond)} traces/s of ${spansPerTrace} spans are ${grouped(spans)} spans in ${formatDuration(waitMs)}, about ${grouped(neededMib)} MiB at ${heldBytesPerSpan} bytes each, above the limit of ${grouped(limitMib)} MiB: traces would be decided early`;
  report(['processors', limiter, 'limit_mib'], message);
}
