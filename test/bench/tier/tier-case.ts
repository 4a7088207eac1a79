/** The rows of issue 5's table as bench cases: a configuration, a load, and how many sinks stand behind it. */

import type { RequestShape } from './bench-request.ts';

export interface TierCase {
  /** `tier/what`. */
  readonly name: string;
  readonly sinks: number;
  readonly shape: RequestShape;
  /** Spans per second; 0 is as fast as it goes. */
  readonly rate: number;
  readonly inflight: number;
  readonly warmMs: number;
  readonly measuredMs: number;
  /** Stop after so many spans; 0 is never. */
  readonly spansMax: number;
  /** What is compared: CPU per span, or resident bytes per span that is held. */
  readonly figure: 'micros per span' | 'bytes per held span';
  /** Collector : ours that issue 5 asks for. For bytes: the most that a held span may take. */
  readonly must: number;
  readonly aim: number;
  configuration(receiverPort: number, sinkPorts: readonly number[]): string;
}

const usual: RequestShape = { spansPerRequest: 510, spansPerTrace: 3, services: 5, fatAttributes: 0, gzip: false };

const receiver = (port: number) => `
receivers:
  otlp:
    protocols:
      grpc: { endpoint: 127.0.0.1:${port}, max_recv_msg_size_mib: 64 }`;
const quiet = 'telemetry: { metrics: { level: none }, logs: { level: warn } }';

const router = (compression: string) => (port: number, sinkPorts: readonly number[]) =>
  `${receiver(port)}
exporters:
  loadbalancing:
    routing_key: traceID
    protocol:
      otlp:
        compression: ${compression}
        tls: { insecure: true }
        sending_queue: { enabled: false }
    resolver:
      static:
        hostnames: [${sinkPorts.map((sink) => `127.0.0.1:${sink}`).join(', ')}]
service:
  ${quiet}
  pipelines:
    traces: { receivers: [otlp], exporters: [loadbalancing] }
`;

const sampler = (decisionWait: string) => (port: number, sinkPorts: readonly number[]) =>
  `${receiver(port)}
processors:
  tail_sampling:
    decision_wait: ${decisionWait}
    num_traces: 2000000
    policies:
      - { name: error-policy, type: status_code, status_code: { status_codes: [ERROR] } }
      - { name: latency-policy, type: latency, latency: { threshold_ms: 1000 } }
      - { name: normal-policy, type: probabilistic, probabilistic: { sampling_percentage: 10 } }
  batch: { send_batch_size: 2000, timeout: 1s }
exporters:
  otlp:
    endpoint: 127.0.0.1:${sinkPorts[0]}
    compression: none
    tls: { insecure: true }
service:
  ${quiet}
  pipelines:
    traces: { receivers: [otlp], processors: [tail_sampling, batch], exporters: [otlp] }
`;

const routed = {
  sinks: 3,
  rate: 0,
  inflight: 4,
  warmMs: 2000,
  measuredMs: 4000,
  spansMax: 0,
  figure: 'micros per span' as const,
  configuration: router('none'),
};
const sampled = { ...routed, sinks: 1, warmMs: 4000, configuration: sampler('3s') };

export const tierCases: readonly TierCase[] = [
  { ...routed, name: 'tier/router 510 spans', shape: usual, must: 3.5, aim: 6 },
  { ...routed, name: 'tier/router 102 spans', shape: { ...usual, spansPerRequest: 102 }, inflight: 16, must: 2.5, aim: 4 },
  { ...routed, name: 'tier/router 910 B spans', shape: { ...usual, fatAttributes: 20 }, must: 3.5, aim: 6 },
  { ...routed, name: 'tier/router gzip', shape: { ...usual, gzip: true }, configuration: router('gzip'), must: 2.5, aim: 3.5 },
  { ...sampled, name: 'tier/sampler saturated', shape: usual, must: 7, aim: 12 },
  // At 78 requests a second code takes a while to become hot.
  { ...sampled, name: 'tier/sampler 40000 per second', shape: usual, rate: 40_000, warmMs: 10_000, must: 3.5, aim: 6 },
  {
    ...sampled,
    name: 'tier/sampler memory',
    shape: usual,
    warmMs: 0,
    measuredMs: 60_000,
    spansMax: 600_000,
    figure: 'bytes per held span',
    configuration: sampler('120s'),
    must: 550,
    aim: 450,
  },
];
