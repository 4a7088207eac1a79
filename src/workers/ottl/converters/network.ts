/** Converters about addresses and URLs. Worker thread; built at compile time. */

import { createHash } from 'node:crypto';
import { type Converter, converter } from '../converter.ts';
import { CompileFault, dynamicGetter, type Getter } from '../getter.ts';
import type { SpanView } from '../span-view.ts';
import { OttlError } from '../values.ts';
import { contains, type Network, parseIp, parseNetwork } from './ip-addresses.ts';
import { map1 } from './map-arguments.ts';
import { parseUrl } from './url-parts.ts';

const protocols: Record<string, number> = { ICMP: 1, TCP: 6, UDP: 17, RSVP: 46, ICMP6: 58, SCTP: 132 };

interface Endpoint {
  readonly ip: Uint8Array;
  readonly port: number;
}

function endpoint(ipGetter: Getter<string>, portGetter: Getter<bigint>, name: string, view: SpanView): Endpoint | OttlError {
  const ipText = ipGetter.get(view);
  if (ipText instanceof OttlError) return new OttlError(`failed to get ${name} IP: ${ipText.message}`);
  const port = portGetter.get(view);
  if (port instanceof OttlError) return new OttlError(`failed to get ${name} port: ${port.message}`);
  if (port < 0n || port > 65535n) return new OttlError(`${name} port must be between 0 and 65535, got ${port}`);
  const ip = parseIp(ipText);
  return ip === undefined ? new OttlError(`invalid ${name} IP: ${ipText}`) : { ip, port: Number(port) };
}

/** Source: Community ID flow hashing, version 1; the smaller endpoint comes first, so that both directions hash alike. */
function flowHash(a: Endpoint, b: Endpoint, protocol: number, seed: number): string {
  const order = a.ip.length - b.ip.length || Buffer.compare(a.ip, b.ip) || a.port - b.port;
  const [first, second] = order > 0 ? [b, a] : [a, b];
  const word = (value: number) => Uint8Array.of(value >> 8, value & 0xff);
  const tuple = Buffer.concat([word(seed), first.ip, second.ip, Uint8Array.of(protocol, 0), word(first.port), word(second.port)]);
  return `1:${createHash('sha1').update(tuple).digest('base64')}`;
}

const communityId = converter(
  'CommunityID',
  [
    'SourceIP StringGetter',
    'SourcePort IntGetter',
    'DestinationIP StringGetter',
    'DestinationPort IntGetter',
    'Protocol StringGetter?',
    'Seed IntGetter?',
  ],
  ([sourceIp, sourcePort, destinationIp, destinationPort, protocolGetter, seedGetter]) =>
    dynamicGetter((view) => {
      const source = endpoint(sourceIp, sourcePort, 'source', view);
      if (source instanceof OttlError) return source;
      const destination = endpoint(destinationIp, destinationPort, 'destination', view);
      if (destination instanceof OttlError) return destination;
      const name = protocolGetter === undefined ? 'TCP' : (protocolGetter as Getter<string>).get(view);
      if (name instanceof OttlError) return new OttlError(`failed to get protocol: ${name.message}`);
      if (!Object.hasOwn(protocols, name)) return new OttlError(`unsupported protocol: ${name}`);
      const seed = seedGetter === undefined ? 0n : (seedGetter as Getter<bigint>).get(view);
      if (seed instanceof OttlError) return new OttlError(`failed to get seed: ${seed.message}`);
      if (seed < 0n || seed > 65535n) return new OttlError(`seed must be between 0 and 65535, got ${seed}`);
      return flowHash(source, destination, protocols[name]!, Number(seed));
    }),
);

function isInCidr(target: Getter<string>, networks: readonly Getter<string>[]): Getter {
  let literal: Network[] | undefined = [];
  for (const getter of networks) {
    if (!getter.literal) {
      literal = undefined;
      break;
    }
    const network = parseNetwork(getter.value!);
    if (network instanceof OttlError) throw new CompileFault(network.message);
    literal.push(network);
  }
  return dynamicGetter((view) => {
    const text = target.get(view);
    if (text instanceof OttlError) return text;
    const ip = parseIp(text);
    if (ip === undefined) return false;
    if (literal !== undefined) return literal.some((network) => contains(network, ip));
    for (const getter of networks) {
      const value = getter.get(view);
      const network = value instanceof OttlError ? value : parseNetwork(value);
      if (network instanceof OttlError) return network;
      if (contains(network, ip)) return true;
    }
    return false;
  });
}

export const networkConverters: readonly Converter[] = [
  communityId,
  converter('IsInCIDR', ['Target StringGetter', 'Networks []StringGetter'], ([target, networks]) => isInCidr(target, networks)),
  converter('URL', ['URI StringGetter'], ([uri]) => map1<string>(uri, parseUrl)),
];
