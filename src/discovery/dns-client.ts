/**
 * Asks name servers: UDP with EDNS, TCP when an answer is truncated. Main thread.
 *
 * Not node:dns, because c-ares there sends no EDNS (30 backends then need a server with TCP, which the Collector does not), gives SRV records no TTL, and its
 * time limits add up to minutes.
 */

import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Clock } from '../shared/clock.ts';
import {
  answersQuery,
  type DnsRecordType,
  type DnsService,
  decodeDnsResponse,
  dnsRcodes,
  encodeDnsQuery,
  isTruncated,
  rcodeName,
  rcodeOf,
} from './dns-message.ts';

/** `absent`: a server says that there is no such name or record. `failed`: nobody gave a usable answer. Causes are sentences without data of the moment. */
export type DnsOutcome =
  | { readonly kind: 'found'; readonly addresses: readonly string[]; readonly services: readonly DnsService[]; readonly ttlMs: number }
  | { readonly kind: 'absent'; readonly cause: string }
  | { readonly kind: 'failed'; readonly cause: string };

export interface DnsClient {
  /** One question, for a complete name, to `nameservers` in turn. Never rejects; ends within `timeoutMs`. */
  lookup(name: string, type: DnsRecordType, nameservers: readonly string[], timeoutMs: number): Promise<DnsOutcome>;
}

export interface DnsClientSettings {
  /** Questions asked in all when none is answered; every name server is asked at least once. */
  readonly tries: number;
  readonly clock: Clock;
}

const dnsPort = 53;
/** What fits an Ethernet packet everywhere, as the Collector's resolver announces. */
const udpBytesSafe = 1232;
/** Announced when an answer is truncated and TCP does not work: fragments are better than no answer. */
const udpBytesLarge = 4096;
const tcpBytesMax = 65_535 + 2;

export function createDnsClient(settings: DnsClientSettings): DnsClient {
  return {
    async lookup(name, type, nameservers, timeoutMs) {
      const attempts = Math.max(settings.tries, nameservers.length);
      const deadlineMs = settings.clock.monotonicMs() + timeoutMs;
      let outcome: DnsOutcome = { kind: 'failed', cause: 'no name server is known' };
      for (let attempt = 0; attempt < attempts && nameservers.length > 0; attempt++) {
        const leftMs = deadlineMs - settings.clock.monotonicMs();
        if (leftMs <= 0) break;
        const written = nameservers[attempt % nameservers.length];
        const server = serverOf(written);
        if (server === undefined) {
          outcome = { kind: 'failed', cause: `name server ${written} is not host, host:port or [v6]:port` };
          continue;
        }
        outcome = await askServer({ server, name, type, clock: settings.clock, timeoutMs: leftMs / (attempts - attempt) });
        if (outcome.kind !== 'failed') return outcome;
      }
      return outcome;
    },
  };
}

interface Server {
  readonly host: string;
  readonly port: number;
  readonly text: string;
}

