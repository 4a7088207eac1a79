/** Mutations for fuzzers: of bytes, and of texts in pieces that mean something. */

import { concat, type Dice } from './otlp.ts';

/** One change: bytes replaced, flipped, cut, inserted, left out, overwritten or repeated. */
export function mutateBytes(dice: Dice, original: Uint8Array): Uint8Array {
  if (original.length === 0) return dice.bytes(dice.below(8));
  const bytes = Uint8Array.from(original);
  const at = dice.below(bytes.length);
  const few = 1 + dice.below(6);
  switch (dice.below(7)) {
    case 0:
      bytes[at] = dice.below(256);
      return bytes;
    case 1:
      bytes[at]! ^= 1 << dice.below(8);
      return bytes;
    case 2:
      return bytes.slice(0, at);
    case 3:
      return concat(bytes.subarray(0, at), dice.bytes(few), bytes.subarray(at));
    case 4:
      return concat(bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + few)));
    case 5:
      return bytes.fill(dice.pick([0x00, 0x7f, 0x80, 0xff]), at, at + few);
    default:
      return concat(bytes.subarray(0, at), bytes.subarray(Math.max(0, at - dice.below(64))));
  }
}

/** One change of a text: a piece put in, a token replaced, a stretch left out or repeated somewhere else. */
export function mutateText(dice: Dice, text: string, pieces: readonly string[]): string {
  const at = dice.below(text.length + 1);
  const end = Math.min(text.length, at + dice.below(dice.chance(0.2) ? 200 : 12));
  switch (dice.below(5)) {
    case 0:
      return text.slice(0, at) + dice.pick(pieces) + text.slice(at);
    case 1:
      return text.slice(0, at) + dice.pick(pieces) + text.slice(end);
    case 2:
      return text.slice(0, at) + text.slice(end);
    case 3: {
      const to = dice.below(text.length + 1);
      return text.slice(0, to) + text.slice(at, end) + text.slice(to);
    }
    default:
      return replaceToken(dice, text, pieces);
  }
}

/** A word, number or string of the text, and nothing but it. */
function replaceToken(dice: Dice, text: string, pieces: readonly string[]): string {
  const tokens = [...text.matchAll(/"(?:[^"\\]|\\.)*"|[\w.+-]+/g)];
  if (tokens.length === 0) return text + dice.pick(pieces);
  const token = dice.pick(tokens);
  return text.slice(0, token.index) + dice.pick(pieces) + text.slice(token.index + token[0].length);
}
