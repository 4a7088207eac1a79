/** DNS messages ↔ the few facts that the resolver and the demo's server need: the one importer of dns-packet. Any thread. */

import dnsPacket, { type Answer, type Packet } from 'dns-packet';
import { canonicalAddress } from './endpoint-names.ts';

export type DnsRecordType = 'A' | 'AAAA' | 'SRV';

export const dnsRcodes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;

export interface DnsService {
  readonly host: string;
  readonly port: number;
  /** What the answer itself says about `host`; empty when it must be asked for. */
  readonly addresses: readonly string[];
}

export interface DnsQuery {
  readonly id: number;
  readonly name: string;
  /** Any type, by its mnemonic. */
  readonly type: string;
  /** Largest UDP answer that the client takes; 512 without EDNS. */
  readonly udpBytesMax: number;
  readonly edns: boolean;
}

export interface DnsResponse {
  readonly rcode: number;
  readonly addresses: readonly string[];
  readonly services: readonly DnsService[];
  /** The shortest of the answer, aliases included. */
  readonly ttlSeconds: number;
}

/** Header: id (2), flags (2: QR opcode AA TC RD | RA Z rcode), four counts (2 each). */
const headerBytes = 12;
const udpBytesWithoutEdns = 512;

/** `udpBytes` 0 leaves EDNS out. Errors: undefined when the name cannot be encoded. */
export function encodeDnsQuery(id: number, name: string, type: DnsRecordType, udpBytes: number): Buffer | undefined {
  if (name.split('.').some((label) => label === '' || Buffer.byteLength(label) > 63) || Buffer.byteLength(name) > 253) return undefined;
  const additionals: Answer[] = udpBytes > 0 ? [optRecord(udpBytes)] : [];
  return dnsPacket.encode({ type: 'query', id, flags: dnsPacket.RECURSION_DESIRED, questions: [{ type, name }], additionals });
}

function optRecord(udpPayloadSize: number): Answer {
  return { type: 'OPT', name: '.', udpPayloadSize, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] };
}

/** Errors: undefined when the bytes are no query with one question. */
export function decodeDnsQuery(bytes: Buffer): DnsQuery | undefined {
  try {
    const packet = dnsPacket.decode(bytes);
    const question = packet.questions?.[0];
    if (packet.type !== 'query' || question === undefined || packet.questions?.length !== 1) return undefined;
    const opt = packet.additionals?.find((record) => record.type === 'OPT');
    const udpBytesMax = Math.max(udpBytesWithoutEdns, opt?.type === 'OPT' ? opt.udpPayloadSize : 0);
    return { id: packet.id ?? 0, name: question.name, type: question.type, udpBytesMax, edns: opt !== undefined };
  } catch {
    return undefined;
  }
}

/**
 * The answer to `query`. Addresses of the asked family and services become records; a service's addresses become additional records.
 * Bounds: beyond `bytesMax` the records are left out and the message is marked truncated.
 */
export function encodeDnsResponse(query: DnsQuery, response: DnsResponse, bytesMax: number): Buffer {
  const { ttlSeconds: ttl } = response;
  const addressRecords = (name: string, addresses: readonly string[]): Answer[] =>
    addresses.map((data) => ({ type: data.includes(':') ? 'AAAA' : 'A', name, ttl, data }));
  const answers: Answer[] = addressRecords(query.name, response.addresses).filter((record) => record.type === query.type);
  const additionals: Answer[] = [];
  if (query.type === 'SRV') {
    for (const { host, port, addresses } of response.services) {
      answers.push({ type: 'SRV', name: query.name, ttl, data: { target: host, port, priority: 0, weight: 0 } });
      additionals.push(...addressRecords(host, addresses));
    }
  }
  if (query.edns) additionals.push(optRecord(query.udpBytesMax));
  const message: Packet & { readonly flags: number } = {
    type: 'response',
    id: query.id,
    flags: dnsPacket.AUTHORITATIVE_ANSWER | dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE | response.rcode,
    // The library's type names every record type, the wire any number.
    questions: [{ type: query.type as DnsRecordType, name: query.name }],
  };
  const complete = dnsPacket.encode({ ...message, answers, additionals });
  return complete.length <= bytesMax ? complete : dnsPacket.encode({ ...message, flags: message.flags | dnsPacket.TRUNCATED_RESPONSE });
}

