/** What surprises in exporters: routing that parts traces, resolvers that cannot keep up, queues that lose. Main thread. */

import type { ConfigPath } from '../config-fault.ts';
import { formatDuration } from '../duration.ts';
import type { RawMap } from '../raw-value.ts';
import { durationAt, listAt, mapAt, numberAt, type Report } from './finding.ts';

type ExporterRule = (config: RawMap, path: ConfigPath, report: Report) => void;

/** A further finding is one more entry. */
export const balancerRules: readonly ExporterRule[] = [routingPartsTraces, dnsTimes, sameHosts, oneHost];
export const queuedExporterRules: readonly ExporterRule[] = [queueWithoutRetry, retryBelowInterval];

function routingPartsTraces(config: RawMap, path: ConfigPath, report: Report): void {
  const key = config.routing_key;
  if (key !== 'service' && key !== 'attributes') return;
  const by = key === 'service' ? 'service' : `of ${listAt(config, 'routing_attributes').join(', ')}`;
  const message = `a trace of several services goes to several backends, one for each value ${key === 'service' ? 'of its services' : by}: behind it tail_sampling sees parts; write traceID to keep traces whole`;
  report([...path, 'routing_key'], message);
}

function dnsTimes(config: RawMap, path: ConfigPath, report: Report): void {
  const dns = mapAt(config, 'resolver', 'dns');
  if (Object.keys(dns).length === 0) return;
  const at = [...path, 'resolver', 'dns'];
  const intervalMs = durationAt(dns, 'interval', 5_000);
  const timeoutMs = durationAt(dns, 'timeout', 1_000);
  if (timeoutMs > intervalMs && intervalMs > 0) {
    const message = `a question may take ${formatDuration(timeoutMs)} and the next is due after ${formatDuration(intervalMs)}: a name server that hangs is asked without a pause; write a timeout below interval`;
    report([...at, 'timeout' in dns ? 'timeout' : 'interval'], message);
  }
  if (intervalMs > 0 && intervalMs < 1_000 && 'interval' in dns) {
    report(
      [...at, 'interval'],
      `asks ${(1000 / intervalMs).toFixed(0)} times a second, from every router; addresses seldom live shorter than 1s`,
    );
  }
  if (intervalMs > 60_000) {
    report(
      [...at, 'interval'],
      `a backend that came or went is noticed after up to ${formatDuration(intervalMs)}; until then its traces fail or miss it`,
    );
  }
}

function sameHosts(config: RawMap, path: ConfigPath, report: Report): void {
  const hosts = listAt(mapAt(config, 'resolver', 'static'), 'hostnames').map((host) => String(host).trim());
  const full = hosts.map((host) => (/:\d+$/.test(host) ? host : `${host}:4317`));
  for (const [index, host] of full.entries()) {
    const before = full.indexOf(host);
    if (before === index) continue;
    report([...path, 'resolver', 'static', 'hostnames', index], `${host} stands at [${before}] already; a backend counts once`);
  }
}

function oneHost(config: RawMap, path: ConfigPath, report: Report): void {
  const { hostnames } = mapAt(config, 'resolver', 'static');
  if (!Array.isArray(hostnames) || hostnames.length !== 1) return;
  report(
    [...path, 'resolver', 'static', 'hostnames'],
    'is one backend, which gets everything; a Service name among hostnames is not resolved to its pods, dns or k8s does that',
  );
}

/** The queue answers "taken"; what fails then is gone. */
function queueWithoutRetry(config: RawMap, path: ConfigPath, report: Report): void {
  const queue = mapAt(config, 'sending_queue');
  if (mapAt(config, 'retry_on_failure').enabled !== false || queue.enabled === false || queue.wait_for_result === true) return;
  const message =
    'the sending queue answers before a request is sent, and without retries one that fails is lost; leave retries on, or write sending_queue: { enabled: false }';
  report([...path, 'retry_on_failure', 'enabled'], message);
}

function retryBelowInterval(config: RawMap, path: ConfigPath, report: Report): void {
  const retry = mapAt(config, 'retry_on_failure');
  const [initialMs, maxMs] = [durationAt(retry, 'initial_interval', 5_000), durationAt(retry, 'max_interval', 30_000)];
  if (initialMs > maxMs && maxMs > 0) {
    report(
      [...path, 'retry_on_failure', 'initial_interval'],
      `${formatDuration(initialMs)} is above max_interval: every wait is ${formatDuration(maxMs)}`,
    );
  }
  if (numberAt(retry, 'multiplier', 1.5) < 1 && numberAt(retry, 'multiplier', 1.5) > 0) {
    report([...path, 'retry_on_failure', 'multiplier'], 'below 1 the waits shrink: a backend in trouble is asked faster and faster');
  }
}
