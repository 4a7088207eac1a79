/**
 * Runs fuzz targets: `node test/fuzz/run.ts [target] [--turns=N] [--seconds=N] [--seed=N]`. Named, seeded, time-boxed: the same seed is the same run.
 * A target is a file test/fuzz/<name>.fuzz.ts exporting one FuzzTarget.
 */

import { strict as assert } from 'node:assert';
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Prng, seededPrng } from '../../src/shared/prng.ts';

export interface FuzzTarget {
  readonly name: string;
  /** Sets up and returns one turn; a turn throws when the target is wrong. Everything random comes from `prng`. */
  start(prng: Prng): () => void;
}

/** A target whose turns take their time. */
export interface AsyncFuzzTarget {
  readonly name: string;
  start(prng: Prng): () => void | Promise<void>;
}

export interface FuzzOptions {
  readonly turns: number;
  readonly secondsMax: number;
  readonly seed: number;
}

export interface FuzzReport {
  readonly turns: number;
  readonly seconds: number;
}

/** Errors: throws the target's own error, its message telling target, seed and turn. */
export function runFuzz(target: FuzzTarget, options: FuzzOptions): FuzzReport {
  const turn = target.start(seededPrng(options.seed));
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  let turns = 0;
  for (; turns < options.turns; turns++) {
    if (turns % 256 === 0 && seconds() > options.secondsMax) break;
    try {
      turn();
    } catch (cause) {
      throw new Error(`${target.name} fails at turn ${turns} of seed ${options.seed}: ${cause instanceof Error ? cause.message : cause}`, {
        cause,
      });
    }
  }
  return { turns, seconds: seconds() };
}

/** The same for targets that wait. Errors: rejects likewise. */
export async function runAsyncFuzz(target: AsyncFuzzTarget, options: FuzzOptions): Promise<FuzzReport> {
  const turn = target.start(seededPrng(options.seed));
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  let turns = 0;
  for (; turns < options.turns; turns++) {
    if (turns % 256 === 0 && seconds() > options.secondsMax) break;
    try {
      await turn();
    } catch (cause) {
      throw new Error(`${target.name} fails at turn ${turns} of seed ${options.seed}: ${cause instanceof Error ? cause.message : cause}`, {
        cause,
      });
    }
  }
  return { turns, seconds: seconds() };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      turns: { type: 'string', default: '1000000' },
      seconds: { type: 'string', default: '600' },
      seed: { type: 'string', default: '1' },
    },
  });
  const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.fuzz.ts') && file.startsWith(positionals[0] ?? ''));
  assert(files.length > 0, `no fuzz target is named ${positionals[0]}`);
  for (const file of files) {
    const module = (await import(`./${file}`)) as Record<string, unknown>;
    const targets = Object.values(module).filter(
      (value): value is AsyncFuzzTarget => typeof value === 'object' && value !== null && 'start' in value,
    );
    for (const target of targets) {
      const report = await runAsyncFuzz(target, {
        turns: Number(values.turns),
        secondsMax: Number(values.seconds),
        seed: Number(values.seed),
      });
      process.stdout.write(`${target.name}: ${report.turns} turns in ${report.seconds.toFixed(1)} s, seed ${values.seed}\n`);
    }
  }
}

if (import.meta.main) await main();
