/** From `--config` sources to what a service runs, and what is wrong where. Main thread. */

import { bindConfiguration } from '../config/bind-configuration.ts';
import type { LocatedFault } from '../config/config-fault.ts';
import { loadConfiguration, type RawConfiguration } from '../config/load-configuration.ts';
import { componentTypes } from '../pipeline/component-types.ts';
import type { ServicePlan } from '../pipeline/service.ts';

export interface PlanOptions {
  readonly sets: readonly string[];
  readonly featureGates: ReadonlySet<string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export type PlanOutcome =
  | { readonly kind: 'plan'; readonly plan: ServicePlan; readonly raw: RawConfiguration; readonly warnings: readonly LocatedFault[] }
  | { readonly kind: 'faulty'; readonly faults: readonly LocatedFault[] };

export async function loadPlan(sources: readonly string[], options: PlanOptions): Promise<PlanOutcome> {
  const loaded = await loadConfiguration(sources, options);
  if (loaded.configuration === undefined) return { kind: 'faulty', faults: loaded.faults };
  const bound = bindConfiguration(loaded.configuration, componentTypes, { featureGates: options.featureGates });
  const faults = [...loaded.faults, ...bound.faults];
  if (bound.configuration === undefined || faults.some((fault) => fault.severity === 'error')) return { kind: 'faulty', faults };
  return { kind: 'plan', plan: bound.configuration, raw: loaded.configuration, warnings: faults };
}

/** One line: `file:line:column: severity: path: message`. */
export function faultText(fault: LocatedFault): string {
  const path = fault.path.length === 0 ? '' : `${fault.path.join('::')}: `;
  return `${fault.file}:${fault.line}:${fault.column}: ${fault.severity}: ${path}${fault.message}`;
}
