/** The otlp_http exporter (alias otlphttp): the sender chain in front of an HTTP client. Main thread. */

import { Buffer } from 'node:buffer';
import { arch, platform } from 'node:process';
import type { ConfigFault } from '../../config/config-fault.ts';
import type { ComponentSettings, DrainReport, Exporter, ExporterType, TracesPayload } from '../../pipeline/component.ts';
import { ComponentLife } from '../../pipeline/component-state.ts';
import { type ConsumeOutcome, refusedRetryable } from '../../pipeline/consume-outcome.ts';
import { HttpClient } from '../../transport/http-client.ts';
import { authenticatorOf } from '../otlp-grpc/auth-headers.ts';
import { createSenderChain, type SenderChain } from '../sender/sender-chain.ts';
import { queueConfigOf, retryConfigOf } from '../sender/sender-config.ts';
import { HttpSender, merged } from './http-sender.ts';
import { checkOtlpHttp, encodingOf, httpClientOptionsOf, type OtlpHttpConfig, otlpHttpSchema, tracesUrlOf } from './otlp-http-config.ts';

export const otlpHttpExporterType: ExporterType<OtlpHttpConfig> = {
  kind: 'exporter',
  type: 'otlp_http',
  aliases: ['otlphttp'],
  schema: otlpHttpSchema,
  check: (config): readonly ConfigFault[] => checkOtlpHttp(config, []),
  create: (settings, config) => new OtlpHttpExporter(settings, config),
};

export class OtlpHttpExporter implements Exporter {
  readonly #settings: ComponentSettings;
  readonly #config: OtlpHttpConfig;
  readonly #life: ComponentLife;
  #client: HttpClient | undefined;
  #chain: SenderChain | undefined;

  constructor(settings: ComponentSettings, config: OtlpHttpConfig) {
    this.#settings = settings;
    this.#config = config;
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
    const url = tracesUrlOf(config);
    const authenticator = config.auth === undefined ? undefined : authenticatorOf(settings, config.auth.authenticator.text);
    this.#client = new HttpClient(settings.clock, httpClientOptionsOf(config, url));
    const sender = new HttpSender(this.#client, settings, {
      url,
      form: config.encoding,
      encoding: encodingOf(config),
      level: config.compression_params.level,
      headers: headersOf(config, url, settings.version),
      authenticator,
    });
    const queue = queueConfigOf(config.sending_queue);
    const retry = retryConfigOf(config.retry_on_failure);
    const labels = { 'server.address': url.hostname, 'server.port': url.port };
    this.#chain = createSenderChain(settings, { queue, retry, timeoutMs: config.timeout }, sender, labels);
    await this.#chain.start();
  }
}

function headersOf(config: OtlpHttpConfig, url: URL, version: string): readonly (readonly [string, string])[] {
  const encoding = encodingOf(config);
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return merged([
    ['content-type', config.encoding === 'json' ? 'application/json' : 'application/x-protobuf'],
    ['user-agent', `Ringtail/${version} (${platform}/${arch})`],
    ...(encoding === undefined ? [] : ([['content-encoding', encoding]] as const)),
    ...(login === ':' ? [] : ([['authorization', `Basic ${Buffer.from(login, 'utf8').toString('base64')}`]] as const)),
    ...config.headers.map((header) => [header.name.toLowerCase(), header.value.reveal()] as const),
  ]);
}
