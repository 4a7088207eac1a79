/** The other side of a tier bench, in a process of its own: sends requests over OTLP/gRPC, takes what comes out, and accounts for both. */

import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect, createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { RequestMaker, type RequestShape, traceIdMagic } from './bench-request.ts';

export interface LoadOrder {
  readonly port: number;
  readonly pid: number;
  readonly shape: RequestShape;
  /** Spans per second; 0 is as fast as it goes. */
  readonly rate: number;
  readonly inflight: number;
  readonly warmMs: number;
  readonly measuredMs: number;
  /** Ends the measured time early; 0 is never. */
  readonly spansMax: number;
}

export interface LoadResult {
  readonly microsPerSpan: number;
  readonly spansPerSecond: number;
  readonly acceptedSpans: number;
  readonly failedRequests: number;
  readonly rssIdleMib: number;
  readonly rssPeakMib: number;
  readonly rssMib: number;
  readonly receivedBytesPerCall: number;
  /** p99 over calls of the time from making a trace to its coming out; 0 when nothing came out. Units: milliseconds. */
  readonly outMsP99: number;
}

export type ToLoad = { readonly kind: 'listen'; readonly sinks: number } | { readonly kind: 'run'; readonly order: LoadOrder };
export type FromLoad =
  | { readonly kind: 'listening'; readonly ports: readonly number[] }
  | { readonly kind: 'done'; readonly result: LoadResult };

const okBody = Buffer.alloc(5);
/** Kernel ticks per second in /proc, the same on every Linux of today. */
const ticksPerSecond = 100;
const exportPath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const windowBytes = 16 << 20;
const received = { calls: 0, bytes: 0, outMs: [] as number[] };

function takeCall(stream: ServerHttp2Stream): void {
  let bytes = 0;
  let first: Buffer | undefined;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    first ??= chunk;
  });
  stream.on('error', () => undefined);
  stream.on('end', () => {
    received.calls++;
    received.bytes += bytes;
    const at = first?.indexOf(traceIdMagic) ?? -1;
    if (at >= 0 && at + 8 <= first!.length) received.outMs.push(performance.now() - first!.readUInt32BE(at + traceIdMagic.length));
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(okBody);
  });
}

async function listenSink(): Promise<number> {
  const server = createServer({ settings: { initialWindowSize: windowBytes, maxFrameSize: 1 << 20 } });
  server.on('session', (session) => session.setLocalWindowSize(windowBytes));
  server.on('stream', takeCall);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

interface ProcessFigures {
  readonly cpuMs: number;
  readonly rssMib: number;
  readonly rssPeakMib: number;
}

function figuresOf(pid: number): ProcessFigures {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024;
  return { cpuMs: ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond, rssMib: mib('VmRSS'), rssPeakMib: mib('VmHWM') };
}

class Sender {
  acceptedSpans = 0;
  failedRequests = 0;
  stopped = false;
  readonly #order: LoadOrder;
  readonly #maker: RequestMaker;
  readonly #session: ClientHttp2Session;
  readonly #startMs = performance.now();
  #sentSpans = 0;

  constructor(order: LoadOrder, session: ClientHttp2Session) {
    this.#order = order;
    this.#maker = new RequestMaker(order.shape);
    this.#session = session;
  }

  /** One of the requests in flight: sends, waits for the answer, sends again. */
  async work(): Promise<void> {
    const { rate, shape } = this.#order;
    const place = Buffer.alloc(this.#maker.requestBytesMax);
    while (!this.stopped) {
      const dueMs = rate === 0 ? 0 : this.#startMs + (this.#sentSpans / rate) * 1000;
      this.#sentSpans += shape.spansPerRequest;
      const nowMs = performance.now();
      if (dueMs > nowMs) await pause(dueMs - nowMs);
      const accepted = await this.#send(this.#maker.next(place, performance.now()));
      if (accepted) this.acceptedSpans += shape.spansPerRequest;
      else {
        this.failedRequests++;
        await pause(20);
      }
    }
  }

  #send(message: Buffer): Promise<boolean> {
    return new Promise((resolve) => {
      const encoding = this.#order.shape.gzip ? { 'grpc-encoding': 'gzip' } : {};
      const headers = { ':method': 'POST', ':path': exportPath, 'content-type': 'application/grpc', te: 'trailers', ...encoding };
      const stream = this.#session.request(headers);
      let status: unknown;
      stream.on('response', (incoming) => {
        status = incoming['grpc-status'];
      });
      stream.on('trailers', (incoming) => {
        status = incoming['grpc-status'];
      });
      stream.on('error', () => undefined);
      stream.on('close', () => resolve(status === '0'));
      stream.resume();
      stream.end(message);
    });
  }
}

async function openSession(port: number): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: windowBytes } });
  await new Promise<void>((resolve, reject) => {
    session.once('remoteSettings', () => resolve());
    session.once('error', reject);
  });
  session.setLocalWindowSize(windowBytes);
  return session;
}

async function run(order: LoadOrder): Promise<LoadResult> {
  const idle = figuresOf(order.pid);
  const session = await openSession(order.port);
  const sender = new Sender(order, session);
  const workers = Array.from({ length: order.inflight }, () => sender.work());
  await pause(order.warmMs);
  const before = figuresOf(order.pid);
  const acceptedBefore = sender.acceptedSpans;
  const callsBefore = received.calls;
  const bytesBefore = received.bytes;
  received.outMs.length = 0;
  const startMs = performance.now();
  while (performance.now() - startMs < order.measuredMs && (order.spansMax === 0 || sender.acceptedSpans < order.spansMax)) await pause(20);
  const after = figuresOf(order.pid);
  const seconds = (performance.now() - startMs) / 1000;
  const spans = sender.acceptedSpans - acceptedBefore;
  sender.stopped = true;
  await Promise.all(workers);
  const settled = figuresOf(order.pid);
  session.close();
  const outMs = received.outMs.sort((a, b) => a - b);
  return {
    microsPerSpan: ((after.cpuMs - before.cpuMs) * 1000) / Math.max(1, spans),
    spansPerSecond: spans / seconds,
    acceptedSpans: sender.acceptedSpans,
    failedRequests: sender.failedRequests,
    rssIdleMib: idle.rssMib,
    rssPeakMib: after.rssPeakMib,
    rssMib: settled.rssMib,
    receivedBytesPerCall: (received.bytes - bytesBefore) / Math.max(1, received.calls - callsBefore),
    outMsP99: outMs[Math.floor(outMs.length * 0.99)] ?? 0,
  };
}

process.on('message', (message: ToLoad) => {
  const answer = (from: FromLoad) => process.send!(from);
  if (message.kind === 'run') void run(message.order).then((result) => answer({ kind: 'done', result }));
  else void Promise.all(Array.from({ length: message.sinks }, listenSink)).then((ports) => answer({ kind: 'listening', ports }));
});
