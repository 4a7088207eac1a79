/** DNS messages that the fuzzer "dns" found. */

import t from 'tap';
import { decodeDnsQuery, decodeDnsResponse, encodeDnsQuery, encodeDnsResponse } from '../../src/discovery/dns-message.ts';

t.test('an answer that is cut off within an address is malformed, and yields no address', async (t) => {
  for (const [type, address] of [
    ['A', '10.0.0.1'],
    ['AAAA', 'fd00::1'],
  ] as const) {
    const query = decodeDnsQuery(encodeDnsQuery(7, 'a.example', type, 0)!)!;
    const bytes = encodeDnsResponse(query, { rcode: 0, addresses: [address], services: [], ttlSeconds: 5 }, 512);
    t.same(decodeDnsResponse(bytes, type)?.addresses, [address]);
    for (let length = 0; length < bytes.length; length++)
      t.same(decodeDnsResponse(bytes.subarray(0, length), type)?.addresses ?? [], [], `${length} of ${bytes.length} bytes`);
  }
});
