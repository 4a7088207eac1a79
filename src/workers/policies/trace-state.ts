/** The `trace_state` policy: samples a trace in which any span's W3C tracestate has a given key with one of the listed values. Worker thread. */

import { factBits, factRow } from '../../shared/arena/rows.ts';
import { equalBytes } from './byte-memo.ts';
import { type LeafPolicy, sampledIfSettled } from './policy.ts';
import { oneOf } from './string-attribute.ts';
import { TraceStateMembers } from './trace-state-members.ts';

const bitsWord = factRow.bits / 4;
const textWord = factRow.traceState / 4;
const textLengthWord = factRow.traceStateLength / 4;
/** Key, equals sign and value of an entry that can match have at most this many bytes. */
const memberBytesMax = 256;

/** A tracestate that breaks the W3C rules does not match, whatever it holds. */
export function traceState(config: { readonly key: string; readonly values: readonly string[] }): LeafPolicy {
  const key = new TextEncoder().encode(config.key);
  const isListed = oneOf(config.values.filter((value) => key.length + Buffer.byteLength(value) < memberBytesMax));
  const members = new TraceStateMembers();
  return {
    stateWords: 0,
    fold(span) {
      const { words, fact, bytes } = span;
      if ((words[fact + bitsWord] & factBits.hasTraceState) === 0) return false;
      const at = words[fact + textWord];
      if (!members.parse(bytes, at, at + words[fact + textLengthWord])) return false;
      for (let index = 0; index < members.count; index++) {
        if (equalBytes(key, bytes, members.keyAt[index], members.keyLength[index])) {
          return isListed(bytes, members.valueAt[index], members.valueLength[index]);
        }
      }
      return false;
    },
    read: sampledIfSettled,
  };
}
