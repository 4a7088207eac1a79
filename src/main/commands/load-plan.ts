/** From `--config` sources to what a service runs: loads, binds to the component types, and says what is wrong where. Main thread. */

import type { LocatedFault } from '../config/config-fault.ts';
import { decode, parseComponentId } from '../config/fields.ts';
import { loadConfiguration, locate, type RawConfiguration } from '../config/load-configuration.ts';
import type { ComponentType } from '../pipeline/component.ts';
import type { ComponentKind, GraphPlan, PlannedComponent } from '../pipeline/graph.ts';
import type { ServicePlan } from '../pipeline/service.ts';
import { checkTelemetry, telemetrySchema } from '../telemetry/telemetry-config.ts';

export interface PlanOptions {
  readonly sets: readonly string[];
  readonly featureGates: ReadonlySet<string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly componentTypes: readonly ComponentType[];
}

export type PlanOutcome =
  | { readonly kind: 'plan'; readonly plan: ServicePlan; readonly warnings: readonly LocatedFault[] }
  | { readonly kind: 'faulty'; readonly faults: readonly LocatedFault[] };

export async function loadPlan(sources: readonly string[], options: PlanOptions): Promise<PlanOutcome> {
  const loaded = await loadConfiguration(sources, options);
  const faults: LocatedFault[] = [...loaded.faults];
  if (loaded.configuration === undefined) return { kind: 'faulty', faults };
  const plan = bind(loaded.configuration, options.componentTypes, faults);
  if (faults.some((fault) => fault.severity === 'error')) return { kind: 'faulty', faults };
  return { kind: 'plan', plan, warnings: faults };
}

const sections = { receiver: 'receivers', processor: 'processors', exporter: 'exporters', extension: 'extensions' } as const;

type Raw = Record<string, unknown>;

function bind(configuration: RawConfiguration, types: readonly ComponentType[], faults: LocatedFault[]): ServicePlan {
  const raw = configuration.raw as Raw;
  const service = (raw.service ?? {}) as { extensions?: string[]; pipelines?: Record<string, Raw>; telemetry?: unknown };
  const bound = (kind: ComponentKind) => bindSection(configuration, kind, types, faults);
  const graph: GraphPlan = {
    receivers: bound('receiver'),
    processors: bound('processor'),
    exporters: bound('exporter'),
    extensions: bound('extension'),
    serviceExtensions: service.extensions ?? [],
    pipelines: Object.entries(service.pipelines ?? {}).map(([id, pipeline]) => ({
      id,
      receivers: (pipeline.receivers ?? []) as string[],
      processors: (pipeline.processors ?? []) as string[],
      exporters: (pipeline.exporters ?? []) as string[],
    })),
  };
  const outcome = decode(telemetrySchema, service.telemetry);
  const telemetryFaults = outcome.kind === 'decoded' ? [...outcome.warnings, ...checkTelemetry(outcome.config)] : outcome.faults;
  for (const fault of telemetryFaults) {
    faults.push(locate(configuration, { ...fault, path: ['service', 'telemetry', ...fault.path] }));
  }
  const telemetry = outcome.kind === 'decoded' ? outcome.config : telemetrySchema.parse(undefined);
  return { graph, telemetry };
}

function bindSection(
  configuration: RawConfiguration,
  kind: ComponentKind,
  types: readonly ComponentType[],
  faults: LocatedFault[],
): ReadonlyMap<string, PlannedComponent> {
  const section = sections[kind];
  const known = types.filter((type) => type.kind === kind);
  const components = new Map<string, PlannedComponent>();
  for (const [key, value] of Object.entries((configuration.raw[section] ?? {}) as Raw)) {
    const { id } = parseComponentId(key);
    const type = known.find((candidate) => candidate.type === id.type || candidate.aliases?.includes(id.type));
    if (type === undefined) {
      const names = known.map((candidate) => candidate.type).join(' ');
      const message = `unknown type: "${id.type}" for id: "${key}" (valid values: [${names}])`;
      faults.push(locate(configuration, { severity: 'error', path: [section, key], message }));
      continue;
    }
    const outcome = decode(type.schema, value);
    const own = outcome.kind === 'decoded' ? [...outcome.warnings, ...(type.check?.(outcome.config, id) ?? [])] : outcome.faults;
    for (const fault of own) faults.push(locate(configuration, { ...fault, path: [section, key, ...fault.path] }));
    if (outcome.kind === 'decoded') components.set(key, { id: { ...id, type: type.type }, type, config: outcome.config });
  }
  return components;
}
