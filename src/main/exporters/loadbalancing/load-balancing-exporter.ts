/** The load_balancing exporter (alias loadbalancing): sends each trace to the backend that owns it. Main thread. */

import type { EndpointSet } from '../../../discovery/endpoint-set.ts';
import type { Placement } from '../../../discovery/placement.ts';
import { placementOf } from '../../../discovery/placement-of.ts';
import type { ComponentSettings, DrainReport, Exporter, ExporterType, TracesPayload } from '../../pipeline/component.ts';
import { ComponentLife } from '../../pipeline/component-state.ts';
import { type ConsumeOutcome, refusedRetryable } from '../../pipeline/consume-outcome.ts';
import { authenticatorOf } from '../otlp-grpc/auth-headers.ts';
import { createGrpcClient, type GrpcClientFactory } from '../otlp-grpc/create-grpc-client.ts';
import { clientOptionsOf } from '../otlp-grpc/grpc-client-config.ts';
import { warnOfPartialSuccess } from '../otlp-grpc/grpc-sender.ts';
import { parseGrpcTarget } from '../otlp-grpc/grpc-target.ts';
import type { GrpcHeaders } from '../otlp-grpc/grpc-unary-client.ts';
import { headersOf } from '../otlp-grpc/otlp-grpc-exporter.ts';
import type { Sender } from '../sender/send-request.ts';
import { createSenderChain, type SenderChain } from '../sender/sender-chain.ts';
import { queueConfigOf } from '../sender/sender-config.ts';
import { Backend, type BackendSettings } from './backend.ts';
import { Balancer, noBackends } from './balancer.ts';
import { BalancerMetrics } from './balancer-metrics.ts';
import { childQueueOf } from './child-queue.ts';
import { createResolver, type NamingResolver, type ResolverFactory } from './create-resolver.ts';
import { FrameBlocks } from './frame-blocks.ts';
import { checkLoadBalancing, type LoadBalancingConfig, loadBalancingSchema, slicePolicyOf } from './load-balancing-config.ts';
import { OwnerByAttributes } from './owner-by-attributes.ts';
import { PartialDeliveries } from './partial-deliveries.ts';
import { PatientSender } from './patient-sender.ts';
import { noMemory, OwnerByTraceId, type OwnerOfRun, SliceRouter } from './slice-router.ts';

export const loadBalancingExporterType: ExporterType<LoadBalancingConfig> = {
  kind: 'exporter',
  type: 'load_balancing',
  aliases: ['loadbalancing'],
  schema: loadBalancingSchema,
  check: (config) => checkLoadBalancing(config),
  create: (settings, config) => new LoadBalancingExporter(settings, config),
};

/** Transport and discovery, handed in for tests and simulations. */
export interface LoadBalancingParts {
  readonly createClient?: GrpcClientFactory;
  readonly createResolver?: ResolverFactory;
}

/** Calls of this size carry what a backend takes in one go without holding others up, and stay below every receiver's limit of 4 MiB. */
const callBytesMax = 1_048_576;
/** One call that fills, one that travels, and room for one that hangs. */
const callsInFlightMax = 4;
/** A backend that comes back is missed by every trace it owns, so it is looked for more often than gRPC's two minutes. */
const reconnectMsMax = 2_000;
/** The share of the arena that may wait for backends. */
const arenaShare = 0.5;

export class LoadBalancingExporter implements Exporter {
  readonly #settings: ComponentSettings;
  readonly #config: LoadBalancingConfig;
  readonly #createClient: GrpcClientFactory;
  readonly #createResolver: ResolverFactory;
  readonly #life: ComponentLife;
  #balancer: Balancer | undefined;
  #chain: SenderChain | undefined;
  #patient: PatientSender | undefined;
  #resolver: NamingResolver | undefined;
  #stopObserving: (() => void)[] = [];
  #tableVersion = 0;
  #tableDigest = 0;

