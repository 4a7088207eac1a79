/** The `file_storage` extension: keeps the queues of exporters in a directory, so that they survive the process. Main thread. */

import { statSync } from 'node:fs';
import { access, constants, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigFault } from '../config/config-fault.ts';
import { bool, duration, type Infer, int, object, string } from '../config/fields.ts';
import type { ComponentSettings, DrainReport, ExtensionType } from '../pipeline/component.ts';
import { ComponentStartError } from '../pipeline/component-start-error.ts';
import { ComponentLife } from '../pipeline/component-state.ts';
import type { StorageExtension, StorageLog } from '../pipeline/storage-extension.ts';
import { type DirectoryLock, lockDirectory } from './storage/directory-lock.ts';
import { SegmentLog } from './storage/segment-log.ts';

/** Source: filestorage's Config, v0.161. */
export const fileStorageSchema = object({
  directory: string().default('/var/lib/otelcol/file_storage').describe('Where the files lie; must exist unless create_directory is set.'),
  timeout: duration().default(1_000).describe('Wait while another process has the files of the same component.'),
  fsync: bool().describe('Every write reaches the disk before it counts: survives the machine, not only the process.'),
  max_size: int({ type: 'int64', min: 0 }).describe('Bound of the files of one component in bytes; 0 = none.'),
  create_directory: bool().describe('Makes the directory at the start.'),
  directory_permissions: string().default('0750').describe('Octal permissions of a directory that is made.'),
  recreate: bool().describe('Read and not needed: damaged files are passed over record by record.'),
  compaction: object({
    on_start: bool(),
    on_rebound: bool(),
    directory: string().default('/var/lib/otelcol/file_storage'),
    max_transaction_size: int({ type: 'int64' }).default(65_536),
    rebound_needed_threshold_mib: int({ type: 'int64' }).default(100),
    rebound_trigger_threshold_mib: int({ type: 'int64' }).default(10),
    check_interval: duration().default(5_000),
    cleanup_on_start: bool(),
  }).describe('Read and not needed: files are removed and rewritten as their records are done with.'),
});
export type FileStorageConfig = Infer<typeof fileStorageSchema>;

export const fileStorageExtensionType: ExtensionType<FileStorageConfig> = {
  kind: 'extension',
  type: 'file_storage',
  schema: fileStorageSchema,
  check: checkFileStorage,
  create: (settings, config) => new FileStorage(settings, config),
};

/** Source: filestorage's Config.Validate; the words are theirs. */
function checkFileStorage(config: FileStorageConfig): readonly ConfigFault[] {
  const faults: ConfigFault[] = [];
  const fault = (key: string, message: string): void => {
    faults.push({ severity: 'error', path: [key], message });
  };
  if (!/^0?o?[0-7]+$/.test(config.directory_permissions)) {
    fault('directory_permissions', 'directory_permissions value must be a valid octal representation');
  } else if (modeOf(config) > 0o777) fault('directory_permissions', 'directory_permissions contain invalid bits for file access');
  if (config.compaction.max_transaction_size < 0) {
    faults.push({
      severity: 'error',
      path: ['compaction', 'max_transaction_size'],
      message: 'max transaction size for compaction cannot be less than 0',
    });
  }
  const wrong = config.create_directory ? undefined : whyNoDirectory(config.directory);
  if (wrong !== undefined) fault('directory', wrong);
  if (config.compaction.on_start || config.compaction.on_rebound) {
    faults.push({
      severity: 'warning',
      path: ['compaction'],
      message: 'is not needed: Ringtail removes and rewrites its storage files as their records are done with',
    });
  }
  return faults;
}

function whyNoDirectory(directory: string): string | undefined {
  try {
    return statSync(directory).isDirectory() ? undefined : `${directory} is not a directory`;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return `directory must exist: ${directory}; make it, or set create_directory: true`;
    return `problem accessing configured directory: ${message}`;
  }
}

function modeOf(config: FileStorageConfig): number {
  return Number.parseInt(config.directory_permissions.replace('o', ''), 8);
}

class FileStorage implements StorageExtension {
  readonly #settings: ComponentSettings;
  readonly #config: FileStorageConfig;
  readonly #life: ComponentLife;
  readonly #open: { readonly log: SegmentLog; readonly lock: DirectoryLock }[] = [];

  constructor(settings: ComponentSettings, config: FileStorageConfig) {
    this.#settings = settings;
    this.#config = config;
    this.#life = new ComponentLife({ start: () => this.#start(), stop: () => this.#stop() });
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

  async openLog(owner: string): Promise<StorageLog> {
    const { logger, clock } = this.#settings;
    const { fsync, max_size: bytesMax, timeout } = this.#config;
    const directory = join(this.#config.directory, `${safeName(owner)}.ringtail`);
    await this.#make(directory);
    const lock = await lockDirectory(clock, directory, timeout).catch((error: Error) => {
      throw new ComponentStartError('STORAGE', `file_storage: ${error.message}`, { cause: error });
    });
    if (lock === undefined) {
      throw new ComponentStartError(
        'STORAGE',
        `file_storage: timeout: another process uses ${directory}; give each process its own directory`,
      );
    }
    try {
      const log = await SegmentLog.open({ logger, directory, fsync, bytesMax });
      this.#open.push({ log, lock });
      return log;
    } catch (error) {
      await lock.release();
      throw new ComponentStartError('STORAGE', `file_storage: ${(error as Error).message}`, { cause: error });
    }
  }

  async #start(): Promise<void> {
    const { directory, create_directory: mayCreate } = this.#config;
    if (mayCreate) await this.#make(directory);
    try {
      await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (error) {
      throw new ComponentStartError('STORAGE', `file_storage: directory is not readable and writable: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  async #make(directory: string): Promise<void> {
    try {
      await mkdir(directory, { recursive: true, mode: modeOf(this.#config) });
    } catch (error) {
      throw new ComponentStartError('STORAGE', `file_storage: ${(error as Error).message}`, { cause: error });
    }
  }

  async #stop(): Promise<void> {
    for (const { log, lock } of this.#open.splice(0)) {
      await log.close();
      await lock.release();
    }
  }
}

/** Source: filestorage's file names: letters, digits, `.`, `-` and `_` stand for themselves, anything else as ~ and its number. */
export function safeName(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]/gu, (character) => `~${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`);
}
