/** Fuzz target "dns": mutated answers of name servers are understood or thrown away; they never throw, hang or yield what is no address. */

import { strict as assert } from 'node:assert';
import { isIP } from 'node:net';
import {
  answersQuery,
  type DnsRecordType,
  decodeDnsQuery,
  decodeDnsResponse,
  encodeDnsQuery,
  encodeDnsResponse,
  isTruncated,
  rcodeName,
  rcodeOf,
} from '../../src/discovery/dns-message.ts';
import type { Prng } from '../../src/shared/prng.ts';
import { mutateBytes } from '../support/mutate.ts';
import { Dice } from '../support/otlp.ts';
import type { FuzzTarget } from './run.ts';

const names = ['a.b', 'samplers.tracing.svc.cluster.local', '_otlp._tcp.samplers.example', `${'x'.repeat(63)}.${'y'.repeat(63)}.example`];
const types: readonly DnsRecordType[] = ['A', 'AAAA', 'SRV'];

export function checkAnswer(bytes: Buffer, name: string, type: DnsRecordType): void {
  answersQuery(bytes, 7, name, type);
  if (bytes.length >= 12) {
    isTruncated(bytes);
    rcodeName(rcodeOf(bytes));
  }
  decodeDnsQuery(bytes);
  const response = decodeDnsResponse(bytes, type);
  if (response === undefined) return;
  assert(Number.isFinite(response.ttlSeconds) && response.ttlSeconds >= 0, `ttl ${response.ttlSeconds}`);
  for (const address of response.addresses) assert(isIP(address) !== 0, `address ${address}`);
  for (const { host, port, addresses } of response.services) {
    assert(host !== '' && host !== '.' && port >= 0 && port <= 65_535, `${host}:${port}`);
    for (const address of addresses) assert(isIP(address) !== 0, `glue ${address}`);
  }
}

export const dnsFuzz: FuzzTarget = {
  name: 'dns',
  start(prng: Prng) {
    const dice = new Dice(prng);
    return () => {
      const name = dice.pick(names);
      const type = dice.pick(types);
      const query = decodeDnsQuery(encodeDnsQuery(7, name, type, dice.pick([0, 1232]))!)!;
      const addresses = Array.from({ length: dice.below(4) }, (_, index) => (type === 'AAAA' ? `fd00::${index + 1}` : `10.0.0.${index}`));
      const services = Array.from({ length: dice.below(3) }, (_, index) => ({
        host: `pod-${index}.${name}`.slice(-200),
        port: 4317,
        addresses: ['10.1.0.1', 'fd00::9'],
      }));
      const response = { rcode: dice.pick([0, 0, 0, 2, 3]), addresses, services, ttlSeconds: dice.pick([0, 5, 2 ** 31 - 1]) };
      let bytes: Uint8Array = encodeDnsResponse(query, response, dice.pick([512, 4096]));
      checkAnswer(Buffer.from(bytes), name, type);
      do bytes = mutateBytes(dice, bytes);
      while (dice.chance(0.5));
      checkAnswer(Buffer.from(bytes), name, dice.pick(types));
    };
  },
};
