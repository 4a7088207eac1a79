/** Host name → addresses by the rules of the machine (literals, hosts file, search domains), as the Collector's Go resolver does. Main thread. */

import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import type { Clock } from '../shared/clock.ts';
import type { DnsClient, DnsOutcome } from './dns-client.ts';
import { canonicalAddress, isAddress } from './endpoint-names.ts';

export interface HostAddressesSettings {
  readonly client: DnsClient;
  readonly clock: Clock;
  /** `host`, `host:port`, `[v6]:port`; empty: those of resolv.conf. */
  readonly nameservers: readonly string[];
  /** Time limit of one whole question: both address families, all search domains. */
  readonly timeoutMs: number;
  readonly hostsPath: string;
  readonly resolvConfPath: string;
}

/** Each family on its own, because one may fail while the other answers. */
export interface HostAddresses {
  readonly ipv4: DnsOutcome;
  readonly ipv6: DnsOutcome;
}

export interface ResolvConf {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly ndots: number;
}

/** Errors: none; what cannot be found is an outcome. */
export async function hostAddresses(host: string, settings: HostAddressesSettings): Promise<HostAddresses> {
  if (isAddress(host)) return byFamily([host]);
  const listed = hostsEntries(await readText(settings.hostsPath), host);
  if (listed.length > 0) return byFamily(listed);
  let result: HostAddresses | undefined;
  await eachCandidate(host, settings, async (name, nameservers, leftMs) => {
    const [ipv4, ipv6] = await Promise.all([
      settings.client.lookup(name, 'A', nameservers, leftMs),
      settings.client.lookup(name, 'AAAA', nameservers, leftMs),
    ]);
    result = result === undefined ? { ipv4, ipv6 } : { ipv4: better(result.ipv4, ipv4), ipv6: better(result.ipv6, ipv6) };
    return ipv4.kind === 'found' || ipv6.kind === 'found';
  });
  const none: DnsOutcome = { kind: 'failed', cause: 'no answer in time' };
  return result ?? { ipv4: none, ipv6: none };
}

/** SRV records by the same search rules. */
export async function hostServices(name: string, settings: HostAddressesSettings): Promise<DnsOutcome> {
  let result: DnsOutcome = { kind: 'absent', cause: 'the name has no SRV record' };
  await eachCandidate(name, settings, async (candidate, nameservers, leftMs) => {
    result = better(result, await settings.client.lookup(candidate, 'SRV', nameservers, leftMs));
    return result.kind === 'found';
  });
  return result;
}

/** Tries the names that `host` may stand for until `ask` is satisfied or the time is over. */
async function eachCandidate(
  host: string,
  settings: HostAddressesSettings,
  ask: (name: string, nameservers: readonly string[], leftMs: number) => Promise<boolean>,
): Promise<void> {
  const conf = parseResolvConf(await readText(settings.resolvConfPath));
  const nameservers = settings.nameservers.length > 0 ? settings.nameservers : conf.nameservers;
  const deadlineMs = settings.clock.monotonicMs() + settings.timeoutMs;
  for (const name of searchNames(host, conf)) {
    const leftMs = deadlineMs - settings.clock.monotonicMs();
    if (leftMs <= 0 || (await ask(name, nameservers, leftMs))) return;
  }
}

/** An answer beats a failure, a failure beats "absent": what a later search domain does not know says nothing about a domain that failed. */
function better(before: DnsOutcome, now: DnsOutcome): DnsOutcome {
  if (now.kind === 'found') return now;
  return before.kind === 'failed' ? before : now;
}

function byFamily(addresses: readonly string[]): HostAddresses {
  const canonical = addresses.map(canonicalAddress);
  const outcomeOf = (list: string[]): DnsOutcome =>
    list.length > 0
      ? { kind: 'found', addresses: list, services: [], ttlMs: Number.POSITIVE_INFINITY }
      : { kind: 'absent', cause: 'the name has no address of this family' };
  return {
    ipv4: outcomeOf(canonical.filter((address) => isIPv4(address))),
    ipv6: outcomeOf(canonical.filter((address) => !isIPv4(address))),
  };
}

/** Source: resolver(5): a name with at least `ndots` dots is tried as it is first, another one last; a final dot ends the search. */
export function searchNames(host: string, conf: ResolvConf): string[] {
  if (host.endsWith('.')) return [host.slice(0, -1)];
  const dots = host.split('.').length - 1;
  const searched = conf.search.map((domain) => `${host}.${domain}`);
  return dots >= conf.ndots ? [host, ...searched] : [...searched, host];
}

/** Source: resolver(5). Bounds: `ndots` 0 to 15, three name servers, as in the C library. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  let search: string[] = [];
  let ndots = 1;
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && values[0] && nameservers.length < 3) nameservers.push(values[0]);
    if (keyword === 'search' || keyword === 'domain')
      search = values.map((domain) => domain.replace(/\.$/, '')).filter((domain) => domain !== '');
    if (keyword === 'options') {
      const written = values.find((value) => value.startsWith('ndots:'))?.slice('ndots:'.length);
      if (written !== undefined && /^\d+$/.test(written)) ndots = Math.min(15, Number(written));
    }
  }
  return { nameservers: nameservers.length > 0 ? nameservers : ['127.0.0.1'], search, ndots };
}

export function hostsEntries(text: string, host: string): string[] {
  const wanted = host.replace(/\.$/, '').toLowerCase();
  const found: string[] = [];
  for (const line of text.split('\n')) {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (isAddress(address.split('%', 1)[0]) && names.some((name) => name.toLowerCase() === wanted)) found.push(address);
  }
  return found;
}

/** A file that is not there is an empty one: both files are optional. */
async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}
