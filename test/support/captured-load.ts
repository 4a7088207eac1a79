/** Runs the load that command-line flags describe against a target that only remembers, and decodes what it got. */

import { Buffer } from 'node:buffer';
import type { Sender } from '../../src/main/exporters/sender/send-request.ts';
import { createLoad } from '../../src/main/loadgen/create-load.ts';
import { LoadAccount, type LoadReport } from '../../src/main/loadgen/load-report.ts';
import { type LoadgenOptions, loadgenFlags } from '../../src/main/loadgen/loadgen-flags.ts';
import { accepted } from '../../src/main/pipeline/consume-outcome.ts';
import { systemClock } from '../../src/shared/clock.ts';
import { seededPrng } from '../../src/shared/prng.ts';
import { type DecodedSpan, decodeSpans } from './otlp.ts';

/** Flags as the command line has them, `name=value` or `name`; what is not given has its default. */
export function optionsOf(...given: readonly string[]): LoadgenOptions {
  const options: Record<string, unknown> = {};
  const nameOf = (flags: string) => flags.split(' ')[0]!.slice(2);
  const camel = (name: string) => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  for (const { flags, initial } of loadgenFlags) options[camel(nameOf(flags))] = initial;
  for (const text of given) {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    const flag = loadgenFlags.find((candidate) => nameOf(candidate.flags) === name);
    if (flag === undefined) throw new Error(`no flag ${name}`);
    options[camel(name)] = flag.parse(equals < 0 ? 'true' : text.slice(equals + 1), options[camel(name)]);
  }
  return options as unknown as LoadgenOptions;
}

export interface CapturedLoad {
  readonly requests: readonly (readonly DecodedSpan[])[];
  /** By target: its requests. */
  readonly byTarget: readonly (readonly (readonly DecodedSpan[])[])[];
  readonly spans: readonly DecodedSpan[];
  readonly report: LoadReport;
}

export async function capturedLoad(flags: readonly string[], targetCount = 1): Promise<CapturedLoad> {
  const requests: DecodedSpan[][] = [];
  const byTarget = Array.from({ length: targetCount }, (): DecodedSpan[][] => []);
  const targets = byTarget.map(
    (own): Sender => ({
      async send(request) {
        // Read late: the bytes are lent until the answer.
        await Promise.resolve();
        const spans = decodeSpans(Buffer.concat(request.chunks, request.byteLength));
        if (spans.length !== request.spanCount) throw new Error('spanCount is wrong');
        requests.push(spans);
        own.push(spans);
        return accepted;
      },
    }),
  );
  const account = new LoadAccount();
  // The clock's timers hold no process alive.
  const alive = setInterval(() => {}, 1000);
  await createLoad(optionsOf(...flags), { clock: systemClock, prng: seededPrng(1), account, targets }).run();
  clearInterval(alive);
  return { requests, byTarget, spans: requests.flat(), report: account.report(1) };
}
