/** Component types of the Collector (core and contrib, v0.161) and of its distributions that people configure: tells "not built yet" from a typing error. Pure. */

import type { ComponentType } from '../pipeline/component.ts';

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

const collectorTypes: Readonly<Record<ComponentType['kind'], ReadonlySet<string>>> = {
  receiver: words(`otlp nop jaeger zipkin kafka opencensus otelarrow awsxray datadog skywalking sapm solace googlecloudpubsub azureeventhub
    azure_event_hub influxdb loki prometheus hostmetrics host_metrics filelog file_log k8s_cluster k8s_events k8sobjects kubeletstats
    kubelet_stats statsd syslog tcplog udplog fluentforward journald docker_stats otlpjsonfile otlp_json_file file_stats httpcheck
    k8s_objects windowseventlog windowsperfcounters mongodb mysql postgresql redis nginx rabbitmq vcenter splunk_hec webhookevent
    awsfirehose faro receiver_creator collectd carbon wavefront pulsar elasticsearch sqlquery snmp kafkametrics netflow obi apache haproxy
    iis jmx zookeeper oracledb podman_stats sqlserver memcached expvar tcpcheck sshcheck ntp chrony awscontainerinsightreceiver
    awsecscontainermetrics prometheus_simple prometheusremotewrite libhoney cloudfoundry cloudflare googlecloudmonitoring
    googlecloudspanner azuremonitor azureblob awss3 awscloudwatch signalfx stef systemd namedpipe osquery saphana couchdb`),
  processor: words(`batch memory_limiter tail_sampling nop attributes resource filter transform probabilistic_sampler groupbytrace
    groupbyattrs group_by_trace group_by_attrs k8sattributes k8s_attributes resourcedetection resource_detection span redaction routing
    spanmetrics servicegraph cumulativetodelta deltatorate deltatocumulative metricstransform metricsgeneration interval geoip isolationforest
    remotetap remote_tap schema sumologic unroll lookup logdedup log_dedup logstransform coralogix datadog_semantics dns_lookup metricstarttime gen_ai_normalizer
    elastictrace elasticapm`),
  exporter: words(`otlp otlp_grpc otlphttp otlp_http loadbalancing load_balancing debug nop file googlecloud googlecloudpubsub logging
    jaeger jaeger_thrift zipkin kafka datadog elasticsearch opensearch clickhouse loki prometheus prometheusremotewrite awsxray awsemf
    awss3 awscloudwatchlogs azuremonitor azuredataexplorer azureblob honeycombmarker splunk_hec sapm signalfx sentry logzio coralogix
    alibabacloud_logservice cassandra dataset doris influxdb mezmo otelarrow pulsar rabbitmq sumologic syslog tencentcloud_logservice
    googlemanagedprometheus tinybird bmchelix faro logicmonitor stef carbon`),
  extension: words(`health_check file_storage db_storage redis_storage pprof zpages memory_ballast memory_limiter basicauth basic_auth
    bearertokenauth bearer_token_auth headers_setter oauth2client oauth2_client oidc sigv4auth asapauth azure_auth googleclientauth
    google_client_auth ack opamp k8s_observer docker_observer ecs_observer ecs_task_observer host_observer kafkatopics_observer
    cfgarden_observer http_forwarder jaegerremotesampling healthcheckv2 remotetap sumologic awsproxy solarwindsapmsettings cgroupruntime
    k8s_leader_elector avro_log_encoding jaeger_encoding json_log_encoding otlp_encoding zipkin_encoding text_encoding skywalking_encoding
    googlecloudlogentry_encoding aws_logs_encoding datadog_extension encoding`),
};

/** Extensions that only show or steer the Collector itself: without them the data flows as before. */
export const ignorableExtensions: ReadonlySet<string> = words(`zpages memory_ballast opamp k8s_observer docker_observer ecs_observer
  ecs_task_observer host_observer kafkatopics_observer cfgarden_observer remotetap awsproxy cgroupruntime http_forwarder
  jaegerremotesampling healthcheckv2 solarwindsapmsettings sumologic k8s_leader_elector`);

/** The Collector writes its types with and without underscores, by version. */
const folded = (type: string): string => type.replaceAll('_', '');
const foldedTypes = Object.fromEntries(
  Object.entries(collectorTypes).map(([kind, types]) => [kind, new Set([...types].map(folded))]),
) as unknown as typeof collectorTypes;

export function isCollectorType(kind: ComponentType['kind'], type: string): boolean {
  return foldedTypes[kind].has(folded(type));
}

/** The kind of a type that exists, for one that stands in the wrong section. */
export function kindOfCollectorType(type: string): ComponentType['kind'] | undefined {
  const kinds = (Object.keys(collectorTypes) as ComponentType['kind'][]).filter((kind) => isCollectorType(kind, type));
  return kinds[0];
}

export function namesOfKind(kind: ComponentType['kind']): Iterable<string> {
  return collectorTypes[kind];
}
