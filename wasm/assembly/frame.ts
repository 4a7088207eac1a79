/** Writes ResourceSpans fields around copies of runs: tags and lengths are new, every other byte is the source's. */

import {
  CONTEXT_FIRST_LENGTH,
  CONTEXT_FIRST_PIECE,
  CONTEXT_SECOND_LENGTH,
  CONTEXT_SECOND_PIECE,
  RUN_MARK,
  RUN_NEXT,
  RUN_SCOPE,
  RUN_SPANS,
  RUN_SPANS_LENGTH,
  SCOPE_RESOURCE,
} from "./rows";
import { varintBytes, writeVarint } from "./wire";

const TAG_RESOURCE_SPANS: u8 = 0x0a;
const TAG_SCOPE_SPANS: u8 = 0x12;

// @ts-ignore: decorator
@inline
function headerBytes(row: u32): u32 {
  return load<u32>(row, CONTEXT_FIRST_LENGTH) + load<u32>(row, CONTEXT_SECOND_LENGTH);
}

/** Small copies in line: memory.copy leaves WASM, which costs as much as copying some 200 bytes. Never writes past out + length. */
function copy(out: u32, from: u32, length: u32): u32 {
  const end = out + length;
  if (length > 256) {
    memory.copy(out, from, length);
    return end;
  }
  while (length >= 16) {
    v128.store(out, v128.load(from));
    out += 16;
    from += 16;
    length -= 16;
  }
  if (length >= 8) {
    store<u64>(out, load<u64>(from));
    out += 8;
    from += 8;
    length -= 8;
  }
  while (length) {
    store<u8>(out++, load<u8>(from++));
    length--;
  }
  return end;
}

function copyHeader(out: u32, row: u32): u32 {
  const first = load<u32>(row, CONTEXT_FIRST_LENGTH);
  if (first) out = copy(out, load<u32>(row, CONTEXT_FIRST_PIECE), first);
  const second = load<u32>(row, CONTEXT_SECOND_LENGTH);
  if (second) out = copy(out, load<u32>(row, CONTEXT_SECOND_PIECE), second);
  return out;
}

/** Bytes that a run's mark asks to be appended to its ScopeSpans: `mark` is 0 or the position of a u32 length with the bytes behind it. */
// @ts-ignore: decorator
@inline
function suffixBytes(mark: u32): u32 {
  return mark ? load<u32>(mark) : 0;
}

/** Where the last measured group ended: the first run that does not belong to it, 0 at the chain's end. */
let groupEnd: u32 = 0;

/** Length of the ScopeSpans that the chain starts with at `run`. */
function scopeLength(run: u32): u32 {
  const scope = load<u32>(run, RUN_SCOPE);
  const mark = load<u32>(run, RUN_MARK);
  let length = headerBytes(scope) + suffixBytes(mark);
  do {
    length += load<u32>(run, RUN_SPANS_LENGTH);
    run = load<u32>(run, RUN_NEXT);
  } while (run && load<u32>(run, RUN_SCOPE) == scope && load<u32>(run, RUN_MARK) == mark);
  groupEnd = run;
  return length;
}

/** Length of the ResourceSpans that the chain starts with at `run`. */
function resourceLength(run: u32): u32 {
  const resource = load<u32>(load<u32>(run, RUN_SCOPE), SCOPE_RESOURCE);
  let length = headerBytes(resource);
  do {
    const inner = scopeLength(run);
    length += 1 + varintBytes(inner) + inner;
    run = groupEnd;
  } while (run && load<u32>(load<u32>(run, RUN_SCOPE), SCOPE_RESOURCE) == resource);
  groupEnd = run;
  return length;
}

export function chainBytes(run: u32): u32 {
  let total: u32 = 0;
  while (run) {
    const length = resourceLength(run);
    total += 1 + varintBytes(length) + length;
    run = groupEnd;
  }
  return total;
}

export function writeChain(run: u32, out: u32): u32 {
  while (run) {
    const length = resourceLength(run);
    const resourceEnd = groupEnd;
    store<u8>(out++, TAG_RESOURCE_SPANS);
    out = writeVarint(out, length);
    out = copyHeader(out, load<u32>(load<u32>(run, RUN_SCOPE), SCOPE_RESOURCE));
    while (run != resourceEnd) {
      const inner = scopeLength(run);
      const scopeEnd = groupEnd;
      store<u8>(out++, TAG_SCOPE_SPANS);
      out = writeVarint(out, inner);
      out = copyHeader(out, load<u32>(run, RUN_SCOPE));
      const mark = load<u32>(run, RUN_MARK);
      while (run != scopeEnd) {
        out = copy(out, load<u32>(run, RUN_SPANS), load<u32>(run, RUN_SPANS_LENGTH));
        run = load<u32>(run, RUN_NEXT);
      }
      if (mark) out = copy(out, mark + 4, load<u32>(mark));
    }
  }
  return out;
}
