/** Spelling of endpoints: `host:port` with IPv6 in brackets, sorted by bytes. Any thread. */

import { isIPv6 } from 'node:net';

export const defaultBackendPort = 4317;

/** Sorted by UTF-8 bytes, without duplicates, so that every router gets the same list from the same set. */
export function sortedDistinct(names: Iterable<string>): string[] {
  return [...new Set(names)].sort(byBytes);
}

/** Byte order of UTF-8, which JavaScript's own order by UTF-16 unit is not beyond the basic plane. */
export function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

export function joinHostPort(host: string, port: number | string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What a user wrote for a backend, with the port that it lacks: `a` → `a:4317`, `::1` and `[::1]` → `[::1]:4317`. A target with a scheme stays as it is. */
export function withPort(written: string, port: number | string = defaultBackendPort): string {
  if (written.includes('://')) return written;
  if (isIPv6(written)) return `[${written}]:${port}`;
  if (written.startsWith('[')) return written.endsWith(']') ? `${written}:${port}` : written;
  return written.includes(':') ? written : `${written}:${port}`;
}
