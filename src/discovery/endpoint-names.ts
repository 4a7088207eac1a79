/** Spelling of endpoints: `host:port` with IPv6 in brackets, sorted by bytes. Any thread. */

import { isIPv4, isIPv6 } from 'node:net';

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

/** The usual spelling of an address, as the Collector's resolver prints it: IPv6 compressed in lower case, an IPv4-mapped address as IPv4, no zone. */
export function canonicalAddress(address: string): string {
  if (!isIPv6(address)) return address;
  const compressed = new URL(`http://[${address.split('%', 1)[0]}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(compressed);
  if (!mapped) return compressed;
  const [high, low] = [Number.parseInt(mapped[1], 16), Number.parseInt(mapped[2], 16)];
  return `${high >>> 8}.${high & 255}.${low >>> 8}.${low & 255}`;
}

export function isAddress(host: string): boolean {
  return isIPv4(host) || isIPv6(host);
}
