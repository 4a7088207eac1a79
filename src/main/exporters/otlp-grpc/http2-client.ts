/** The gRPC client by our own framing on node:http2: shared memory goes out without a copy. Main thread. */

import type { OutgoingHttpHeaders } from 'node:http2';
import type { Timer } from '../../../shared/clock.ts';
import { GrpcStatus } from '../../pipeline/consume-outcome.ts';
import { untilDeadline } from '../sender/until-deadline.ts';
import { compressMessage } from './compress-message.ts';
import type { GrpcClientOptions, GrpcClientSettings } from './grpc-client-options.ts';
import { type CallOutcome, exportPath, type GrpcHeaders, type GrpcUnaryClient } from './grpc-unary-client.ts';
import { clientClosed, deadlineExceeded, Http2Call, type MessageToSend } from './http2-call.ts';
import { type ConnectionEvents, Http2Connection } from './http2-connection.ts';

/** Source: gRPC's connection back-off protocol. */
const reconnectMsMin = 1_000;
const reconnectGrowth = 1.6;
const reconnectJitter = 0.2;
/** How long a cancelled call waits until the peer has taken what is on its way, before the connection is given up. */
const cancelGraceMs = 1_000;

interface WaitingCall {
  readonly message: MessageToSend;
  readonly deadlineMs: number;
  readonly headers: GrpcHeaders;
  /** A call that the server has not begun is begun once more on another connection, as gRPC does. */
  readonly again: boolean;
  readonly settle: (outcome: CallOutcome) => void;
}

/**
 *      idle ──connect──► connecting ──► ready ──GOAWAY or end──► connecting …
 *                            └──failed──► backing off ──time──► connecting
 *
 * Calls wait while connecting; while backing off they fail at once, unless `waitForReady`.
 */