export function isTruncated(bytes: Buffer): boolean {
  return (bytes[2] & 0x02) !== 0;
}

export function rcodeOf(bytes: Buffer): number {
  return bytes[3] & 0x0f;
}

export function rcodeName(rcode: number): string {
  return Object.entries(dnsRcodes).find(([, value]) => value === rcode)?.[0] ?? `rcode ${rcode}`;
}

/** Whether `bytes` are a response to this very question; a server that found a fault in the form may leave the question out. */
export function answersQuery(bytes: Buffer, id: number, name: string, type: DnsRecordType): boolean {
  if (bytes.length < headerBytes || bytes.readUInt16BE(0) !== id || (bytes[2] & 0x80) === 0) return false;
  if (bytes.readUInt16BE(4) === 0) return rcodeOf(bytes) !== dnsRcodes.NOERROR;
  // The first name of a message is never compressed, so that it can be compared as it stands.
  const expected = encodeDnsQuery(0, name, type, 0)?.subarray(headerBytes);
  if (expected === undefined) return false;
  const echoed = bytes.subarray(headerBytes, headerBytes + expected.length);
  return echoed.toString('latin1').toLowerCase() === expected.toString('latin1').toLowerCase();
}

/** What a response says about `type`. Errors: undefined when it is malformed. */
export function decodeDnsResponse(bytes: Buffer, type: DnsRecordType): DnsResponse | undefined {
  if (!isWhole(bytes)) return undefined;
  try {
    const packet = dnsPacket.decode(bytes);
    const records = packet.answers ?? [];
    const glue = addressesByName(packet.additionals ?? []);
    const addresses: string[] = [];
    const services: DnsService[] = [];
    for (const record of records) {
      if (record.type !== type) continue;
      if (record.type === 'A' || record.type === 'AAAA') addresses.push(canonicalAddress(record.data));
      if (record.type !== 'SRV') continue;
      const { target, port } = record.data;
      // The target "." says that the service is decidedly not here (RFC 2782).
      if (target !== '.' && target !== '') services.push({ host: target, port, addresses: glue.get(target.toLowerCase()) ?? [] });
    }
    const ttls = records.map((record) => ('ttl' in record ? (record.ttl ?? 0) : 0));
    return { rcode: rcodeOf(bytes), addresses, services, ttlSeconds: ttls.length > 0 ? Math.min(...ttls) : 0 };
  } catch {
    return undefined;
  }
}

/** Record type → bytes of its data. */
const fixedBytes: ReadonlyMap<number, number> = new Map([
  [1, 4],
  [28, 16],
]);

/**
 * Whether every record that the header counts is there to its last byte: the library makes addresses of what is cut off.
 *
 * Record: name, type (2), class (2), ttl (4), length (2), data. Source: RFC 1035, section 4.1.3.
 */
function isWhole(bytes: Buffer): boolean {
  if (bytes.length < headerBytes) return false;
  const count = (at: number) => bytes.readUInt16BE(at);
  let at = headerBytes;
  for (let left = count(4); left > 0 && at <= bytes.length; left--) at = nameEnd(bytes, at) + 4;
  for (let left = count(6) + count(8) + count(10); left > 0; left--) {
    const fixed = nameEnd(bytes, at);
    if (fixed + 10 > bytes.length) return false;
    const length = count(fixed + 8);
    if ((fixedBytes.get(count(fixed)) ?? length) !== length) return false;
    at = fixed + 10 + length;
  }
  return at <= bytes.length;
}

/** Behind the name: its labels up to the empty one or to a pointer. Beyond the bytes when there is no end. */
function nameEnd(bytes: Buffer, start: number): number {
  for (let at = start; at < bytes.length; ) {
    const length = bytes[at]!;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    at += 1 + length;
  }
  return bytes.length + 1;
}

function addressesByName(records: readonly Answer[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const record of records) {
    if (record.type !== 'A' && record.type !== 'AAAA') continue;
    const name = record.name.toLowerCase();
    found.set(name, [...(found.get(name) ?? []), canonicalAddress(record.data)]);
  }
  return found;
}
