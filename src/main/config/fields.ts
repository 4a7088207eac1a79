/**
 * The vocabulary in which components declare their configuration: zod schemas with the Collector's decoding rules. Main thread.
 *
 *     import { bool, choice, duration, type Infer, list, object, presence, string, uint } from '../config/fields.ts';
 *
 *     export const widgetSchema = object({
 *       endpoint: string().default('localhost:4317').describe('Where to listen.'),
 *       timeout: duration().default(5_000).describe('Per attempt; 0 = none.'),         // number: milliseconds, fractions kept
 *       num_traces: uint().default(50_000),
 *       mode: choice(['proto', 'json']).default('proto'),
 *       sending_queue: presence(object({ enabled: bool().default(true) })).optional(), // a written null means "on, with defaults"
 *       hosts: list(object({ name: string() })),                                       // [] when not written
 *     }, { renamed: { time_out: 'timeout' } });                                        // an old key, read with a warning
 *     export type WidgetConfig = Infer<typeof widgetSchema>;
 *
 * Undefined and null mean "not written": then `.default(x)` counts (zod's own: the output value), `.optional()` gives undefined, and a bare field Go's
 * zero value ('' 0 false [] {} or an object's defaults). `.describe` feeds the generated documentation; `.refine` and `.transform` are zod's own.
 * Checks across fields belong into the component type's `check`.
 */

import type { z } from 'zod';
import type { ComponentId } from '../pipeline/component.ts';
import { nanosecondsToMs, parseDuration } from './duration.ts';
import { type FieldContext, type FieldMeta, type FieldSchema, field, metaOf, type UnknownKeys } from './field.ts';
import { nearest } from './nearest.ts';
import { ExpandedValue, FloatValue, goTypeName, isAbsent, isRawMap, numberOf, plainValue, type RawMap, resolved } from './raw-value.ts';
import { Secret } from './secret.ts';

export { type DecodeOutcome, decode, type FieldMeta, type FieldSchema, metaOf, warn } from './field.ts';
export { Secret } from './secret.ts';

/** The TypeScript type of a schema's decoded value. */
export type Infer<Schema extends z.ZodType> = z.output<Schema>;

function unconvertible(context: FieldContext, raw: unknown, wanted: string, hint = ''): void {
  context.fault(`expected type '${wanted}', got unconvertible type '${goTypeName(raw)}'${hint}`);
}

/** A text. A value out of `${…}` is taken as it was written there. */
export function string(): FieldSchema<string> {
  return field({ type: 'string', json: { type: 'string' } }, readString);
}

function readString(raw: unknown, context: FieldContext, mayShow = true): string {
  if (raw === undefined) return '';
  if (raw instanceof ExpandedValue) return raw.text;
  if (typeof raw === 'string') return raw;
  const isScalar = !isRawMap(raw) && !Array.isArray(raw);
  unconvertible(context, raw, 'string', isScalar ? `; put it in quotes${mayShow ? `: "${String(plainValue(raw))}"` : ''}` : '');
  return '';
}

export function bool(): FieldSchema<boolean> {
  return field({ type: 'bool', json: { type: 'boolean' } }, (raw, context) => {
    const value = resolved(raw);
    if (isAbsent(value)) return false;
    if (typeof value === 'boolean') return value;
    unconvertible(context, raw, 'bool', '; write true or false');
    return false;
  });
}

