/** What a resolver is handed by the process that runs it; main's Logger and Metrics fit as they are. Main thread. */

import type { Clock } from '../shared/clock.ts';
import type { Prng } from '../shared/prng.ts';

export interface ResolverLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface ResolverMeter {
  counter(name: string, attributes?: Readonly<Record<string, string>>): { add(value: number): void };
  gauge(name: string, attributes?: Readonly<Record<string, string>>): { set(value: number): void };
}

export interface ResolverEnvironment {
  readonly log: ResolverLog;
  readonly meter: ResolverMeter;
  readonly clock: Clock;
  readonly prng: Prng;
}

/** A resolver that cannot be made from its configuration. `code` is stable; the message names the setting and what to do. */
export class ResolverConfigError extends Error {
  readonly code: string;
  readonly setting: string;
  constructor(code: string, setting: string, message: string) {
    super(message);
    this.name = 'ResolverConfigError';
    this.code = code;
    this.setting = setting;
  }
}
