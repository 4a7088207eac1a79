/** Judges a file that holds a component itself instead of a configuration, as documentation shows them. Main thread. */

import type { ComponentType } from '../pipeline/component.ts';
import type { ConfigFault } from './config-fault.ts';
import { decode } from './fields.ts';
import type { RawMap } from './raw-value.ts';

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