  constructor(settings: ComponentSettings, config: LoadBalancingConfig, parts: LoadBalancingParts = {}) {
    this.#settings = settings;
    this.#config = config;
    this.#createClient = parts.createClient ?? createGrpcClient;
    this.#createResolver = parts.createResolver ?? createResolver;
    this.#life = new ComponentLife({
      start: () => this.#start(),
      drain: (deadlineMs) => this.#drain(deadlineMs),
      stop: () => this.#stop(),
    });
  }

  start(): Promise<void> {
    return this.#life.start();
  }

  consume(payload: TracesPayload): Promise<ConsumeOutcome> {
    return this.#chain?.consume(payload) ?? Promise.resolve(refusedRetryable('the exporter is not running'));
  }

  ready(): boolean {
    return this.#balancer?.ready ?? false;
  }

  drain(deadlineMs: number): Promise<DrainReport> {
    return this.#life.drain(deadlineMs);
  }

  stop(): Promise<void> {
    return this.#life.stop();
  }

  async #start(): Promise<void> {
    const settings = this.#settings;
    const { logger, metrics, clock, prng } = settings;
    const balancer = this.#createBalancer();
    this.#balancer = balancer;
    const sender: Sender = {
      send: ({ chunks, byteLength, spanCount, rows }) => balancer.consume(oneChunk(chunks, byteLength), spanCount, rows),
    };
    const { sending_queue: queue } = this.#config;
    if (queue?.enabled)
      this.#patient = new PatientSender({ clock, patienceMs: slicePolicyOf(this.#config).requestBudgetMs, isNotBegun }, sender);
    const config = { queue: queue && queueConfigOf(queue), retry: undefined, timeoutMs: 0 };
    this.#chain = createSenderChain(settings, config, this.#patient ?? sender);
    await this.#chain.start();
    const exporter = settings.id.text;
    this.#stopObserving = [
      metrics.observe('ringtail_loadbalancer_pending_bytes', { exporter }, () => balancer.pendingBytes()),
      metrics.observe('ringtail_slot_table_version', { exporter }, () => this.#tableVersion),
      metrics.observe('ringtail_slot_table_digest', { exporter }, () => this.#tableDigest),
    ];
    const resolver = this.#createResolver(this.#config.resolver, { log: logger, meter: metrics, clock, prng }, settings.environment);
    this.#resolver = resolver;
    await resolver.start((set) => this.#takeOver(set));
  }

  #takeOver(set: EndpointSet): void {
    const resolver = this.#resolver!;
    const placement: Placement = placementOf(this.#config.hash, set.endpoints, (endpoint) => resolver.ringNameOf(endpoint));
    this.#balancer!.setPlacement(placement, set.version);
    this.#patient?.wake();
    this.#tableVersion = set.version;
    this.#tableDigest = Number.parseInt(placement.digest.slice(0, 8), 16);
    this.#settings.logger.info(
      { backends: set.endpoints.length, version: set.version, digest: placement.digest },
      'The set of backends has changed.',
    );
  }

  async #drain(deadlineMs: number): Promise<DrainReport> {
    this.#patient?.stop();
    const queued = await this.#chain!.drain(deadlineMs);
    const lost = await this.#balancer!.drain(deadlineMs);
    return { spansLost: queued.spansLost + lost };
  }

  async #stop(): Promise<void> {
    this.#patient?.stop();
    this.#chain?.stop();
    await this.#resolver?.stop();
    await this.#balancer?.stop();
    for (const stop of this.#stopObserving) stop();
  }

  #createBalancer(): Balancer {
    const settings = this.#settings;
    const { arena, clock, prng, logger, id } = settings;
    const template = this.#config.protocol.otlp;
    const { sending_queue: front } = this.#config;
    const policy = slicePolicyOf(this.#config);
    const blocks = new FrameBlocks(arena, Math.floor(arena.capacityBytes * arenaShare));
    const authenticator = template.auth === undefined ? undefined : authenticatorOf(settings, template.auth.authenticator.text);
    const fixedHeaders = headersOf(template);
    const headers = async (): Promise<GrpcHeaders> => [...fixedHeaders, ...(await authenticator!.clientHeaders())];
    const queue = template.sending_queue?.enabled ? queueConfigOf(template.sending_queue) : undefined;
    const backendSettings: BackendSettings = {
      clock,
      callBytesMax,
      callsInFlightMax,
      callTimeoutMs: policy.callTimeoutMs,
      headers: authenticator === undefined ? () => fixedHeaders : headers,
      onCallEnd: (backend, slices, call, startMs) => {
        warnOfPartialSuccess(logger, call);
        balancer.onCallEnd(backend, slices, call, startMs);
      },
    };
    const balancer: Balancer = new Balancer({
      arena,
      clock,
      prng,
      logger,
      blocks,
      router: new SliceRouter(arena, blocks, this.#ownerOfRun()),
      metrics: new BalancerMetrics(settings.metrics, id.text),
      retry: policy.retry,
      requestBudgetMs: policy.requestBudgetMs,
      childQueue: queue && childQueueOf(queue),
      deliveries: front?.enabled && !front.wait_for_result ? undefined : new PartialDeliveries(clock),
      createBackend: (endpoint) => this.#createBackend(backendSettings, endpoint),
      onUnreachable: () => this.#resolver?.refresh(),
    });
    return balancer;
  }

  #ownerOfRun(): OwnerOfRun {
    const { routing_key: key, routing_attributes: attributes } = this.#config;
    if (key === 'service') return new OwnerByAttributes(this.#settings.arena, ['service.name']);
    if (key === 'attributes') return new OwnerByAttributes(this.#settings.arena, attributes);
    return new OwnerByTraceId(this.#settings.arena);
  }

  #createBackend(backendSettings: BackendSettings, endpoint: string): Backend {
    const target = parseGrpcTarget(endpoint);
    if (target.kind === 'fault') throw new Error(`backend ${endpoint}: ${target.message}`);
    // One connection: two addresses behind one backend's name would part traces.
    const options = { ...clientOptionsOf(this.#config.protocol.otlp, target, this.#settings.version), reconnectMsMax, roundRobin: false };
    return new Backend(
      backendSettings,
      endpoint,
      this.#createClient({ ...this.#settings, logger: this.#settings.logger.child({ endpoint }) }, options),
    );
  }
}

function isNotBegun(outcome: ConsumeOutcome): boolean {
  return outcome === noBackends || outcome === noMemory;
}

function oneChunk(chunks: readonly Uint8Array[], byteLength: number): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const bytes = Buffer.allocUnsafe(byteLength);
  let position = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, position);
    position += chunk.length;
  }
  return bytes;
}
