/** The `otlp` receiver: gRPC and HTTP servers in front of one pipeline, started and ended together. Main thread. */

import {
  type ComponentSettings,
  type DrainReport,
  nothingLost,
  type Receiver,
  type ReceiverType,
  type TracesConsumer,
} from '../../pipeline/component.ts';
import { ComponentStartError } from '../../pipeline/component-start-error.ts';
import { ComponentLife } from '../../pipeline/component-state.ts';
import { isServerAuthenticator, type ServerAuthenticator } from '../../pipeline/server-authenticator.ts';
import type { ListenAddress } from '../../transport/listen-address.ts';
import {
  activeProtocols,
  checkOtlpReceiver,
  type GrpcServerConfig,
  type HttpServerConfig,
  type OtlpReceiverConfig,
  otlpReceiverSchema,
} from './config.ts';
import type { GrpcServerFactory, GrpcServerTransport } from './grpc-server.ts';
import { OtlpHttpServer } from './http-server.ts';
import { http2GrpcServer } from './http2-server.ts';
import { Intake } from './intake.ts';

interface Listener {
  readonly protocol: 'grpc' | 'http';
  readonly endpoint: string;
  readonly transport: GrpcServerTransport;
}

export class OtlpReceiver implements Receiver {
  readonly #settings: ComponentSettings;
  readonly #config: OtlpReceiverConfig;
  readonly #next: TracesConsumer;
  readonly #grpcServer: GrpcServerFactory;
  readonly #life: ComponentLife;
  /** In the order in which they end: HTTP first, then gRPC, as in the Collector. */
  readonly #listeners: Listener[] = [];
  readonly #addresses = new Map<'grpc' | 'http', ListenAddress>();

  constructor(
    settings: ComponentSettings,
    config: OtlpReceiverConfig,
    next: TracesConsumer,
    grpcServer: GrpcServerFactory = http2GrpcServer,
  ) {
    this.#settings = settings;
    this.#config = config;
    this.#next = next;
    this.#grpcServer = grpcServer;
    this.#life = new ComponentLife({
      start: () => this.#listen(),
      drain: (deadlineMs) => this.#drain(deadlineMs),
      stop: () => this.#close(),
    });
  }

  /** Where the receiver listens, port 0 resolved; undefined when the protocol is off or not started. */
  address(protocol: 'grpc' | 'http'): ListenAddress | undefined {
    return this.#addresses.get(protocol);
  }

  /** Errors: ComponentStartError that names the server and its endpoint. */
  start(): Promise<void> {
    return this.#life.start();
  }

  drain(deadlineMs: number): Promise<DrainReport> {
    return this.#life.drain(deadlineMs);
  }

  stop(): Promise<void> {
    return this.#life.stop();
  }

  async #listen(): Promise<void> {
    const { grpc, http } = activeProtocols(this.#config);
    if (http !== undefined) this.#addHttp(http);
    if (grpc !== undefined) this.#addGrpc(grpc);
    for (const listener of this.#listeners) {
      try {
        const address = await listener.transport.start();
        this.#addresses.set(listener.protocol, address);
        this.#settings.logger.info({ protocol: listener.protocol, ...address }, 'Listening for OTLP.');
      } catch (error) {
        const message = `failed to start the ${listener.protocol} server on "${listener.endpoint}": ${(error as Error).message}`;
        throw new ComponentStartError('LISTEN_FAILED', message, { cause: error });
      }
    }
  }

  async #drain(deadlineMs: number): Promise<DrainReport> {
    for (const listener of this.#listeners) await listener.transport.drain(deadlineMs);
    // A call that is cut was never acknowledged, so its spans are still the client's.
    return nothingLost;
  }

  async #close(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.transport.stop()));
  }

  #addGrpc(grpc: GrpcServerConfig): void {
    const intake = new Intake(this.#settings, this.#next, 'grpc');
    const { clock, prng, logger } = this.#settings;
    const transport = this.#grpcServer({
      config: grpc,
      clock,
      prng,
      logger,
      authenticator: this.#authenticator(grpc.auth),
      exportTraces: (chunks, byteLength, metadata) => intake.export(chunks, byteLength, metadata),
      countRefusal: (reason) => intake.countRefusal(reason),
    });
    this.#listeners.push({ protocol: 'grpc', endpoint: grpc.endpoint, transport });
  }

  #addHttp(http: HttpServerConfig): void {
    const intake = new Intake(this.#settings, this.#next, 'http');
    const { clock, logger } = this.#settings;
    const transport = new OtlpHttpServer({
      config: http,
      clock,
      logger,
      authenticator: this.#authenticator(http.auth),
      isStrict: this.#settings.otelcolCompatibility,
      exportTraces: (chunks, byteLength, metadata, rejected) => intake.export(chunks, byteLength, metadata, rejected),
      countRefusal: (reason) => intake.countRefusal(reason),
    });
    this.#listeners.push({ protocol: 'http', endpoint: http.endpoint, transport });
  }

  #authenticator(auth: { readonly authenticator: { readonly text: string } } | undefined): ServerAuthenticator | undefined {
    if (auth === undefined) return undefined;
    const id = auth.authenticator.text;
    const extension = this.#settings.extension(id);
    if (extension === undefined) throw new ComponentStartError('AUTH', `failed to resolve authenticator "${id}": authenticator not found`);
    if (!isServerAuthenticator(extension))
      throw new ComponentStartError('AUTH', `requested authenticator "${id}" is not a server authenticator`);
    return extension;
  }
}

export const otlpReceiverType: ReceiverType<OtlpReceiverConfig> = {
  kind: 'receiver',
  type: 'otlp',
  schema: otlpReceiverSchema,
  check: checkOtlpReceiver,
  create: (settings, config, next) => new OtlpReceiver(settings, config, next),
};
