/** The load that the flags of `ringtail loadgen` describe: its traces, its requests, its workers. Main thread. */

import type { Clock } from '../../shared/clock.ts';
import type { Prng } from '../../shared/prng.ts';
import type { Sender } from '../exporters/sender/send-request.ts';
import { LoadGenerator } from './load-generator.ts';
import type { LoadAccount } from './load-report.ts';
import type { LoadgenOptions, MixShare } from './loadgen-flags.ts';
import { Outbox } from './outbox.ts';
import { RequestFrame } from './span-buffer.ts';
import { SpanStatus } from './span-template.ts';
import { telemetrygenPlan } from './telemetrygen-plan.ts';
import { TraceMix, type TracePlan } from './trace-plan.ts';

export interface LoadSettings {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly account: LoadAccount;
  readonly targets: readonly Sender[];
}

/** Source: the batch span processor of the OpenTelemetry SDK, as telemetrygen sets it. */
const delayMs = 1_000;
const scopeName = 'telemetrygen';
const millisecond = 1_000_000;

export function createLoad(options: LoadgenOptions, settings: LoadSettings): LoadGenerator {
  return new LoadGenerator({
    ...settings,
    source: sourceOf(options),
    outboxes: outboxesOf(options, settings),
    rate: options.rate,
    traces: options.duration > 0 || options.traces === 0 ? Infinity : options.traces,
    durationMs: options.duration > 0 ? options.duration : Infinity,
    workers: options.workers,
  });
}

function outboxesOf(options: LoadgenOptions, settings: LoadSettings): Outbox[] {
  const { clock, account, targets } = settings;
  return Array.from({ length: options.services }, (_, index) => {
    const service = options.services === 1 ? options.service : `${options.service}-${index}`;
    const attributes = new Map([['service.name', service], ...options.otlpAttributes]);
    return new Outbox({
      clock,
      account,
      frame: new RequestFrame([...attributes], scopeName),
      targets,
      firstTarget: index,
      batchSize: options.batch ? options.batchSize : 1,
      delayMs,
      inFlightMax: options.batch ? Math.max(4, 2 * options.workers) : options.workers,
    });
  });
}

function sourceOf(options: LoadgenOptions): TraceMix {
  const childSpans = Math.max(1, options.spans > 0 ? options.spans - 1 : options.childSpans);
  const plan = (kind: string, status: SpanStatus, spanDurationMs: number): TracePlan =>
    telemetrygenPlan({
      kind,
      status,
      childSpans,
      spanDurationNanos: Math.round(spanDurationMs * millisecond),
      attributes: options.telemetryAttributes,
      spanLinks: options.spanLinks,
      sizeMib: options.size,
      remoteParent: options.marshal,
      services: options.services,
    });
  const planOf = (share: MixShare) =>
    share.kind === 'error'
      ? plan('error', SpanStatus.error, options.spanDuration)
      : plan('slow', options.statusCode, options.slowDuration / childSpans);
  const shares = options.mix.map((share) => ({ percent: share.percent, plan: planOf(share) }));
  return new TraceMix(shares, plan('normal', options.statusCode, options.spanDuration));
}
