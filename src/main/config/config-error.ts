/** How faults of a configuration read, and the error that a command ends with. Pure. */

import type { ConfigPath, LocatedFault } from './config-fault.ts';
import { withoutPasswords } from './secret.ts';

/** Thrown by commands only; everything below hands faults back as values. */
export class ConfigError extends Error {
  readonly code = 'RINGTAIL_CONFIG';
  readonly faults: readonly LocatedFault[];
  constructor(faults: readonly LocatedFault[]) {
    super(
      faults
        .filter((fault) => fault.severity === 'error')
        .map(formatFault)
        .join('\n'),
    );
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/** `file:line:column: path: message`, warnings marked as such. */
export function formatFault(fault: LocatedFault): string {
  const path = fault.path.length === 0 ? '' : `${formatPath(fault.path)}: `;
  const severity = fault.severity === 'warning' ? 'warning: ' : '';
  return withoutPasswords(`${fault.file}:${fault.line}:${fault.column}: ${severity}${path}${fault.message}`);
}

/** `processors.tail_sampling.policies[0].name`; keys that hold other characters stand in quotes. */
export function formatPath(path: ConfigPath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[\w/-]+$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}
