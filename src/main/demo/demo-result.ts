/** What became of the demo's traces: compares what was sent with what the sink holds, as figures, table and sentence. Pure. */

import { type DemoKind, demoKinds } from './demo-traces.ts';

export const demoEnvironments = ['dev', 'tst'] as const;
export type DemoEnvironment = (typeof demoEnvironments)[number];

export interface SentTrace {
  readonly environment: DemoEnvironment;
  readonly kind: DemoKind;
  readonly spans: number;
}

/** `sent` and `kept` are spans; `traces` are those of which anything was kept, `whole` those of which everything was. */
export interface KindResult {
  sent: number;
  kept: number;
  traces: number;
  whole: number;
}

export type DemoResult = Readonly<Record<DemoEnvironment, Readonly<Record<DemoKind, KindResult>>>>;

/** Both maps are by trace id; `held` says how many spans of a trace reached the sink. */
export function demoResult(sent: ReadonlyMap<string, SentTrace>, held: ReadonlyMap<string, number>): DemoResult {
  const empty = (): KindResult => ({ sent: 0, kept: 0, traces: 0, whole: 0 });
  const kinds = () => ({ error: empty(), slow: empty(), normal: empty() });
  const result: DemoResult = { dev: kinds(), tst: kinds() };
  for (const [traceId, trace] of sent) {
    const row = result[trace.environment][trace.kind];
    const kept = held.get(traceId) ?? 0;
    row.sent += trace.spans;
    row.kept += kept;
    if (kept > 0) row.traces += 1;
    if (kept === trace.spans) row.whole += 1;
  }
  return result;
}

/** Whether the routers' environment kept every span of the traces that must be kept. */
export function keptAllItMust(result: DemoResult): boolean {
  return mustKeep.every((kind) => result.dev[kind].sent > 0 && result.dev[kind].kept === result.dev[kind].sent);
}

const mustKeep: readonly DemoKind[] = ['error', 'slow'];
const ways: Readonly<Record<DemoEnvironment, string>> = { dev: 'dev, through the routers', tst: 'tst, straight to samplers' };
const columns = ['environment', 'kind', 'spans sent', 'spans kept', 'whole traces', 'broken traces'];

export function demoTable(result: DemoResult): string {
  const rows = demoEnvironments.flatMap((environment) =>
    demoKinds.map((kind) => {
      const { sent, kept, traces, whole } = result[environment][kind];
      return [ways[environment], kind, sent, `${kept} (${percent(kept, sent)})`, whole, traces - whole].map(String);
    }),
  );
  const widths = columns.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ');
  return `${[line(columns), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n')}\n`;
}

function percent(part: number, whole: number): string {
  if (part === whole) return '100 %';
  return `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;
}

/** What the table means, in one sentence. */
export function demoSentence(result: DemoResult, tracesPerKind: number): string {
  const must = mustKeep.length * tracesPerKind;
  const whole = (environment: DemoEnvironment) => mustKeep.reduce((sum, kind) => sum + result[environment][kind].whole, 0);
  const { dev, tst } = { dev: whole('dev'), tst: whole('tst') };
  const lost = must - tst;
  const straight =
    lost > 0
      ? `sent straight to the samplers, ${lost} of ${must} lost spans, because each sampler saw a part of the trace and judged it alone`
      : 'sent straight to the samplers, none lost spans this time';
  if (keptAllItMust(result)) return `Through the routers all ${dev} of ${must} error and slow traces were kept whole; ${straight}.`;
  return `Through the routers only ${dev} of ${must} error and slow traces were kept whole, and all should have been; ${straight}.`;
}
