/** One backend: what waits for it, its few calls in flight, and the self-clocked coalescing between the two. Main thread. */

import type { Clock, Timer } from '../../../shared/clock.ts';
import { GrpcStatus } from '../../pipeline/consume-outcome.ts';
import type { CallOutcome, GrpcHeaders, GrpcUnaryClient } from '../otlp-grpc/grpc-unary-client.ts';
import { untilDeadline } from '../sender/until-deadline.ts';
import type { FrameCursor } from './frame-blocks.ts';
import type { Slice } from './slice.ts';

export interface BackendSettings {
  readonly clock: Clock;
  /** Bytes at which a further call begins although one is in flight, and at which a call is full. A larger slice goes alone. */
  readonly callBytesMax: number;
  readonly callsInFlightMax: number;
  /** 0 is none. */
  readonly callTimeoutMs: number;
  headers(): GrpcHeaders | Promise<GrpcHeaders>;
  /** Told once per call; `slices` are then the balancer's again. */
  onCallEnd(backend: Backend, slices: readonly Slice[], call: CallOutcome, startMs: number): void;
}

/**
 * Nothing in flight: the next turn of the event loop sends what has come in this one. Otherwise slices gather until a call returns or a call is full.
 * No timer, no latency when idle, large calls under load.
 */
export class Backend {
  readonly endpoint: string;
  readonly cursor: FrameCursor = { current: undefined };
  readonly #settings: BackendSettings;
  readonly #client: GrpcUnaryClient;
  #pending: Slice[] = [];
  #pendingBytes = 0;
  #callsInFlight = 0;
  #scheduled = false;
  #pausedUntilMs = 0;
  #failures = 0;
  #failedAtMs = -1;
  #pause: Timer | undefined;
  #retired = false;
  #onIdle: (() => void) | undefined;

  constructor(settings: BackendSettings, endpoint: string, client: GrpcUnaryClient) {
    this.#settings = settings;
    this.endpoint = endpoint;
    this.#client = client;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get pendingSpans(): number {
    let sum = 0;
    for (const slice of this.#pending) sum += slice.spanCount;
    return sum;
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  get retired(): boolean {
    return this.#retired;
  }

  get connected(): boolean {
    return this.#client.ready();
  }

  connect(): void {
    this.#client.connect();
  }

  enqueue(slice: Slice): void {
    this.#pending.push(slice);
    this.#pendingBytes += slice.bytes.length;
    this.#schedule();
  }

  /** Takes everything back that no call has begun to send. */
  takePending(): readonly Slice[] {
    const taken = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    return taken;
  }

  /** Failures in a row. While there are any, one slice at a time is tried. */
  get failures(): number {
    return this.#failures;
  }

  /** Nothing is sent before. Units: monotonic clock. */
  get pausedUntilMs(): number {
    return this.#pausedUntilMs;
  }

  /** A call that began at `startMs` has failed; a call that began before the last failure says nothing new. */
  failed(startMs: number): void {
    if (startMs < this.#failedAtMs) return;
    this.#failures++;
    this.#failedAtMs = this.#settings.clock.monotonicMs();
  }

  /** It has answered: the next calls are full ones. */
  recovered(): void {
    this.#failures = 0;
  }

  pauseUntil(monotonicMs: number): void {
    if (monotonicMs <= this.#pausedUntilMs || this.#retired) return;
    this.#pausedUntilMs = monotonicMs;
    this.#pause?.cancel();
    this.#pause = this.#settings.clock.after(monotonicMs - this.#settings.clock.monotonicMs(), () => {
      this.#pause = undefined;
      this.#pausedUntilMs = 0;
      this.#pump();
    });
  }

  /** No longer a member: calls in flight end, then the connection is closed. Pending slices have been taken before. */
  async retire(deadlineMs: number): Promise<void> {
    this.#retired = true;
    this.#pause?.cancel();
    if (this.#callsInFlight > 0) {
      await untilDeadline(this.#settings.clock, deadlineMs, (done) => {
        this.#onIdle = done;
      });
    }
    await this.#client.close(deadlineMs);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // One turn later: requests that were read in the same turn share a call.
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    const { callBytesMax, callsInFlightMax } = this.#settings;
    while (this.#pending.length > 0 && this.#callsInFlight < callsInFlightMax) {
      if (this.#callsInFlight > 0 && (this.#pendingBytes < callBytesMax || this.#failures > 0)) return;
      if (this.#pausedUntilMs > 0) return;
      void this.#call(this.#nextSlices());
    }
  }

  #nextSlices(): readonly Slice[] {
    const pending = this.#pending;
    const { callBytesMax } = this.#settings;
    let count = 0;
    let byteLength = 0;
    while (count < pending.length) {
      const slice = pending[count]!;
      if (count > 0 && (slice.alone || this.#failures > 0 || byteLength + slice.bytes.length > callBytesMax)) break;
      byteLength += slice.bytes.length;
      count++;
      if (slice.alone) break;
    }
    this.#pendingBytes -= byteLength;
    if (count === pending.length) {
      this.#pending = [];
      return pending;
    }
    return pending.splice(0, count);
  }

  async #call(slices: readonly Slice[]): Promise<void> {
    const { clock, callTimeoutMs } = this.#settings;
    this.#callsInFlight++;
    const startMs = clock.monotonicMs();
    const chunks = chunksOf(slices);
    let byteLength = 0;
    for (const slice of slices) byteLength += slice.bytes.length;
    const call = await this.#export(chunks, byteLength, callTimeoutMs > 0 ? startMs + callTimeoutMs : Infinity);
    this.#callsInFlight--;
    this.#settings.onCallEnd(this, slices, call, startMs);
    if (this.#callsInFlight === 0) this.#onIdle?.();
    this.#pump();
  }

  async #export(chunks: readonly Uint8Array[], byteLength: number, deadlineMs: number): Promise<CallOutcome> {
    try {
      const given = this.#settings.headers();
      const headers = given instanceof Promise ? await given : given;
      return await this.#client.export(chunks, byteLength, deadlineMs, headers);
    } catch (error) {
      return { status: GrpcStatus.unauthenticated, message: `no credentials for the call: ${(error as Error).message}`, unsent: true };
    }
  }
}

/** Slices that lie one behind the other in memory become one chunk. */
function chunksOf(slices: readonly Slice[]): readonly Uint8Array[] {
  if (slices.length === 1) return [slices[0]!.bytes];
  const chunks: Uint8Array[] = [];
  let last = slices[0]!.bytes;
  for (let index = 1; index < slices.length; index++) {
    const { bytes } = slices[index]!;
    if (bytes.buffer === last.buffer && bytes.byteOffset === last.byteOffset + last.length) {
      last = new Uint8Array(bytes.buffer, last.byteOffset, last.length + bytes.length);
    } else {
      chunks.push(last);
      last = bytes;
    }
  }
  chunks.push(last);
  return chunks;
}
