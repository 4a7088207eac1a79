/** What all resolvers do with an answer: keep the last good set, tell changes once, log each fault once, count. Main thread. */

import { sortedDistinct } from './endpoint-names.ts';
import type { EndpointSet, Resolver } from './endpoint-set.ts';
import type { ResolverEnvironment } from './resolver-environment.ts';

/** A fault that lasts is said again after this long; one that comes and goes is said at most once in the shorter time. */
const repeatLastingMs = 600_000;
const repeatFlappingMs = 30_000;
const causesMax = 64;

export class EndpointPublisher {
  readonly #environment: ResolverEnvironment;
  readonly #succeeded: { add(value: number): void };
  readonly #failed: { add(value: number): void };
  readonly #updates: { add(value: number): void };
  readonly #kept: { add(value: number): void };
  readonly #members: { set(value: number): void };
  readonly #toldAtMs = new Map<string, number>();
  #onChange: ((set: EndpointSet) => void) | undefined;
  #current: EndpointSet | undefined;
  #faulty = false;

  constructor(kind: Resolver['kind'], environment: ResolverEnvironment) {
    this.#environment = environment;
    const { meter } = environment;
    this.#succeeded = meter.counter('otelcol_loadbalancer_num_resolutions', { resolver: kind, success: 'true' });
    this.#failed = meter.counter('otelcol_loadbalancer_num_resolutions', { resolver: kind, success: 'false' });
    this.#updates = meter.counter('otelcol_loadbalancer_num_backend_updates', { resolver: kind });
    this.#kept = meter.counter('ringtail_loadbalancer_kept_last_good', { resolver: kind });
    this.#members = meter.gauge('otelcol_loadbalancer_num_backends', { resolver: kind });
  }

  begin(onChange: (set: EndpointSet) => void): void {
    this.#onChange = onChange;
  }

  /** After this nothing is told any more. */
  end(): void {
    this.#onChange = undefined;
  }

  /** A good answer. An empty one is not believed: it is a fault, and the last good set stays. */
  found(endpoints: Iterable<string>, emptyCause = 'the answer is empty'): void {
    if (!this.#onChange) return;
    const sorted = sortedDistinct(endpoints);
    if (sorted.length === 0) {
      this.failed(emptyCause);
      return;
    }
    this.#succeeded.add(1);
    this.#recover(sorted.length);
    if (this.#current && sameList(this.#current.endpoints, sorted)) return;
    this.#current = Object.freeze({ version: (this.#current?.version ?? 0) + 1, endpoints: Object.freeze(sorted) });
    this.#members.set(sorted.length);
    this.#updates.add(1);
    this.#onChange(this.#current);
  }

  /** No usable answer. `cause` is one sentence and of bounded variety: the same cause is logged once while it lasts. */
  failed(cause: string, fields: object = {}): void {
    if (!this.#onChange) return;
    this.#failed.add(1);
    if (this.#current) this.#kept.add(1);
    this.#faulty = true;
    const message = this.#current
      ? 'resolving the backends failed, the last good set stays'
      : 'resolving the backends failed, none are known yet';
    this.#tell(cause, fields, message);
  }

  /** Something is wrong beside a usable answer, or while another way is used: counted as a failed resolution and logged once, and nothing is lost by it. */
  impaired(cause: string, fields: object = {}): void {
    if (!this.#onChange) return;
    this.#failed.add(1);
    this.#tell(cause, fields, 'the backends are not resolved as they should be');
  }

  get hasSet(): boolean {
    return this.#current !== undefined;
  }

  #tell(cause: string, fields: object, message: string): void {
    const nowMs = this.#environment.clock.monotonicMs();
    const toldAtMs = this.#toldAtMs.get(cause);
    if (toldAtMs !== undefined && nowMs - toldAtMs < repeatLastingMs) return;
    if (this.#toldAtMs.size >= causesMax) this.#toldAtMs.clear();
    this.#toldAtMs.set(cause, nowMs);
    this.#environment.log.warn({ ...fields, cause, backends: this.#current?.endpoints.length ?? 0 }, message);
  }

  #recover(backends: number): void {
    if (!this.#faulty) return;
    this.#faulty = false;
    const nowMs = this.#environment.clock.monotonicMs();
    for (const [cause, toldAtMs] of this.#toldAtMs) if (nowMs - toldAtMs >= repeatFlappingMs) this.#toldAtMs.delete(cause);
    this.#environment.log.info({ backends }, 'resolving the backends works again');
  }
}

function sameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((endpoint, index) => endpoint === right[index]);
}
