/** The `otlp` receiver: gRPC and HTTP servers in front of one pipeline, started and ended together. Main thread. */

import {
  type ComponentSettings,
  type DrainReport,
  nothingLost,
  type Receiver,
  type ReceiverType,
  type TracesConsumer,
} from '../../pipeline/component.ts';
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

/** A listener could not be set up: which one, where, and why. */
export class OtlpStartError extends Error {
  readonly code = 'OTLP_START';
}

interface Listener {
  readonly protocol: 'grpc' | 'http';
  readonly endpoint: string;
  readonly transport: GrpcServerTransport;
}

export class OtlpReceiver implements Receiver {
  readonly #settings: ComponentSettings;
  /** In the order in which they end: HTTP first, then gRPC, as in the Collector. */
  readonly #listeners: Listener[] = [];
  readonly #addresses = new Map<'grpc' | 'http', ListenAddress>();
  readonly #life = new ComponentLife({
    start: () => this.#start(),
    drain: (deadlineMs) => this.#drain(deadlineMs),
    stop: () => this.#stop(),
  });

  constructor(
    settings: ComponentSettings,
    config: OtlpReceiverConfig,
    next: TracesConsumer,
    grpcServer: GrpcServerFactory = http2GrpcServer,
  ) {
    this.#settings = settings;
    const { grpc, http } = activeProtocols(config);
    if (http !== undefined) this.#addHttp(http, next);
    if (grpc !== undefined) this.#addGrpc(grpc, next, grpcServer);
  }

  #addGrpc(grpc: GrpcServerConfig, next: TracesConsumer, grpcServer: GrpcServerFactory): void {
    const intake = new Intake(this.#settings, next, 'grpc');
    const { clock, prng, logger } = this.#settings;
    const transport = grpcServer({
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

  #addHttp(http: HttpServerConfig, next: TracesConsumer): void {
    const intake = new Intake(this.#settings, next, 'http');
    const { clock, logger } = this.#settings;
    const transport = new OtlpHttpServer({
      config: http,
      clock,
      logger,
      authenticator: this.#authenticator(http.auth),
      exportTraces: (chunks, byteLength, metadata) => intake.export(chunks, byteLength, metadata),
      countRefusal: (reason) => intake.countRefusal(reason),
    });
    this.#listeners.push({ protocol: 'http', endpoint: http.endpoint, transport });
  }

  /** Where the receiver listens, port 0 resolved; undefined when the protocol is off or not started. */
  address(protocol: 'grpc' | 'http'): ListenAddress | undefined {
    return this.#addresses.get(protocol);
  }

  start(): Promise<void> {
    return this.#life.start();
  }

  async #start(): Promise<void> {
    for (const listener of this.#listeners) {
      try {
        const address = await listener.transport.start();
        this.#addresses.set(listener.protocol, address);
        this.#settings.logger.info({ protocol: listener.protocol, ...address }, 'listening for OTLP');
      } catch (error) {
        await this.#stop();
        const message = `failed to start the ${listener.protocol} server on ${listener.endpoint}: ${(error as Error).message}`;
        throw new OtlpStartError(message, { cause: error });
      }
    }
  }

  drain(deadlineMs: number): Promise<DrainReport> {
    return this.#life.drain(deadlineMs);
  }

  async #drain(deadlineMs: number): Promise<DrainReport> {
    for (const listener of this.#listeners) await listener.transport.drain(deadlineMs);
    // A call that is cut was never acknowledged, so its spans are still the client's.
    return nothingLost;
  }

  stop(): Promise<void> {
    return this.#life.stop();
  }

  async #stop(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.transport.stop()));
  }

  #authenticator(auth: { readonly authenticator: { readonly text: string } } | undefined): ServerAuthenticator | undefined {
    if (auth === undefined) return undefined;
    const id = auth.authenticator.text;
    const extension = this.#settings.extension(id);
    if (extension === undefined) throw new OtlpStartError(`failed to resolve authenticator "${id}": authenticator not found`);
    if (!isServerAuthenticator(extension)) throw new OtlpStartError(`requested authenticator "${id}" is not a server authenticator`);
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
