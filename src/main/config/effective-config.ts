/** The configuration as it takes effect, for `--print`: defaults filled in, secrets hidden. Main thread. */

import { stringify } from 'yaml';
import { z } from 'zod';
import type { ComponentType } from '../pipeline/component.ts';
import { sectionKinds } from './bind-configuration.ts';
import { formatDuration } from './duration.ts';
import { type FieldMeta, type FieldSchema, metaOf, parseComponentId } from './fields.ts';
import type { RawConfiguration } from './load-configuration.ts';
import { ExpandedValue, isRawMap, plainValue, resolved } from './raw-value.ts';
import { redacted, withoutPasswords } from './secret.ts';
import { rootSchema } from './service-schema.ts';

/** YAML text. Only what the schemas know is printed, so nothing that they do not know to be secret can slip through. */
export function printEffective(loaded: RawConfiguration, componentTypes: readonly ComponentType[]): string {
  const effective: Record<string, unknown> = {};
  for (const [section, kind] of Object.entries(sectionKinds)) {
    const written = resolved(loaded.raw[section]);
    if (!isRawMap(written)) continue;
    effective[section] = Object.fromEntries(
      Object.entries(written).flatMap(([key, config]): [string, unknown][] => {
        const { id } = parseComponentId(key);
        const type = componentTypes.find((each) => each.kind === kind && (each.type === id.type || each.aliases?.includes(id.type)));
        return type === undefined ? [] : [[id.text, effectiveValue(type.schema, config) ?? {}]];
      }),
    );
  }
  const service = metaOf(rootSchema)?.shape?.service;
  if (service !== undefined) effective.service = effectiveValue(service, loaded.raw.service);
  return withoutPasswords(stringify(effective, { lineWidth: 0 }));
}

/** `undefined` when nothing was written and there is no default. */
function effectiveValue(schema: FieldSchema<unknown>, raw: unknown): unknown {
  const meta = metaOf(schema);
  const written = resolved(raw);
  if (raw === undefined || (raw === null && meta?.nullMeans !== 'present')) return unwritten(schema, meta);
  if (meta === undefined) return plainValue(raw);
  if (meta.secret === true) return hide(written);
  if (meta.shape !== undefined) return effectiveBlock(meta.shape, meta.renamed ?? {}, isRawMap(written) ? written : {});
  if (meta.item !== undefined) return effectiveItems(meta.item, written);
  // A text target takes a reference as it was written there.
  return meta.type === 'string' && raw instanceof ExpandedValue ? raw.text : plainValue(raw);
}

function unwritten(schema: FieldSchema<unknown>, meta: FieldMeta | undefined): unknown {
  const value = defaultOf(schema);
  if (value !== undefined) return printable(value, meta);
  if (schema instanceof z.ZodOptional || meta?.shape === undefined) return undefined;
  return effectiveBlock(meta.shape, {}, {});
}

/** zod's own default, in the form it would be written in; undefined without one. */
export function defaultOf(schema: FieldSchema<unknown>): unknown {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return schema.def.defaultValue;
  if (schema instanceof z.ZodPipe) return defaultOf(schema.in as FieldSchema<unknown>);
  return undefined;
}

export function printable(value: unknown, meta: FieldMeta | undefined): unknown {
  if (meta?.secret === true) return redacted;
  if (meta?.type === 'duration' && typeof value === 'number') return formatDuration(value);
  return value instanceof Map ? Object.fromEntries(value) : value;
}

function effectiveBlock(
  shape: Readonly<Record<string, FieldSchema<unknown>>>,
  renamed: Readonly<Record<string, string>>,
  written: { readonly [key: string]: unknown },
): Record<string, unknown> {
  const read: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(written)) read[Object.hasOwn(shape, key) ? key : (renamed[key] ?? key)] = value;
  return Object.fromEntries(
    Object.entries(shape).flatMap(([key, child]): [string, unknown][] => {
      const value = effectiveValue(child, read[key]);
      return value === undefined ? [] : [[key, value]];
    }),
  );
}

function effectiveItems(item: FieldSchema<unknown>, written: unknown): unknown {
  if (Array.isArray(written)) return written.map((element) => effectiveValue(item, element) ?? null);
  if (!isRawMap(written)) return plainValue(written);
  return Object.fromEntries(Object.entries(written).map(([key, value]) => [key, effectiveValue(item, value) ?? null]));
}

/** Names stay, texts go. */
function hide(written: unknown): unknown {
  if (Array.isArray(written)) return written.map((item) => (isRawMap(item) ? { ...item, value: redacted } : redacted));
  if (isRawMap(written)) return Object.fromEntries(Object.keys(written).map((key) => [key, redacted]));
  return redacted;
}
