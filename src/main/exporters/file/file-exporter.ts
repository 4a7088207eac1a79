/** The `file` exporter: writes what comes out of a pipeline to a file, in the Collector's forms. Main thread. */

import { Buffer } from 'node:buffer';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { jsonTextOf } from '../../../shared/otlp/json-text.ts';
import type { ConfigFault } from '../../config/config-fault.ts';
import {
  type ComponentSettings,
  type DrainReport,
  type Exporter,
  type ExporterType,
  nothingLost,
  type TracesPayload,
} from '../../pipeline/component.ts';
import { ComponentStartError } from '../../pipeline/component-start-error.ts';
import { ComponentLife } from '../../pipeline/component-state.ts';
import { accepted, type ConsumeOutcome, refusedRetryable } from '../../pipeline/consume-outcome.ts';
import { compress, joined } from '../../transport/compression/compress.ts';
import type { Sender, SendRequest } from '../sender/send-request.ts';
import { createSenderChain, type SenderChain } from '../sender/sender-chain.ts';
import { checkFile, directoryModeDefault, directoryModeOf, type FileConfig, fileSchema } from './file-config.ts';
import { FileWriter } from './file-writer.ts';

export const fileExporterType: ExporterType<FileConfig> = {
  kind: 'exporter',
  type: 'file',
  schema: fileSchema,
  check: (config): readonly ConfigFault[] => checkFile(config, []),
  create: (settings, config) => new FileExporter(settings, config),
};

const megabyte = 1024 * 1024;
/** Source: timberjack's default. */
const megabytesMaxDefault = 100;
const levelDefault = 3;
const lineEnd = Buffer.from('\n');

export class FileExporter implements Exporter {
  readonly #config: FileConfig;
  readonly #writer: FileWriter;
  readonly #chain: SenderChain;
  readonly #life: ComponentLife;

  constructor(settings: ComponentSettings, config: FileConfig) {
    this.#config = config;
    const { rotation } = config;
    this.#writer = new FileWriter(settings, {
      path: config.path,
      append: config.append,
      rotation: rotation && {
        fileBytesMax: (rotation.max_megabytes || megabytesMaxDefault) * megabyte,
        backupsMax: rotation.max_backups,
        daysMax: rotation.max_days,
        localTime: rotation.localtime,
      },
    });
    const sender: Sender = { send: (request) => this.#append(request) };
    this.#chain = createSenderChain(settings, { queue: undefined, retry: undefined, timeoutMs: 0 }, sender);
    this.#life = new ComponentLife({
      start: () => this.#open(),
      drain: async () => {
        await this.#writer.idle();
        return nothingLost;
      },
      stop: () => this.#writer.close(),
    });
  }

  start(): Promise<void> {
    return this.#life.start();
  }

  consume(payload: TracesPayload): Promise<ConsumeOutcome> {
    if (!this.#life.running) return Promise.resolve(refusedRetryable('the exporter is not running'));
    return this.#chain.consume(payload);
  }

  drain(deadlineMs: number): Promise<DrainReport> {
    return this.#life.drain(deadlineMs);
  }

  stop(): Promise<void> {
    return this.#life.stop();
  }

  async #open(): Promise<void> {
    const { path, create_directory: createDirectory, rotation } = this.#config;
    try {
      if (createDirectory) await mkdir(dirname(path), { recursive: true, mode: directoryModeOf(this.#config) });
      else if (rotation !== undefined) await mkdir(dirname(path), { recursive: true, mode: directoryModeDefault });
      await this.#writer.open();
    } catch (error) {
      throw new ComponentStartError('OUTPUT_FAILED', `cannot open "${path}": ${(error as Error).message}`, { cause: error });
    }
  }

  async #append(request: SendRequest): Promise<ConsumeOutcome> {
    const error = await this.#writer.append(await this.#recordOf(request));
    return error === undefined ? accepted : refusedRetryable(`cannot write to "${this.#config.path}": ${error.message}`);
  }

  /** A line of JSON; everything else stands behind its length. */
  async #recordOf(request: SendRequest): Promise<readonly Uint8Array[]> {
    const { format, compression, compression_params: params } = this.#config;
    const message = joined(request.chunks, request.byteLength);
    const plain = format === 'json' ? Buffer.from(jsonTextOf(message), 'utf8') : message;
    if (compression === '') return format === 'json' ? [plain, lineEnd] : [lengthPrefix(plain), plain];
    const compressed = await compress('zstd', plain, params.level || levelDefault);
    return [lengthPrefix(compressed), compressed];
  }
}

function lengthPrefix(bytes: Uint8Array): Buffer {
  const prefix = Buffer.allocUnsafe(4);
  prefix.writeUInt32BE(bytes.length);
  return prefix;
}
