/** `ringtail check`: says everything that is wrong or surprising in a configuration, and prints it canonical or complete. Main thread. */

import { formatFault } from '../config/config-error.ts';
import type { LocatedFault } from '../config/config-fault.ts';
import { printEffective } from '../config/effective-config.ts';
import { jsonSchema } from '../config/json-schema.ts';
import { loadSource } from '../config/load-configuration.ts';
import { printCanonical } from '../config/print-canonical.ts';
import { readConfiguration } from '../config/read-configuration.ts';
import type { ComponentType } from '../pipeline/component.ts';

export interface CheckOptions {
  /** As `--config` takes them: FILE, file:, env:NAME, yaml:TEXT, http(s):. */
  readonly files: readonly string[];
  /** Prints the files rewritten in canonical form, comments kept. */
  readonly fix?: boolean;
  /** Prints the effective configuration: merged, expanded, defaults filled in, secrets hidden. */
  readonly print?: boolean;
  /** Prints a JSON Schema and reads nothing. */
  readonly printSchema?: boolean;
  /** Traces per second to be expected. */
  readonly rate?: number;
  readonly spansPerTrace?: number;
  readonly tracesOnly?: boolean;
  readonly sets?: readonly string[];
  readonly featureGates?: ReadonlySet<string>;
  readonly otelcolCompatibility?: boolean;
}

export interface CheckIo {
  readonly componentTypes: readonly ComponentType[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Each takes whole lines, ended. */
  out(text: string): void;
  err(text: string): void;
}

export const exitDone = 0;
export const exitRefused = 2;

/** Findings go to `err`, what is printed to `out`. Answers the exit code: 0, or 2 when the configuration would be refused. */
export async function runCheck(options: CheckOptions, io: CheckIo): Promise<number> {
  if (options.printSchema === true) {
    io.out(`${JSON.stringify(jsonSchema(io.componentTypes), null, 2)}\n`);
    return exitDone;
  }
  if (options.files.length === 0) {
    io.err('no configuration given: name a file, env:NAME, yaml:TEXT or a URL\n');
    return exitRefused;
  }
  const { rate, spansPerTrace, tracesOnly, sets, featureGates, otelcolCompatibility } = options;
  const { configuration, faults, raw } = await readConfiguration(options.files, io.componentTypes, {
    environment: io.environment,
    ...(rate === undefined ? {} : { tracesPerSecond: rate }),
    ...(spansPerTrace === undefined ? {} : { spansPerTrace }),
    ...(tracesOnly === undefined ? {} : { tracesOnly }),
    ...(sets === undefined ? {} : { sets }),
    ...(featureGates === undefined ? {} : { featureGates }),
    ...(otelcolCompatibility === undefined ? {} : { otelcolCompatibility }),
  });
  for (const fault of faults) io.err(`${formatFault(fault)}\n`);
  if (options.fix === true) await printFixed(options.files, io);
  if (options.print === true && raw !== undefined && configuration !== undefined) io.out(printEffective(raw, io.componentTypes));
  io.err(`${summary(faults)}\n`);
  return configuration === undefined ? exitRefused : exitDone;
}

async function printFixed(files: readonly string[], io: CheckIo): Promise<void> {
  for (const [index, file] of files.entries()) {
    const source = await loadSource(file, io);
    if (source.root === undefined) continue;
    if (index > 0) io.out('---\n');
    io.out(printCanonical(source));
  }
}

function summary(faults: readonly LocatedFault[]): string {
  const errors = faults.filter((fault) => fault.severity === 'error').length;
  const warnings = faults.length - errors;
  const count = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`;
  if (errors > 0) return `refused: ${count(errors, 'error')}, ${count(warnings, 'warning')}`;
  return warnings > 0 ? `valid, with ${count(warnings, 'warning')}` : 'valid';
}