interface Question {
  readonly server: Server;
  readonly name: string;
  readonly type: DnsRecordType;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** Shape: `host`, `host:port`, `[v6]:port` or a bare IPv6 address. */
function serverOf(written: string): Server | undefined {
  if (isIPv6(written)) return { host: written, port: dnsPort, text: written };
  const match = /^(?:\[(.+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(written);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? dnsPort : Number(match[3]);
  return host === undefined || port === 0 || port > 65_535 ? undefined : { host, port, text: written };
}

type Reply = { readonly bytes: Buffer } | { readonly cause: string };

async function askServer(question: Question): Promise<DnsOutcome> {
  let udpBytes = udpBytesSafe;
  let tcpCause = '';
  // At most: UDP, UDP without or with a larger EDNS size. Each step lets the server's answer choose the next.
  for (let step = 0; step < 3; step++) {
    const reply = await exchange(question, udpBytes, askUdp);
    if ('cause' in reply) return { kind: 'failed', cause: `${reply.cause} from name server ${question.server.text}` };
    if (isTruncated(reply.bytes)) {
      const overTcp = tcpCause === '' ? await exchange(question, udpBytes, askTcp) : { cause: tcpCause };
      if ('bytes' in overTcp && !isTruncated(overTcp.bytes)) return readAnswer(question, overTcp.bytes);
      tcpCause = 'cause' in overTcp ? overTcp.cause : 'truncated there too';
      if (udpBytes !== udpBytesSafe) break;
      udpBytes = udpBytesLarge;
    } else if (udpBytes !== 0 && refusesEdns(reply.bytes)) {
      udpBytes = 0;
    } else {
      return readAnswer(question, reply.bytes);
    }
  }
  return { kind: 'failed', cause: `the answer is truncated and TCP does not work (${tcpCause}) with name server ${question.server.text}` };
}

type Ask = (server: Server, bytes: Buffer, isOurs: (bytes: Buffer) => boolean, end: (reply: Reply) => void) => () => void;

/** Runs one question over one transport under the time limit. */
function exchange(question: Question, udpBytes: number, ask: Ask): Promise<Reply> {
  const id = randomInt(65_536);
  return new Promise((resolve) => {
    const bytes = encodeDnsQuery(id, question.name, question.type, udpBytes);
    if (bytes === undefined) {
      resolve({ cause: 'the name cannot be asked for (a label is empty or too long), no answer' });
      return;
    }
    let close: (() => void) | undefined;
    let ended = false;
    const end = (reply: Reply) => {
      if (ended) return;
      ended = true;
      timer.cancel();
      close?.();
      resolve(reply);
    };
    const timer = question.clock.after(question.timeoutMs, () => end({ cause: 'no answer in time' }));
    close = ask(question.server, bytes, (answer) => isAnswerTo(answer, id, question), end);
    if (ended) close();
  });
}

const askUdp: Ask = (server, bytes, isOurs, end) => {
  const socket = createSocket({ type: isIPv6(server.host) ? 'udp6' : 'udp4' });
  let open = true;
  socket.unref();
  // A connected socket takes datagrams from the server only, and hears of a closed port.
  socket.on('error', (error) => end({ cause: `no answer (${codeOf(error)})` }));
  socket.on('message', (answer) => {
    if (isOurs(answer)) end({ bytes: answer });
  });
  const whenConnected = (error?: Error) => {
    if (error) end({ cause: `no answer (${codeOf(error)})` });
    else if (open) socket.send(bytes);
  };
  socket.connect(server.port, server.host, whenConnected);
  return () => {
    if (open) socket.close();
    open = false;
  };
};

const askTcp: Ask = (server, bytes, isOurs, end) => {
  const socket = connect({ host: server.host, port: server.port });
  let received = Buffer.alloc(0);
  socket.unref();
  socket.on('error', (error) => end({ cause: codeOf(error) }));
  socket.on('close', () => end({ cause: 'connection closed' }));
  socket.on('connect', () => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    socket.write(Buffer.concat([length, bytes]));
  });
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    if (received.length < 2) return;
    const complete = 2 + received.readUInt16BE(0);
    if (received.length < complete && received.length < tcpBytesMax) return;
    const answer = received.subarray(2, complete);
    end(isOurs(answer) ? { bytes: answer } : { cause: 'an answer to another question' });
  });
  return () => socket.destroy();
};

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? 'error';
}

function isAnswerTo(bytes: Buffer, id: number, question: Question): boolean {
  return answersQuery(bytes, id, question.name, question.type);
}

function refusesEdns(bytes: Buffer): boolean {
  const rcode = rcodeOf(bytes);
  return rcode === dnsRcodes.FORMERR || rcode === dnsRcodes.NOTIMP;
}

function readAnswer(question: Question, bytes: Buffer): DnsOutcome {
  const from = `name server ${question.server.text}`;
  const response = decodeDnsResponse(bytes, question.type);
  if (response === undefined) return { kind: 'failed', cause: `a malformed answer from ${from}` };
  if (response.rcode === dnsRcodes.NXDOMAIN) return { kind: 'absent', cause: `NXDOMAIN: there is no such name, says ${from}` };
  if (response.rcode !== dnsRcodes.NOERROR) return { kind: 'failed', cause: `${rcodeName(response.rcode)} from ${from}` };
  const { addresses, services, ttlSeconds } = response;
  if (addresses.length + services.length === 0) return { kind: 'absent', cause: `the name has no ${question.type} record, says ${from}` };
  return { kind: 'found', addresses, services, ttlMs: ttlSeconds * 1000 };
}
