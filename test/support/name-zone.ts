/** A scriptable name server for tests, over the product's own server. */

import { type DnsResponse, dnsRcodes } from '../../src/discovery/dns-message.ts';
import { type DnsServer, startDnsServer } from '../../src/main/demo/dns-server.ts';

export interface ZoneRecords {
  readonly rcode?: keyof typeof dnsRcodes;
  readonly addresses?: readonly string[];
  readonly services?: readonly { readonly host: string; readonly port: number; readonly addresses?: readonly string[] }[];
  readonly ttlSeconds?: number;
  /** The server says nothing. */
  readonly silent?: boolean;
  readonly delayMs?: number;
  /** Other records for one type. */
  readonly types?: Readonly<Record<string, ZoneRecords>>;
}

/** Names that are not listed do not exist. */
export type Zone = Readonly<Record<string, ZoneRecords>>;

export interface ZoneServer {
  readonly address: string;
  /** Questions so far: `udp A name`. */
  readonly asked: string[];
  zone: Zone;
  stop(): Promise<void>;
}

export async function startZone(zone: Zone, options: { readonly tcp?: boolean } = {}): Promise<ZoneServer> {
  const asked: string[] = [];
  const state = { zone };
  const server: DnsServer = await startDnsServer({
    host: '127.0.0.1',
    port: 0,
    tcp: options.tcp ?? true,
    respond: async (query, transport) => {
      asked.push(`${transport} ${query.type} ${query.name}`);
      const named = state.zone[query.name.toLowerCase()];
      const records = named?.types?.[query.type] ?? named;
      if (records?.delayMs) await new Promise((resolve) => setTimeout(resolve, records.delayMs));
      return records?.silent ? undefined : responseOf(records);
    },
  });
  return {
    address: server.address,
    asked,
    get zone() {
      return state.zone;
    },
    set zone(zone) {
      state.zone = zone;
    },
    stop: () => server.stop(),
  };
}

function responseOf(records: ZoneRecords | undefined): DnsResponse {
  return {
    rcode: dnsRcodes[records === undefined ? 'NXDOMAIN' : (records.rcode ?? 'NOERROR')],
    addresses: records?.addresses ?? [],
    services: (records?.services ?? []).map((service) => ({ addresses: [], ...service })),
    ttlSeconds: records?.ttlSeconds ?? 1,
  };
}
