/** IP addresses and networks as Go's net package reads them. Any thread. */

import { OttlError } from '../values.ts';

/** Four bytes; numbers without leading zeros. */
function parseIpv4(text: string): Uint8Array | undefined {
  if (!/^(?:(?:0|[1-9]\d{0,2})(?:\.|$)){4}$/.test(text) || text.endsWith('.')) return undefined;
  const parts = text.split('.').map(Number);
  return parts.length === 4 && parts.every((part) => part <= 255) ? Uint8Array.from(parts) : undefined;
}

/** Sixteen bytes; no zone. */
function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const words: number[][] = [];
  for (const half of halves) {
    const out: number[] = [];
    const groups = half === '' ? [] : half.split(':');
    for (const [i, group] of groups.entries()) {
      const last = i === groups.length - 1 && half === halves.at(-1);
      const v4 = last && group.includes('.') ? parseIpv4(group) : undefined;
      if (v4 !== undefined) out.push((v4[0]! << 8) | v4[1]!, (v4[2]! << 8) | v4[3]!);
      else if (/^[0-9a-fA-F]{1,4}$/.test(group)) out.push(Number.parseInt(group, 16));
      else return undefined;
    }
    words.push(out);
  }
  const [head, tail = []] = words as [number[], number[]?];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...new Array<number>(Math.max(missing, 0)).fill(0), ...tail];
  return Uint8Array.from(all.flatMap((word) => [word >> 8, word & 0xff]));
}

/** net.ParseIP followed by To4: four bytes for IPv4 (mapped addresses too), else sixteen. */
export function parseIp(text: string): Uint8Array | undefined {
  const bytes = text.includes(':') ? parseIpv6(text) : parseIpv4(text);
  const mapped = bytes?.length === 16 && bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? bytes.subarray(12) : bytes;
}

export interface Network {
  readonly address: Uint8Array;
  readonly prefixBits: number;
}

export function parseNetwork(text: string): Network | OttlError {
  const invalid = new OttlError(`invalid CIDR address: ${text}`);
  const slash = text.indexOf('/');
  if (slash < 0) return invalid;
  const host = text.slice(0, slash);
  const full = host.includes(':') ? parseIpv6(host) : parseIpv4(host);
  const prefix = text.slice(slash + 1);
  if (full === undefined || !/^\d{1,8}$/.test(prefix) || (prefix.length > 1 && prefix.startsWith('0')) || Number(prefix) > full.length * 8)
    return invalid;
  return { address: full, prefixBits: Number(prefix) };
}

/** IPNet.Contains: an IPv6 network that maps IPv4 is compared as sixteen bytes, so it holds no IPv4 address. */
export function contains({ address, prefixBits }: Network, ip: Uint8Array): boolean {
  if (address.length !== ip.length) return false;
  for (let bit = 0; bit < prefixBits; bit += 8) {
    const mask = prefixBits - bit >= 8 ? 0xff : (0xff << (8 - (prefixBits - bit))) & 0xff;
    if (((address[bit >> 3]! ^ ip[bit >> 3]!) & mask) !== 0) return false;
  }
  return true;
}