export class Http2Client implements GrpcUnaryClient {
  readonly #settings: GrpcClientSettings;
  readonly #options: GrpcClientOptions;
  readonly #events: ConnectionEvents;
  readonly #baseHeaders: OutgoingHttpHeaders;
  readonly #connections = new Set<Http2Connection>();
  readonly #calls = new Set<Http2Call>();
  #waiting: WaitingCall[] = [];
  #current: Http2Connection | undefined;
  #connected = false;
  #failures = 0;
  #lastFailure = 'not connected';
  #backOff: Timer | undefined;
  #deadlineTimer: Timer | undefined;
  #deadlineAtMs = Infinity;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(settings: GrpcClientSettings, options: GrpcClientOptions) {
    this.#settings = settings;
    this.#options = options;
    this.#baseHeaders = {
      ':method': 'POST',
      ':scheme': options.tls === undefined ? 'http' : 'https',
      ':authority': options.authority || options.target.authority,
      ':path': options.path ?? exportPath,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': options.userAgent,
      ...(options.encoding === 'identity' ? {} : { 'grpc-encoding': options.encoding }),
    };
    this.#events = {
      onConnected: () => this.#onConnected(),
      onProven: () => {
        this.#failures = 0;
      },
      onGoingAway: (connection) => this.#leave(connection),
      onClosed: (connection, reason) => this.#onClosed(connection, reason),
    };
  }

  async export(chunks: readonly Uint8Array[], byteLength: number, deadlineMs: number, headers: GrpcHeaders): Promise<CallOutcome> {
    if (this.#closing !== undefined) return clientClosed;
    const { encoding } = this.#options;
    const message =
      encoding === 'identity' ? { chunks, byteLength, compressed: false } : await compressMessage(encoding, chunks, byteLength);
    return new Promise((settle) => this.#begin({ message, deadlineMs, headers, again: false, settle }));
  }

  ready(): boolean {
    return this.#connected && this.#closing === undefined;
  }

  connect(): void {
    if (this.#current !== undefined || this.#backOff !== undefined || this.#closing !== undefined) return;
    this.#current = new Http2Connection(this.#settings.clock, this.#options, this.#events);
    this.#connections.add(this.#current);
  }

  close(deadlineMs = 0): Promise<void> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<void> {
    const { clock } = this.#settings;
    if (this.#calls.size > 0 && deadlineMs > clock.monotonicMs()) {
      await untilDeadline(clock, deadlineMs, (done) => {
        this.#onIdle = done;
      });
    }
    this.#backOff?.cancel();
    this.#deadlineTimer?.cancel();
    this.#failWaiting(clientClosed);
    const ended = [...this.#connections].map((connection) => new Promise<void>((resolve) => connection.session.once('close', resolve)));
    for (const connection of this.#connections) connection.destroy('the client is closed');
    await Promise.all(ended);
  }

  #begin(call: WaitingCall): void {
    const connection = this.#current;
    if (connection !== undefined && this.#connected && connection.usable) {
      this.#start(connection, call);
      return;
    }
    if (this.#backOff !== undefined && !this.#options.waitForReady) {
      call.settle({ status: GrpcStatus.unavailable, message: `connection error: ${this.#lastFailure}`, unsent: true });
      return;
    }
    this.#waiting.push(call);
    this.#watchDeadline(call.deadlineMs);
    this.connect();
  }

  #start(connection: Http2Connection, waiting: WaitingCall): void {
    const { clock } = this.#settings;
    const leftMs = waiting.deadlineMs - clock.monotonicMs();
    if (leftMs <= 0) {
      waiting.settle({ ...deadlineExceeded, unsent: true });
      return;
    }
    const headers: OutgoingHttpHeaders = { ...this.#baseHeaders };
    if (leftMs !== Infinity) headers['grpc-timeout'] = timeoutText(leftMs);
    for (const [name, value] of waiting.headers) headers[name] = value;
    let call: Http2Call | undefined;
    const onEnd = (outcome: CallOutcome): void => {
      connection.callEnded();
      this.#calls.delete(call!);
      if (outcome.unsent === true && !waiting.again && this.#closing === undefined) this.#begin({ ...waiting, again: true });
      else waiting.settle(outcome);
      if (this.#calls.size === 0) this.#onIdle?.();
    };
    try {
      call = new Http2Call(connection, headers, waiting.message, waiting.deadlineMs, onEnd);
    } catch (error) {
      // A header that HTTP/2 does not allow, or a session that ended this instant.
      const status = connection.usable ? GrpcStatus.internal : GrpcStatus.unavailable;
      waiting.settle({ status, message: (error as Error).message, unsent: true });
      return;
    }
    connection.callBegan();
    this.#calls.add(call);
    this.#watchDeadline(waiting.deadlineMs);
  }

  #onConnected(): void {
    this.#connected = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const call of waiting) this.#begin(call);
  }

  /** The connection takes no more calls; the next call makes another. */
  #leave(connection: Http2Connection): void {
    connection.closeWhenIdle();
    if (this.#current !== connection) return;
    this.#current = undefined;
    this.#connected = false;
    this.#options.onDisconnected?.();
  }

  #onClosed(connection: Http2Connection, reason: string): void {
    this.#connections.delete(connection);
    if (this.#current !== connection) return;
    this.#current = undefined;
    this.#connected = false;
    if (this.#closing !== undefined) return;
    this.#lastFailure = reason;
    const { clock, prng, logger } = this.#settings;
    logger.debug({ error: reason }, 'The connection to a gRPC server ended.');
    this.#options.onDisconnected?.();
    if (connection.stable) {
      this.connect();
      return;
    }
    const interval = Math.min(reconnectMsMin * reconnectGrowth ** this.#failures++, this.#options.reconnectMsMax);
    this.#backOff = clock.after(interval * (1 + reconnectJitter * (2 * prng.next() - 1)), () => {
      this.#backOff = undefined;
      this.connect();
    });
    if (!this.#options.waitForReady)
      this.#failWaiting({ status: GrpcStatus.unavailable, message: `connection error: ${reason}`, unsent: true });
  }

  #failWaiting(outcome: CallOutcome): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const call of waiting) call.settle(outcome);
  }

  /** One timer for all calls, set to the earliest deadline; it is left to fire when that call ends before, which it nearly always does. */
  #watchDeadline(deadlineMs: number): void {
    if (deadlineMs >= this.#deadlineAtMs) return;
    const { clock } = this.#settings;
    this.#deadlineTimer?.cancel();
    this.#deadlineAtMs = deadlineMs;
    this.#deadlineTimer = clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), () => this.#expire());
  }

  #expire(): void {
    const { clock } = this.#settings;
    this.#deadlineAtMs = Infinity;
    this.#deadlineTimer = undefined;
    const nowMs = clock.monotonicMs();
    for (const call of this.#calls) {
      if (call.deadlineMs <= nowMs) call.cancel(deadlineExceeded, (giveUp) => void clock.after(cancelGraceMs, giveUp));
      else this.#watchDeadline(call.deadlineMs);
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const call of waiting) {
      if (call.deadlineMs <= nowMs) call.settle({ ...deadlineExceeded, unsent: true });
      else {
        this.#waiting.push(call);
        this.#watchDeadline(call.deadlineMs);
      }
    }
  }
}

/** At most eight digits and a unit. Source: gRPC over HTTP2, Timeout. */
export function timeoutText(ms: number): string {
  const whole = Math.max(1, Math.ceil(ms));
  if (whole < 1e8) return `${whole}m`;
  const seconds = Math.ceil(whole / 1000);
  return seconds < 1e8 ? `${seconds}S` : '99999999H';
}
