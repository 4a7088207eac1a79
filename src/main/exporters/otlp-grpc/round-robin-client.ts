/** One gRPC client over all addresses behind a name: a connection to each, calls in turn. Main thread. */

import { lookup } from 'node:dns/promises';
import type { Timer } from '../../../shared/clock.ts';
import { GrpcStatus } from '../../pipeline/consume-outcome.ts';
import { untilDeadline } from '../sender/until-deadline.ts';
import type { GrpcClientOptions, GrpcClientSettings } from './grpc-client-options.ts';
import type { GrpcTarget } from './grpc-target.ts';
import type { CallOutcome, GrpcHeaders, GrpcUnaryClient } from './grpc-unary-client.ts';

type TcpTarget = Extract<GrpcTarget, { kind: 'tcp' }>;

/** The addresses of a name. Errors: rejects when there is no answer. */
export type AddressLookup = (host: string) => Promise<readonly string[]>;

export type ChildFactory = (options: GrpcClientOptions) => GrpcUnaryClient;

/** The system's own resolver gives no TTL, so the name is asked again when a connection ends, but not more often than this. */
const lookupIntervalMs = 2_000;
/** What is in flight to an address that is gone from the answer may end. */
const retireMs = 30_000;

const systemLookup: AddressLookup = async (host) => (await lookup(host, { all: true })).map(({ address }) => address);

/** Source: gRPC's round_robin policy: calls go in turn to the addresses that are connected; a failed or empty answer keeps the last one. */
export class RoundRobinClient implements GrpcUnaryClient {
  readonly #settings: GrpcClientSettings;
  readonly #options: GrpcClientOptions;
  readonly #target: TcpTarget;
  readonly #createChild: ChildFactory;
  readonly #lookup: AddressLookup;
  readonly #children = new Map<string, GrpcUnaryClient>();
  readonly #closings = new Set<Promise<void>>();
  readonly #onAnswer = new Set<() => void>();
  #order: readonly GrpcUnaryClient[] = [];
  #turn: number;
  #asking = false;
  #askedAtMs = -Infinity;
  #timer: Timer | undefined;
  #failure = 'not resolved yet';
  #closing: Promise<void> | undefined;

  constructor(
    settings: GrpcClientSettings,
    options: GrpcClientOptions & { readonly target: TcpTarget },
    createChild: ChildFactory,
    find: AddressLookup = systemLookup,
  ) {
    this.#settings = settings;
    this.#target = options.target;
    this.#createChild = createChild;
    this.#lookup = find;
    // Many clients that start together begin at different addresses.
    this.#turn = Math.floor(settings.prng.next() * 0x10000);
    const { tls } = options;
    // The certificate is that of the name, not of an address.
    const named = tls === undefined ? {} : { tls: { servername: options.target.host, ...tls } };
    this.#options = { ...options, ...named, onDisconnected: () => this.#askSoon() };
  }

  async export(chunks: readonly Uint8Array[], byteLength: number, deadlineMs: number, headers: GrpcHeaders): Promise<CallOutcome> {
    if (this.#order.length === 0 && this.#closing === undefined) await this.#firstAnswer(deadlineMs);
    const children = this.#order;
    if (children.length === 1) return children[0]!.export(chunks, byteLength, deadlineMs, headers);
    let last: CallOutcome = { status: GrpcStatus.unavailable, message: `name resolver error: ${this.#failure}`, unsent: true };
    for (const child of inTurn(children, this.#turn++)) {
      last = await child.export(chunks, byteLength, deadlineMs, headers);
      // Another address may take what this one has not seen.
      if (last.unsent !== true || last.status !== GrpcStatus.unavailable) return last;
    }
    return last;
  }

  ready(): boolean {
    return this.#order.some((child) => child.ready());
  }

  connect(): void {
    if (this.#children.size === 0) this.#askSoon();
    for (const child of this.#children.values()) child.connect();
  }

  close(deadlineMs = 0): Promise<void> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<void> {
    this.#timer?.cancel();
    this.#answered();
    await Promise.all([...this.#children.values()].map((child) => child.close(deadlineMs)));
    await Promise.all(this.#closings);
  }

  /** With `waitForReady` a call waits for an answer with addresses, else for any answer. */
  async #firstAnswer(deadlineMs: number): Promise<void> {
    const { clock } = this.#settings;
    do {
      this.#askSoon();
      await untilDeadline(clock, deadlineMs, (done) => this.#onAnswer.add(done));
    } while (this.#options.waitForReady && this.#order.length === 0 && this.#closing === undefined && clock.monotonicMs() < deadlineMs);
  }

  #answered(): void {
    for (const done of this.#onAnswer) done();
    this.#onAnswer.clear();
  }

  #askSoon(): void {
    if (this.#asking || this.#timer !== undefined || this.#closing !== undefined) return;
    const { clock } = this.#settings;
    const waitMs = this.#askedAtMs + lookupIntervalMs - clock.monotonicMs();
    if (waitMs <= 0) void this.#ask();
    else {
      this.#timer = clock.after(waitMs, () => {
        this.#timer = undefined;
        void this.#ask();
      });
      // There is an answer, if a bad one, and it is fresh: calls need not wait for the next.
      if (!this.#options.waitForReady) this.#answered();
    }
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    const failureBefore = this.#failure;
    try {
      const addresses = await this.#lookup(this.#target.host);
      if (addresses.length === 0) this.#failure = `no addresses for ${this.#target.host}`;
      else if (this.#closing === undefined) this.#takeOver(new Set(addresses));
    } catch (error) {
      this.#failure = (error as Error).message;
    }
    this.#asking = false;
    this.#askedAtMs = this.#settings.clock.monotonicMs();
    if (this.#closing !== undefined) return;
    if (this.#failure !== failureBefore)
      this.#settings.logger.warn({ host: this.#target.host, error: this.#failure }, 'A name cannot be resolved.');
    this.#answered();
    this.connect();
  }

  #takeOver(addresses: ReadonlySet<string>): void {
    const { clock } = this.#settings;
    for (const [address, child] of this.#children) {
      if (addresses.has(address)) continue;
      this.#children.delete(address);
      const closing = child.close(clock.monotonicMs() + retireMs).finally(() => this.#closings.delete(closing));
      this.#closings.add(closing);
    }
    for (const host of addresses) {
      if (this.#children.has(host)) continue;
      this.#children.set(host, this.#createChild({ ...this.#options, target: { ...this.#target, host } }));
    }
    this.#order = [...this.#children.values()];
  }
}

/** Those that are connected in turn, then the others, which may be about to. */
function inTurn(children: readonly GrpcUnaryClient[], turn: number): readonly GrpcUnaryClient[] {
  const ready = children.filter((child) => child.ready());
  const rotated = ready.map((_, index) => ready[(turn + index) % ready.length]!);
  return ready.length === children.length ? rotated : [...rotated, ...children.filter((child) => !ready.includes(child))];
}
