/** A kernel over a small memory of its own with fixed places for input, rows and output, for tests that call it directly. */

import { runRow } from '../../src/shared/arena/rows.ts';
import { createSharedMemory, loadKernel } from '../../src/shared/kernel-module.ts';

const mib = 2 ** 20;

export const kernelPlaces = { input: 65_536, rows: 4 * mib, output: 12 * mib, bytes: 16 * mib } as const;

/** Shape: `run` is a run row, `header…` the concatenated pieces of its context rows. */
export interface RunView {
  readonly at: number;
  readonly spans: number;
  readonly length: number;
  readonly count: number;
  readonly scopeRow: number;
  readonly traceId: string;
  readonly hash: number;
}

export class KernelRig {
  readonly memory = createSharedMemory(kernelPlaces.bytes);
  readonly kernel = loadKernel(this.memory);
  readonly bytes = new Uint8Array(this.memory.buffer);
  readonly words = new Uint32Array(this.memory.buffer);

  /** Copies `request` so that it ends exactly where a guard byte stands; a read past its end would be a different result. */
  put(request: Uint8Array): number {
    this.bytes.set(request, kernelPlaces.input);
    this.bytes[kernelPlaces.input + request.length] = 0x0a;
    return kernelPlaces.input;
  }

  validate(request: Uint8Array): number {
    return this.kernel.validate(this.put(request), request.length);
  }

  /** Validates and splits; -1 if either refuses. What lies behind `splitBytes()` is nobody's, so it is overwritten. */
  split(request: Uint8Array, uniform = false): number {
    if (this.validate(request) < 0) return -1;
    const room = this.kernel.splitBytesMax();
    const runs = this.kernel.split(kernelPlaces.input, request.length, kernelPlaces.rows, uniform);
    this.bytes.fill(0xff, kernelPlaces.rows + this.kernel.splitBytes(), kernelPlaces.rows + room + 64);
    return runs;
  }

  run(index: number): RunView {
    const at = kernelPlaces.rows + index * runRow.bytes;
    const word = (offset: number) => this.words[(at + offset) / 4]!;
    const id = word(runRow.traceId);
    return {
      at,
      spans: word(runRow.spans),
      length: word(runRow.spansLength),
      count: word(runRow.spanCount),
      scopeRow: word(runRow.scope),
      traceId: Buffer.from(this.bytes.slice(id, id + 16)).toString('hex'),
      hash: word(runRow.hash),
    };
  }

  /** Links the runs with these indexes into a chain and frames it. */
  frame(indexes: readonly number[]): Uint8Array {
    if (indexes.length === 0) return new Uint8Array();
    const position = (index: number) => kernelPlaces.rows + index * runRow.bytes;
    indexes.forEach((index, i) => {
      this.words[(position(index) + runRow.next) / 4] = i + 1 < indexes.length ? position(indexes[i + 1]!) : 0;
    });
    const expected = this.kernel.frameBytes(position(indexes[0]!));
    const guard = 0xee;
    this.bytes[kernelPlaces.output + expected] = guard;
    const end = this.kernel.frame(position(indexes[0]!), kernelPlaces.output);
    if (end - kernelPlaces.output !== expected)
      throw new Error(`frame wrote ${end - kernelPlaces.output} bytes, frameBytes said ${expected}`);
    if (this.bytes[end] !== guard) throw new Error('frame wrote past its end');
    return this.bytes.slice(kernelPlaces.output, end);
  }
}
