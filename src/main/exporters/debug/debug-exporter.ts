/** The `debug` exporter: tells the log, or stdout, what comes out of a pipeline. Main thread. */

import { createWriteStream, type WriteStream } from 'node:fs';
import type { Clock } from '../../../shared/clock.ts';
import type { ConfigFault } from '../../config/config-fault.ts';
import { anything, bool, choice, type Infer, int, object, stringList } from '../../config/fields.ts';
import type { ComponentSettings, DrainReport, Exporter, ExporterType, TracesPayload } from '../../pipeline/component.ts';
import { ComponentStartError } from '../../pipeline/component-start-error.ts';
import { ComponentLife } from '../../pipeline/component-state.ts';
import { accepted, type ConsumeOutcome } from '../../pipeline/consume-outcome.ts';
import type { BoundCounter } from '../../telemetry/metrics.ts';
import { detailedText, normalText, resourceSpansCount } from './traces-text.ts';

export const debugSchema = object({
  verbosity: choice(['basic', 'normal', 'detailed', 'Basic', 'Normal', 'Detailed']).default('basic'),
  sampling_initial: int().default(2).describe('Payloads told of in each second.'),
  sampling_thereafter: int().default(1).describe('After those, one of so many; 0 = none.'),
  use_internal_logger: bool().default(true).describe('false writes to output_paths instead of the log.'),
  output_paths: stringList().optional().describe('stdout, stderr or files; [stdout] when not written.'),
  sending_queue: anything().optional().describe('Read and without effect: nothing here can be slow.'),
});
export type DebugConfig = Infer<typeof debugSchema>;

export const debugExporterType: ExporterType<DebugConfig> = {
  kind: 'exporter',
  type: 'debug',
  schema: debugSchema,
  check: checkDebug,
  create: (settings, config) => new DebugExporter(settings, config),
};

function checkDebug(config: DebugConfig): ConfigFault[] {
  if (config.output_paths === undefined) return [];
  const fault = (message: string): ConfigFault[] => [{ severity: 'error', path: ['output_paths'], message }];
  if (config.use_internal_logger) return fault('output_paths is not supported when use_internal_logger is true');
  return config.output_paths.length === 0 ? fault('output_paths must not be empty when use_internal_logger is false') : [];
}

class DebugExporter implements Exporter {
  readonly #settings: ComponentSettings;
  readonly #config: DebugConfig;
  readonly #sampler: SecondSampler;
  readonly #sent: BoundCounter;
  readonly #life: ComponentLife;
  readonly #outputs: { write(text: string): unknown }[] = [];
  readonly #files: WriteStream[] = [];

  constructor(settings: ComponentSettings, config: DebugConfig) {
    this.#settings = settings;
    this.#config = config;
    this.#sampler = new SecondSampler(settings.clock, config.sampling_initial, config.sampling_thereafter);
    this.#sent = settings.metrics.counter('otelcol_exporter_sent_spans', { exporter: settings.id.text });
    this.#life = new ComponentLife({ start: () => this.#open(), stop: () => this.#close() });
  }

  start(): Promise<void> {
    return this.#life.start();
  }

  drain(deadlineMs: number): Promise<DrainReport> {
    return this.#life.drain(deadlineMs);
  }

  stop(): Promise<void> {
    return this.#life.stop();
  }

  consume(payload: TracesPayload): Promise<ConsumeOutcome> {
    // As in the Collector, only the log is sampled; an output of its own gets everything.
    if (!this.#config.use_internal_logger || this.#sampler.take()) this.#tell(payload);
    this.#sent.add(payload.spanCount);
    return Promise.resolve(accepted);
  }

  #tell(payload: TracesPayload): void {
    const counts = { 'resource spans': resourceSpansCount(payload.bytes), spans: payload.spanCount };
    const verbosity = this.#config.verbosity.toLowerCase();
    const text = verbosity === 'basic' ? undefined : verbosity === 'normal' ? normalText(payload.bytes) : detailedText(payload.bytes);
    if (this.#config.use_internal_logger) {
      this.#settings.logger.info(counts, 'Traces');
      if (text !== undefined) this.#settings.logger.info({}, text);
      return;
    }
    for (const output of this.#outputs) output.write(`Traces\t${JSON.stringify(counts)}\n${text ?? ''}`);
  }

  async #open(): Promise<void> {
    if (this.#config.use_internal_logger) return;
    for (const path of this.#config.output_paths ?? ['stdout']) {
      if (path === 'stdout' || path === 'stderr') {
        this.#outputs.push(process[path]);
        continue;
      }
      const file = createWriteStream(path, { flags: 'a' });
      const opened = Promise.withResolvers<void>();
      file.once('open', () => opened.resolve());
      file.on('error', (error) => {
        opened.reject(error);
        this.#settings.logger.warn({ path, error: error.message }, 'Cannot write.');
      });
      try {
        await opened.promise;
      } catch (error) {
        throw new ComponentStartError('OUTPUT_FAILED', `cannot open output "${path}": ${(error as Error).message}`, { cause: error });
      }
      this.#outputs.push(file);
      this.#files.push(file);
    }
  }

  async #close(): Promise<void> {
    await Promise.all(this.#files.map((file) => new Promise<void>((resolve) => file.end(() => resolve()))));
  }
}

/** Source: zap's sampler: the first `initial` of each second, then every `thereafter`-th. */
class SecondSampler {
  readonly #clock: Clock;
  readonly #initial: number;
  readonly #thereafter: number;
  #second = -1;
  #count = 0;

  constructor(clock: Clock, initial: number, thereafter: number) {
    this.#clock = clock;
    this.#initial = initial;
    this.#thereafter = thereafter;
  }

  take(): boolean {
    const second = Math.floor(this.#clock.monotonicMs() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#count = 0;
    }
    this.#count++;
    if (this.#count <= this.#initial) return true;
    return this.#thereafter > 0 && (this.#count - this.#initial) % this.#thereafter === 0;
  }
}
