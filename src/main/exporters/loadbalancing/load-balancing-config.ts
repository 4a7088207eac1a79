/** The fields of the load_balancing exporter, their defaults, and the checks across them. Main thread. */

import type { ConfigFault, ConfigPath } from '../../config/config-fault.ts';
import { bool, choice, duration, type Infer, int, list, object, presence, string, stringList } from '../../config/fields.ts';
import { checkClient, otlpTemplateSchema } from '../otlp-grpc/grpc-client-config.ts';
import type { RetryConfig } from '../sender/back-off.ts';
import { checkQueue, checkRetry, checkTimeout, queueSchema, retryConfigOf, retrySchema } from '../sender/sender-config.ts';

const resolverSchema = object({
  static: object({ hostnames: stringList().describe('host or host:port; 4317 where no port is given.') }).optional(),
  dns: object({
    hostname: string().describe('Name that has an address for each backend; one that begins with _ is asked for as SRV.'),
    port: string().describe('Port of every backend; not written: 4317, or that of the SRV record.'),
    interval: duration().default(5_000).describe('Longest time between two questions; a shorter TTL shortens it.'),
    timeout: duration().default(1_000).describe('Limit for one question.'),
    tries: int().default(2).describe('Ringtail: questions within the limit while none is answered.'),
    nameservers: stringList().describe('Ringtail: host, host:port or [v6]:port; not written: those of resolv.conf.'),
  }).optional(),
  k8s: object({
    service: string().describe('name, name.namespace or name.namespace.svc.domain.'),
    ports: list(int({ type: 'int32', min: 1, max: 65_535 })).describe('Ports of every backend; not written: 4317.'),
    timeout: duration().default(60_000).describe('Server-side limit of list and watch.'),
    return_hostnames: bool().describe('Use host names instead of addresses.'),
  }).optional(),
  aws_cloud_map: object({}, { unknownKeys: 'ignore' }).optional(),
});
export type ResolverFields = Infer<typeof resolverSchema>;

export const loadBalancingSchema = object({
  routing_key: string().describe('traceID (default), service or attributes; only traceID keeps traces whole.'),
  routing_attributes: stringList().describe('With attributes: the attributes that make the key, in order.'),
  protocol: object({ otlp: otlpTemplateSchema }),
  resolver: resolverSchema,
  timeout: duration().describe('Limit for one request, retries included, unless retry_on_failure is on; not written or 0: 5s.'),
  retry_on_failure: retrySchema(false),
  sending_queue: presence(queueSchema).optional(),
  hash: choice(['slots', 'otelcol'])
    .default('slots')
    .describe('Ringtail: slots is even; otelcol is the Collector’s ring, for fleets in which Collectors route too.'),
});
export type LoadBalancingConfig = Infer<typeof loadBalancingSchema>;

/** Source: the Collector's Config.Validate and exporter factory; the words are theirs. */
export function checkLoadBalancing(config: LoadBalancingConfig): readonly ConfigFault[] {
  return [
    ...checkRouting(config),
    ...checkResolver(config.resolver),
    ...checkClient(config.protocol.otlp, ['protocol', 'otlp']),
    ...checkTemplateStorage(config),
    ...checkTimeout(config.timeout, []),
    ...checkRetry(config.retry_on_failure, ['retry_on_failure']),
    ...checkQueue(config.sending_queue, ['sending_queue']),
  ];
}

function fault(path: ConfigPath, message: string): ConfigFault {
  return { severity: 'error', path, message };
}

/** In the Collector all backends' queues would have one and the same name in the storage, so that a second one cannot start. */
function checkTemplateStorage(config: LoadBalancingConfig): readonly ConfigFault[] {
  const queue = config.protocol.otlp.sending_queue;
  if (!queue?.enabled || queue.storage === '') return [];
  const message = 'the queues of single backends cannot be persistent; write `storage` in the sending_queue of the load balancer itself';
  return [fault(['protocol', 'otlp', 'sending_queue', 'storage'], message)];
}

