/** Bench cases of the kernel against protobufjs, on 510-span requests of about 330 bytes a span, 3 spans a trace, cold enough not to sit in L1. */

import { runRow } from '../../src/shared/arena/rows.ts';
import { createSharedMemory, loadKernel } from '../../src/shared/kernel-module.ts';
import { exportTraceServiceRequest } from '../../src/shared/otlp/messages.ts';
import { requestBytes, type SpanSpec, spanIdOf, traceIdOf } from '../support/otlp.ts';
import type { BenchCase } from './run.ts';

const spansPerRequest = 510;
const spansPerTrace = 3;
const requestCount = 16;

function benchSpan(index: number): SpanSpec {
  return {
    traceId: traceIdOf(Math.floor(index / spansPerTrace)),
    spanId: spanIdOf(index),
    parentSpanId: spanIdOf(index - 1),
    name: 'GET /api/v1/orders/:id',
    kind: 2,
    startNanos: 1_700_000_000_000_000_000n,
    endNanos: 1_700_000_000_120_000_000n,
    attributes: {
      'http.request.method': 'GET',
      'http.route': '/api/v1/orders/:id',
      'http.response.status_code': 200,
      'server.address': 'checkout.shop.svc.cluster.local',
      'user_agent.original': 'Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101',
      'thread.id': index,
    },
    statusCode: index % 3,
    flags: 0x101,
  };
}

function setup() {
  const spans = Array.from({ length: spansPerRequest }, (_, i) => benchSpan(i));
  const request = requestBytes(
    { 'service.name': 'checkout', 'k8s.pod.name': 'checkout-7d4f' },
    { scopeName: 'io.opentelemetry.http', spans },
  );
  const memory = createSharedMemory(64 * 2 ** 20);
  const kernel = loadKernel(memory);
  const bytes = new Uint8Array(memory.buffer);
  const words = new Uint32Array(memory.buffer);
  const stride = 2 ** 18;
  const inputs = Array.from({ length: requestCount }, (_, i) => 65_536 + i * stride);
  for (const input of inputs) bytes.set(request, input);
  const output = 65_536 + requestCount * stride;
  const rows = output + 2 ** 22;
  const rowsBytes = 2 ** 16;
  const splits = inputs.map((input, i) => ({ at: rows + i * rowsBytes, runs: kernel.split(input, request.length, rows + i * rowsBytes) }));
  return { request, kernel, words, inputs, output, splits };
}

type State = ReturnType<typeof setup>;

const bench = (name: string, run: (state: State) => void, prepare?: (state: State) => void): BenchCase<State> => ({
  name: `kernel/${name}`,
  spansPerRun: spansPerRequest * requestCount,
  setup() {
    const state = setup();
    prepare?.(state);
    return state;
  },
  run,
});

/** Links the runs of each split into chains, one per owner. */
const linkOwners = (owners: number) => (state: State) => {
  for (const { at, runs } of state.splits) {
    for (let i = 0; i + owners < runs; i++) state.words[(at + i * runRow.bytes + runRow.next) / 4] = at + (i + owners) * runRow.bytes;
  }
};

const frameChains = (owners: number) => (state: State) => {
  for (const { at } of state.splits) for (let i = 0; i < owners; i++) state.kernel.frame(at + i * runRow.bytes, state.output);
};

export const cases: readonly BenchCase[] = [
  bench('validate', ({ kernel, inputs, request }) => {
    for (const input of inputs) kernel.validate(input, request.length);
  }),
  bench('split', ({ kernel, inputs, request, output }) => {
    for (const input of inputs) kernel.split(input, request.length, output);
  }),
  bench('split uniform', ({ kernel, inputs, request, output }) => {
    for (const input of inputs) kernel.split(input, request.length, output, true);
  }),
  bench('facts', ({ kernel, splits, output }) => {
    for (const { at, runs } of splits) for (let i = 0; i < runs; i++) kernel.facts(at + i * runRow.bytes, output);
  }),
  bench('frame 10 owners', frameChains(10), linkOwners(10)),
  bench('frame every run alone', frameChains(spansPerRequest / spansPerTrace)),
  bench('protobufjs decode', ({ request }) => {
    for (let i = 0; i < requestCount; i++) exportTraceServiceRequest.decode(request);
  }),
];
