/** Configuration of the `memory_limiter` processor and its limits in bytes. Main thread. */

import type { ConfigFault } from '../../config/config-fault.ts';
import { duration, type Infer, object, uint } from '../../config/fields.ts';

export const memoryLimiterSchema = object({
  check_interval: duration().describe('Time between two measurements; required.'),
  limit_mib: uint({ type: 'uint32' }).describe('Hard limit; wins over limit_percentage.'),
  spike_limit_mib: uint({ type: 'uint32' }).describe('Distance of the soft limit below the hard one; 0 = 20 % of it.'),
  limit_percentage: uint({ type: 'uint32' }).describe("Hard limit as a part of the container's memory."),
  spike_limit_percentage: uint({ type: 'uint32' }),
  min_gc_interval_when_soft_limited: duration().default(10_000),
  min_gc_interval_when_hard_limited: duration().default(0),
  max_gc_interval_when_soft_limited: duration().default(30_000).describe('0 = no back-off.'),
  max_gc_interval_when_hard_limited: duration().default(30_000).describe('0 = no back-off.'),
});
export type MemoryLimiterConfig = Infer<typeof memoryLimiterSchema>;

/** Source: the Collector's checks, in its order and words; the first that fails is the one reported, as there. */
export function checkMemoryLimiter(config: MemoryLimiterConfig): ConfigFault[] {
  const found = firstFault(config);
  return found === undefined ? [] : [{ severity: 'error', path: [found[0]], message: found[1] }];
}

type Fault = readonly [key: keyof MemoryLimiterConfig, message: string];

function firstFault(config: MemoryLimiterConfig): Fault | undefined {
  if (config.check_interval <= 0) return ['check_interval', "'check_interval' must be greater than zero"];
  return intervalFault(config) ?? limitFault(config);
}

function intervalFault(config: MemoryLimiterConfig): Fault | undefined {
  const minSoft = config.min_gc_interval_when_soft_limited;
  const minHard = config.min_gc_interval_when_hard_limited;
  const maxSoft = config.max_gc_interval_when_soft_limited;
  const maxHard = config.max_gc_interval_when_hard_limited;
  const below = (key: keyof MemoryLimiterConfig, other: keyof MemoryLimiterConfig): Fault => [
    key,
    `'${key}' must be greater than or equal to '${other}'`,
  ];
  if (minSoft < minHard) return below('min_gc_interval_when_soft_limited', 'min_gc_interval_when_hard_limited');
  if (maxSoft < 0) return ['max_gc_interval_when_soft_limited', "'max_gc_interval_when_soft_limited' must be non-negative"];
  if (maxHard < 0) return ['max_gc_interval_when_hard_limited', "'max_gc_interval_when_hard_limited' must be non-negative"];
  if (maxSoft > 0 && maxSoft < minSoft) return below('max_gc_interval_when_soft_limited', 'min_gc_interval_when_soft_limited');
  if (maxHard > 0 && maxHard < minHard) return below('max_gc_interval_when_hard_limited', 'min_gc_interval_when_hard_limited');
  if (maxSoft > 0 && maxHard > 0 && maxSoft < maxHard)
    return below('max_gc_interval_when_soft_limited', 'max_gc_interval_when_hard_limited');
  return undefined;
}

function limitFault(config: MemoryLimiterConfig): Fault | undefined {
  if (config.limit_mib === 0 && config.limit_percentage === 0) {
    return ['limit_mib', "'limit_mib' or 'limit_percentage' must be greater than zero"];
  }
  if (config.limit_percentage > 100 || config.spike_limit_percentage > 100) {
    return [
      'limit_percentage',
      "'limit_percentage' and 'spike_limit_percentage' must be greater than zero and less than or equal to hundred",
    ];
  }
  if (config.limit_mib > 0 && config.limit_mib <= config.spike_limit_mib) {
    return ['spike_limit_mib', "'spike_limit_mib' must be smaller than 'limit_mib'"];
  }
  if (config.limit_percentage > 0 && config.limit_percentage <= config.spike_limit_percentage) {
    return ['spike_limit_percentage', "'spike_limit_percentage' must be smaller than 'limit_percentage'"];
  }
  return undefined;
}

const mibBytes = 1_048_576;

export interface MemoryLimits {
  readonly hardBytes: number;
  readonly softBytes: number;
}

/** Source: a spike limit of 0 is a fifth of the hard limit. */
export function memoryLimits(config: MemoryLimiterConfig, containerBytes: number): MemoryLimits {
  const fixed = config.limit_mib > 0;
  const hardBytes = fixed ? config.limit_mib * mibBytes : Math.floor((containerBytes * config.limit_percentage) / 100);
  const spikeBytes = fixed ? config.spike_limit_mib * mibBytes : Math.floor((containerBytes * config.spike_limit_percentage) / 100);
  return { hardBytes, softBytes: hardBytes - (spikeBytes === 0 ? Math.floor(hardBytes / 5) : spikeBytes) };
}
