/**
 * Runs bench cases: `npm run bench -- [pattern] [--rounds=N] [--brief]`. A case is a plain object in the `cases` of a file test/bench/*.bench.ts, or a tier
 * case. Prints, for a case in this process, the median and the best of several rounds in nanoseconds per span, and for a tier what its process cost.
 * Figures are for reading: no test asserts them. `--brief` runs each case once, to see that it works.
 */

import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { figureOf, measureTier, ringtail, whyNoTiers } from './tier/measure-tier.ts';
import { type TierCase, tierCases } from './tier/tier-case.ts';

export interface BenchCase<T = unknown> {
  /** `part/what`; the pattern is looked for in it. */
  readonly name: string;
  /** Spans that one `run` deals with. */
  readonly spansPerRun: number;
  setup(): T | Promise<T>;
  run(state: T): void | Promise<void>;
}

const roundMs = 60;
const briefTimeScale = 0.05;
const briefSpansMax = 20_000;

/** Shape: nanoseconds per span of each round, sorted. Units: `forMs` is the length of a round. */
export async function measure(bench: BenchCase, rounds: number, forMs = roundMs): Promise<number[]> {
  const state = await bench.setup();
  const turn = async () => {
    let runs = 0;
    const start = performance.now();
    let elapsed = 0;
    do {
      const pending = bench.run(state);
      if (pending !== undefined) await pending;
      runs++;
      elapsed = performance.now() - start;
    } while (elapsed < forMs);
    return (elapsed * 1e6) / (runs * bench.spansPerRun);
  };
  await turn();
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(await turn());
  return times.sort((a, b) => a - b);
}

/** Every case whose name holds `pattern`, file by file. */
export async function benchCases(pattern: string): Promise<readonly BenchCase[]> {
  const found: BenchCase[] = [];
  for (const file of readdirSync(import.meta.dirname).filter((name) => name.endsWith('.bench.ts'))) {
    const { cases } = (await import(`./${file}`)) as { cases: readonly BenchCase[] };
    found.push(...cases.filter(({ name }) => name.includes(pattern)));
  }
  return found;
}

async function runTier(tier: TierCase, isBrief: boolean): Promise<void> {
  const brief = { ...tier, spansMax: tier.spansMax === 0 ? 0 : briefSpansMax };
  const result = await measureTier(isBrief ? brief : tier, ringtail(), { timeScale: isBrief ? briefTimeScale : 1 });
  if (result.acceptedSpans === 0) throw new Error(`${tier.name}: no span was accepted`);
  const figure = `${figureOf(tier, result).toFixed(tier.figure === 'micros per span' ? 2 : 0)} ${tier.figure}`;
  const more = `${Math.round(result.spansPerSecond)} spans/s, ${Math.round(result.rssPeakMib)} MiB at most, ${result.failedRequests} failed`;
  process.stdout.write(`${tier.name.padEnd(40)} ${figure.padStart(28)}  (${more})\n`);
}

async function main(): Promise<void> {
  const options = { rounds: { type: 'string', default: '9' }, brief: { type: 'boolean', default: false } } as const;
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  const pattern = positionals[0] ?? '';
  for (const bench of await benchCases(pattern)) {
    const times = values.brief ? await measure(bench, 1, 0) : await measure(bench, Number(values.rounds));
    const median = times[times.length >> 1]!;
    process.stdout.write(`${bench.name.padEnd(40)} ${median.toFixed(1).padStart(9)} ns/span  (best ${times[0]!.toFixed(1)})\n`);
  }
  const tiers = tierCases.filter(({ name }) => name.includes(pattern));
  const whyNot = tiers.length === 0 ? undefined : whyNoTiers();
  if (whyNot !== undefined) process.stdout.write(`tier cases are left out: ${whyNot}\n`);
  else for (const tier of tiers) await runTier(tier, values.brief);
}

if (import.meta.main) await main();
