/** What the configuration tests share: loading texts, and faults as lines. */

import { formatFault } from '../../src/main/config/config-error.ts';
import type { LocatedFault } from '../../src/main/config/config-fault.ts';
import { type LoadOptions, loadConfiguration, readSource } from '../../src/main/config/load-configuration.ts';
import { printCanonical } from '../../src/main/config/print-canonical.ts';
import { plainValue, type RawMap } from '../../src/main/config/raw-value.ts';

export interface Loaded {
  /** Undefined when a source could not be read. */
  readonly raw: RawMap | undefined;
  readonly plain: Record<string, unknown>;
  readonly lines: readonly string[];
}

/** Loads texts as `yaml:` sources. */
export async function load(texts: readonly string[] | string, options: Partial<LoadOptions> = {}): Promise<Loaded> {
  const sources = (typeof texts === 'string' ? [texts] : texts).map((text) => `yaml:${text}`);
  const { configuration, faults } = await loadConfiguration(sources, { environment: {}, ...options });
  return {
    raw: configuration?.raw,
    plain: plainValue(configuration?.raw ?? {}) as Record<string, unknown>,
    lines: linesOf(faults),
  };
}

export function linesOf(faults: readonly LocatedFault[]): string[] {
  return faults.map(formatFault);
}

/** A text after the rules, with what they said, and what they say to their own output. */
export function canonical(text: string): { readonly text: string; readonly lines: readonly string[]; readonly again: readonly string[] } {
  const source = readSource(text, 'c.yaml');
  const printed = printCanonical(source);
  return { text: printed, lines: linesOf(source.faults), again: linesOf(readSource(printed, 'c.yaml').faults) };
}
