/** One HTTP/2 connection to a gRPC server: opened, kept alive, and told when it may take no more calls. Main thread. */

import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Clock, Timer } from '../../../shared/clock.ts';
import type { GrpcClientOptions } from './grpc-client-options.ts';

export interface ConnectionEvents {
  /** The transport is up; calls may begin. */
  onConnected(connection: Http2Connection): void;
  /** The server has sent its settings: it really speaks HTTP/2. */
  onProven(connection: Http2Connection): void;
  /** No new calls: the server said so. Those in flight go on. */
  onGoingAway(connection: Http2Connection): void;
  /** The end, with the reason. Told once. */
  onClosed(connection: Http2Connection, reason: string): void;
}

/** Source: gRPC's connection back-off protocol, MIN_CONNECT_TIMEOUT. */
const connectTimeoutMs = 20_000;
/** A server that ends connections sooner than this is not connected to without a pause. */
const stableAfterMs = 1_000;
/** Answers are small; the window is there so that nothing ever waits for it. */
const sessionWindowBytes = 4 * 1024 * 1024;

export class Http2Connection {
  readonly session: ClientHttp2Session;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #options: GrpcClientOptions;
  readonly #events: ConnectionEvents;
  #callsOpen = 0;
  #provenAtMs = Infinity;
  #keepalive: Timer | undefined;
  #connectTimer: Timer | undefined;
  #reason = '';
  #closed = false;

  constructor(clock: Clock, options: GrpcClientOptions, events: ConnectionEvents) {
    this.#clock = clock;
    this.#options = options;
    this.#events = events;
    const { target, tls } = options;
    this.#socket = openSocket(options);
    this.session = connect(`${tls === undefined ? 'http' : 'https'}://${options.authority || target.authority}`, {
      createConnection: () => this.#socket,
      settings: { enablePush: false, initialWindowSize: sessionWindowBytes },
      maxSessionMemory: 64,
    });
    this.#connectTimer = clock.after(connectTimeoutMs, () => this.destroy('connection timed out'));
    const { session } = this;
    session.once('connect', () => {
      session.setLocalWindowSize(sessionWindowBytes);
      this.#events.onConnected(this);
    });
    session.once('remoteSettings', () => {
      this.#connectTimer?.cancel();
      this.#provenAtMs = clock.monotonicMs();
      this.#events.onProven(this);
      this.#scheduleKeepalive();
    });
    session.on('goaway', () => this.#events.onGoingAway(this));
    session.on('error', (error) => {
      this.#reason ||= error.message;
    });
    session.once('close', () => this.#ended());
    // An idle connection keeps no process alive.
    session.unref();
  }

  get usable(): boolean {
    return !this.session.closed && !this.session.destroyed;
  }

  /** It has worked for a while: losing it says nothing against connecting again at once. */
  get stable(): boolean {
    return this.#clock.monotonicMs() - this.#provenAtMs >= stableAfterMs;
  }

  callBegan(): void {
    this.#callsOpen++;
  }

  callEnded(): void {
    this.#callsOpen--;
  }

  /** Ends when the calls in flight have. */
  closeWhenIdle(): void {
    if (!this.session.closed) this.session.close();
  }

  destroy(reason: string): void {
    this.#reason ||= reason;
    this.session.destroy();
    // The session ends its socket gracefully even so: what the socket holds would still be read from lent memory, and go out.
    this.#socket.destroy();
  }

  #ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connectTimer?.cancel();
    this.#keepalive?.cancel();
    this.#events.onClosed(this, this.#reason || 'the connection was closed');
  }

  /** Source: gRPC keepalive: a ping when nothing was heard for a while, the end of the connection when it is not answered. */
  #scheduleKeepalive(): void {
    const { keepalive } = this.#options;
    if (keepalive === undefined || this.#closed) return;
    this.#keepalive = this.#clock.after(keepalive.timeMs, () => {
      if (!this.usable) return;
      if (this.#callsOpen === 0 && !keepalive.permitWithoutStream) {
        this.#scheduleKeepalive();
        return;
      }
      this.#keepalive = this.#clock.after(keepalive.timeoutMs, () => this.destroy('keepalive ping was not answered in time'));
      this.session.ping((error) => {
        this.#keepalive?.cancel();
        if (error === null) this.#scheduleKeepalive();
      });
    });
  }
}

function openSocket(options: GrpcClientOptions): Socket {
  const { target, tls } = options;
  const place = target.kind === 'unix' ? { path: target.path } : { host: target.host, port: target.port };
  if (tls === undefined) {
    const socket = connectPlain({ ...place, noDelay: true });
    return socket.unref();
  }
  const named = target.kind === 'tcp' && isIP(target.host) === 0 ? { servername: target.host } : {};
  const socket = connectTls({ ...place, ...named, ...tls, ALPNProtocols: ['h2'] });
  socket.setNoDelay(true);
  return socket.unref();
}
