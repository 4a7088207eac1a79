/** How much memory the process may use: the container's limit, else the machine's memory. Main thread, at start. */

import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';

const limitFiles = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'];

/**
 * Units:  bytes; never more than the machine's memory.
 * Source: cgroup v2 `memory.max`, cgroup v1 `memory.limit_in_bytes` (which says about 2^63 for no limit), `process.constrainedMemory()`.
 */
export function containerMemoryBytes(readText: (path: string) => string = readLimit): number {
  let limit = totalmem();
  for (const path of limitFiles) {
    const found = Number.parseInt(readText(path), 10);
    if (Number.isFinite(found) && found > 0) limit = Math.min(limit, found);
  }
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(limit, constrained) : limit;
}

function readLimit(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
