/** Turns a loaded configuration into typed, checked components and pipelines. All faults in one go. Main thread. */

import type { ComponentId, ComponentType } from '../pipeline/component.ts';
import type { GraphPlan, PlannedComponent } from '../pipeline/graph.ts';
import { checkTelemetry, type TelemetryConfig } from '../telemetry/telemetry-config.ts';
import { bareParts, strangeFile } from './bare-parts.ts';
import { bindConnectors } from './bind-connectors.ts';
import { bindService, namedIds } from './bind-service.ts';
import { ignorableExtensions, isCollectorType, kindOfCollectorType, namesOfKind } from './collector-components.ts';
import type { ConfigFault, ConfigPath, LocatedFault } from './config-fault.ts';
import { decode, parseComponentId } from './fields.ts';
import { locate, type RawConfiguration } from './load-configuration.ts';
import { nearest } from './nearest.ts';
import { goTypeName, isRawMap, resolved } from './raw-value.ts';
import { rootSchema } from './service-schema.ts';
import { surprises } from './surprises/surprises.ts';

/** What runs: the plan of the graph, the process's own telemetry, and what was noticed on the way. */
export interface Configuration {
  readonly graph: GraphPlan;
  readonly telemetry: TelemetryConfig;
  readonly warnings: readonly LocatedFault[];
}

export interface BindOptions {
  readonly featureGates?: ReadonlySet<string>;
  /** Leaves pipelines of metrics, logs and profiles out, with a warning, instead of refusing them. */
  readonly tracesOnly?: boolean;
  /** Traces per second that the user expects; some checks need it. */
  readonly tracesPerSecond?: number;
  readonly spansPerTrace?: number;
}

export interface BoundConfiguration {
  /** Undefined when a fault is an error. */
  readonly configuration: Configuration | undefined;
  /** Errors and warnings, in the order of the file. */
  readonly faults: readonly LocatedFault[];
}

export const sectionKinds = { receivers: 'receiver', processors: 'processor', exporters: 'exporter', extensions: 'extension' } as const;
export type Section = keyof typeof sectionKinds;

/** Components of one section; `known` also holds ids whose configuration is faulty, so that references to them are no second fault. */
export interface BoundSection {
  readonly components: Map<string, PlannedComponent>;
  readonly known: Set<string>;
  /** Left out with a warning: extensions that only show, and types that are not built but that nothing runs. */
  readonly ignored: Set<string>;
}

/** Decodes every component by its type's schema and runs its `check`, then checks the service section against them. */
export function bindConfiguration(
  loaded: RawConfiguration,
  componentTypes: readonly ComponentType[],
  options: BindOptions = {},
): BoundConfiguration {
  const parts = [...bareParts(loaded.raw, componentTypes), ...strangeFile(loaded.raw)];
  if (parts.length > 0) return { configuration: undefined, faults: sortFaults(parts.map((fault) => locate(loaded, fault))) };
  const faults: ConfigFault[] = [];
  const decoded = decode(rootSchema, loaded.raw);
  faults.push(...(decoded.kind === 'decoded' ? decoded.warnings : decoded.faults));
  const sections = {} as Record<Section, BoundSection>;
  const connectors = bindConnectors(loaded.raw, options, faults);
  const named = namedIds(loaded.raw, connectors.leftOut);
  const featureGates = options.featureGates ?? new Set();
  for (const section of Object.keys(sectionKinds) as Section[]) {
    sections[section] = bindSection(section, loaded.raw[section], { types: componentTypes, named: named[section], featureGates }, faults);
  }
  const service = bindService(loaded.raw, { sections, connectors }, options, faults);
  const telemetry = decoded.kind === 'decoded' ? decoded.config.service.telemetry : undefined;
  if (telemetry !== undefined) faults.push(...checkTelemetry(telemetry).map((fault) => below(['service', 'telemetry'], fault)));
  faults.push(...surprises(loaded.raw, options));
  const located = sortFaults(faults.map((fault) => locate(loaded, fault)));
  if (telemetry === undefined || located.some((fault) => fault.severity === 'error')) return { configuration: undefined, faults: located };
  const graph: GraphPlan = {
    receivers: sections.receivers.components,
    processors: sections.processors.components,
    exporters: sections.exporters.components,
    extensions: sections.extensions.components,
    ...service,
  };
  return { configuration: { graph, telemetry, warnings: located }, faults: located };
}

