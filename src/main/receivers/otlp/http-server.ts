/** OTLP/HTTP on node:http: listener, time limits, graceful end. Main thread. */

import http from 'node:http';
import type { Clock } from '../../../shared/clock.ts';
import type { ServerAuthenticator } from '../../pipeline/server-authenticator.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Encoding } from '../../transport/compression/decompress.ts';
import { type ListenAddress, listen, parseListenAddress } from '../../transport/listen-address.ts';
import { serverTlsOptions, TlsReloader } from '../../transport/tls.ts';
import { compressionAlgorithms, type HttpServerConfig, httpBodyBytesMax, httpKeepAlive, urlPath } from './config.ts';
import { Cors } from './cors.ts';
import { type ExchangeHost, type ExportTraces, HttpExchange } from './http-exchange.ts';
import { HttpsServer } from './https-server.ts';
import type { RefusalReason } from './intake.ts';
import { UploadBudget, uploadBytesMax } from './upload-budget.ts';

export interface OtlpHttpServerSettings {
  readonly config: HttpServerConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly authenticator: ServerAuthenticator | undefined;
  /** Whether one unusable span costs the whole request. */
  readonly isStrict: boolean;
  readonly exportTraces: ExportTraces;
  countRefusal(reason: RefusalReason): void;
}

export class OtlpHttpServer {
  readonly #settings: OtlpHttpServerSettings;
  readonly #exchanges = new Set<HttpExchange>();
  readonly #host: ExchangeHost;
  #server: http.Server | undefined;
  #https: HttpsServer | undefined;
  #reloader: TlsReloader | undefined;
  #draining: Promise<void> | undefined;
  #drained: (() => void) | undefined;

  constructor(settings: OtlpHttpServerSettings) {
    this.#settings = settings;
    const { config } = settings;
    const bodyBytesMax = httpBodyBytesMax(config);
    this.#host = {
      path: urlPath(config.traces_url_path),
      bodyBytesMax,
      encodings: encodingsOf(config.compression_algorithms ?? compressionAlgorithms),
      cors: config.cors === undefined || config.cors.allowed_origins.length === 0 ? undefined : new Cors(config.cors),
      responseHeaders: config.response_headers.map(({ name, value }) => [name, value.reveal()]),
      authenticator: settings.authenticator,
      authenticatedParameters: config.auth?.request_params ?? [],
      includeMetadata: config.include_metadata,
      uploads: new UploadBudget(uploadBytesMax(bodyBytesMax)),
      isStrict: settings.isStrict,
      exportTraces: settings.exportTraces,
      countRefusal: settings.countRefusal,
      isDraining: () => this.#draining !== undefined,
      release: (exchange) => this.#release(exchange),
    };
  }

  /** Errors: whatever the system says about the address, and TlsLoadError. */
  async start(): Promise<ListenAddress> {
    const { config, logger } = this.#settings;
    const address = parseListenAddress(config.endpoint, config.transport);
    if ('error' in address) throw new Error(address.error);
    const server = this.#createServer((request, response) => this.#open(request, response));
    this.#server = server;
    server.on('tlsClientError', (error: Error) => logger.debug({ err: error }, 'TLS handshake failed'));
    const bound = await listen(server, address, config.transport);
    server.on('error', (error) => logger.warn({ err: error }, 'HTTP listener reported an error'));
    return bound;
  }

  /** Units: `deadlineMs` is on the monotonic clock. */
  drain(deadlineMs: number): Promise<void> {
    this.#draining ??= this.#drain(deadlineMs);
    return this.#draining;
  }

  async #drain(deadlineMs: number): Promise<void> {
    const { clock } = this.#settings;
    this.#server?.close();
    this.#https?.endSessions();
    if (this.#exchanges.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), resolve);
      this.#drained = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  async stop(): Promise<void> {
    this.#reloader?.stop();
    const server = this.#server;
    if (server === undefined) return;
    const isClosed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    this.#https?.destroySessions();
    await isClosed;
  }

  #createServer(handler: http.RequestListener): http.Server {
    const { config } = this.#settings;
    const keepAlive = httpKeepAlive(config);
    const options: http.ServerOptions = {
      // 0 is no limit, in Go as in Node.
      requestTimeout: Math.max(0, config.read_timeout),
      headersTimeout: Math.max(0, config.read_header_timeout > 0 ? config.read_header_timeout : config.read_timeout),
      keepAliveTimeout: Math.max(0, keepAlive.idleTimeoutMs > 0 ? keepAlive.idleTimeoutMs : config.read_timeout),
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: 128 << 10,
      noDelay: true,
      insecureHTTPParser: false,
    };
    if (config.tls === undefined) return http.createServer(options, handler);
    this.#https = new HttpsServer({ ...options, ...serverTlsOptions(config.tls) }, options.keepAliveTimeout ?? 0, handler);
    const { server } = this.#https;
    this.#reloader = new TlsReloader(config.tls, this.#settings, (reloaded) => server.setSecureContext(reloaded));
    return server;
  }

  #open(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { config } = this.#settings;
    if (!httpKeepAlive(config).enabled) response.shouldKeepAlive = false;
    if (config.write_timeout > 0) response.setTimeout(config.write_timeout, () => response.destroy());
    const exchange = new HttpExchange(this.#host, request, response);
    this.#exchanges.add(exchange);
    exchange.begin();
  }

  #release(exchange: HttpExchange): void {
    if (this.#exchanges.delete(exchange) && this.#exchanges.size === 0) this.#drained?.();
  }
}

/** Undefined for an empty list: then nothing is decoded at all, as in the Collector. */
function encodingsOf(algorithms: readonly string[]): ReadonlyMap<string, Encoding | undefined> | undefined {
  if (algorithms.length === 0) return undefined;
  return new Map(algorithms.map((algorithm) => [algorithm, algorithm === '' ? undefined : (algorithm as Encoding)]));
}
