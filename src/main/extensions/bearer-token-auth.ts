/** The `bearertokenauth` extension: a fixed token, or one from a file, on requests that come in and go out. Main thread. */

import { timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Timer } from '../../shared/clock.ts';
import type { ConfigFault } from '../config/config-fault.ts';
import { type Infer, list, object, secret, string } from '../config/fields.ts';
import type { ComponentSettings, DrainReport, ExtensionType } from '../pipeline/component.ts';
import { ComponentStartError } from '../pipeline/component-start-error.ts';
import { ComponentLife } from '../pipeline/component-state.ts';
import type { AuthenticationOutcome, RequestHeaders, ServerAuthenticator } from '../pipeline/server-authenticator.ts';

export const bearerTokenAuthSchema = object({
  header: string().default('Authorization').describe('The header that carries the token.'),
  scheme: string().default('Bearer').describe('What stands before the token; empty for nothing.'),
  token: secret().describe('The token.'),
  tokens: list(secret()).describe('Several tokens, any of which is accepted; the first is sent.'),
  filename: string().describe('A file with one token a line; it is read again when it changes.'),
});
export type BearerTokenAuthConfig = Infer<typeof bearerTokenAuthSchema>;

const fileCheckMs = 5_000;

function check(config: BearerTokenAuthConfig): readonly ConfigFault[] {
  const fault = (message: string): ConfigFault[] => [{ severity: 'error', path: [], message }];
  const hasToken = !config.token.isEmpty;
  if (!hasToken && config.tokens.length === 0 && config.filename === '') return fault('no bearer token provided');
  if (hasToken && config.tokens.length > 0) return fault('either use the token or tokens configuration, but not both');
  return [];
}

class BearerTokenAuth implements ServerAuthenticator {
  readonly #settings: ComponentSettings;
  readonly #config: BearerTokenAuthConfig;
  readonly #life: ComponentLife;
  readonly #header: string;
  /** As they stand in the header, scheme included. Replaced as a whole. */
  #values: readonly Buffer[] = [];
  #headers: readonly (readonly [name: string, value: string])[] = [];
  #timer: Timer | undefined;
  #fileText = '';

  constructor(settings: ComponentSettings, config: BearerTokenAuthConfig) {
    this.#settings = settings;
    this.#config = config;
    this.#header = config.header.toLowerCase();
    this.#life = new ComponentLife({ start: () => this.#load(), stop: () => this.#timer?.cancel() });
  }

  start(): Promise<void> {
    return this.#life.start();
  }
  drain(deadlineMs: number): Promise<DrainReport> {
    return this.#life.drain(deadlineMs);
  }
  stop(): Promise<void> {
    return this.#life.stop();
  }

  authenticate(headers: RequestHeaders): AuthenticationOutcome {
    const given = headers.get(this.#header)?.[0];
    if (given === undefined || given === '') return { ok: false, error: `missing or empty authorization header: ${this.#config.header}` };
    const bytes = Buffer.from(given, 'utf8');
    // Every token is compared, each in constant time for its length.
    let isKnown = false;
    for (const value of this.#values) if (value.length === bytes.length && timingSafeEqual(value, bytes)) isKnown = true;
    return isKnown ? { ok: true } : { ok: false, error: 'provided authorization does not match expected scheme or token' };
  }

  /** For exporters: what goes with every call. */
  clientHeaders(): readonly (readonly [name: string, value: string])[] {
    return this.#headers;
  }

  #load(): void {
    const { filename, token, tokens } = this.#config;
    if (filename === '') {
      this.#use(token.isEmpty ? tokens.map((each) => each.reveal()) : [token.reveal()]);
      return;
    }
    try {
      this.#readFile();
    } catch (error) {
      throw new ComponentStartError('AUTH', `bearertokenauth: cannot read filename: ${(error as Error).message}`, { cause: error });
    }
    this.#watch();
  }

  #watch(): void {
    this.#timer = this.#settings.clock.after(fileCheckMs, () => {
      try {
        this.#readFile();
      } catch (error) {
        this.#settings.logger.warn({ err: error }, 'token file not read, the old tokens stay');
      }
      this.#watch();
    });
  }

  #readFile(): void {
    const text = readFileSync(this.#config.filename, 'utf8');
    if (text === this.#fileText) return;
    const tokens = text.split(/\r?\n/).filter((line) => line.trim() !== '');
    if (tokens.length === 0) throw new Error(`no token in ${this.#config.filename}`);
    this.#fileText = text;
    this.#use(tokens);
  }

  #use(tokens: readonly string[]): void {
    const { scheme } = this.#config;
    const values = tokens.map((token) => (scheme === '' ? token : `${scheme} ${token}`));
    this.#values = values.map((value) => Buffer.from(value, 'utf8'));
    this.#headers = [[this.#header, values[0]!]];
  }
}

export const bearerTokenAuthExtensionType: ExtensionType<BearerTokenAuthConfig> = {
  kind: 'extension',
  type: 'bearertokenauth',
  schema: bearerTokenAuthSchema,
  check,
  create: (settings, config) => new BearerTokenAuth(settings, config),
};
