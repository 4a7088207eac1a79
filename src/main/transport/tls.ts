/** TLS contexts of servers and clients out of their `tls` blocks: files or texts, versions, suites, reload. Main thread. */

import { readFileSync } from 'node:fs';
import {
  type ConnectionOptions,
  checkServerIdentity,
  createSecureContext,
  rootCertificates,
  type SecureContext,
  type SecureContextOptions,
} from 'node:tls';
import type { Clock, Timer } from '../../shared/clock.ts';
import type { Secret } from '../config/fields.ts';
import type { Logger } from '../telemetry/logger.ts';
import { hasCa, opensslSuite, type TlsClientConfig, type TlsServerConfig, tlsCurves, tlsVersions } from './tls-config.ts';

type CommonConfig = Omit<TlsServerConfig, 'client_ca_file' | 'client_ca_file_reload'>;

/** A certificate, key or CA file that cannot be read. The message names the setting and the file. */
export class TlsLoadError extends Error {
  readonly code = 'TLS_LOAD';
}

export interface ServerTlsOptions extends SecureContextOptions {
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
}

/** Reads everything a listener needs. Errors: TlsLoadError. */
export function serverTlsOptions(config: TlsServerConfig): ServerTlsOptions {
  const clientCa = config.client_ca_file === '' ? undefined : readCa(config, 'client_ca_file', config.client_ca_file);
  return {
    ...contextOptions(config),
    honorCipherOrder: true,
    ...(clientCa === undefined ? {} : { ca: clientCa }),
    requestCert: clientCa !== undefined,
    rejectUnauthorized: clientCa !== undefined,
  };
}

/** Undefined means: no TLS. Errors: TlsLoadError. Source: `insecure` has no effect when a CA is configured. */
export function clientTlsOptions(config: TlsClientConfig): ConnectionOptions | undefined {
  if (config.insecure && !hasCa(config)) return undefined;
  const ca = config.ca_file !== '' ? readCa(config, 'ca_file', config.ca_file) : textOf(config.ca_pem);
  const trusted = typeof ca === 'string' && config.include_system_ca_certs_pool ? [...rootCertificates, ca] : ca;
  const override = config.server_name_override;
  const context = { ...contextOptions(config), ...(trusted === undefined ? {} : { ca: trusted as string | string[] }) };
  return {
    ...(config.reload_interval > 0 ? { ...context, secureContext: reloadingContext(config, context) } : context),
    rejectUnauthorized: !config.insecure_skip_verify,
    ...(override === ''
      ? {}
      : { servername: override, checkServerIdentity: (_host, certificate) => checkServerIdentity(override, certificate) }),
  };
}

/**
 * A context for clients whose certificate is renewed on disk. Connections of a client are few, so the files are looked at for each of them and no
 * timer is needed; while they cannot be read or do not fit together, the last good pair is used.
 *
 * Source: node reads `context` of the context object it is given once for every socket that it wraps.
 */
function reloadingContext(config: TlsClientConfig, first: SecureContextOptions): SecureContext {
  let inUse = JSON.stringify(first);
  let current = createSecureContext(first);
  const reload = (): unknown => {
    try {
      const options = {
        ...first,
        ...contextOptions(config),
        ...(config.ca_file === '' ? {} : { ca: readCa(config, 'ca_file', config.ca_file) }),
      };
      const now = JSON.stringify(options);
      if (now !== inUse) {
        current = createSecureContext(options);
        inUse = now;
      }
    } catch {
      // Half written, or gone for a moment: the next connection looks again.
    }
    return current.context;
  };
  const context = createSecureContext(first);
  return Object.defineProperty(context, 'context', { get: reload, enumerable: true });
}

function contextOptions(config: CommonConfig): SecureContextOptions {
  const certificate = readPem('cert_file', config.cert_file, config.cert_pem);
  const key = readPem('key_file', config.key_file, config.key_pem);
  const suites = config.cipher_suites.map((suite) => opensslSuite(suite)).filter((suite) => suite !== undefined);
  const max = tlsVersions[config.max_version];
  return {
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
    minVersion: tlsVersions[config.min_version] ?? 'TLSv1.2',
    ...(max === undefined ? {} : { maxVersion: max }),
    // OpenSSL takes the TLS 1.3 suites from the same list; naming only older ones must not turn 1.3 off.
    ...(suites.length === 0 ? {} : { ciphers: [...new Set([...suites, ...tls13Suites])].join(':') }),
    ...(config.curve_preferences.length === 0 ? {} : { ecdhCurve: config.curve_preferences.map((curve) => tlsCurves[curve]).join(':') }),
  };
}

const tls13Suites = ['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256'];

function textOf(secret: Secret): string | undefined {
  return secret.isEmpty ? undefined : secret.reveal();
}

function readPem(key: string, file: string, text: Secret): string | undefined {
  if (file === '') return textOf(text);
  const pem = readFile(key, file);
  // A file that is just being written; without this a listener would go on with a certificate and no key.
  if (!pem.includes('-----BEGIN ')) throw new TlsLoadError(`failed to load TLS config: ${key}: no PEM data in ${file}`);
  return pem;
}

function readFile(key: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new TlsLoadError(`failed to load TLS config: ${key}: ${(error as Error).message}`, { cause: error });
  }
}

function readCa(config: CommonConfig, key: string, file: string): string | string[] {
  const text = readFile(key, file);
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new TlsLoadError(`failed to load TLS config: ${key}: no certificate in ${file}`);
  return config.include_system_ca_certs_pool ? [...rootCertificates, text] : text;
}

const clientCaReloadMs = 10_000;

/**
 * Reads the files of a listener again at the configured interval and hands the new context to `apply`; a file that cannot be read
 * leaves the old context in place. Nothing to reload: no timer.
 */
export class TlsReloader {
  readonly #config: TlsServerConfig;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #apply: (options: ServerTlsOptions) => void;
  readonly #intervalMs: number;
  #timer: Timer | undefined;
  #last: string;

  constructor(
    config: TlsServerConfig,
    settings: { readonly clock: Clock; readonly logger: Logger },
    apply: (options: ServerTlsOptions) => void,
  ) {
    this.#config = config;
    this.#clock = settings.clock;
    this.#logger = settings.logger;
    this.#apply = apply;
    this.#intervalMs = config.reload_interval > 0 ? config.reload_interval : config.client_ca_file_reload ? clientCaReloadMs : 0;
    this.#last = JSON.stringify(serverTlsOptions(config));
    this.#schedule();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #schedule(): void {
    if (this.#intervalMs > 0) this.#timer = this.#clock.after(this.#intervalMs, () => this.#reload());
  }

  #reload(): void {
    try {
      const options = serverTlsOptions(this.#config);
      const now = JSON.stringify(options);
      if (now !== this.#last) {
        this.#apply(options);
        this.#last = now;
        this.#logger.info({}, 'TLS certificate reloaded');
      }
    } catch (error) {
      this.#logger.warn({ err: error }, 'TLS certificate not reloaded, the old one stays');
    }
    this.#schedule();
  }
}
