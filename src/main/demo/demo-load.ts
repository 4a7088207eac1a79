/** The demo's generator: three clients that share every trace and send at the same time, each its own service's spans. Main thread. */

import type { Clock } from '../../shared/clock.ts';
import type { Prng } from '../../shared/prng.ts';
import { LoadGenerator } from '../loadgen/load-generator.ts';
import { LoadAccount, type LoadReport } from '../loadgen/load-report.ts';
import { createLoadTarget } from '../loadgen/load-target.ts';
import { Outbox } from '../loadgen/outbox.ts';
import { RequestFrame, type TraceIdWords } from '../loadgen/span-buffer.ts';
import type { TraceSource } from '../loadgen/trace-plan.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { DemoEnvironment, SentTrace } from './demo-result.ts';
import { type DemoKind, demoKinds, demoPlan, demoServices } from './demo-traces.ts';

export interface DemoLoadSettings {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly logger: Logger;
  readonly version: string;
  readonly environment: DemoEnvironment;
  /** Each request of a client goes to the next of them. */
  readonly endpoints: readonly string[];
  readonly tracesPerKind: number;
  readonly spansPerTrace: number;
  readonly sent: Map<string, SentTrace>;
}

const spansPerRequest = 50;
const delayMs = 50;
const requestsInFlightMax = 4;
const timeoutMs = 10_000;
const retryMs = 20_000;

/** Sends everything once and settles when all of it is answered. */
export async function sendDemoLoad(settings: DemoLoadSettings): Promise<LoadReport> {
  const { clock, environment, sent, version } = settings;
  const account = new LoadAccount();
  const targetSettings = { ...settings, account, userAgent: `ringtail-demo/${version}` };
  const targetOptions = { headers: [], tls: undefined, timeoutMs, retryMs, httpPath: undefined };
  const clients = demoServices.map(() =>
    settings.endpoints.map((endpoint) => createLoadTarget(targetSettings, { ...targetOptions, endpoint })),
  );
  const outboxes = demoServices.map((service, index) => {
    const resource = [['service.name', service] as const, ['deployment.environment.name', environment] as const];
    const frame = new RequestFrame(resource, 'ringtail-demo');
    const sending = { targets: clients[index]!, firstTarget: index, batchSize: spansPerRequest, delayMs, inFlightMax: requestsInFlightMax };
    return new Outbox({ clock, account, frame, ...sending });
  });
  const generator = new LoadGenerator({
    ...settings,
    account,
    source: inTurn(settings.spansPerTrace),
    outboxes,
    rate: 0,
    traces: settings.tracesPerKind * demoKinds.length,
    durationMs: Infinity,
    workers: 1,
    onTrace: (traceId, plan) => sent.set(hexOf(traceId), { environment, kind: plan.kind as DemoKind, spans: plan.spans.length }),
  });
  const startMs = clock.monotonicMs();
  try {
    await generator.run();
  } finally {
    await Promise.all(clients.flat().map((client) => client.close()));
  }
  return account.report((clock.monotonicMs() - startMs) / 1000);
}

/** One of each kind after the other. */
function inTurn(spansPerTrace: number): TraceSource {
  const plans = demoKinds.map((kind) => demoPlan(kind, spansPerTrace));
  let next = 0;
  return { next: () => plans[next++ % plans.length]! };
}

const hexOf = (traceId: TraceIdWords) => traceId.map((part) => part.toString(16).padStart(8, '0')).join('');
