/** Finds what loads but does something else than its writer may think, and says so with the figure. Main thread. */

import { isTraces, pipelinesOf } from '../bind-service.ts';
import type { ConfigFault } from '../config-fault.ts';
import type { RawMap } from '../raw-value.ts';
import { balancerRules, queuedExporterRules } from './exporter-rules.ts';
import { componentsOf, type ExpectedLoad, listAt, type Report } from './finding.ts';
import { checkPipelines } from './pipeline-rules.ts';
import { overlaps } from './policy-overlaps.ts';
import { checkPolicy } from './policy-rules.ts';
import { samplerRules } from './sampler-rules.ts';

/** Looks through the whole configuration, decodable or not; answers warnings only. */
export function surprises(raw: RawMap, load: ExpectedLoad): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const report: Report = (path, message) => void faults.push({ severity: 'warning', path, message });
  for (const [id, config] of componentsOf(raw, 'processors', ['tail_sampling'])) {
    const path = ['processors', id];
    for (const rule of samplerRules) rule(config, path, load, report);
    const policies = listAt(config, 'policies');
    overlaps(policies, [...path, 'policies'], report);
    for (const [index, policy] of policies.entries()) checkPolicy(policy, [...path, 'policies', index], config, report);
  }
  const pipelines = pipelinesOf(raw);
  const carriesTraces = (id: string) => {
    return pipelines.length === 0 || pipelines.some(([key, pipeline]) => isTraces(key) && listAt(pipeline, 'exporters').includes(id));
  };
  for (const [id, config] of componentsOf(raw, 'exporters', ['loadbalancing', 'load_balancing'])) {
    if (!carriesTraces(id)) continue;
    for (const rule of balancerRules) rule(config, ['exporters', id], report);
  }
  for (const [id, config] of componentsOf(raw, 'exporters', ['otlp', 'otlp_grpc', 'otlphttp', 'otlp_http'])) {
    for (const rule of queuedExporterRules) rule(config, ['exporters', id], report);
  }
  checkPipelines(raw, load, report);
  return faults;
}
