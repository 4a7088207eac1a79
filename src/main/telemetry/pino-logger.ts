/** The logger over pino, in the Collector's two encodings. The only importer of pino. Main thread. */

import { pino, stdTimeFunctions } from 'pino';
import type { Logger } from './logger.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LoggerSettings {
  readonly level: LogLevel;
  readonly encoding: 'json' | 'console';
  /** `stderr`, `stdout` or a file name. */
  readonly outputPath: string;
  readonly initialFields: Readonly<Record<string, unknown>>;
}

export const defaultLoggerSettings: LoggerSettings = { level: 'info', encoding: 'console', outputPath: 'stderr', initialFields: {} };

/** A logger and its end: lines are written synchronously, so that the last words before an exit are not lost. */
export function createPinoLogger(settings: LoggerSettings): Logger {
  const lines = pino.destination({ dest: destination(settings.outputPath), sync: true, mkdir: false });
  const output = settings.encoding === 'json' ? lines : { write: (line: string) => lines.write(consoleLine(line)) };
  return pino(
    {
      level: settings.level,
      base: { ...settings.initialFields },
      messageKey: 'msg',
      timestamp: () => stdTimeFunctions.isoTime().replace('"time"', '"ts"'),
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  );
}

function destination(path: string): number | string {
  if (path === 'stderr') return 2;
  return path === 'stdout' ? 1 : path;
}

/** Time, level, message and fields, apart by tabs, as the Collector's console encoding has them. */
function consoleLine(line: string): string {
  const { ts, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.keys(fields).length === 0 ? '' : `\t${JSON.stringify(fields)}`;
  return `${ts}\t${level}\t${msg ?? ''}${rest}\n`;
}
