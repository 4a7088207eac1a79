/** The files that rotation sets aside: their names, and which of them have to go. Main thread. */

import { readdir, unlink } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';

export interface RotationLimits {
  /** 0 = no limit. */
  readonly backupsMax: number;
  /** 0 = no limit. */
  readonly daysMax: number;
  readonly localTime: boolean;
}

const dayMs = 24 * 60 * 60 * 1000;
const stamp = /^(\d{4})-(\d{2})-(\d{2})T(\d{2})-(\d{2})-(\d{2})\.(\d{3})(?:-[a-z]+)?$/;

/** `traces.json` → `traces-2026-01-02T03-04-05.678-size.json`. Source: the names of timberjack, which the Collector rotates with. */
export function oldFileName(path: string, wallMs: number, localTime: boolean): string {
  const extension = extname(path);
  const stem = basename(path, extension);
  return join(dirname(path), `${stem}-${stampOf(wallMs, localTime)}-size${extension}`);
}

function stampOf(wallMs: number, localTime: boolean): string {
  const time = new Date(wallMs);
  const shifted = localTime ? new Date(wallMs - time.getTimezoneOffset() * 60_000) : time;
  return shifted.toISOString().slice(0, 23).replaceAll(':', '-');
}

/** Units: milliseconds since the epoch. Undefined: not a file that was set aside. Older Collectors wrote no reason behind the time. */
function timeOf(name: string, stem: string, extension: string, localTime: boolean): number | undefined {
  if (!name.startsWith(`${stem}-`) || !name.endsWith(extension)) return undefined;
  const parts = stamp.exec(name.slice(stem.length + 1, name.length - extension.length));
  if (parts === null) return undefined;
  const [year, month, day, hour, minute, second, ms] = parts.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return localTime
    ? new Date(year, month - 1, day, hour, minute, second, ms).getTime()
    : Date.UTC(year, month - 1, day, hour, minute, second, ms);
}

/** Removes what is over the limits. Errors: rejects with the first file that cannot be removed, after having tried all. */
export async function removeOldFiles(path: string, limits: RotationLimits, wallMs: number): Promise<void> {
  if (limits.backupsMax === 0 && limits.daysMax === 0) return;
  const extension = extname(path);
  const stem = basename(path, extension);
  const old: { readonly name: string; readonly timeMs: number }[] = [];
  for (const name of await readdir(dirname(path))) {
    const timeMs = timeOf(name, stem, extension, limits.localTime);
    if (timeMs !== undefined) old.push({ name, timeMs });
  }
  old.sort((a, b) => b.timeMs - a.timeMs);
  const oldestMs = limits.daysMax === 0 ? -Infinity : wallMs - limits.daysMax * dayMs;
  const goes = old.filter(({ timeMs }, index) => (limits.backupsMax > 0 && index >= limits.backupsMax) || timeMs < oldestMs);
  const results = await Promise.allSettled(goes.map(({ name }) => unlink(join(dirname(path), name))));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
