/**
 * Measures the OpenTelemetry Collector and Ringtail side by side: `npm run bench:collector -- [pattern] [--pairs=3] [--write]`. Builds the Collector from Go
 * modules when Go is there, else says so and ends. `--write` puts the table in front of the others in RESULTS.md.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { LoadResult } from './tier/load-process.ts';
import { figureOf, measureTier, ringtail, whyNoTiers } from './tier/measure-tier.ts';
import { type TierCase, tierCases } from './tier/tier-case.ts';

const folder = join(import.meta.dirname, 'collector');
const resultsFile = join(import.meta.dirname, 'RESULTS.md');
const binary = join(folder, 'build', 'collector');
const marker = '<!-- bench:collector writes below this line, newest first -->\n';

function text(command: string, ...args: string[]): string {
  return spawnSync(command, args, { encoding: 'utf8', cwd: import.meta.dirname }).stdout?.trim() ?? '';
}

/** Returns false, having said why, when there is no Collector to measure. */
function buildCollector(): boolean {
  if (spawnSync('go', ['version']).status !== 0) {
    process.stdout.write('bench:collector is skipped: Go is not installed, so the Collector cannot be built.\n');
    return false;
  }
  process.stdout.write('Building the Collector; the first time takes minutes.\n');
  const built = spawnSync('go', ['build', '-o', binary, '.'], { cwd: folder, stdio: 'inherit' });
  if (built.status !== 0) process.stdout.write('bench:collector is skipped: the Collector does not build here.\n');
  return built.status === 0;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

interface Row {
  readonly tier: TierCase;
  readonly collector: number;
  readonly ours: number;
  readonly ratios: readonly number[];
  readonly rssMib: number;
  /** Medians, spans per second and milliseconds from making a trace to its coming out (p99). */
  readonly rates: readonly [collector: number, ours: number];
  readonly outMs: readonly [collector: number, ours: number];
}

/** Interleaved pairs, so that what else the machine does hits both alike. */
async function compare(tier: TierCase, pairs: number, timeScale: number): Promise<Row> {
  const collector: LoadResult[] = [];
  const ours: LoadResult[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    collector.push(await measureTier(tier, [binary], { timeScale }));
    ours.push(await measureTier(tier, ringtail(), { timeScale }));
  }
  const figures = (results: readonly LoadResult[]) => results.map((result) => figureOf(tier, result));
  const both = (pick: (result: LoadResult) => number) => [median(collector.map(pick)), median(ours.map(pick))] as const;
  const row: Row = {
    tier,
    collector: median(figures(collector)),
    ours: median(figures(ours)),
    ratios: figures(collector).map((value, pair) => value / figures(ours)[pair]!),
    rssMib: Math.max(...ours.map(({ rssPeakMib }) => rssPeakMib)),
    rates: both(({ spansPerSecond }) => spansPerSecond),
    outMs: both(({ outMsP99 }) => outMsP99),
  };
  process.stdout.write(`${lineOf(row)}\n`);
  return row;
}

function lineOf({ tier, collector, ours, ratios, rssMib, rates, outMs }: Row): string {
  const isTime = tier.figure === 'micros per span';
  const shown = (value: number) => (isTime ? `${value.toFixed(2)} µs` : `${value.toFixed(0)} B`);
  const range = `${Math.min(...ratios).toFixed(1)}–${Math.max(...ratios).toFixed(1)}`;
  const wanted = isTime ? `${tier.must} / ${tier.aim}` : `≤ ${tier.must} B / ${tier.aim} B`;
  const name = tier.name.replace('tier/', '');
  return `| ${name} | ${shown(collector)} | ${shown(ours)} | **${median(ratios).toFixed(1)}** (${range}) | ${wanted} | ${Math.round(rssMib)} MiB | ${inThousands(rates)} | ${outMs.map(Math.round).join(' / ')} |`;
}

const inThousands = (rates: readonly number[]) => rates.map((rate) => `${Math.round(rate / 1000)}k`).join(' / ');

function tableOf(rows: readonly Row[], command: string): string {
  const machine = `${availableParallelism()} cores of ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()} ${arch()}`;
  const collector = /tailsamplingprocessor v(\S+)/.exec(readFileSync(join(folder, 'go.mod'), 'utf8'))?.[1];
  return [
    `## ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    '',
    `- machine: ${machine}; program and load on one core each`,
    `- versions: Node ${process.version}, Collector ${collector}, ${text('go', 'version').replace('go version ', '')}`,
    `- commit: ${text('git', 'rev-parse', '--short', 'HEAD')}${text('git', 'status', '--porcelain', '../../src') === '' ? '' : ', with changes that are not committed'}`,
    `- command: \`${command}\``,
    '',
    '| work | Collector | Ringtail | Collector : Ringtail, median (range) | must / aim | RSS of Ringtail | spans/s, Collector / Ringtail | ms to come out, p99 |',
    '|---|---|---|---|---|---|---|---|',
    ...rows.map(lineOf),
    '',
    '',
  ].join('\n');
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      pairs: { type: 'string', default: '3' },
      scale: { type: 'string', default: '1' },
      write: { type: 'boolean', default: false },
    },
  });
  const whyNot = whyNoTiers();
  if (whyNot !== undefined) process.stdout.write(`bench:collector is skipped: ${whyNot}.\n`);
  if (whyNot !== undefined || !buildCollector()) return;
  const rows: Row[] = [];
  for (const tier of tierCases.filter(({ name }) => name.includes(positionals[0] ?? ''))) {
    rows.push(await compare(tier, Number(values.pairs), Number(values.scale)));
  }
  const table = tableOf(rows, `npm run bench:collector -- ${process.argv.slice(2).join(' ')}`.trim());
  process.stdout.write(`\n${table}`);
  if (!values.write) return;
  const before = readFileSync(resultsFile, 'utf8');
  writeFileSync(resultsFile, before.replace(marker, `${marker}\n${table.trimEnd()}\n`));
}

if (import.meta.main) await main();
