/** What the rules about surprises share: how a finding is told, and reading values that may be missing or wrong. Main thread. */

import type { ConfigPath } from '../config-fault.ts';
import { nanosecondsToMs, parseDuration } from '../duration.ts';
import { isRawMap, plainValue, type RawMap, resolved } from '../raw-value.ts';

export type Report = (path: ConfigPath, message: string) => void;

/** What the user expects to come in. */
export interface ExpectedLoad {
  readonly tracesPerSecond?: number;
  readonly spansPerTrace?: number;
}

/** What a span takes, for estimates: DESIGN's aim for a buffered one, and a common size on the wire. */
export const heldBytesPerSpan = 550;
export const wireBytesPerSpan = 500;
export const mib = 1_048_576;

/** Components of a section, by type, with plain values. */
export function componentsOf(raw: RawMap, section: string, types: readonly string[]): [string, RawMap][] {
  const map = resolved(raw[section]);
  if (!isRawMap(map)) return [];
  return Object.entries(map).flatMap(([id, value]): [string, RawMap][] => {
    const config = plainValue(value) ?? {};
    return types.includes(typeOf(id)) && isRawMap(config) ? [[id, config]] : [];
  });
}

export const typeOf = (id: string): string => id.split('/')[0]!.trim();

export function mapAt(map: RawMap, ...path: readonly string[]): RawMap {
  const value = path.reduce<unknown>((at, key) => (isRawMap(at) ? at[key] : undefined), map);
  return isRawMap(value) ? value : {};
}

export function listAt(map: RawMap, key: string): readonly unknown[] {
  const value = map[key];
  if (Array.isArray(value)) return value;
  return typeof value === 'string' && value !== '' ? value.split(',') : [];
}

/** A number as the Collector reads it; `fallback` where none is written. */
export function numberAt(map: RawMap, key: string, fallback = 0): number {
  const value = map[key];
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : fallback;
}

export function durationAt(map: RawMap, key: string, fallbackMs: number): number {
  const value = map[key];
  if (typeof value === 'number') return value / 1e6;
  const outcome = typeof value === 'string' ? parseDuration(value) : undefined;
  return outcome?.kind === 'duration' ? nanosecondsToMs(outcome.nanoseconds) : fallbackMs;
}

export function grouped(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}
