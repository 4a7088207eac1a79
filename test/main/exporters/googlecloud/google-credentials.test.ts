/** Application default credentials, from a workload identity whose token service is here. */

import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { findGoogleCredentials } from '../../../../src/main/exporters/googlecloud/google-credentials.ts';
import { googleCloudSchema } from '../../../../src/main/exporters/googlecloud/googlecloud-config.ts';
import { configOf } from '../../../support/component-rig.ts';

t.test('exchanges the identity for a token, names its project and who pays, and asks once for many calls', async (t) => {
  let asked = '';
  let times = 0;
  const service = createServer(async (request, response) => {
    asked = Buffer.concat(await request.toArray()).toString('utf8');
    times++;
    const type = 'urn:ietf:params:oauth:token-type:access_token';
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ access_token: 'exchanged', issued_token_type: type, token_type: 'Bearer', expires_in: 3600 }));
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    service.closeAllConnections();
    service.close();
  });
  const folder = t.testdir({ subject: 'the identity' });
  const file = join(folder, 'credentials.json');
  const credentials = {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `http://127.0.0.1:${(service.address() as AddressInfo).port}/v1/token`,
    credential_source: { file: join(folder, 'subject') },
    quota_project_id: 'who-pays',
  };
  writeFileSync(file, JSON.stringify(credentials));
  const before = { ...process.env };
  t.teardown(() => {
    process.env = before;
  });
  process.env.GOOGLE_APPLICATION_CREDENTIALS = file;
  process.env.GOOGLE_CLOUD_PROJECT = 'project-of-the-environment';

  const found = await findGoogleCredentials(configOf(googleCloudSchema, {}));
  t.equal(found.project, 'project-of-the-environment');
  t.same(Object.fromEntries(await found.headers()), { authorization: 'Bearer exchanged', 'x-goog-user-project': 'who-pays' });
  await found.headers();
  t.equal(times, 1);
  const form = new URLSearchParams(asked);
  t.equal(form.get('subject_token'), 'the identity');
  t.match(form.get('scope'), /auth\/cloud-platform.*auth\/trace\.append/);
  t.equal((await findGoogleCredentials(configOf(googleCloudSchema, { project: 'configured' }))).project, 'configured');

  process.env.GOOGLE_APPLICATION_CREDENTIALS = join(folder, 'missing.json');
  await t.rejects(findGoogleCredentials(configOf(googleCloudSchema, {})), /missing\.json/);
});