function below(path: ConfigPath, fault: ConfigFault): ConfigFault {
  return { ...fault, path: [...path, ...fault.path] };
}

/** By file in the order first seen, then by line and column; one fault is told once. */
export function sortFaults(faults: readonly LocatedFault[]): LocatedFault[] {
  const files = [...new Set(faults.map((fault) => fault.file))];
  const unique = new Map(faults.map((fault) => [JSON.stringify([fault.file, fault.line, fault.column, fault.path, fault.message]), fault]));
  return [...unique.values()].sort((a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column);
}

interface SectionTerms {
  readonly types: readonly ComponentType[];
  /** Ids of this section that run. */
  readonly named: ReadonlySet<string>;
  readonly featureGates: ReadonlySet<string>;
}

function bindSection(section: Section, raw: unknown, terms: SectionTerms, faults: ConfigFault[]): BoundSection {
  const bound: BoundSection = { components: new Map(), known: new Set(), ignored: new Set() };
  const written = resolved(raw);
  if (written === undefined || written === null) return bound;
  if (!isRawMap(written)) {
    faults.push({ severity: 'error', path: [section], message: `expected a map of ${section} by id, got '${goTypeName(raw)}'` });
    return bound;
  }
  const ofKind = { ...terms, types: terms.types.filter((type) => type.kind === sectionKinds[section]) };
  for (const [key, config] of Object.entries(written)) bindComponent(section, key, config, ofKind, bound, faults);
  return bound;
}

function bindComponent(section: Section, key: string, raw: unknown, terms: SectionTerms, bound: BoundSection, faults: ConfigFault[]): void {
  const path = [section, key];
  const parsed = parseComponentId(key);
  if (parsed.fault !== undefined) {
    faults.push({ severity: 'error', path, message: parsed.fault });
    return;
  }
  const { text } = parsed.id;
  if (bound.known.has(text))
    faults.push({ severity: 'error', path, message: `duplicate name ${JSON.stringify(key)} after unmarshaling ${text}` });
  bound.known.add(text);
  const type = terms.types.find((candidate) => candidate.type === parsed.id.type || candidate.aliases?.includes(parsed.id.type) === true);
  if (type === undefined) {
    faults.push(unknownType(section, parsed.id, terms, bound));
    return;
  }
  const id: ComponentId = { ...parsed.id, type: type.type };
  const outcome = decode(type.schema, raw);
  if (outcome.kind === 'faulty') {
    faults.push(...outcome.faults.map((fault) => below(path, fault)));
    return;
  }
  const checked = type.check?.(outcome.config, id, terms.featureGates) ?? [];
  faults.push(...[...outcome.warnings, ...checked].map((fault) => below(path, fault)));
  bound.components.set(text, { id, type, config: outcome.config });
}

function unknownType(section: Section, id: ComponentId, { types, named }: SectionTerms, bound: BoundSection): ConfigFault {
  const kind = sectionKinds[section];
  const path = [section, id.text];
  const built = types.flatMap((type) => [type.type, ...(type.aliases ?? [])]).sort();
  if (kind === 'extension' && ignorableExtensions.has(id.type)) {
    bound.ignored.add(id.text);
    return { severity: 'warning', path, message: `the extension ${id.type} is not part of Ringtail and is ignored; data flows as before` };
  }
  if (isCollectorType(kind, id.type)) {
    const message = `the ${kind} ${id.type} is not built yet; built are: ${built.join(', ')}`;
    if (named.has(id.text)) return { severity: 'error', path, message };
    bound.ignored.add(id.text);
    return { severity: 'warning', path, message: `${message}; no pipeline of traces names it, so it is left out` };
  }
  const other = kindOfCollectorType(id.type);
  const near = nearest(id.type, [...built, ...namesOfKind(kind)]);
  const hint = other !== undefined ? `; write it below ${other}s` : near === undefined ? '' : `; did you mean ${near}?`;
  const message = `unknown type: ${JSON.stringify(id.type)} for id: ${JSON.stringify(id.text)} (valid values: [${built.join(' ')}])${hint}`;
  return { severity: 'error', path, message };
}
