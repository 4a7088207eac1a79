/** Judges a file that is no configuration: a component itself, as documentation shows them, or something else altogether. Main thread. */

import type { ComponentType } from '../pipeline/component.ts';
import type { ConfigFault } from './config-fault.ts';
import { decode } from './fields.ts';
import { isRawMap, type RawMap, resolved } from './raw-value.ts';

const articles = { receiver: 'a receiver', processor: 'a processor', exporter: 'an exporter', extension: 'an extension' } as const;

/** What is wrong with root keys that name components: their place, and their own faults. [] when there are none. */
export function bareParts(raw: RawMap, componentTypes: readonly ComponentType[]): ConfigFault[] {
  return Object.entries(raw).flatMap(([key, config]): ConfigFault[] => {
    const id = key.split('/')[0]!.trim();
    const type = componentTypes.find((candidate) => candidate.type === id || candidate.aliases?.includes(id) === true);
    if (type === undefined) return [];
    const message = `${key} is ${articles[type.kind]}, and this file is a part of a configuration: write it below ${type.kind}s, beside receivers, exporters and service`;
    const outcome = decode(type.schema, config);
    const own = outcome.kind === 'decoded' ? outcome.warnings : outcome.faults;
    return [{ severity: 'error', path: [key], message }, ...own.map((fault) => ({ ...fault, path: [key, ...fault.path] }))];
  });
}

const sections = ['receivers', 'processors', 'exporters', 'connectors', 'extensions'];

/** One finding for a file in which every key would be one: it has no section of components, and its `service`, if any, no pipelines. */
export function strangeFile(raw: RawMap): ConfigFault[] {
  const keys = Object.keys(raw);
  const service = resolved(raw.service);
  const hasPipelines = isRawMap(service) && Object.hasOwn(service, 'pipelines');
  if (hasPipelines || keys.length < 3 || sections.some((section) => Object.hasOwn(raw, section))) return [];
  const found = keys.length > 5 ? `${keys.slice(0, 5).join(', ')}, …` : keys.join(', ');
  const message = `this is no configuration: receivers, processors, exporters and service are missing; at its top stand ${found}`;
  return [{ severity: 'error', path: [], message }];
}
