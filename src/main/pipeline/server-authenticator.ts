/** What an extension offers when receivers may ask it who a client is. Main thread. */

import type { Extension } from './component.ts';

/** Lower-case header name → values; pseudo-headers are left out. */
export type RequestHeaders = ReadonlyMap<string, readonly string[]>;

export type AuthenticationOutcome = { readonly ok: true } | { readonly ok: false; readonly error: string };

export interface ServerAuthenticator extends Extension {
  /** Answers at once and never throws: it stands before every request. */
  authenticate(headers: RequestHeaders): AuthenticationOutcome;
}

export function isServerAuthenticator(extension: Extension): extension is ServerAuthenticator {
  return 'authenticate' in extension && typeof extension.authenticate === 'function';
}
