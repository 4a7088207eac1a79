/** Splits a request by the owners of its traces and frames each owner's part into that backend's pending memory. Main thread. */

import type { Placement } from '../../../discovery/placement.ts';
import { runRow } from '../../../shared/arena/rows.ts';
import type { Arena, ArenaBlock } from '../../arena/arena.ts';
import { copyBytes } from '../../arena/copy-bytes.ts';
import type { PayloadRows } from '../../pipeline/component.ts';
import { GrpcStatus, type RefusedOutcome, refusedPermanent, refusedRetryable } from '../../pipeline/consume-outcome.ts';
import type { FrameBlock, FrameBlocks, FrameCursor } from './frame-blocks.ts';

/** The part of one owner. `frame` is undefined when the part is the whole request: its bytes are then the given ones. */
export interface RoutedPart {
  readonly owner: number;
  readonly bytes: Uint8Array;
  readonly spanCount: number;
  readonly frame: FrameBlock | undefined;
}

export type RouteOutcome = { readonly kind: 'routed'; readonly parts: readonly RoutedPart[] } | RefusedOutcome;

/** Tells the owner of each run. `begin` is called once per request, before its runs. */
export interface OwnerOfRun {
  begin(placement: Placement): void;
  ownerOf(runPtr: number): number;
}

/** Where an owner's part is framed to. */
export interface FrameTarget {
  readonly cursor: FrameCursor;
  readonly pendingBytes: number;
}

const word = 2;
const nextWord = runRow.next >>> word;
const countWord = runRow.spanCount >>> word;
const rowWords = runRow.bytes >>> word;
export const noMemory = refusedRetryable('no memory left for requests to backends', {
  code: GrpcStatus.resourceExhausted,
  retryAfterMs: 1000,
});

export class SliceRouter {
  readonly #arena: Arena;
  readonly #blocks: FrameBlocks;
  readonly #ownerOfRun: OwnerOfRun;
  readonly #words: Uint32Array;
  readonly #memory: Uint8Array;
  /** Per owner, valid for owners in `#touched`: first and last run of its chain, spans in it. */
  #first = new Uint32Array(0);
  #last = new Uint32Array(0);
  #spans = new Uint32Array(0);
  #touched = new Int32Array(0);

  constructor(arena: Arena, blocks: FrameBlocks, ownerOfRun: OwnerOfRun) {
    this.#arena = arena;
    this.#blocks = blocks;
    this.#ownerOfRun = ownerOfRun;
    this.#words = new Uint32Array(arena.memory.buffer);
    this.#memory = new Uint8Array(arena.memory.buffer);
  }

