/**
 * Sends traces of real OpenTelemetry SDKs through a router and a sampler, each a process of its own, and compares what comes out with what the
 * SDK says it made, span by span. README.md says how to get the SDKs; none of them is a dependency of this project.
 */

import { spawn } from 'node:child_process';
import { exportTraceServiceRequest } from '../../../src/shared/otlp/messages.ts';
import { type ReceiverRig, startReceiver, until } from '../../receivers/receiver-rig.ts';
import { startRingtail } from '../../support/ringtail-process.ts';

/** One span as both sides tell it: ids in hex, times as decimal text, enums as OTLP numbers, attributes as plain values. */
interface PlainSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly [field: string]: unknown;
}

type Decoded = Record<string, unknown>;

interface Run {
  readonly protocol: string;
  readonly compression: string;
}

const runs: readonly Run[] = ['grpc', 'http/protobuf', 'http/json'].flatMap((protocol) =>
  ['none', 'gzip'].map((compression) => ({ protocol, compression })),
);
/** What a peer ends with when its SDK does not speak the protocol. */
const notSpoken = 3;

function plainValue(value: unknown): unknown {
  const [[kind, content] = ['', null]] = Object.entries((value ?? {}) as Decoded);
  if (kind === 'intValue') return Number(content);
  if (kind === 'arrayValue') return (((content as Decoded).values ?? []) as unknown[]).map(plainValue);
  if (kind === 'kvlistValue') return plainAttributes((content as Decoded).values);
  return content;
}

function plainAttributes(attributes: unknown): Decoded {
  return Object.fromEntries(((attributes ?? []) as Decoded[]).map(({ key, value }) => [key, plainValue(value)]));
}

const hexOf = (base64: unknown) => Buffer.from(String(base64 ?? ''), 'base64').toString('hex');
const listOf = (value: unknown) => (value ?? []) as Decoded[];

function plainSpans(bytes: Uint8Array): PlainSpan[] {
  const decoded = exportTraceServiceRequest.decode(bytes);
  const request = exportTraceServiceRequest.toObject(decoded, { longs: String, bytes: String }) as Decoded;
  return listOf(request.resourceSpans).flatMap(({ resource, scopeSpans }) =>
    listOf(scopeSpans).flatMap(({ scope, spans }) =>
      listOf(spans).map((span) => ({
        traceId: hexOf(span.traceId),
        spanId: hexOf(span.spanId),
        parentSpanId: hexOf(span.parentSpanId),
        traceState: span.traceState ?? '',
        name: span.name ?? '',
        kind: span.kind ?? 0,
        start: span.startTimeUnixNano,
        end: span.endTimeUnixNano,
        attributes: plainAttributes(span.attributes),
        events: listOf(span.events).map((event) => ({
          name: event.name,
          time: event.timeUnixNano,
          attributes: plainAttributes(event.attributes),
        })),
        links: listOf(span.links).map((link) => ({
          traceId: hexOf(link.traceId),
          spanId: hexOf(link.spanId),
          attributes: plainAttributes(link.attributes),
        })),
        status: { code: (span.status as Decoded | undefined)?.code ?? 0, message: (span.status as Decoded | undefined)?.message ?? '' },
        resource: plainAttributes((resource as Decoded | undefined)?.attributes),
        scope: { name: (scope as Decoded | undefined)?.name ?? '', version: (scope as Decoded | undefined)?.version ?? '' },
      })),
    ),
  );
}

/** Keys in order, so that equal values are equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

const configurations = {
  sampler: (sink: string) => `
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}}}}
processors: {tail_sampling: {decision_wait: 500ms, policies: [{name: all, type: always_sample}]}}
exporters: {otlp_grpc: {endpoint: "${sink}", tls: {insecure: true}}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], processors: [tail_sampling], exporters: [otlp_grpc]}}
`,
  router: (sampler: string) => `
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}, http: {endpoint: "127.0.0.1:0"}}}}
exporters: {load_balancing: {protocol: {otlp: {tls: {insecure: true}}}, resolver: {static: {hostnames: ["${sampler}"]}}}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], exporters: [load_balancing]}}
`,
};

/** Runs one peer; its standard output, or undefined when it does not speak the protocol. */
function runPeer(command: string, endpoint: string, { protocol, compression }: Run): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PEER_ENDPOINT: endpoint, PEER_PROTOCOL: protocol, PEER_COMPRESSION: compression };
    const child = spawn(command, { shell: true, env, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk;
    });
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else if (code === notSpoken) resolve(undefined);
      else reject(new Error(`${command} ended with ${code}`));
    });
  });
}

async function compare(sink: ReceiverRig, output: string): Promise<string> {
  const made = output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as PlainSpan);
  if (made.length === 0) throw new Error('the peer says nothing of its spans');
  const taken = () => sink.seen.flatMap(({ bytes }) => plainSpans(bytes));
  const wanted = new Set(made.map(({ spanId }) => spanId));
  const found = () => taken().filter(({ spanId }) => wanted.has(spanId));
  await until('all spans at the sink', () => found().length >= made.length, 15_000).catch(() => {});
  const bySpanId = new Map(found().map((span) => [span.spanId, span]));
  const differences = made.filter((span) => canonical(span) !== canonical(bySpanId.get(span.spanId)));
  for (const span of differences.slice(0, 2)) {
    console.log(`made:  ${canonical(span)}\ntaken: ${canonical(bySpanId.get(span.spanId) ?? null)}`);
  }
  if (differences.length > 0 || found().length !== made.length) process.exitCode = 1;
  return `${made.length} spans made, ${found().length} taken, ${differences.length} different`;
}

async function main(peers: readonly string[]): Promise<void> {
  const sink = await startReceiver({ grpc: {} });
  const sampler = await startRingtail(configurations.sampler(`127.0.0.1:${sink.grpcPort}`));
  const router = await startRingtail(configurations.router(`127.0.0.1:${sampler.grpcPort}`));
  try {
    for (const peer of peers) {
      const [name = '', ...rest] = peer.split('=');
      for (const run of runs) {
        const endpoint = run.protocol === 'grpc' ? `127.0.0.1:${router.grpcPort}` : `http://127.0.0.1:${router.httpPort}/v1/traces`;
        const output = await runPeer(rest.join('='), endpoint, run);
        if (output === undefined) continue;
        console.log(`${name.padEnd(10)} ${run.protocol.padEnd(14)} ${run.compression.padEnd(5)} ${await compare(sink, output)}`);
      }
    }
  } finally {
    await router.stop();
    await sampler.stop();
    await sink.receiver.drain(0);
    await sink.receiver.stop();
  }
}

if (process.argv.length < 3) {
  process.stderr.write('usage: run.ts NAME=COMMAND …\n');
  process.exitCode = 2;
} else await main(process.argv.slice(2));
