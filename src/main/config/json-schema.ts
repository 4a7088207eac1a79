/** A JSON Schema of the configuration, for editors, made from the components' schemas. Main thread. */

import type { ComponentType } from '../pipeline/component.ts';
import { sectionKinds } from './bind-configuration.ts';
import { defaultOf, printable } from './effective-config.ts';
import { type FieldSchema, metaOf } from './fields.ts';
import { rootSchema } from './service-schema.ts';

type Json = Record<string, unknown>;

/** How deep blocks are described; recursive ones (policies) end there as "anything". */
const depthMax = 12;
/** Any value may be a reference. */
const reference: Json = { type: 'string', pattern: '\\$\\{' };

export function jsonSchema(componentTypes: readonly ComponentType[]): Json {
  const properties = (fieldSchema(rootSchema, 0).anyOf as Json[])[0]!.properties as Record<string, Json>;
  for (const [section, kind] of Object.entries(sectionKinds)) {
    const ofKind = componentTypes.filter((type) => type.kind === kind);
    const patternProperties = Object.fromEntries(
      ofKind.map((type) => [`^(${[type.type, ...(type.aliases ?? [])].join('|')})(/.+)?$`, fieldSchema(type.schema, 1)]),
    );
    properties[section] = { ...properties[section], type: ['object', 'null'], patternProperties, additionalProperties: false };
  }
  const title = 'Ringtail configuration';
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title, type: 'object', properties, additionalProperties: false };
}

function fieldSchema(schema: FieldSchema<unknown>, depth: number): Json {
  const meta = metaOf(schema);
  const about: Json = {};
  const description = schema.description;
  if (description !== undefined) about.description = description;
  if (meta === undefined || depth > depthMax || meta.type === 'any') return about;
  const value = printable(defaultOf(schema), meta);
  if (value !== undefined && typeof value !== 'bigint' && meta.secret !== true) about.default = value;
  const own: Json = { ...meta.json };
  if (meta.shape !== undefined) {
    own.properties = Object.fromEntries(Object.entries(meta.shape).map(([key, child]) => [key, fieldSchema(child, depth + 1)]));
    for (const [old, today] of Object.entries(meta.renamed ?? {})) {
      (own.properties as Json)[old] = { deprecated: true, description: `The old name of ${today}.` };
    }
    if (meta.unknownKeys === 'fault') own.additionalProperties = false;
  } else if (meta.item !== undefined && meta.secret !== true) {
    const item = fieldSchema(meta.item, depth + 1);
    if (meta.json.type === 'object') own.additionalProperties = item;
    else own.items = item;
  }
  return { ...about, anyOf: [own, reference, { type: 'null' }] };
}