  /**
   * Shape:  `bytes` is one well-formed request, in the arena's memory or not; it is not changed. All parts together hold each span once.
   *         `given` is what the receiver found out about these bytes; without it they are walked again.
   * Errors: nothing is kept when it is refused: malformed bytes for good, no memory for now.
   */
  route(
    bytes: Uint8Array,
    spanCount: number,
    placement: Placement,
    targetOf: (owner: number) => FrameTarget,
    given?: PayloadRows,
  ): RouteOutcome {
    if (placement.endpoints.length === 1) return { kind: 'routed', parts: [{ owner: 0, bytes, spanCount, frame: undefined }] };
    let copy: ArenaBlock | undefined;
    if (bytes.buffer !== this.#memory.buffer) {
      copy = this.#arena.acquire(bytes.length);
      if (copy === undefined) return noMemory;
      copyBytes(bytes, this.#memory, copy.offset);
    }
    const outcome = this.#routeAt(copy?.offset ?? bytes.byteOffset, bytes, spanCount, placement, targetOf, given);
    if (copy !== undefined) this.#arena.release(copy);
    return outcome;
  }

  #routeAt(
    ptr: number,
    bytes: Uint8Array,
    spanCount: number,
    placement: Placement,
    targetOf: (owner: number) => FrameTarget,
    given: PayloadRows | undefined,
  ): RouteOutcome {
    const { kernel } = this.#arena;
    if (given === undefined && kernel.validate(ptr, bytes.length) < 0) return malformed(kernel.errorOffset());
    const uniform = given?.uniform ?? kernel.uniform();
    const rows = this.#arena.acquire(given?.bytesMax ?? kernel.splitBytesMax());
    if (rows === undefined) return noMemory;
    const runCount = kernel.split(ptr, bytes.length, rows.offset, uniform);
    const ownerCount = this.#link(rows.offset, runCount, placement);
    const outcome: RouteOutcome =
      ownerCount === 1
        ? { kind: 'routed', parts: [{ owner: this.#touched[0]!, bytes, spanCount, frame: undefined }] }
        : this.#frameOwners(ownerCount, targetOf);
    this.#clear(ownerCount);
    this.#arena.release(rows);
    return outcome;
  }

  /** Chains the runs of each owner; `#touched` then names the owners. Nothing here allocates. */
  #link(rowsPtr: number, runCount: number, placement: Placement): number {
    this.#fit(placement.endpoints.length);
    const words = this.#words;
    const first = this.#first;
    const last = this.#last;
    const spans = this.#spans;
    const ownerOfRun = this.#ownerOfRun;
    ownerOfRun.begin(placement);
    let ownerCount = 0;
    let at = rowsPtr >>> word;
    for (let run = 0; run < runCount; run++, at += rowWords) {
      const owner = ownerOfRun.ownerOf(at * 4);
      if (spans[owner] === 0) {
        this.#touched[ownerCount++] = owner;
        first[owner] = at * 4;
      } else {
        words[last[owner]! + nextWord] = at * 4;
      }
      last[owner] = at;
      spans[owner]! += words[at + countWord]!;
    }
    return ownerCount;
  }

  #frameOwners(ownerCount: number, targetOf: (owner: number) => FrameTarget): RouteOutcome {
    const { kernel } = this.#arena;
    const parts: RoutedPart[] = [];
    for (let index = 0; index < ownerCount; index++) {
      const owner = this.#touched[index]!;
      const { cursor, pendingBytes } = targetOf(owner);
      const byteLength = kernel.frameBytes(this.#first[owner]!);
      const frame = this.#blocks.reserve(cursor, byteLength, pendingBytes);
      if (frame === undefined) {
        for (const part of parts) this.#blocks.release(part.frame!);
        return noMemory;
      }
      const offset = frame.block.offset + frame.usedBytes - byteLength;
      kernel.frame(this.#first[owner]!, offset);
      parts.push({ owner, bytes: new Uint8Array(this.#memory.buffer, offset, byteLength), spanCount: this.#spans[owner]!, frame });
    }
    return { kind: 'routed', parts };
  }

  #clear(ownerCount: number): void {
    for (let index = 0; index < ownerCount; index++) this.#spans[this.#touched[index]!] = 0;
  }

  #fit(ownersMax: number): void {
    if (this.#spans.length >= ownersMax) return;
    this.#first = new Uint32Array(ownersMax);
    this.#last = new Uint32Array(ownersMax);
    this.#spans = new Uint32Array(ownersMax);
    this.#touched = new Int32Array(ownersMax);
  }
}

function malformed(offset: number): RefusedOutcome {
  return refusedPermanent(`malformed request: byte ${offset}`, GrpcStatus.invalidArgument);
}

/** Routing by trace id: the placement looks the 16 bytes up where they lie. */
export class OwnerByTraceId implements OwnerOfRun {
  readonly #words: Uint32Array;
  readonly #memory: Uint8Array;
  #placement!: Placement;

  constructor(arena: Arena) {
    this.#words = new Uint32Array(arena.memory.buffer);
    this.#memory = new Uint8Array(arena.memory.buffer);
  }

  begin(placement: Placement): void {
    this.#placement = placement;
  }

  ownerOf(runPtr: number): number {
    return this.#placement.ownerOfTraceId(this.#memory, this.#words[(runPtr + runRow.traceId) >>> word]!);
  }
}
