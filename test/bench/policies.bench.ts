/** What each policy costs per span: fold at arrival and decision, next to the same policy over protobufjs-decoded traces. */

import type { PolicyConfig } from '../../src/shared/policy-config.ts';
import { addRequest, type NaiveTrace, naiveVerdict } from '../support/naive-policies.ts';
import { type Attributes, concat, requestBytes, spanIdOf, traceIdOf } from '../support/otlp.ts';
import { PolicyRig } from '../support/policy-rig.ts';
import type { BenchCase } from './run.ts';

const tracesPerRequest = 34;
const spansPerTrace = 15;
const spansPerRun = tracesPerRequest * spansPerTrace;
const attributes: Attributes = {
  'http.request.method': 'GET',
  'url.path': '/api/v1/orders/4711',
  'http.response.status_code': 200,
  'server.address': 'orders.internal',
  'user.id': 'b2c7',
  'db.cached': false,
};

/** 510 spans of about 330 bytes, three services, none of which any policy here samples: every fold has to look at every span. */
const request = concat(
  ...[0, 1, 2].map((service) =>
    requestBytes(
      { 'service.name': `service-${service}`, 'deployment.environment': 'bench' },
      {
        scopeName: 'bench',
        spans: Array.from({ length: spansPerRun / 3 }, (_, index) => ({
          traceId: traceIdOf(index % tracesPerRequest),
          spanId: spanIdOf(index),
          parentSpanId: spanIdOf(index + 1),
          name: 'GET /api/v1/orders/{id}',
          kind: 2,
          startNanos: 1_700_000_000_000_000_000n + BigInt(index),
          endNanos: 1_700_000_000_020_000_000n + BigInt(index),
          traceState: 'vendor=abc,other=1',
          attributes,
        })),
      },
    ),
  ),
);

const text = (key: string, values: readonly string[], enabledRegexMatching = false): PolicyConfig => ({
  type: 'string_attribute',
  name: `${key} ${values}`,
  key,
  values,
  enabledRegexMatching,
  cacheMaxSize: 0,
  invertMatch: false,
});
const single: readonly PolicyConfig[] = [
  { type: 'always_sample', name: 'always_sample' },
  { type: 'latency', name: 'latency', thresholdMs: 5000, upperThresholdMs: 0 },
  { type: 'status_code', name: 'status_code', statusCodes: ['ERROR'] },
  { type: 'probabilistic', name: 'probabilistic', hashSalt: '', samplingPercentage: 0 },
  {
    type: 'numeric_attribute',
    name: 'numeric_attribute',
    key: 'http.response.status_code',
    minValue: 500n,
    maxValue: 599n,
    invertMatch: false,
  },
  text('url.path', ['/health']),
  text('url.path', ['^/admin', 'v[0-9]+/users'], true),
  { type: 'boolean_attribute', name: 'boolean_attribute', key: 'db.cached', value: true, invertMatch: false },
  { type: 'rate_limiting', name: 'rate_limiting', spansPerSecond: 1, burstCapacity: 1 },
  { type: 'bytes_limiting', name: 'bytes_limiting', bytesPerSecond: 1, burstCapacity: 1 },
  { type: 'span_count', name: 'span_count', minSpans: 1000, maxSpans: 0 },
  { type: 'trace_state', name: 'trace_state', key: 'vendor', values: ['xyz'] },
  { type: 'trace_flags', name: 'trace_flags' },
  {
    type: 'ottl_condition',
    name: 'ottl_condition',
    errorMode: 'ignore',
    span: ['attributes["http.response.status_code"] >= 500'],
    spanevent: [],
  },
];
const mixed: readonly PolicyConfig[] = Array.from({ length: 20 }, (_, index) => {
  const policy = single[1 + (index % (single.length - 1))]!;
  return policy.type === 'latency' ? { ...policy, name: `p${index}`, thresholdMs: 5000 + index } : { ...policy, name: `p${index}` };
});

function folded(name: string, policies: readonly PolicyConfig[]): BenchCase<PolicyRig> {
  return {
    name: `policies/${name}`,
    spansPerRun,
    setup() {
      const rig = new PolicyRig(policies);
      rig.take(request);
      return rig;
    },
    run: (rig) => rig.again(),
  };
}

const naivePolicies = single.filter(({ type }) => !['rate_limiting', 'bytes_limiting', 'ottl_condition'].includes(type));

/** Facts, folds and decisions; runs of one span each, the dearest case. */
// biome-ignore lint/suspicious/noExplicitAny: cases of one list have states of several types.
export const cases: readonly BenchCase<any>[] = [
  folded('none', []),
  ...single.map((policy) =>
    folded(policy.type === 'string_attribute' && policy.enabledRegexMatching ? 'string_attribute (regex)' : policy.type, [policy]),
  ),
  folded('20 mixed', mixed),
  {
    name: `policies/protobufjs, ${naivePolicies.length} policies`,
    spansPerRun,
    setup: () => undefined,
    run() {
      const traces = new Map<string, NaiveTrace>();
      addRequest(traces, request);
      for (const trace of traces.values()) for (const policy of naivePolicies) naiveVerdict(policy, trace);
    },
  },
];