function checkRouting(config: LoadBalancingConfig): readonly ConfigFault[] {
  const { routing_key: key, routing_attributes: attributes } = config;
  if (key === 'attributes' && attributes.length === 0) {
    return [fault(['routing_attributes'], 'routing_attributes must be specified when routing_key is "attributes"')];
  }
  if (key !== 'attributes' && attributes.length > 0) {
    const message = `routing_attributes can only be used when routing_key is "attributes"; got "${key}". Remove routing_attributes or set routing_key to "attributes"`;
    return [fault(['routing_attributes'], message)];
  }
  if (['', 'traceID', 'service', 'attributes'].includes(key)) return [];
  return [fault(['routing_key'], `cannot configure loadbalancing traces exporter: unsupported routing_key: ${key}`)];
}

const fqdn = /^([^.]+)\.([^.]+)\.([^.]+)\.(.+)$/;

function checkResolver(resolver: ResolverFields): readonly ConfigFault[] {
  const written = (['static', 'dns', 'k8s', 'aws_cloud_map'] as const).filter((kind) => resolver[kind] !== undefined);
  if (written.length === 0) return [fault(['resolver'], 'no resolvers specified for the exporter')];
  if (written.length > 1) return [fault(['resolver'], `only one resolver should be specified, found ${written.join(', ')}`)];
  if (resolver.aws_cloud_map !== undefined) {
    return [fault(['resolver', 'aws_cloud_map'], 'the aws_cloud_map resolver is not built into Ringtail; use static, dns or k8s')];
  }
  if (resolver.static?.hostnames.length === 0)
    return [fault(['resolver', 'static', 'hostnames'], 'no endpoints specified for the static resolver')];
  if (resolver.dns?.hostname === '') return [fault(['resolver', 'dns', 'hostname'], 'no hostname specified to resolve the backends')];
  if (resolver.k8s === undefined) return [];
  return checkService(resolver.k8s.service);
}

/** name, name.namespace, or name.namespace.svc.domain. */
function checkService(service: string): readonly ConfigFault[] {
  const path = ['resolver', 'k8s', 'service'];
  if (service === '') return [fault(path, 'no service specified to resolve the backends')];
  const labels = service.split('.');
  if (labels.length >= 2 && labels[1] === '')
    return [fault(path, `invalid Kubernetes service FQDN: namespace segment missing in "${service}"`)];
  if (labels.length <= 2) return [];
  if (labels[2] !== 'svc') return [fault(path, `invalid Kubernetes service FQDN: expected third DNS label to be 'svc' in "${service}"`)];
  return fqdn.test(service) ? [] : [fault(path, `invalid Kubernetes service FQDN: missing cluster domain in "${service}"`)];
}

/** The time one request may take when nothing else bounds it. Source: exporterhelper's default timeout, which the Collector's balancer gets too. */
const defaultTimeoutMs = 5_000;

/**
 * In-line retries while the caller waits, when the template says nothing about retries: quick, because the caller's deadline is short and a backend that
 * restarts, or leaves the fleet, is answered for within it.
 */
const inlineRetry: RetryConfig = {
  enabled: true,
  initialIntervalMs: 200,
  randomizationFactor: 0.5,
  multiplier: 1.5,
  maxIntervalMs: 2_000,
  maxElapsedTimeMs: 0,
};

export interface SlicePolicy {
  readonly retry: RetryConfig;
  readonly requestBudgetMs: number;
  /** 0 is none. */
  readonly callTimeoutMs: number;
}

/** What the front's and the template's `timeout` and `retry_on_failure` come to for one slice. The README of this folder says why. */
export function slicePolicyOf(config: LoadBalancingConfig): SlicePolicy {
  const front = retryConfigOf(config.retry_on_failure);
  const template = config.protocol.otlp;
  const frontTimeoutMs = config.timeout > 0 ? config.timeout : defaultTimeoutMs;
  const callTimeoutMs = template.timeout > 0 ? Math.min(template.timeout, frontTimeoutMs) : frontTimeoutMs;
  if (front.enabled)
    return { retry: front, requestBudgetMs: front.maxElapsedTimeMs > 0 ? front.maxElapsedTimeMs : Infinity, callTimeoutMs };
  const written = template.retry_on_failure;
  const retry = written === undefined ? inlineRetry : retryConfigOf(written);
  const budgetMs = retry.maxElapsedTimeMs > 0 ? Math.min(retry.maxElapsedTimeMs, frontTimeoutMs) : frontTimeoutMs;
  return { retry, requestBudgetMs: budgetMs, callTimeoutMs };
}
