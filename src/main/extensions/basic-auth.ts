/** The `basicauth` extension: user and password on requests that come in (htpasswd) or go out. Main thread. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ConfigFault } from '../config/config-fault.ts';
import { type Infer, object, secret, string } from '../config/fields.ts';
import type { ComponentSettings, DrainReport, ExtensionType } from '../pipeline/component.ts';
import { ComponentStartError } from '../pipeline/component-start-error.ts';
import { ComponentLife } from '../pipeline/component-state.ts';
import type { AuthenticationOutcome, RequestHeaders, ServerAuthenticator } from '../pipeline/server-authenticator.ts';
import { isPassword, type PasswordTable, parseHtpasswd } from './htpasswd.ts';

export const basicAuthSchema = object({
  htpasswd: object({
    file: string().describe('A file as htpasswd writes it.'),
    inline: secret().describe('The same as text; it wins over the file.'),
  }).optional(),
  client_auth: object({
    username: string(),
    password: secret(),
    username_file: string().describe('A file that holds the user name; it wins over `username`.'),
    password_file: string().describe('A file that holds the password; it wins over `password`.'),
  }).optional(),
});
export type BasicAuthConfig = Infer<typeof basicAuthSchema>;

/** bcrypt costs tens of milliseconds by design; what was right once is remembered by its digest. */
const rememberedMax = 1_024;

function check(config: BasicAuthConfig): readonly ConfigFault[] {
  if (config.htpasswd === undefined && config.client_auth === undefined) {
    return [{ severity: 'error', path: [], message: 'no credential source provided' }];
  }
  if (config.htpasswd !== undefined && config.client_auth !== undefined) {
    return [{ severity: 'error', path: [], message: 'only one of `htpasswd` and `client_auth` can be specified' }];
  }
  return [];
}

class BasicAuth implements ServerAuthenticator {
  readonly #config: BasicAuthConfig;
  readonly #life: ComponentLife;
  readonly #remembered = new Set<string>();
  #table: PasswordTable = new Map();
  #headers: readonly (readonly [name: string, value: string])[] = [];

  constructor(_settings: ComponentSettings, config: BasicAuthConfig) {
    this.#config = config;
    this.#life = new ComponentLife({ start: () => this.#load() });
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
    const given = headers.get('authorization')?.[0];
    if (given === undefined || given === '') return { ok: false, error: 'no basic auth provided' };
    const [scheme = '', encoded = ''] = given.split(' ', 2);
    if (scheme.toLowerCase() !== 'basic') return { ok: false, error: 'invalid authorization scheme' };
    const digest = createHash('sha256').update(encoded).digest('base64');
    if (this.#remembered.has(digest)) return { ok: true };
    const credentials = Buffer.from(encoded, 'base64').toString('utf8');
    const colon = credentials.indexOf(':');
    if (colon < 0) return { ok: false, error: 'invalid format' };
    const hash = this.#table.get(credentials.slice(0, colon));
    if (hash === undefined || !isPassword(hash, credentials.slice(colon + 1))) return { ok: false, error: 'invalid credentials' };
    if (this.#remembered.size >= rememberedMax) this.#remembered.clear();
    this.#remembered.add(digest);
    return { ok: true };
  }

  /** For exporters: what goes with every call. */
  clientHeaders(): readonly (readonly [name: string, value: string])[] {
    return this.#headers;
  }

  #load(): void {
    try {
      const { htpasswd, client_auth: client } = this.#config;
      if (htpasswd !== undefined) {
        const fromFile = htpasswd.file === '' ? [] : parseHtpasswd(readFileSync(htpasswd.file, 'utf8'));
        this.#table = new Map([...fromFile, ...parseHtpasswd(htpasswd.inline.reveal())]);
      }
      if (client !== undefined) {
        const username = client.username_file === '' ? client.username : readFileSync(client.username_file, 'utf8').trim();
        const password = client.password_file === '' ? client.password.reveal() : readFileSync(client.password_file, 'utf8').trim();
        this.#headers = [['authorization', `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`]];
      }
    } catch (error) {
      throw new ComponentStartError('AUTH', `basicauth: ${(error as Error).message}`, { cause: error });
    }
  }
}

export const basicAuthExtensionType: ExtensionType<BasicAuthConfig> = {
  kind: 'extension',
  type: 'basicauth',
  schema: basicAuthSchema,
  check,
  create: (settings, config) => new BasicAuth(settings, config),
};
