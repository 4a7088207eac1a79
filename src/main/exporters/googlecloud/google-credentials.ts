/** Google's application default credentials over google-auth-library, loaded only when they are needed. Main thread. */

import type { GrpcHeaders } from '../otlp-grpc/grpc-unary-client.ts';
import type { GoogleCloudConfig } from './googlecloud-config.ts';

/** Where calls get their authorization, and what project they belong to. */
export interface GoogleCredentials {
  /** Empty: the credentials name none. */
  readonly project: string;
  /** For one call: the token, and who pays. A token that runs out is renewed behind it. Errors: rejects when there is none to be had. */
  headers(): Promise<GrpcHeaders>;
}

/** Source: DefaultAuthScopes of Google's Cloud Trace client. */
const scopes = ['https://www.googleapis.com/auth/cloud-platform', 'https://www.googleapis.com/auth/trace.append'];
const tokenSeconds = 3600;

/** Errors: rejects with the library's words when there are no default credentials. */
export async function findGoogleCredentials(config: GoogleCloudConfig): Promise<GoogleCredentials> {
  const { GoogleAuth, Impersonated } = await import('google-auth-library');
  const universe = config.trace.universe_domain;
  const auth = new GoogleAuth({ scopes, ...(universe === '' ? {} : { clientOptions: { universeDomain: universe } }) });
  const own = await auth.getClient();
  const { target_principal: targetPrincipal, delegates } = config.impersonate;
  const client =
    targetPrincipal === ''
      ? own
      : new Impersonated({ sourceClient: own, targetPrincipal, delegates: [...delegates], targetScopes: scopes, lifetime: tokenSeconds });
  const project = config.project === '' ? await auth.getProjectId().catch(() => '') : config.project;
  return {
    project,
    headers: async () => [...(await client.getRequestHeaders())],
  };
}
