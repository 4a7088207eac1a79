/** The fields of the googlecloud exporter and the checks across them. Main thread. */

import type { ConfigFault, ConfigPath } from '../../config/config-fault.ts';
import { anything, bool, duration, type Infer, int, list, object, presence, string, stringList } from '../../config/fields.ts';
import { type GrpcTarget, parseGrpcTarget, type TargetFault } from '../otlp-grpc/grpc-target.ts';
import { checkQueue, checkTimeout, queueSchema } from '../sender/sender-config.ts';

/** Source: googlecloudexporter's Config, v0.161, and that of the library under it. */
export const googleCloudSchema = object({
  project: string().describe('Project for spans whose resource has no gcp.project.id; not written: that of the credentials.'),
  destination_project_quota: bool().describe('Calls count against the quota of the project that they write to.'),
  user_agent: string().describe('Sent with every call; {{version}} is replaced; not written: the program and its version.'),
  authenticator: string().describe('Id of a client authentication extension, in place of the default credentials.'),
  impersonate: object({
    target_principal: string().describe('Service account whose rights the calls have.'),
    subject: string().describe('Not available in Ringtail: delegation within a domain.'),
    delegates: stringList().describe('Service accounts on the way there.'),
  }),
  trace: object({
    endpoint: string().describe('host:port in place of cloudtrace.googleapis.com:443.'),
    use_insecure: bool().describe('Neither TLS nor credentials; only with an endpoint.'),
    grpc_pool_size: int({ min: 0 }).describe('Read and not used: one HTTP/2 connection carries all calls.'),
    universe_domain: string().describe('In place of googleapis.com.'),
    compression: string().describe('Has to be empty: there is none for traces.'),
    attribute_mappings: list(object({ key: string(), replacement: string() }))
      .optional()
      .describe('Renames of attributes in place of those of http.path, http.host, http.method, http.user_agent and http.status_code.'),
  }),
  metric: anything().optional().describe('Read and not used: Ringtail has no metrics pipelines.'),
  log: anything().optional().describe('Read and not used: Ringtail has no logs pipelines.'),
  timeout: duration().default(12_000).describe('Limit for one request, retries included; 0 = none.'),
  sending_queue: presence(queueSchema).default(queueSchema.parse(undefined)),
});
export type GoogleCloudConfig = Infer<typeof googleCloudSchema>;

export function checkGoogleCloud(config: GoogleCloudConfig, path: ConfigPath): readonly ConfigFault[] {
  const faults: ConfigFault[] = [];
  const fault = (below: ConfigPath, message: string): void => {
    faults.push({ severity: 'error', path: [...path, ...below], message });
  };
  const { attribute_mappings: mappings = [], compression } = config.trace;
  for (const part of ['key', 'replacement'] as const) {
    const seen = new Set<string>();
    mappings.forEach((mapping, index) => {
      const text = mapping[part];
      if (seen.has(text))
        fault(['trace', 'attribute_mappings', index, part], `duplicate ${part} in traces.attribute_mappings: ${JSON.stringify(text)}`);
      seen.add(text);
    });
  }
  if (compression !== '') fault(['trace', 'compression'], 'traces.compression invalid: compression is only available for logs and metrics');
  const target = targetOf(config);
  if (target.kind === 'fault') fault(['trace', 'endpoint'], target.message);
  if (config.trace.use_insecure && config.trace.endpoint === '')
    faults.push({ severity: 'warning', path: [...path, 'trace', 'use_insecure'], message: 'has no effect without an endpoint' });
  if (isInsecure(config) && config.project === '')
    fault(['project'], 'has to be written with use_insecure: there are no credentials to take it from');
  if (config.impersonate.subject !== '')
    fault(['impersonate', 'subject'], 'delegation within a domain is not available in Ringtail; leave subject out');
  return [...faults, ...checkTimeout(config.timeout, path), ...checkQueue(config.sending_queue, [...path, 'sending_queue'])];
}

export function isInsecure(config: GoogleCloudConfig): boolean {
  return config.trace.use_insecure && config.trace.endpoint !== '';
}

const universeDefault = 'googleapis.com';

/** A missing port is 443, as in Google's client libraries. */
export function targetOf(config: GoogleCloudConfig): GrpcTarget | TargetFault {
  const { endpoint, universe_domain: universe } = config.trace;
  const address = endpoint === '' ? `cloudtrace.${universe || universeDefault}` : endpoint;
  const target = parseGrpcTarget(address);
  return target.kind === 'fault' && target.message.endsWith('missing port in address') ? parseGrpcTarget(`${address}:443`) : target;
}
