/** The mechanism under the vocabulary: one zod schema per field, its documentation data, and warnings beside zod's errors. Main thread. */

import { z } from 'zod';
import type { ConfigFault } from './config-fault.ts';
import { isAbsent } from './raw-value.ts';

/** A component's configuration as a zod schema: input is the YAML value (undefined or null when the user wrote nothing), output is complete, defaults filled in. */
export type FieldSchema<Config> = z.ZodType<Config>;

/** What documentation and the JSON Schema need to know of a field beyond zod's own `.default` and `.describe`. */
export interface FieldMeta {
  /** The Collector's word: `string`, `uint64`, `duration`, … */
  readonly type: string;
  /** JSON Schema of what may be written, without its children. */
  readonly json: Readonly<Record<string, unknown>>;
  /** A written null is meant: the block is on with its defaults. */
  readonly nullMeans?: 'present';
  /** Children of an object, in order. */
  readonly shape?: Readonly<Record<string, FieldSchema<unknown>>>;
  /** Items of a list or values of a map; the schema inside a `presence`. */
  readonly item?: FieldSchema<unknown>;
  /** Old keys that still load. */
  readonly renamed?: Readonly<Record<string, string>>;
  readonly unknownKeys?: UnknownKeys;
  readonly secret?: boolean;
}

/** What an unknown key is: a fault (as in the Collector), a warning, or none of our business. */
export type UnknownKeys = 'fault' | 'warn' | 'ignore';

/** zod follows `.describe()` and `.meta()` copies to the schema they were made from, so the data is found on those too. */
const metaByField = z.registry<{ readonly fieldMeta: object }>();

/** The field data of a schema, looking through zod's own wrappers (default, optional, pipe, lazy). */
export function metaOf(schema: FieldSchema<unknown>): FieldMeta | undefined {
  const own = metaByField.get(schema as z.ZodType);
  if (own !== undefined) return own.fieldMeta as FieldMeta;
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    return metaOf(schema.unwrap() as FieldSchema<unknown>);
  }
  if (schema instanceof z.ZodPipe) return metaOf(schema.in as FieldSchema<unknown>);
  if (schema instanceof z.ZodLazy) return metaOf(schema.unwrap() as FieldSchema<unknown>);
  return undefined;
}

/** Warnings of the decoding under way. Decoding is synchronous, so one variable holds them; zod itself only knows errors. */
let current: { readonly path: (string | number)[]; readonly warnings: ConfigFault[] } | undefined;

/** Reports, from inside a field, something that loads but is not as it should be. Outside `decode` it is dropped. */
export function warn(message: string, below: readonly (string | number)[] = []): void {
  current?.warnings.push({ severity: 'warning', path: [...current.path, ...below], message });
}

export interface FieldContext {
  /** An error at this field, or below it. */
  fault(message: string, below?: readonly (string | number)[]): void;
  warn(message: string, below?: readonly (string | number)[]): void;
  /** Decodes a child; its faults carry the key. Undefined, whatever the type says, when the child is faulty. */
  child<Value>(schema: FieldSchema<Value>, key: string | number, raw: unknown): Value;
}

/** Makes a field. `read` gets undefined when nothing was written and answers with Go's zero value then; a default is zod's `.default(…)`. */
export function field<Value>(meta: FieldMeta, read: (raw: unknown, context: FieldContext) => Value): FieldSchema<Value> {
  const schema: z.ZodType = z.transform((raw: unknown, zodContext) => {
    const fault = (message: string, below: readonly (string | number)[] = []) => {
      zodContext.issues.push({ code: 'custom', message, path: [...below], input: undefined });
    };
    return read(raw === null ? undefined : raw, {
      fault,
      warn,
      child(childSchema, key, childRaw) {
        current?.path.push(key);
        const written = isAbsent(childRaw) && !(childRaw === null && metaOf(childSchema)?.nullMeans === 'present') ? undefined : childRaw;
        const result = childSchema.safeParse(written);
        current?.path.pop();
        if (result.success) return result.data;
        for (const issue of result.error.issues) fault(issue.message, [key, ...(issue.path as (string | number)[])]);
        return undefined as never; // With an issue pushed, zod hands out no value; only the parent sees this.
      },
    });
  });
  metaByField.add(schema, { fieldMeta: meta });
  return schema as FieldSchema<Value>;
}

export type DecodeOutcome<Config> =
  | { readonly kind: 'decoded'; readonly config: Config; readonly warnings: readonly ConfigFault[] }
  | { readonly kind: 'faulty'; readonly faults: readonly ConfigFault[] };

/** Decodes a raw value by its schema; faults of both severities, with paths relative to the value. */
export function decode<Config>(schema: FieldSchema<Config>, raw: unknown): DecodeOutcome<Config> {
  const outer = current;
  const warnings: ConfigFault[] = [];
  current = { path: [], warnings };
  try {
    const result = schema.safeParse(raw === null && metaOf(schema)?.nullMeans !== 'present' ? undefined : raw);
    if (result.success) return { kind: 'decoded', config: result.data, warnings };
    const errors = result.error.issues.map(
      (issue): ConfigFault => ({ severity: 'error', path: issue.path as (string | number)[], message: issue.message }),
    );
    return { kind: 'faulty', faults: [...errors, ...warnings] };
  } finally {
    current = outer;
  }
}
