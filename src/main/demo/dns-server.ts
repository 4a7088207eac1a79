/** A small authoritative name server over UDP and TCP: the demo's routers find its samplers through it. Main thread. */

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { type DnsQuery, type DnsResponse, decodeDnsQuery, encodeDnsResponse } from '../../discovery/dns-message.ts';

export interface DnsServerSettings {
  /** Address to listen on, IPv4. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Without TCP a client cannot read answers larger than a datagram. Default true. */
  readonly tcp?: boolean;
  /** What is known about a question; undefined leaves it unanswered. */
  readonly respond: (query: DnsQuery, transport: 'udp' | 'tcp') => DnsResponse | undefined | Promise<DnsResponse | undefined>;
}

export interface DnsServer {
  /** `host:port`, as the dns resolver's `nameservers` takes it. */
  readonly address: string;
  stop(): Promise<void>;
}

const tcpBytesMax = 65_535;
const tcpIdleMs = 10_000;
const bindTries = 20;

/** Errors: rejects when the address cannot be bound. */
export async function startDnsServer(settings: DnsServerSettings): Promise<DnsServer> {
  const udp = createSocket('udp4');
  udp.on('error', () => {});
  udp.on('message', async (bytes, from) => {
    const query = decodeDnsQuery(bytes);
    const response = query && (await settings.respond(query, 'udp'));
    if (!query || !response || !open) return;
    udp.send(encodeDnsResponse(query, response, query.udpBytesMax), from.port, from.address, () => {});
  });
  let open = true;
  const connections = new Set<Socket>();
  const tcp = settings.tcp === false ? undefined : createServer((socket) => serveTcp(socket, settings, connections));
  const port = await bindBoth(udp, tcp, settings);
  return {
    address: `${settings.host}:${port}`,
    async stop() {
      if (!open) return;
      open = false;
      for (const socket of connections) socket.destroy();
      await Promise.all([
        new Promise<void>((ended) => udp.close(ended)),
        new Promise<void>((ended) => (tcp ? tcp.close(() => ended()) : ended())),
      ]);
    },
  };
}

/** Both on one port. A free one of UDP may be taken on TCP: then the next is tried. */
async function bindBoth(udp: UdpSocket, tcp: Server | undefined, settings: DnsServerSettings): Promise<number> {
  if (tcp === undefined) return bindUdp(udp, settings.host, settings.port);
  for (let attempt = 1; ; attempt++) {
    const port = await bindTcp(tcp, settings.host, settings.port);
    try {
      return await bindUdp(udp, settings.host, port);
    } catch (error) {
      await new Promise<void>((ended) => tcp.close(() => ended()));
      if (settings.port !== 0 || attempt === bindTries) {
        udp.close();
        throw error;
      }
    }
  }
}

function bindTcp(tcp: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    tcp.once('error', reject);
    tcp.listen(port, host, () => {
      tcp.removeListener('error', reject);
      const address = tcp.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

function bindUdp(udp: UdpSocket, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    udp.once('error', reject);
    udp.bind(port, host, () => {
      udp.removeListener('error', reject);
      resolve(udp.address().port);
    });
  });
}

/** Messages with a length of two bytes before each, one after the other. */
function serveTcp(socket: Socket, settings: DnsServerSettings, connections: Set<Socket>): void {
  let received = Buffer.alloc(0);
  let answering = Promise.resolve();
  connections.add(socket);
  socket.setTimeout(tcpIdleMs, () => socket.destroy());
  socket.on('error', () => {});
  socket.on('close', () => connections.delete(socket));
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      const query = decodeDnsQuery(received.subarray(2, end));
      received = received.subarray(end);
      if (!query) {
        socket.destroy();
        return;
      }
      answering = answering.then(() => answerTcp(socket, query, settings));
    }
  });
}

async function answerTcp(socket: Socket, query: DnsQuery, settings: DnsServerSettings): Promise<void> {
  const response = await settings.respond(query, 'tcp');
  if (!response || socket.destroyed) return;
  const message = encodeDnsResponse(query, response, tcpBytesMax);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  socket.write(Buffer.concat([length, message]));
}
