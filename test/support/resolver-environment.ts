/** A resolver environment that records what is logged, counted and told. */

import type { EndpointSet, Resolver } from '../../src/discovery/endpoint-set.ts';
import type { ResolverEnvironment } from '../../src/discovery/resolver-environment.ts';
import { type Clock, systemClock } from '../../src/shared/clock.ts';
import { seededPrng } from '../../src/shared/prng.ts';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn';
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

export class RecordedEnvironment implements ResolverEnvironment {
  readonly clock: Clock;
  readonly prng = seededPrng(7);
  readonly lines: LogLine[] = [];
  readonly values = new Map<string, number>();
  readonly sets: EndpointSet[] = [];

  constructor(clock: Clock = systemClock) {
    this.clock = clock;
  }

  readonly log = {
    debug: (fields: object, message: string) => this.#line('debug', fields, message),
    info: (fields: object, message: string) => this.#line('info', fields, message),
    warn: (fields: object, message: string) => this.#line('warn', fields, message),
  };

  readonly meter = {
    counter: (name: string, attributes: Readonly<Record<string, string>> = {}) => ({
      add: (value: number) => void this.values.set(key(name, attributes), this.value(name, attributes) + value),
    }),
    gauge: (name: string, attributes: Readonly<Record<string, string>> = {}) => ({
      set: (value: number) => void this.values.set(key(name, attributes), value),
    }),
  };

  value(name: string, attributes: Readonly<Record<string, string>> = {}): number {
    return this.values.get(key(name, attributes)) ?? 0;
  }

  get causes(): string[] {
    return this.lines.filter((line) => line.level === 'warn' && 'cause' in line.fields).map((line) => String(line.fields.cause));
  }

  /** The endpoints told last. */
  get endpoints(): readonly string[] | undefined {
    return this.sets.at(-1)?.endpoints;
  }

  start(resolver: Resolver): Promise<void> {
    return resolver.start((set) => this.sets.push(set));
  }

  #line(level: LogLine['level'], fields: object, message: string): void {
    this.lines.push({ level, fields: fields as Record<string, unknown>, message });
  }
}

function key(name: string, attributes: Readonly<Record<string, string>>): string {
  return `${name}${JSON.stringify(Object.entries(attributes).sort())}`;
}

/** Waits until `holds` is true. Errors: rejects with `what` and the last state after the deadline. */
export async function eventually(what: string, holds: () => boolean, state: () => unknown = () => '', deadlineMs = 15_000): Promise<void> {
  const startedAtMs = performance.now();
  while (!holds()) {
    if (performance.now() - startedAtMs > deadlineMs) throw new Error(`${what}: not within ${deadlineMs} ms; ${JSON.stringify(state())}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
