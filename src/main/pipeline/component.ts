/** The contract that every receiver, processor, exporter and extension keeps, and the seam between stages. Main thread. */

import type { Clock } from '../../shared/clock.ts';
import type { Prng } from '../../shared/prng.ts';
import type { Arena } from '../arena/arena.ts';
import type { ConfigFault } from '../config/config-fault.ts';
import type { FieldSchema } from '../config/fields.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { ConsumeOutcome } from './consume-outcome.ts';

/** `type` or `type/name`, as in the Collector's YAML. `type` is canonical (an alias is resolved); `text` is as written. */
export interface ComponentId {
  readonly type: string;
  readonly name: string;
  readonly text: string;
}

/** Client metadata of a request: lower-case header name → values. Present only when the receiver has `include_metadata`. */
export type RequestMetadata = ReadonlyMap<string, readonly string[]>;

/**
 * The one currency: the bytes of one ExportTraceServiceRequest.
 *
 * Shape: well-formed (the receiver validated it to the last nested field), `spanCount` ≥ 1. May be a view into the arena's shared memory.
 * Life:  the bytes are lent until the promise of `consume` settles; then they may be overwritten. Keep them longer by copying.
 */
export interface TracesPayload {
  readonly bytes: Uint8Array;
  readonly spanCount: number;
  readonly metadata?: RequestMetadata;
  /** What the receiver's walk found out for `kernel.split`; absent where payloads were put together (`payloadRows` then asks the kernel). */
  readonly rows?: PayloadRows;
}

/** `bytesMax`: the room that `split` can need; `uniform`: its parameter of that name. */
export interface PayloadRows {
  readonly bytesMax: number;
  readonly uniform: boolean;
}

/** Anything that takes payloads. Never throws or rejects for an expected outcome; never changes the bytes. */
export interface TracesConsumer {
  consume(payload: TracesPayload): Promise<ConsumeOutcome>;
}

/** What a draining component could not finish. All zero in the normal case. */
export interface DrainReport {
  readonly spansLost: number;
}

export const nothingLost: DrainReport = Object.freeze({ spansLost: 0 });

/**
 * Life of a component: `start` once, `drain` and `stop` any number of times, from any state, concurrently; all callers get the same promise.
 *
 * start: binds, connects, begins; throws (ComponentStartError) when the component cannot run.
 * drain: stops intake, finishes what was accepted, hands everything it holds downstream, reports what it could not finish by the deadline.
 * stop:  releases everything. After it no timer, socket or task of the component is left.
 * The graph starts exporters, then processors, then receivers, and drains in the opposite order, each stage after all that feed it.
 */
export interface Component {
  start(): Promise<void>;
  /** Units: `deadlineMs` is on the monotonic clock. */
  drain(deadlineMs: number): Promise<DrainReport>;
  stop(): Promise<void>;
}

export interface Receiver extends Component {}
export interface Processor extends Component, TracesConsumer {}
export interface Exporter extends Component, TracesConsumer {
  /** False while the exporter knows that it cannot send (a load balancer without endpoints). Absent: always ready. The health check asks. */
  ready?(): boolean;
}
export interface Extension extends Component {}

/** What the process gives to each component; the user's own part is its config. */
export interface ComponentSettings {
  readonly id: ComponentId;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly arena: Arena;
  readonly version: string;
  /** True under `--compatibility otelcol`: quirks of the Collector that are fixed by default come back. */
  readonly otelcolCompatibility: boolean;
  readonly featureGates: ReadonlySet<string>;
  /** The process's environment variables, for what they say about where it runs (Kubernetes); never for configuration. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** A configured and listed extension, for `auth`, `storage` and the like. */
  extension(id: string): Extension | undefined;
}

interface ComponentTypeBase<Config> {
  /** Canonical type, as in the Collector's v0.161 documentation. */
  readonly type: string;
  /** Other type names that load as this one; an `oldName` is accepted without a word, as the Collector does for its deprecated aliases. */
  readonly aliases?: readonly string[];
  readonly schema: FieldSchema<Config>;
  /** Checks across fields; paths are relative to the component's own config. Runs in `check` too. */
  check?(config: Config, id: ComponentId, featureGates?: ReadonlySet<string>): readonly ConfigFault[];
}

export interface ReceiverType<Config> extends ComponentTypeBase<Config> {
  readonly kind: 'receiver';
  create(settings: ComponentSettings, config: Config, next: TracesConsumer): Receiver;
}
export interface ProcessorType<Config> extends ComponentTypeBase<Config> {
  readonly kind: 'processor';
  /** Called once per pipeline that lists the processor, as in the Collector. */
  create(settings: ComponentSettings, config: Config, next: TracesConsumer): Processor;
}
export interface ExporterType<Config> extends ComponentTypeBase<Config> {
  readonly kind: 'exporter';
  create(settings: ComponentSettings, config: Config): Exporter;
}
export interface ExtensionType<Config> extends ComponentTypeBase<Config> {
  readonly kind: 'extension';
  create(settings: ComponentSettings, config: Config): Extension;
}
// biome-ignore lint/suspicious/noExplicitAny: a list of component types holds configs of every shape; each is checked by its own schema.
export type ComponentType = ReceiverType<any> | ProcessorType<any> | ExporterType<any> | ExtensionType<any>;
