/** The seam to client authentication extensions: headers that go with every call. Main thread. */

import type { ComponentSettings, Extension } from '../../pipeline/component.ts';
import { ComponentStartError } from '../../pipeline/component-start-error.ts';
import type { GrpcHeaders } from './grpc-unary-client.ts';

/** What an extension offers that authenticates clients. Called once per call; a token that needs renewal is renewed behind it. */
export interface ClientAuthenticator extends Extension {
  clientHeaders(): GrpcHeaders | Promise<GrpcHeaders>;
}

/** Errors: ComponentStartError when the extension is missing or is no authenticator. */
export function authenticatorOf(settings: ComponentSettings, id: string): ClientAuthenticator {
  const extension = settings.extension(id);
  if (extension === undefined) throw new ComponentStartError('AUTH', `failed to resolve authenticator "${id}": authenticator not found`);
  if (!('clientHeaders' in extension))
    throw new ComponentStartError('AUTH', `requested authenticator "${id}" is not a client authenticator`);
  return extension as ClientAuthenticator;
}
