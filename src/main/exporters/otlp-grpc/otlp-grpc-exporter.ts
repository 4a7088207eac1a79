/** The otlp_grpc exporter (alias otlp): the sender chain in front of one gRPC channel. Main thread. */

import type { ConfigFault } from '../../config/config-fault.ts';
import type { ComponentSettings, DrainReport, Exporter, ExporterType, TracesPayload } from '../../pipeline/component.ts';
import { ComponentStartError } from '../../pipeline/component-start-error.ts';
import { ComponentLife } from '../../pipeline/component-state.ts';
import { type ConsumeOutcome, refusedRetryable } from '../../pipeline/consume-outcome.ts';
import type { MetricAttributes } from '../../telemetry/metrics.ts';
import { createSenderChain, type SenderChain } from '../sender/sender-chain.ts';
import { queueConfigOf, retryConfigOf } from '../sender/sender-config.ts';
import { authenticatorOf } from './auth-headers.ts';
import { createGrpcClient, type GrpcClientFactory } from './create-grpc-client.ts';
import { checkClient, clientOptionsOf, type OtlpGrpcConfig, otlpGrpcSchema } from './grpc-client-config.ts';
import { GrpcSender } from './grpc-sender.ts';
import { type GrpcTarget, parseGrpcTarget } from './grpc-target.ts';
import type { GrpcHeaders, GrpcUnaryClient } from './grpc-unary-client.ts';

export const otlpGrpcExporterType: ExporterType<OtlpGrpcConfig> = {
  kind: 'exporter',
  type: 'otlp_grpc',
  aliases: ['otlp'],
  schema: otlpGrpcSchema,
  check: (config): readonly ConfigFault[] => checkClient(config, []),
  create: (settings, config) => new OtlpGrpcExporter(settings, config),
};

/** `createClient` is the transport, handed in for tests and simulations. */
export class OtlpGrpcExporter implements Exporter {
  readonly #settings: ComponentSettings;
  readonly #config: OtlpGrpcConfig;
  readonly #createClient: GrpcClientFactory;
  readonly #life: ComponentLife;
  #client: GrpcUnaryClient | undefined;
  #chain: SenderChain | undefined;

  constructor(settings: ComponentSettings, config: OtlpGrpcConfig, createClient: GrpcClientFactory = createGrpcClient) {
    this.#settings = settings;
    this.#config = config;
    this.#createClient = createClient;
    this.#life = new ComponentLife({
      start: () => this.#start(),
      drain: (deadlineMs) => this.#chain!.drain(deadlineMs),
      stop: async () => {
        this.#chain?.stop();
        await this.#client?.close();
      },
    });
  }

  start(): Promise<void> {
    return this.#life.start();
  }

  consume(payload: TracesPayload): Promise<ConsumeOutcome> {
    return this.#chain?.consume(payload) ?? Promise.resolve(refusedRetryable('the exporter is not running'));
  }

  drain(deadlineMs: number): Promise<DrainReport> {
    return this.#life.drain(deadlineMs);
  }

  stop(): Promise<void> {
    return this.#life.stop();
  }

  async #start(): Promise<void> {
    const settings = this.#settings;
    const config = this.#config;
    const target = parseGrpcTarget(config.endpoint);
    if (target.kind === 'fault') throw new ComponentStartError('BAD_ENDPOINT', target.message);
    const authenticator = config.auth === undefined ? undefined : authenticatorOf(settings, config.auth.authenticator.text);
    this.#client = this.#createClient(settings, clientOptionsOf(config, target, settings.version));
    this.#client.connect();
    const sender = new GrpcSender(this.#client, headersOf(config), authenticator, settings.logger);
    const queue = queueConfigOf(config.sending_queue);
    const retry = retryConfigOf(config.retry_on_failure);
    this.#chain = createSenderChain(settings, { queue, retry, timeoutMs: config.timeout }, sender, addressLabels(target));
    await this.#chain.start();
  }
}

function addressLabels(target: GrpcTarget): MetricAttributes {
  return {
    'server.address': target.kind === 'tcp' ? target.host : target.path,
    'server.port': target.kind === 'tcp' ? String(target.port) : '',
  };
}

export function headersOf(config: Pick<OtlpGrpcConfig, 'headers'>): GrpcHeaders {
  return config.headers.map((header) => [header.name.toLowerCase(), header.value.reveal()] as const);
}
