/** A lock on a directory that ends with the process that holds it, however it ends. Main thread. */

import { readFileSync } from 'node:fs';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { pid } from 'node:process';
import type { Clock } from '../../../shared/clock.ts';

const pollMs = 50;

export interface DirectoryLock {
  release(): Promise<void>;
}

/** Locks of this very process: its own id in a file says nothing about who in it holds the lock. */
const heldHere = new Set<string>();

/**
 * Takes the lock, waiting up to `timeoutMs` while another process, or another part of this one, has it.
 *
 * A lock file names its holder by host, process id and start time, so that neither a killed process nor the same id given to another one keeps the lock.
 * A holder on another host cannot be asked: its lock is taken over, because a volume that has moved to a new pod looks the same.
 * Errors: undefined when time is up.
 */
export async function lockDirectory(clock: Clock, directory: string, timeoutMs: number): Promise<DirectoryLock | undefined> {
  const file = join(directory, 'lock');
  const endMs = clock.monotonicMs() + timeoutMs;
  while (!(await tryLock(file))) {
    if (clock.monotonicMs() >= endMs) return undefined;
    await new Promise<void>((resolve) => clock.after(pollMs, resolve));
  }
  return {
    async release() {
      await rm(file, { force: true });
      heldHere.delete(file);
    },
  };
}

async function tryLock(file: string): Promise<boolean> {
  if (heldHere.has(file)) return false;
  heldHere.add(file);
  try {
    if (await create(file)) return true;
    if (isAlive(await readFile(file, 'utf8').catch(() => ''))) {
      heldHere.delete(file);
      return false;
    }
    await rm(file, { force: true });
    if (await create(file)) return true;
  } catch (error) {
    heldHere.delete(file);
    throw error;
  }
  heldHere.delete(file);
  return false;
}

/** Linked into place whole, so that nobody reads half of it. */
async function create(file: string): Promise<boolean> {
  const draft = `${file}.${pid}`;
  await writeFile(draft, `${hostname()} ${pid} ${startTimeOf(pid)}\n`);
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

function isAlive(holder: string): boolean {
  const [host, id, startTime] = holder.trim().split(' ');
  const processId = Number(id);
  if (host !== hostname() || !Number.isInteger(processId) || processId <= 0) return false;
  // This process holds no such lock (see `heldHere`): whoever wrote the file had the same id before.
  if (processId === pid) return false;
  return startTimeOf(processId) === startTime;
}

/** Field 22 of /proc/<pid>/stat, behind the name in brackets; where there is no /proc, whether there is such a process. */
function startTimeOf(processId: number): string {
  try {
    const text = readFileSync(`/proc/${processId}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? 'unknown';
  } catch {
    try {
      process.kill(processId, 0);
      return 'unknown';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'unknown' : 'gone';
    }
  }
}
