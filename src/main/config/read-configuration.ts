/** From sources to a runnable configuration in one call. Main thread. */

import type { ComponentType } from '../pipeline/component.ts';
import { type BindOptions, type BoundConfiguration, bindConfiguration, sortFaults } from './bind-configuration.ts';
import { type LoadOptions, loadConfiguration, type RawConfiguration } from './load-configuration.ts';

export interface ReadConfiguration extends BoundConfiguration {
  readonly raw: RawConfiguration | undefined;
}

/**
 * Loads and binds.
 *
 * Errors: `configuration` is undefined when any fault is an error; a command throws `new ConfigError(faults)` then. Warnings stand in `faults` either way.
 */
export async function readConfiguration(
  sources: readonly string[],
  componentTypes: readonly ComponentType[],
  options: LoadOptions & BindOptions,
): Promise<ReadConfiguration> {
  const loaded = await loadConfiguration(sources, options);
  if (loaded.configuration === undefined) return { raw: undefined, configuration: undefined, faults: loaded.faults };
  const bound = bindConfiguration(loaded.configuration, componentTypes, options);
  const faults = sortFaults([...loaded.faults, ...bound.faults]);
  const runnable = bound.configuration !== undefined && !faults.some((fault) => fault.severity === 'error');
  const configuration = runnable ? { ...bound.configuration, warnings: faults } : undefined;
  return { raw: loaded.configuration, configuration, faults };
}
