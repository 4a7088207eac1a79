/** The googlecloud exporter: traces to Cloud Trace v2, mapped as the Collector's exporter maps them. Main thread. */

import { arch, platform } from 'node:process';
import { batchWriteSpansPath } from '../../../shared/google/cloud-trace.ts';
import type { ConfigFault } from '../../config/config-fault.ts';
import type { ComponentSettings, DrainReport, Exporter, ExporterType, TracesPayload } from '../../pipeline/component.ts';
import { ComponentStartError } from '../../pipeline/component-start-error.ts';
import { ComponentLife } from '../../pipeline/component-state.ts';
import { type ConsumeOutcome, refusedRetryable } from '../../pipeline/consume-outcome.ts';
import { authenticatorOf } from '../otlp-grpc/auth-headers.ts';
import { createGrpcClient, type GrpcClientFactory } from '../otlp-grpc/create-grpc-client.ts';
import type { GrpcTarget } from '../otlp-grpc/grpc-target.ts';
import type { GrpcUnaryClient } from '../otlp-grpc/grpc-unary-client.ts';
import { createSenderChain, type SenderChain } from '../sender/sender-chain.ts';
import { queueConfigOf } from '../sender/sender-config.ts';
import { defaultRenames } from './cloud-span.ts';
import { CloudTraceSender } from './cloud-trace-sender.ts';
import { findGoogleCredentials, type GoogleCredentials } from './google-credentials.ts';
import { checkGoogleCloud, type GoogleCloudConfig, googleCloudSchema, isInsecure, targetOf } from './googlecloud-config.ts';

export const googleCloudExporterType: ExporterType<GoogleCloudConfig> = {
  kind: 'exporter',
  type: 'googlecloud',
  schema: googleCloudSchema,
  check: (config): readonly ConfigFault[] => checkGoogleCloud(config, []),
  create: (settings, config) => new GoogleCloudExporter(settings, config),
};

/** Source: gRPC's connection back-off protocol, MAX_BACKOFF. */
const reconnectMsMax = 120_000;

/** `createClient` and `findCredentials` are the world outside, handed in for tests and simulations. */
export class GoogleCloudExporter implements Exporter {
  readonly #settings: ComponentSettings;
  readonly #config: GoogleCloudConfig;
  readonly #createClient: GrpcClientFactory;
  readonly #findCredentials: typeof findGoogleCredentials;
  readonly #life: ComponentLife;
  #client: GrpcUnaryClient | undefined;
  #sender: CloudTraceSender | undefined;
  #chain: SenderChain | undefined;

  constructor(
    settings: ComponentSettings,
    config: GoogleCloudConfig,
    createClient: GrpcClientFactory = createGrpcClient,
    findCredentials: typeof findGoogleCredentials = findGoogleCredentials,
  ) {
    this.#settings = settings;
    this.#config = config;
    this.#createClient = createClient;
    this.#findCredentials = findCredentials;
    this.#life = new ComponentLife({
      start: () => this.#start(),
      drain: (deadlineMs) => {
        this.#sender?.stopRetrying();
        return this.#chain!.drain(deadlineMs);
      },
      stop: async () => {
        this.#sender?.stopRetrying();
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
    const target = targetOf(config);
    if (target.kind === 'fault') throw new ComponentStartError('BAD_ENDPOINT', target.message);
    const credentials = await this.#credentials();
    const project = config.project || credentials?.project;
    if (!project)
      throw new ComponentStartError('NO_PROJECT', 'no project set in config, or found with application default credentials; write project');
    this.#client = this.#connect(target);
    this.#sender = new CloudTraceSender(this.#client, settings, {
      project,
      agent: `ringtail ${settings.version}`,
      renames: renamesOf(config),
      destinationProjectQuota: config.destination_project_quota,
      authorize: credentials && (() => credentials.headers()),
    });
    const queue = queueConfigOf(config.sending_queue);
    this.#chain = createSenderChain(settings, { queue, retry: undefined, timeoutMs: config.timeout }, this.#sender);
    await this.#chain.start();
  }

  #connect(target: GrpcTarget): GrpcUnaryClient {
    const { user_agent: userAgent } = this.#config;
    const { version } = this.#settings;
    const client = this.#createClient(this.#settings, {
      target,
      tls: isInsecure(this.#config) ? undefined : {},
      encoding: 'identity',
      authority: '',
      userAgent: userAgent === '' ? `Ringtail/${version} (${platform}/${arch})` : userAgent.replaceAll('{{version}}', version),
      keepalive: undefined,
      waitForReady: true,
      reconnectMsMax,
      path: batchWriteSpansPath,
    });
    client.connect();
    return client;
  }

  /** Undefined: calls go without. */
  async #credentials(): Promise<GoogleCredentials | undefined> {
    const config = this.#config;
    if (config.authenticator !== '') {
      const authenticator = authenticatorOf(this.#settings, config.authenticator);
      return { project: '', headers: async () => authenticator.clientHeaders() };
    }
    if (isInsecure(config)) return undefined;
    try {
      return await this.#findCredentials(config);
    } catch (error) {
      const message = `error finding default application credentials: ${(error as Error).message}`;
      throw new ComponentStartError('NO_CREDENTIALS', message, { cause: error });
    }
  }
}

function renamesOf(config: GoogleCloudConfig): ReadonlyMap<string, string> {
  const { attribute_mappings: mappings } = config.trace;
  return mappings === undefined ? defaultRenames : new Map(mappings.map(({ key, replacement }) => [key, replacement]));
}
