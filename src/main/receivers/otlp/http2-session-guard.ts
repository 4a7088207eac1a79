/** Watches one HTTP/2 session of a client: keepalive, idleness, age, pings that come too often, graceful ending. Main thread. */

import { constants, type ServerHttp2Session } from 'node:http2';
import type { Prng } from '../../../shared/prng.ts';
import type { GrpcServerConfig } from './config.ts';

/** Units: milliseconds; Infinity = never. */
export interface SessionLimits {
  readonly idleMs: number;
  readonly ageMs: number;
  readonly ageGraceMs: number;
  readonly pingAfterMs: number;
  readonly pingTimeoutMs: number;
  readonly pingMinMs: number;
  readonly permitPingWithoutCall: boolean;
  /** Time to the first SETTINGS frame. */
  readonly prefaceMs: number;
}

const never = Number.POSITIVE_INFINITY;
const pingStrikesMax = 2;
/** Source: grpc-go; how seldom a client without calls may ping unless it is permitted. */
const pingWithoutCallMs = 7_200_000;

/** Source: gRPC's own defaults where the configuration says 0. */
export function sessionLimitsOf(config: GrpcServerConfig): SessionLimits {
  const { server_parameters: parameters, enforcement_policy: policy } = config.keepalive;
  const orNever = (value: number) => (value > 0 ? value : never);
  return {
    idleMs: orNever(parameters.max_connection_idle),
    ageMs: orNever(parameters.max_connection_age),
    ageGraceMs: orNever(parameters.max_connection_age_grace),
    pingAfterMs: parameters.time > 0 ? parameters.time : 7_200_000,
    pingTimeoutMs: parameters.timeout > 0 ? parameters.timeout : 20_000,
    pingMinMs: policy.min_time > 0 ? policy.min_time : 300_000,
    permitPingWithoutCall: policy.permit_without_stream,
    prefaceMs: 120_000,
  };
}

/** How often the limits have to be looked at to be kept to a tenth. */
export function sweepIntervalMs(limits: SessionLimits): number {
  const shortest = Math.min(limits.idleMs, limits.ageMs, limits.ageGraceMs, limits.pingAfterMs, limits.pingTimeoutMs, limits.prefaceMs);
  return Math.min(10_000, Math.max(10, shortest / 10));
}

export class Http2SessionGuard {
  readonly session: ServerHttp2Session;
  readonly #limits: SessionLimits;
  readonly #openedMs: number;
  readonly #endsMs: number;
  #activityMs: number;
  #idleSinceMs: number;
  #pingSentMs = never;
  #lastPingMs = -never;
  #pingStrikes = 0;
  #calls = 0;
  #sawSettings = false;
  #hasAnsweredSincePing = false;
  #isEnding = false;
  #endingSinceMs = never;

  constructor(session: ServerHttp2Session, limits: SessionLimits, prng: Prng, nowMs: number) {
    this.session = session;
    this.#limits = limits;
    this.#openedMs = nowMs;
    this.#activityMs = nowMs;
    this.#idleSinceMs = nowMs;
    // Spread over ±10 %, so that connections made together do not end together.
    this.#endsMs = nowMs + limits.ageMs * (0.9 + 0.2 * prng.next());
    session.once('remoteSettings', () => {
      this.#sawSettings = true;
    });
  }

  callOpened(nowMs: number): void {
    this.#calls++;
    this.#activityMs = nowMs;
    this.#pingSentMs = never;
  }

  callClosed(nowMs: number): void {
    this.#calls--;
    this.#activityMs = nowMs;
    this.#hasAnsweredSincePing = true;
    if (this.#calls === 0) this.#idleSinceMs = nowMs;
  }

  /** Source: grpc-go's ping strikes; an answer in between forgives everything. */
  pingReceived(nowMs: number): void {
    this.#activityMs = nowMs;
    const sinceLastMs = nowMs - this.#lastPingMs;
    this.#lastPingMs = nowMs;
    if (this.#hasAnsweredSincePing) {
      this.#hasAnsweredSincePing = false;
      this.#pingStrikes = 0;
      return;
    }
    const minMs = this.#calls === 0 && !this.#limits.permitPingWithoutCall ? pingWithoutCallMs : this.#limits.pingMinMs;
    if (this.session.destroyed || sinceLastMs >= minMs || ++this.#pingStrikes <= pingStrikesMax) return;
    this.session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from('too_many_pings'));
    // In the next turn, so that the client still hears why.
    setImmediate(() => this.session.destroy());
  }

  sweep(nowMs: number): void {
    const { session } = this;
    if (session.destroyed) return;
    const isOverdue =
      (!this.#sawSettings && nowMs - this.#openedMs > this.#limits.prefaceMs) ||
      nowMs - this.#endingSinceMs > this.#limits.ageGraceMs ||
      nowMs - this.#pingSentMs > this.#limits.pingTimeoutMs;
    if (isOverdue) {
      session.destroy();
      return;
    }
    if (nowMs >= this.#endsMs || (this.#calls === 0 && nowMs - this.#idleSinceMs > this.#limits.idleMs)) this.end(nowMs);
    if (this.#pingSentMs === never && nowMs - this.#activityMs > this.#limits.pingAfterMs) this.#ping(nowMs);
  }

  /**
   * Ends the session without losing a call: the GOAWAY names the last stream that was seen, calls up to it are served, and what the client
   * sent meanwhile it knows to be untouched and sends again. A first GOAWAY that only warns (RFC 9113, section 6.8) is not possible with
   * node:http2: it ignores every stream that comes after any GOAWAY, and the client would wait for an answer for ever.
   */
  end(nowMs: number): void {
    if (this.#isEnding || this.session.destroyed) return;
    this.#isEnding = true;
    this.#endingSinceMs = nowMs;
    if (!this.session.closed) this.session.close();
  }

  #ping(nowMs: number): void {
    this.#pingSentMs = nowMs;
    this.session.ping((error) => {
      if (error !== null) return;
      this.#pingSentMs = never;
      this.#activityMs = nowMs;
    });
  }
}
