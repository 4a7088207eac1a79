import fc from 'fast-check';
import t from 'tap';
import type { ArenaBlock } from '../../../src/main/arena/arena.ts';
import { largestBlockBytes } from '../../../src/main/arena/largest-block.ts';
import { createArena } from '../../../src/main/arena/shared-arena.ts';
import { memoryBytesMax } from '../../../src/shared/kernel-module.ts';

const unit = 65_536;

/** Whether an aligned free range of `units` exists, by looking at every unit. Keeps no structure, so it cannot share the allocator's mistakes. */
class NaiveModel {
  readonly #taken: boolean[];

  constructor(units: number) {
    this.#taken = Array.from({ length: units }, (_, i) => i === 0);
  }

  fits(units: number): boolean {
    for (let at = 0; at + units <= this.#taken.length; at += units) {
      if (!this.#taken.slice(at, at + units).includes(true)) return true;
    }
    return false;
  }

  take(block: ArenaBlock): void {
    for (const at of this.#unitsOf(block)) {
      if (this.#taken[at] !== false) throw new Error(`unit ${at} handed out twice, or not there`);
      this.#taken[at] = true;
    }
  }

  give(block: ArenaBlock): void {
    for (const at of this.#unitsOf(block)) this.#taken[at] = false;
  }

  heldBytes(): number {
    return (this.#taken.filter(Boolean).length - 1) * unit;
  }

  #unitsOf({ offset, length }: ArenaBlock): number[] {
    return Array.from({ length: length / unit }, (_, i) => offset / unit + i);
  }
}

/** Long enough to fill an arena and empty it again, which is when blocks that were not merged are missed. */
const steps = fc.array(
  fc.oneof(fc.record({ take: fc.constantFrom(0, 1, unit, unit + 1, 3 * unit, 5 * unit, 12 * unit) }), fc.record({ give: fc.nat() })),
  {
    minLength: 60,
    maxLength: 120,
  },
);

t.test('under any acquires and releases, blocks are aligned, disjoint, merged when free, and refused only when nothing fits', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 70 }), steps, (units, script) => {
      const arena = createArena({ capacityBytes: units * unit });
      const model = new NaiveModel(units);
      const held: ArenaBlock[] = [];
      for (const step of script) {
        if ('take' in step) {
          const size = 2 ** Math.max(0, Math.ceil(Math.log2(Math.max(1, step.take) / unit)));
          const block = arena.acquire(step.take);
          if ((block !== undefined) !== model.fits(size)) return false;
          if (block === undefined) continue;
          if (block.length !== size * unit || block.offset % block.length !== 0 || block.bytes.byteOffset !== block.offset) return false;
          if (block.bytes.length !== block.length) return false;
          model.take(block);
          held.push(block);
        } else if (held.length > 0) {
          const [block] = held.splice(step.give % held.length, 1);
          arena.release(block!);
          model.give(block!);
        }
        if (arena.heldBytes() !== model.heldBytes()) return false;
      }
      return true;
    }),
    { numRuns: 300 },
  );
  t.pass();
  t.end();
});

t.test('a released block is the next one handed out, and fresh blocks come from the bottom', (t) => {
  const arena = createArena({ capacityBytes: 1024 * unit });
  const first = arena.acquire(unit)!;
  t.equal(first.offset, unit, 'the page below is the kernel’s');
  const second = arena.acquire(100)!;
  t.equal(second.offset, 2 * unit);
  arena.acquire(100);
  arena.release(second);
  t.equal(arena.acquire(100)!.offset, second.offset);
  t.end();
});

t.test('releasing a block twice is a broken invariant', (t) => {
  const arena = createArena({ capacityBytes: 8 * unit });
  const block = arena.acquire(10)!;
  arena.release(block);
  t.throws(() => arena.release(block), /released twice/);
  t.equal(arena.heldBytes(), 0);
  t.end();
});

t.test('the kernel reads and writes next to the end of the largest arena', (t) => {
  const arena = createArena({ capacityBytes: 2 ** 32 });
  t.equal(arena.capacityBytes, memoryBytesMax);
  const large = arena.acquire(2 ** 31)!;
  t.equal(large, undefined, 'the lower half lacks the first page, the upper half the last');
  // Take everything large, so that what is left of the top is found.
  const blocks: ArenaBlock[] = [];
  for (let size = 2 ** 30; size >= unit; size /= 2) {
    for (let block = arena.acquire(size); block !== undefined; block = arena.acquire(size)) blocks.push(block);
  }
  const top = blocks.find((block) => block.offset + block.length === memoryBytesMax)!;
  const request = new Uint8Array([0x0a, 0x04, 0x12, 0x02, 0x12, 0x00]);
  const at = memoryBytesMax - request.length;
  top.bytes.set(request, top.length - request.length);
  t.equal(arena.kernel.validate(at, request.length), 1);
  t.equal(arena.kernel.validate(at, request.length - 1), -1, 'and refuses with an offset that is no negative number');
  t.equal(arena.kernel.errorOffset(), 0);
  const rowsAt = top.offset;
  t.equal(arena.kernel.split(at, request.length, rowsAt), 1);
  t.equal(arena.kernel.frameBytes(rowsAt), request.length);
  t.equal(arena.kernel.frame(rowsAt, rowsAt + 1024), rowsAt + 1024 + request.length);
  t.same(top.bytes.slice(1024, 1024 + request.length), request);
  t.end();
});

t.test('the largest block is what an empty arena has, and no more', async (t) => {
  for (const mib of [8, 33, 64, 100, 192, 255]) {
    const arena = createArena({ capacityBytes: mib * 1024 * 1024 });
    const bytes = largestBlockBytes(arena.capacityBytes);
    t.equal(arena.acquire(bytes + 1), undefined, `${mib} MiB`);
    t.ok(arena.acquire(bytes), `${mib} MiB`);
  }
});
