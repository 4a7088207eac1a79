/**
 * Runs bench cases: `node test/bench/run.ts [pattern] [--rounds=N]`. A case is a plain object in the `cases` of a file test/bench/*.bench.ts.
 * Prints the median and the best of several rounds, in nanoseconds per span. Figures are for reading: no test asserts them.
 */

import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';

export interface BenchCase<T = unknown> {
  /** `part/what`; the pattern is looked for in it. */
  readonly name: string;
  /** Spans that one `run` deals with. */
  readonly spansPerRun: number;
  setup(): T;
  run(state: T): void;
}

const roundMs = 60;

/** Shape: nanoseconds per span of each round, sorted. */
export function measure(bench: BenchCase, rounds: number): number[] {
  const state = bench.setup();
  const turn = (forMs: number) => {
    let runs = 0;
    const start = performance.now();
    let elapsed = 0;
    while (elapsed < forMs) {
      bench.run(state);
      runs++;
      elapsed = performance.now() - start;
    }
    return (elapsed * 1e6) / (runs * bench.spansPerRun);
  };
  turn(roundMs);
  return Array.from({ length: rounds }, () => turn(roundMs)).sort((a, b) => a - b);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: { type: 'string', default: '9' } } });
  for (const file of readdirSync(import.meta.dirname).filter((name) => name.endsWith('.bench.ts'))) {
    const { cases } = (await import(`./${file}`)) as { cases: readonly BenchCase[] };
    for (const bench of cases.filter(({ name }) => name.includes(positionals[0] ?? ''))) {
      const times = measure(bench, Number(values.rounds));
      const median = times[times.length >> 1]!;
      process.stdout.write(`${bench.name.padEnd(40)} ${median.toFixed(1).padStart(9)} ns/span  (best ${times[0]!.toFixed(1)})\n`);
    }
  }
}

if (import.meta.main) await main();
