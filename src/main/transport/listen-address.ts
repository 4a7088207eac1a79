/** Reads `endpoint` and `transport` of a listener as Go's net package does, and says what a server is bound to. Main thread. */

import type { ListenOptions, Server } from 'node:net';

export type ListenTransport = 'tcp' | 'tcp4' | 'tcp6' | 'unix';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** Set for unix sockets; host and port are then empty. */
  readonly path?: string;
}

/**
 * Shape: `host:port`, `:port` (every address), `[v6]:port`; with `unix` a socket path.
 *
 * Errors: a text in the Collector's words when the endpoint cannot be read.
 */
export function parseListenAddress(endpoint: string, transport: ListenTransport): ListenAddress | { readonly error: string } {
  if (transport === 'unix') return endpoint === '' ? { error: 'unix socket path cannot be empty' } : { host: '', port: 0, path: endpoint };
  const colon = endpoint.lastIndexOf(':');
  if (colon < 0 || (endpoint.endsWith(']') && endpoint.startsWith('['))) return { error: `address ${endpoint}: missing port in address` };
  let host = endpoint.slice(0, colon);
  if (host.startsWith('[') && host.endsWith(']')) host = host.slice(1, -1);
  else if (host.includes(':')) return { error: `address ${endpoint}: too many colons in address` };
  const portText = endpoint.slice(colon + 1);
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : Number.NaN;
  if (!(port <= 65_535)) return { error: `invalid port "${portText}"` };
  return { host, port };
}

let portsShared = false;

/**
 * From now on every TCP port that this process binds is shared with others that bind it alike (SO_REUSEPORT): the system spreads new connections over them.
 * For the workers of one program, once, before anything listens.
 */
export function sharePorts(): void {
  portsShared = true;
}

export function listenOptionsOf(address: ListenAddress, transport: ListenTransport): ListenOptions {
  if (address.path !== undefined) return { path: address.path };
  const base = { port: address.port, backlog: 1024, ...(portsShared ? { reusePort: true } : {}) };
  if (address.host !== '') return { ...base, host: address.host };
  if (transport === 'tcp4') return { ...base, host: '0.0.0.0' };
  if (transport === 'tcp6') return { ...base, host: '::', ipv6Only: true };
  return base;
}

/** Listens, and settles when the socket is bound or the system refused. */
export async function listen(server: Server, address: ListenAddress, transport: ListenTransport): Promise<ListenAddress> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listenOptionsOf(address, transport), () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') return { host: '', port: 0, path: bound ?? address.path ?? '' };
  return { host: bound.address, port: bound.port };
}
