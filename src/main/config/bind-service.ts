/** Checks `service` against the configured components: pipelines, their references, extensions, and what nothing uses. Main thread. */

import type { GraphPlan } from '../pipeline/graph.ts';
import type { BindOptions, BoundSection, Section } from './bind-configuration.ts';
import type { BoundConnectors } from './bind-connectors.ts';
import type { ConfigFault, ConfigPath } from './config-fault.ts';
import { nearest } from './nearest.ts';
import { isRawMap, plainValue, type RawMap, resolved } from './raw-value.ts';

type Pipeline = GraphPlan['pipelines'][number];
type Sections = Readonly<Record<Section, BoundSection>>;
type Role = 'receivers' | 'processors' | 'exporters';

const roles = ['receivers', 'processors', 'exporters'] as const;
const otherSignals = ['metrics', 'logs', 'profiles'];

interface Binding {
  readonly sections: Sections;
  readonly connectors: BoundConnectors;
  readonly options: BindOptions;
  readonly faults: ConfigFault[];
  /** Ids named anywhere, by section. */
  readonly used: Readonly<Record<Section, Set<string>>>;
}

/** Source: otelcol's Config.Validate and pipelines.Config.Validate, whose texts these are. */
export function bindService(
  raw: RawMap,
  bound: Pick<Binding, 'sections' | 'connectors'>,
  options: BindOptions,
  faults: ConfigFault[],
): { readonly serviceExtensions: readonly string[]; readonly pipelines: readonly Pipeline[] } {
  const used = { receivers: new Set<string>(), processors: new Set<string>(), exporters: new Set<string>(), extensions: new Set<string>() };
  const binding: Binding = { ...bound, options, faults, used };
  const service = resolved(raw.service);
  const pipelinesAllowedEmpty = options.featureGates?.has('service.AllowNoPipelines') ?? false;
  if (!pipelinesAllowedEmpty) checkPresence(bound.sections, faults);
  const written = isRawMap(service) ? resolved(service.pipelines) : undefined;
  const entries = Object.entries(isRawMap(written) ? written : {});
  if (entries.length === 0 && !pipelinesAllowedEmpty) {
    error(
      binding,
      ['service', 'pipelines'],
      'service must have at least one pipeline: write service.pipelines.traces with receivers and exporters',
    );
  }
  const pipelines = entries.flatMap(([key, pipeline]) => bindPipeline(binding, key, pipeline));
  const serviceExtensions = bindExtensions(binding, isRawMap(service) ? service.extensions : undefined);
  warnUnused(binding);
  return { serviceExtensions, pipelines };
}

function error(binding: Binding, path: ConfigPath, message: string): void {
  binding.faults.push({ severity: 'error', path, message });
}

function checkPresence(sections: Sections, faults: ConfigFault[]): void {
  const isEmpty = (section: Section) => sections[section].known.size === 0;
  const missing = (section: Section, message: string) => faults.push({ severity: 'error', path: [section], message });
  if ((Object.keys(sections) as Section[]).every(isEmpty))
    missing('receivers', 'empty configuration file: receivers, exporters and service are needed');
  else if (isEmpty('receivers')) missing('receivers', 'no receiver configuration specified in config');
  else if (isEmpty('exporters')) missing('exporters', 'no exporter configuration specified in config');
}

function bindPipeline(binding: Binding, key: string, raw: unknown): Pipeline[] {
  const path = ['service', 'pipelines', key];
  const written = resolved(raw);
  const lists = Object.fromEntries(roles.map((role) => [role, idList(isRawMap(written) ? written[role] : undefined)])) as Record<
    Role,
    string[]
  >;
  for (const role of roles) for (const id of lists[role]) binding.used[role].add(id);
  const signal = key.split('/')[0]!.trim();
  if (signal !== 'traces') {
    refuseSignal(binding, path, key, signal, lists);
    return [];
  }
  const where = `service::pipelines::${key}:`;
  const { known, leftOut } = binding.connectors;
  const exporters = lists.exporters.filter((id) => !leftOut.has(id));
  if (exporters.length === 0 && lists.exporters.length > 0) {
    const message = `the pipeline ${key} is left out: it exports to ${lists.exporters.join(', ')} alone, which is left out too`;
    binding.faults.push({ severity: 'warning', path, message });
    return [];
  }
  if (lists.receivers.length === 0) error(binding, path, `${where} must have at least one receiver`);
  if (lists.exporters.length === 0) error(binding, path, `${where} must have at least one exporter`);
  const repeated = lists.processors.find((id, index) => lists.processors.indexOf(id) < index);
  if (repeated !== undefined) {
    error(
      binding,
      [...path, 'processors', lists.processors.lastIndexOf(repeated)],
      `${where} references processor "${repeated}" multiple times`,
    );
  }
  for (const role of roles) {
    for (const [index, id] of lists[role].entries()) {
      if (role === 'processors' || !known.has(id)) checkReference(binding, role, id, [...path, role, index], where);
    }
  }
  return [{ id: key, ...lists, exporters }];
}