const integerRanges = {
  int: [-(2n ** 63n), 2n ** 63n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint: [0n, 2n ** 64n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  uint16: [0n, 2n ** 16n - 1n],
} as const;
export type IntegerType = keyof typeof integerRanges;

function readInteger(raw: unknown, context: FieldContext, type: IntegerType): bigint {
  const value = resolved(raw);
  if (isAbsent(value)) return 0n;
  const number = numberOf(value);
  if (number === undefined) {
    const quoted = typeof value === 'string' && /^[-+0-9_.]+$/.test(value) ? '; write the number without quotes' : '';
    unconvertible(context, raw, type, quoted);
    return 0n;
  }
  if (typeof number === 'number' && !Number.isFinite(number)) {
    context.fault(`cannot parse value as '${type}': ${number} is not a finite number`);
    return 0n;
  }
  const whole = typeof number === 'bigint' ? number : BigInt(Math.trunc(number));
  if (typeof number === 'number' && !Number.isInteger(number)) context.warn(`is a whole number (${type}); ${number} is cut to ${whole}`);
  const [min, max] = integerRanges[type];
  if (whole >= min && whole <= max) return whole;
  context.fault(`cannot parse value as '${type}': ${number} overflows ${type.startsWith('u') ? 'uint' : type}`);
  return 0n;
}

export interface IntegerOptions {
  /** Ringtail's own bounds, beside those of the type. */
  readonly min?: number;
  readonly max?: number;
  readonly type?: IntegerType;
}

/** An integer, `int` unless `type` says otherwise. Bounds: beyond 2^53 the nearest double; use `int64` where that matters. A fraction is cut with a warning. */
export function int(options: IntegerOptions = {}): FieldSchema<number> {
  const type = options.type ?? 'int';
  const { min, max } = options;
  const lowest = min ?? (type.startsWith('u') ? 0 : undefined);
  const json = { type: 'integer', ...(lowest === undefined ? {} : { minimum: lowest }), ...(max === undefined ? {} : { maximum: max }) };
  return field({ type, json }, (raw, context) => {
    const value = Number(readInteger(raw, context, type));
    if (min !== undefined && value < min) context.fault(`must be at least ${min}, found ${value}`);
    if (max !== undefined && value > max) context.fault(`must be at most ${max}, found ${value}`);
    return value;
  });
}

/** A `uint64` unless `type` says otherwise. */
export function uint(options: IntegerOptions = {}): FieldSchema<number> {
  return int({ ...options, type: options.type ?? 'uint64' });
}

/** All 64 bits, exact. */
export function int64(): FieldSchema<bigint> {
  return field({ type: 'int64', json: { type: 'integer' } }, (raw, context) => readInteger(raw, context, 'int64'));
}

export function float(): FieldSchema<number> {
  return field({ type: 'float64', json: { type: 'number' } }, (raw, context) => {
    const value = resolved(raw);
    if (isAbsent(value)) return 0;
    const number = numberOf(value);
    if (number === undefined) unconvertible(context, raw, 'float64');
    return Number(number ?? 0);
  });
}

/** Units: milliseconds, fractions kept to the nanosecond. A bare integer is nanoseconds, as in Go, with a warning. */
export function duration(): FieldSchema<number> {
  return field({ type: 'duration', json: { type: ['string', 'integer'] } }, (raw, context) => {
    const value = resolved(raw);
    if (isAbsent(value)) return 0;
    if (typeof value === 'string') {
      const outcome = parseDuration(value);
      if (outcome.kind === 'duration') return nanosecondsToMs(outcome.nanoseconds);
      context.fault(`${outcome.message}; write for example 500ms, 10s or 1m30s`);
      return 0;
    }
    if (numberOf(value) === undefined) {
      unconvertible(context, raw, 'time.Duration', '; write for example 500ms, 10s or 1m30s');
      return 0;
    }
    const nanoseconds = readInteger(value, context, 'int64');
    if (nanoseconds !== 0n)
      context.warn(`${nanoseconds} without a unit is ${nanoseconds} nanoseconds; if seconds are meant, write ${nanoseconds}s`);
    return nanosecondsToMs(nanoseconds);
  });
}

/** One of the given texts, exactly. */
export function choice<const Options extends readonly string[]>(options: Options): FieldSchema<Options[number]> {
  return field({ type: 'string', json: { enum: options } }, (raw, context) => {
    const text = readString(raw, context);
    if (!options.includes(text) && (raw === undefined || typeof raw === 'string' || raw instanceof ExpandedValue)) {
      const near = nearest(text, options);
      const list = options.map((option) => JSON.stringify(option)).join(', ');
      context.fault(
        `unsupported value ${JSON.stringify(text)}, expected one of ${list}${near === undefined ? '' : `; did you mean ${near}?`}`,
      );
    }
    return text;
  });
}

/** A text that is never printed. */
export function secret(): FieldSchema<Secret> {
  return field(
    { type: 'string (secret)', json: { type: 'string' }, secret: true },
    (raw, context) => new Secret(readString(raw, context, false)),
  );
}

/** A list of texts; a single text is split on commas. */
export function stringList(): FieldSchema<readonly string[]> {
  const item = string();
  return field({ type: '[]string', json: { type: ['array', 'string'] }, item }, (raw, context) => {
    return readItems(raw, context, 'string').map((element, index) => context.child(item, index, element));
  });
}

function readItems(raw: unknown, context: FieldContext, itemType: string): readonly unknown[] {
  const value = resolved(raw);
  if (isAbsent(value)) return [];
  if (Array.isArray(value)) return value;
  if (typeof value === 'string') return value === '' ? [] : value.split(',');
  context.fault(`source data must be an array or slice, got ${goTypeName(raw)}; write a list of ${itemType}s`);
  return [];
}

/** A list; [] when not written. */
export function list<Item>(item: FieldSchema<Item>): FieldSchema<readonly Item[]> {
  return field({ type: 'list', json: { type: 'array' }, item }, (raw, context) => {
    return readItems(raw, context, metaOf(item)?.type ?? 'item').map((element, index) => context.child(item, index, element));
  });
}

/** A map with keys of the user's choice, in the order written. */
export function map<Item>(item: FieldSchema<Item>): FieldSchema<ReadonlyMap<string, Item>> {
  return field({ type: 'map', json: { type: 'object' }, item }, (raw, context) => {
    const entries = Object.entries(readMap(raw, context)).map(([key, value]): [string, Item] => [key, context.child(item, key, value)]);
    return new Map(entries);
  });
}

function readMap(raw: unknown, context: FieldContext): RawMap {
  const value = resolved(raw);
  if (isAbsent(value)) return {};
  if (isRawMap(value)) return value;
  context.fault(`expected a map, got '${goTypeName(raw)}'`);
  return {};
}

export type Shape = Readonly<Record<string, FieldSchema<unknown>>>;
export type Shaped<Fields extends Shape> = { readonly [Key in keyof Fields]: z.output<Fields[Key]> };

export interface ObjectOptions {
  readonly unknownKeys?: UnknownKeys;
  /** Old key → key of today; read with a warning. */
  readonly renamed?: Readonly<Record<string, string>>;
}

/** A block with known keys. An unknown key is a fault that names the nearest known one, unless `unknownKeys` says otherwise. */
export function object<const Fields extends Shape>(shape: Fields, options: ObjectOptions = {}): FieldSchema<Shaped<Fields>> {
  const unknownKeys = options.unknownKeys ?? 'fault';
  const renamed = options.renamed ?? {};
  const meta: FieldMeta = { type: 'block', json: { type: 'object' }, shape, unknownKeys, renamed };
  return field(meta, (raw, context) => {
    const block = readMap(raw, context);
    const written: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(block)) {
      if (Object.hasOwn(shape, key)) written[key] = value;
      else if (Object.hasOwn(renamed, key)) readRenamed(block, key, renamed[key]!, context, written);
      else if (unknownKeys !== 'ignore') reportUnknownKey(key, Object.keys(shape), unknownKeys, context);
    }
    const entries = Object.entries(shape).map(([key, child]): [string, unknown] => [key, context.child(child, key, written[key])]);
    return Object.fromEntries(entries) as Shaped<Fields>;
  });
}

function readRenamed(block: RawMap, key: string, today: string, context: FieldContext, written: Record<string, unknown>): void {
  if (Object.hasOwn(block, today)) {
    context.fault(`is the old name of ${today}, which is written too; keep ${today} alone`, [key]);
    return;
  }
  context.warn(`is the old name of ${today}; write ${today}`, [key]);
  written[today] = block[key];
}

function reportUnknownKey(key: string, known: readonly string[], unknownKeys: 'fault' | 'warn', context: FieldContext): void {
  const near = nearest(key, known);
  const hint = near === undefined ? `known here: ${known.join(', ')}` : `did you mean ${near}?`;
  if (unknownKeys === 'warn') context.warn(`unknown key ${key} is ignored; ${hint}`, [key]);
  else context.fault(`has invalid keys: ${key}; ${hint}`, [key]);
}

/**
 * A block whose mere presence means something: a written null gives its defaults. Use as `presence(object({…})).optional()`:
 * undefined when not written.
 */
export function presence<Config>(schema: FieldSchema<Config>): FieldSchema<Config> {
  const inner = metaOf(schema) ?? { type: 'block', json: {} };
  return field({ ...inner, nullMeans: 'present' }, (raw, context) => readThrough(schema, raw, context));
}

function readThrough<Value>(schema: FieldSchema<Value>, raw: unknown, context: FieldContext): Value {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  for (const issue of result.error.issues) context.fault(issue.message, issue.path as (string | number)[]);
  return undefined as never;
}

/** `type` or `type/name`. */
export function componentId(): FieldSchema<ComponentId> {
  return field({ type: 'component id', json: { type: 'string' } }, (raw, context) => {
    const outcome = parseComponentId(readString(raw, context));
    if (outcome.fault !== undefined) context.fault(outcome.fault);
    return outcome.id;
  });
}

const typePattern = /^[a-zA-Z][0-9a-zA-Z_]{0,62}$/;
const namePattern = /^[^\p{Z}\p{C}\p{S}]{1,1024}$/u;

/** Source: component.ID's UnmarshalText; the text without its surrounding blanks. */
export function parseComponentId(written: string): { readonly id: ComponentId; readonly fault?: string } {
  const slash = written.indexOf('/');
  const type = (slash < 0 ? written : written.slice(0, slash)).trim();
  const name = slash < 0 ? '' : written.slice(slash + 1).trim();
  const id: ComponentId = { type, name, text: name === '' ? type : `${type}/${name}` };
  const quoted = JSON.stringify(written);
  if (slash < 0 && type === '') return { id, fault: 'id must not be empty' };
  if (type === '') return { id, fault: `in ${quoted} id: the part before / should not be empty` };
  if (slash >= 0 && name === '') return { id, fault: `in ${quoted} id: the part after / should not be empty` };
  if (!typePattern.test(type)) return { id, fault: `in ${quoted} id: invalid character(s) in type ${JSON.stringify(type)}` };
  if (slash >= 0 && !namePattern.test(name)) return { id, fault: `in ${quoted} id: invalid character(s) in name ${JSON.stringify(name)}` };
  return { id };
}

export interface Header {
  readonly name: string;
  readonly value: Secret;
}

/** Headers as a map, or as a list of {name, value}; the values are secret. */
export function headers(): FieldSchema<readonly Header[]> {
  const value = secret();
  const item = object({ name: string(), value });
  return field({ type: 'headers', json: { type: ['object', 'array'] }, secret: true, item }, (raw, context): readonly Header[] => {
    const written = resolved(raw);
    if (Array.isArray(written)) return written.map((element, index) => context.child(item, index, element));
    return Object.entries(readMap(raw, context)).map(([name, text]) => ({ name, value: context.child(value, name, text) }));
  });
}

/** Any YAML value, as plain data. */
export function anything(): FieldSchema<unknown> {
  return field({ type: 'any', json: {} }, (raw) => plainValue(raw));
}

export { ExpandedValue, FloatValue };
