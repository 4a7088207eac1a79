/** `ringtail loadgen`: OTLP load with telemetrygen's flags, and an account of it. Main thread. */

import { writeFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { type Prng, seededPrng } from '../../shared/prng.ts';
import { createLoad } from '../loadgen/create-load.ts';
import { LoadAccount, type LoadReport } from '../loadgen/load-report.ts';
import { createLoadTarget } from '../loadgen/load-target.ts';
import type { LoadgenOptions } from '../loadgen/loadgen-flags.ts';
import { readReplayFile } from '../loadgen/replay-file.ts';
import { ReplayLoad } from '../loadgen/replay-load.ts';
import { createPinoLogger, defaultLoggerSettings } from '../telemetry/pino-logger.ts';
import { clientTlsOptions, TlsLoadError } from '../transport/tls.ts';
import { tlsClientSchema } from '../transport/tls-config.ts';
import { ExitCode, type ProcessHost } from './process-host.ts';

/** Returns the exit code: failed when spans were not accepted, unless that is allowed. */
export async function runLoadgen(options: LoadgenOptions, host: ProcessHost): Promise<ExitCode> {
  const { clock } = host;
  const prng = options.seed === 0 ? host.prng : seededPrng(options.seed);
  const account = new LoadAccount();
  let targets: ReturnType<typeof loadTargets>;
  try {
    targets = loadTargets(options, host, account, prng);
  } catch (error) {
    host.stderr(`error: ${(error as Error).message}\n`);
    return error instanceof TlsLoadError ? ExitCode.failed : ExitCode.refused;
  }
  const generator =
    options.replay === ''
      ? createLoad(options, { clock, prng, account, targets })
      : new ReplayLoad({ records: readReplayFile(options.replay), account, targets, inFlightMax: options.workers });
  const startMs = clock.monotonicMs();
  const seconds = () => (clock.monotonicMs() - startMs) / 1000;
  const interruption = catchSignals(generator, host);
  const endProgress = startProgress(options.interval, host, () => account.report(seconds()));
  let fault: Error | undefined;
  try {
    await generator.run();
  } catch (error) {
    if (options.replay === '') throw error;
    fault = error as Error;
  } finally {
    endProgress();
    interruption.end();
    await Promise.all(targets.map((target) => target.close()));
  }
  const report = account.report(seconds());
  host.stdout(reportText(report));
  if (options.json !== '') writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  if (interruption.code !== undefined) return interruption.code;
  if (fault !== undefined) {
    host.stderr(`error: ${fault.message}\n`);
    return ExitCode.failed;
  }
  return report.spans.accepted < report.spans.sent && !options.allowExportFailures ? ExitCode.failed : ExitCode.done;
}

function loadTargets(options: LoadgenOptions, host: ProcessHost, account: LoadAccount, prng: Prng) {
  const { clock, version } = host;
  const logger = createPinoLogger({ ...defaultLoggerSettings, level: 'warn' });
  const settings = { clock, prng, logger, account, userAgent: `ringtail-loadgen/${version}` };
  const tls = tlsOf(options);
  const headers = options.otlpHeader.map(([key, value]) => [key.toLowerCase(), String(value)] as const);
  const endpoints = options.otlpEndpoint.length > 0 ? options.otlpEndpoint : [options.otlpHttp ? 'localhost:4318' : 'localhost:4317'];
  const httpPath = options.otlpHttp ? options.otlpHttpUrlPath : undefined;
  const shared = { headers, tls, httpPath, timeoutMs: options.timeout, retryMs: options.retryFor };
  return endpoints.map((endpoint) => createLoadTarget(settings, { ...shared, endpoint }));
}

/** Errors: TlsLoadError when a file cannot be read. */
function tlsOf(options: LoadgenOptions): ConnectionOptions | undefined {
  if (options.otlpInsecure) return undefined;
  const certificate = options.mtls ? { cert_file: options.clientCert, key_file: options.clientKey } : {};
  const common = { ca_file: options.caCert, insecure_skip_verify: options.otlpInsecureSkipVerify };
  return clientTlsOptions(tlsClientSchema.parse({ ...common, ...certificate }));
}

/** The first signal ends the load with its report; the second ends at once. */
function catchSignals(generator: { stop(): void }, host: ProcessHost): { code: ExitCode | undefined; end(): void } {
  const interruption: { code: ExitCode | undefined; end(): void } = { code: undefined, end: () => {} };
  const handlers = (['SIGINT', 'SIGTERM'] as const).map((signal) => {
    const code = signal === 'SIGINT' ? ExitCode.interrupted : ExitCode.terminated;
    const handler = () => {
      if (interruption.code !== undefined) host.exitNow(code);
      interruption.code = code;
      generator.stop();
    };
    process.on(signal, handler);
    return [signal, handler] as const;
  });
  interruption.end = () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
  return interruption;
}

/** Units: milliseconds between lines; 0 is none. */
function startProgress(intervalMs: number, host: ProcessHost, report: () => LoadReport): () => void {
  // The clock's timers hold no process alive, and a slow rate has nothing else open: this does until the end.
  const keepAlive = new MessageChannel();
  keepAlive.port1.onmessage = () => {};
  let before = report();
  let stopped = false;
  const next = () => {
    if (intervalMs > 0 && !stopped) host.clock.after(intervalMs, line);
  };
  const line = () => {
    if (stopped) return;
    const now = report();
    const rate = (now.spans.sent - before.spans.sent) / Math.max(1e-3, now.seconds - before.seconds);
    const { sent, accepted, failed, rejected } = now.spans;
    const lost = failed + rejected > 0 ? `, ${failed + rejected} not taken` : '';
    host.stderr(`[${now.seconds.toFixed(0).padStart(4)} s] ${sent} spans sent (${rate.toFixed(0)}/s), ${accepted} accepted${lost}\n`);
    before = now;
    next();
  };
  next();
  return () => {
    stopped = true;
    keepAlive.port1.close();
  };
}

function reportText(report: LoadReport): string {
  const { spans, requests, traces, kinds, bytes, seconds, spansPerSecond, faults } = report;
  const byKind = Object.entries(kinds).map(([kind, number]) => `${number} ${kind}`);
  const lines = [
    `traces    ${traces}${byKind.length > 1 ? ` (${byKind.join(', ')})` : ''}`,
    `spans     ${spans.sent} sent, ${spans.accepted} accepted, ${spans.rejected} rejected, ${spans.failed} failed`,
    `requests  ${requests.sent} sent, ${requests.failed} failed, ${(bytes / 1e6).toFixed(2)} MB`,
    `rate      ${spansPerSecond.toFixed(0)} spans/s over ${seconds.toFixed(2)} s`,
    ...Object.entries(faults).map(([reason, number]) => `fault     ${number} × ${reason}`),
  ];
  return `${lines.join('\n')}\n`;
}