export const isTraces = (pipelineId: string): boolean => pipelineId.split('/')[0]!.trim() === 'traces';

/** Pipelines as written, those that are maps. */
export function pipelinesOf(raw: RawMap): [string, RawMap][] {
  const service = resolved(raw.service);
  const pipelines = isRawMap(service) ? resolved(service.pipelines) : undefined;
  return Object.entries(isRawMap(pipelines) ? pipelines : {}).flatMap(([key, pipeline]): [string, RawMap][] => {
    const written = resolved(pipeline);
    return isRawMap(written) ? [[key, written]] : [];
  });
}

/** Ids that run: those of pipelines of traces and of `service.extensions`. Pipelines that feed `leftOut` alone do not run. */
export function namedIds(raw: RawMap, leftOut: ReadonlySet<string>): Readonly<Record<Section, ReadonlySet<string>>> {
  const service = resolved(raw.service);
  const traces = pipelinesOf(raw).filter(([key, pipeline]) => isTraces(key) && !isLeftOut(pipeline, leftOut));
  const inRole = (role: Role) => new Set(traces.flatMap(([, pipeline]) => idList(pipeline[role])));
  const extensions = new Set(isRawMap(service) ? idList(service.extensions) : []);
  return { receivers: inRole('receivers'), processors: inRole('processors'), exporters: inRole('exporters'), extensions };
}

function isLeftOut(pipeline: RawMap, leftOut: ReadonlySet<string>): boolean {
  const exporters = idList(pipeline.exporters);
  return exporters.length > 0 && exporters.every((id) => leftOut.has(id));
}

export function idList(raw: unknown): string[] {
  const value = plainValue(raw);
  if (Array.isArray(value)) return value.filter((item) => typeof item === 'string').map((item) => item.trim());
  return typeof value === 'string' && value !== '' ? value.split(',').map((item) => item.trim()) : [];
}

function refuseSignal(binding: Binding, path: ConfigPath, key: string, signal: string, lists: Readonly<Record<Role, string[]>>): void {
  if (!otherSignals.includes(signal)) {
    const near = nearest(signal, ['traces', ...otherSignals]);
    error(
      binding,
      path,
      `service::pipelines: unknown signal "${signal}" in pipeline "${key}"${near === undefined ? '' : `; did you mean ${near}?`}`,
    );
    return;
  }
  if (binding.options.tracesOnly === true) {
    binding.faults.push({ severity: 'warning', path, message: `the ${signal} pipeline ${key} is left out: Ringtail runs traces only` });
    return;
  }
  const names = [...lists.receivers, ...lists.processors, ...lists.exporters].join(', ');
  const advice = `run it (${names}) in a Collector and remove it here, or start with --traces-only to leave it out`;
  error(binding, path, `service::pipelines::${key}: Ringtail runs traces only and would not deliver these ${signal}; ${advice}`);
}

function checkReference(binding: Binding, section: Section, id: string, path: ConfigPath, where: string): void {
  const { known, ignored } = binding.sections[section];
  if (known.has(id) && !ignored.has(id)) return;
  const near = nearest(id, known);
  const hint = near === undefined ? `configured: ${[...known].join(', ') || 'none'}` : `did you mean ${near}?`;
  error(binding, path, `${where} references ${section.slice(0, -1)} "${id}" which is not configured; ${hint}`);
}

function bindExtensions(binding: Binding, raw: unknown): string[] {
  const { ignored } = binding.sections.extensions;
  const ids = idList(raw);
  for (const [index, id] of ids.entries()) {
    binding.used.extensions.add(id);
    if (!ignored.has(id)) checkReference(binding, 'extensions', id, ['service', 'extensions', index], 'service::extensions:');
  }
  return [...new Set(ids)].filter((id) => !ignored.has(id));
}

function warnUnused(binding: Binding): void {
  for (const [section, { known, ignored }] of Object.entries(binding.sections) as [Section, BoundSection][]) {
    for (const id of known) {
      if (binding.used[section].has(id) || ignored.has(id)) continue;
      const message =
        section === 'extensions'
          ? 'is configured but not listed in service.extensions, so it does not run'
          : `is configured but no pipeline names it, so it does nothing`;
      binding.faults.push({ severity: 'warning', path: [section, id], message });
    }
  }
}
