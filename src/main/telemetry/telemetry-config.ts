/** `service.telemetry`: what the process says about itself and where. Main thread. */

import type { ConfigFault } from '../config/config-fault.ts';
import { anything, bool, choice, type Infer, list, map, object, presence, string, stringList, uint } from '../config/fields.ts';
import { parseListenAddress } from '../transport/listen-address.ts';
import { defaultLoggerSettings, type LoggerSettings, type LogLevel } from './pino-logger.ts';

const prometheusReader = presence(
  object({
    host: string().default('localhost'),
    port: uint().default(8888),
    without_type_suffix: bool().default(true).describe('false puts _total on counters.'),
    without_units: bool().optional(),
    without_scope_info: bool().optional(),
    with_resource_constant_labels: anything().optional(),
    translation_strategy: string().optional(),
  }),
);

const reader = object(
  {
    pull: presence(object({ exporter: object({ prometheus: prometheusReader.optional() }, { unknownKeys: 'warn' }) })).optional(),
    periodic: anything().optional(),
  },
  { unknownKeys: 'warn' },
);

export const telemetrySchema = object({
  metrics: object(
    {
      level: choice(['none', 'basic', 'normal', 'detailed']).default('normal'),
      address: string().default('').describe('Old form of a Prometheus reader: host:port.'),
      readers: list(reader).optional(),
    },
    { unknownKeys: 'warn' },
  ),
  logs: object(
    {
      level: string().default('info'),
      encoding: choice(['console', 'json']).default('console'),
      output_paths: stringList(),
      initial_fields: map(anything()),
    },
    { unknownKeys: 'ignore' },
  ),
  resource: anything().optional(),
  traces: anything().optional(),
});
export type TelemetryConfig = Infer<typeof telemetrySchema>;

export interface MetricsReaderSettings {
  readonly host: string;
  readonly port: number;
  readonly typeSuffix: boolean;
}

export interface TelemetrySettings {
  readonly logger: LoggerSettings;
  /** Empty at `level: none`. */
  readonly readers: readonly MetricsReaderSettings[];
  readonly detailed: boolean;
  /** Attributes of `service.telemetry.resource`. */
  readonly resource: Readonly<Record<string, string>>;
}

const levels: Readonly<Record<string, LogLevel>> = {
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
  dpanic: 'error',
  panic: 'error',
  fatal: 'error',
};

/** Checks across fields; paths below `service.telemetry`. */
export function checkTelemetry(config: TelemetryConfig): ConfigFault[] {
  const faults: ConfigFault[] = [];
  if (levels[config.logs.level.toLowerCase()] === undefined) {
    const message = `unrecognized level: "${config.logs.level}"; write debug, info, warn or error`;
    faults.push({ severity: 'error', path: ['logs', 'level'], message });
  }
  if (config.metrics.address !== '') {
    const address = parseListenAddress(config.metrics.address, 'tcp');
    if ('error' in address) faults.push({ severity: 'error', path: ['metrics', 'address'], message: address.error });
  }
  config.metrics.readers?.forEach(({ pull, periodic }, index) => {
    if (pull?.exporter.prometheus !== undefined) return;
    const message = `only pull.exporter.prometheus is built${periodic === undefined ? '' : ', not periodic'}; this reader has no effect`;
    faults.push({ severity: 'warning', path: ['metrics', 'readers', index], message });
  });
  return faults;
}

/** Source: without readers and address the Collector listens on localhost:8888; readers replace that. */
export function telemetrySettings(config: TelemetryConfig): TelemetrySettings {
  const { metrics, logs } = config;
  return {
    logger: {
      level: levels[logs.level.toLowerCase()] ?? 'info',
      encoding: logs.encoding,
      outputPath: logs.output_paths[0] ?? defaultLoggerSettings.outputPath,
      initialFields: Object.fromEntries(logs.initial_fields),
    },
    readers: metrics.level === 'none' ? [] : readerSettings(config),
    detailed: metrics.level === 'detailed',
    resource: resourceAttributes(config.resource),
  };
}

function readerSettings({ metrics }: TelemetryConfig): readonly MetricsReaderSettings[] {
  if (metrics.readers !== undefined) {
    return metrics.readers.flatMap(({ pull }) => {
      const prometheus = pull?.exporter.prometheus;
      return prometheus === undefined
        ? []
        : [{ host: prometheus.host, port: prometheus.port, typeSuffix: !prometheus.without_type_suffix }];
    });
  }
  if (metrics.address === '') return [{ host: 'localhost', port: 8888, typeSuffix: false }];
  const address = parseListenAddress(metrics.address, 'tcp');
  return 'error' in address ? [] : [{ host: address.host, port: address.port, typeSuffix: false }];
}

/** Both forms: a plain map, and `attributes: [{name, value}]`. A null takes the attribute away. */
function resourceAttributes(resource: unknown): Readonly<Record<string, string>> {
  if (typeof resource !== 'object' || resource === null) return {};
  const { attributes } = resource as { attributes?: unknown };
  const pairs: [string, unknown][] = Array.isArray(attributes)
    ? attributes.map((attribute: { name?: unknown; value?: unknown }) => [String(attribute.name), attribute.value])
    : Object.entries(resource);
  return Object.fromEntries(
    pairs.filter(([, value]) => value !== null && typeof value !== 'object').map(([key, value]) => [key, String(value)]),
  );
}
