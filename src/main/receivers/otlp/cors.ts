/** Cross-origin answers for browsers that send OTLP/HTTP. Main thread. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CorsConfig } from './config.ts';

const allowedMethods = ['GET', 'POST', 'HEAD'];
const headersDefault = ['accept', 'content-type', 'x-requested-with'];
const headersAlways = ['origin', 'accept', 'accept-language', 'content-type', 'content-language'];

/** Source: the behaviour of github.com/rs/cors with credentials allowed, which the Collector uses. */
export class Cors {
  readonly #anyOrigin: boolean;
  readonly #origins: ReadonlySet<string>;
  readonly #wildcards: readonly { readonly prefix: string; readonly suffix: string }[];
  readonly #anyHeader: boolean;
  readonly #headers: ReadonlySet<string>;
  readonly #exposed: string;
  readonly #maxAge: number;

  constructor(config: CorsConfig) {
    const origins = config.allowed_origins.map((origin) => origin.toLowerCase());
    this.#anyOrigin = origins.includes('*');
    this.#origins = new Set(origins.filter((origin) => !origin.includes('*')));
    this.#wildcards = origins
      .filter((origin) => origin !== '*' && origin.includes('*'))
      .map((origin) => ({ prefix: origin.slice(0, origin.indexOf('*')), suffix: origin.slice(origin.indexOf('*') + 1) }));
    this.#anyHeader = config.allowed_headers.includes('*');
    const headers = config.allowed_headers.length === 0 ? headersDefault : [...config.allowed_headers, ...headersAlways];
    this.#headers = new Set(headers.map((header) => header.toLowerCase()));
    this.#exposed = config.exposed_headers.join(', ');
    this.#maxAge = config.max_age;
  }

  /** Adds what the browser needs; true when the request was a preflight and is answered. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = request.headers;
    const method = request.headers['access-control-request-method'];
    if (request.method === 'OPTIONS' && method !== undefined) {
      response.setHeader('Vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers');
      const wanted = request.headers['access-control-request-headers'];
      if (origin !== undefined && this.#allowsOrigin(origin) && allowedMethods.includes(method) && this.#allowsHeaders(wanted)) {
        this.#addOrigin(origin, response);
        response.setHeader('Access-Control-Allow-Methods', method);
        if (wanted !== undefined && wanted !== '') response.setHeader('Access-Control-Allow-Headers', wanted);
        if (this.#maxAge !== 0) response.setHeader('Access-Control-Max-Age', String(Math.max(0, this.#maxAge)));
      }
      response.writeHead(204);
      response.end();
      return true;
    }
    response.setHeader('Vary', 'Origin');
    if (origin === undefined || !this.#allowsOrigin(origin) || !allowedMethods.includes(request.method ?? '')) return false;
    this.#addOrigin(origin, response);
    if (this.#exposed !== '') response.setHeader('Access-Control-Expose-Headers', this.#exposed);
    return false;
  }

  #addOrigin(origin: string, response: ServerResponse): void {
    response.setHeader('Access-Control-Allow-Origin', this.#anyOrigin ? '*' : origin);
    response.setHeader('Access-Control-Allow-Credentials', 'true');
  }

  #allowsOrigin(written: string): boolean {
    const origin = written.toLowerCase();
    if (this.#anyOrigin || this.#origins.has(origin)) return true;
    return this.#wildcards.some(
      ({ prefix, suffix }) => origin.length >= prefix.length + suffix.length && origin.startsWith(prefix) && origin.endsWith(suffix),
    );
  }

  #allowsHeaders(wanted: string | undefined): boolean {
    if (this.#anyHeader || wanted === undefined || wanted === '') return true;
    return wanted.split(',').every((header) => this.#headers.has(header.trim().toLowerCase()));
  }
}
