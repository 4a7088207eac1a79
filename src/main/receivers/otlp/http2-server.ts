/** gRPC by our own framing on node:http2: listener, sessions, limits, graceful end. Main thread. */

import http2, { type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Server as NetServer } from 'node:net';
import type { Timer } from '../../../shared/clock.ts';
import { type ListenAddress, listen, parseListenAddress } from '../../transport/listen-address.ts';
import { serverTlsOptions, TlsReloader } from '../../transport/tls.ts';
import { grpcMessageBytesMax } from './config.ts';
import { type CallHost, type GrpcCall, openCall } from './grpc-call.ts';
import { type GrpcServerSettings, type GrpcServerTransport, sessionWindowBytes, streamWindowBytes } from './grpc-server.ts';
import { Http2SessionGuard, sessionLimitsOf, sweepIntervalMs } from './http2-session-guard.ts';
import { UploadBudget, uploadBytesMax } from './upload-budget.ts';

const deadlineSweepMs = 50;

export function http2GrpcServer(settings: GrpcServerSettings): GrpcServerTransport {
  return new Http2GrpcServer(settings);
}

class Http2GrpcServer implements GrpcServerTransport, CallHost {
  readonly settings: GrpcServerSettings;
  readonly messageBytesMax: number;
  readonly uploads: UploadBudget;
  readonly #limits: ReturnType<typeof sessionLimitsOf>;
  readonly #guards = new Map<ServerHttp2Session, Http2SessionGuard>();
  /** In the order in which they began. */
  readonly #calls = new Set<GrpcCall>();
  #server: http2.Http2Server | http2.Http2SecureServer | undefined;
  #reloader: TlsReloader | undefined;
  #sessionTimer: Timer | undefined;
  #deadlineTimer: Timer | undefined;
  #drained: (() => void) | undefined;
  #draining: Promise<void> | undefined;

  constructor(settings: GrpcServerSettings) {
    this.settings = settings;
    this.messageBytesMax = grpcMessageBytesMax(settings.config);
    this.uploads = new UploadBudget(uploadBytesMax(this.messageBytesMax));
    this.#limits = sessionLimitsOf(settings.config);
  }

  async start(): Promise<ListenAddress> {
    const { config } = this.settings;
    const address = parseListenAddress(config.endpoint, config.transport);
    if ('error' in address) throw new Error(address.error);
    const server = this.#createServer();
    this.#server = server;
    server.on('session', (session) => this.#openSession(session));
    server.on('stream', (stream, headers) => this.#openStream(stream as ServerHttp2Stream, headers));
    server.on('sessionError', (error) => this.settings.logger.debug({ err: error }, 'gRPC connection ended with an error'));
    server.on('tlsClientError', (error: Error) => this.settings.logger.debug({ err: error }, 'TLS handshake failed'));
    const bound = await listen(server as unknown as NetServer, address, config.transport);
    // A socket that cannot be accepted (out of file descriptors) must not end the process.
    server.on('error', (error) => this.settings.logger.warn({ err: error }, 'gRPC listener reported an error'));
    return bound;
  }

  drain(deadlineMs: number): Promise<void> {
    this.#draining ??= this.#drain(deadlineMs);
    return this.#draining;
  }

  async #drain(deadlineMs: number): Promise<void> {
    const { clock } = this.settings;
    this.#server?.close();
    const nowMs = clock.monotonicMs();
    for (const guard of this.#guards.values()) guard.end(nowMs);
    if (this.#guards.size === 0 && this.#calls.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = clock.after(Math.max(0, deadlineMs - nowMs), resolve);
      this.#drained = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  async stop(): Promise<void> {
    this.#sessionTimer?.cancel();
    this.#deadlineTimer?.cancel();
    this.#sessionTimer = undefined;
    this.#deadlineTimer = undefined;
    this.#reloader?.stop();
    const server = this.#server;
    if (server === undefined) return;
    const isClosed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const session of this.#guards.keys()) session.destroy();
    await isClosed;
  }

  release(call: GrpcCall): void {
    if (!this.#calls.delete(call)) return;
    call.guard?.callClosed(this.settings.clock.monotonicMs());
    if (this.#calls.size === 0) this.#checkDrained();
  }

  #createServer(): http2.Http2Server | http2.Http2SecureServer {
    const { config } = this.settings;
    const options: http2.ServerOptions = {
      settings: {
        initialWindowSize: streamWindowBytes,
        maxFrameSize: 1 << 20,
        maxHeaderListSize: 64 << 10,
        enablePush: false,
        ...(config.max_concurrent_streams > 0 ? { maxConcurrentStreams: config.max_concurrent_streams } : {}),
      },
      // Floods: what a client may make the session hold or do before it is cut off. The defaults of node, stated.
      maxSettings: 32,
      maxHeaderListPairs: 128,
      maxOutstandingPings: 10,
      maxSessionInvalidFrames: 100,
      maxSessionRejectedStreams: 100,
      streamResetBurst: 1_000,
      streamResetRate: 33,
      maxSessionMemory: 64,
      unknownProtocolTimeout: 10_000,
    };
    if (config.tls === undefined) return http2.createServer(options);
    const server = http2.createSecureServer({ ...options, ...serverTlsOptions(config.tls), allowHTTP1: false });
    this.#reloader = new TlsReloader(config.tls, this.settings, (reloaded) => server.setSecureContext(reloaded));
    return server;
  }

  #openSession(session: ServerHttp2Session): void {
    const { clock, prng } = this.settings;
    const guard = new Http2SessionGuard(session, this.#limits, prng, clock.monotonicMs());
    this.#guards.set(session, guard);
    session.setLocalWindowSize(sessionWindowBytes);
    session.on('ping', () => guard.pingReceived(clock.monotonicMs()));
    session.on('close', () => {
      this.#guards.delete(session);
      this.#checkDrained();
    });
    session.on('error', (error) => this.settings.logger.debug({ err: error }, 'gRPC connection ended with an error'));
    if (this.#draining !== undefined) guard.end(clock.monotonicMs());
    this.#sessionTimer ??= clock.after(sweepIntervalMs(this.#limits), () => this.#sweepSessions());
  }

  #openStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const { clock } = this.settings;
    const guard = stream.session === undefined ? undefined : this.#guards.get(stream.session as ServerHttp2Session);
    const call = openCall(this, stream, headers);
    if (call === undefined) return;
    this.#calls.add(call);
    call.guard = guard;
    guard?.callOpened(clock.monotonicMs());
    if (call.deadlineMs !== Number.POSITIVE_INFINITY) this.#deadlineTimer ??= clock.after(deadlineSweepMs, () => this.#sweepDeadlines());
  }

  #sweepSessions(): void {
    const { clock } = this.settings;
    const nowMs = clock.monotonicMs();
    for (const guard of this.#guards.values()) guard.sweep(nowMs);
    this.#sessionTimer = this.#guards.size === 0 ? undefined : clock.after(sweepIntervalMs(this.#limits), () => this.#sweepSessions());
  }

  #sweepDeadlines(): void {
    const { clock } = this.settings;
    const nowMs = clock.monotonicMs();
    let isAnyLeft = false;
    for (const call of this.#calls) {
      if (call.deadlineMs <= nowMs) call.expire();
      else if (call.deadlineMs !== Number.POSITIVE_INFINITY) isAnyLeft = true;
    }
    this.#deadlineTimer = isAnyLeft ? clock.after(deadlineSweepMs, () => this.#sweepDeadlines()) : undefined;
  }

  #checkDrained(): void {
    if (this.#draining !== undefined && this.#guards.size === 0 && this.#calls.size === 0) this.#drained?.();
  }
}
