/** A finding in a configuration: what, where, and what would be right. Main thread. */

/** One step into a configuration: a map key or a list index. */
export type ConfigPath = readonly (string | number)[];

export interface ConfigFault {
  readonly severity: 'error' | 'warning';
  /** From the root of the configuration, or from the component's own config where a component reports it. */
  readonly path: ConfigPath;
  /** A sentence: what is wrong, in the Collector's words where it has some, and what would be right. */
  readonly message: string;
}

/** A fault whose place is known. Units: `line` and `column` count from 1. */
export interface LocatedFault extends ConfigFault {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}
