/** OTLP requests for tests: wire primitives, builders, a seeded generator of odd but valid requests, and a decoder into comparable objects. */

import { exportTraceServiceRequest } from '../../src/shared/otlp/messages.ts';
import type { Prng } from '../../src/shared/prng.ts';

// ---- wire primitives -------------------------------------------------------------------------------------------------------------------

export const utf8 = (text: string) => new TextEncoder().encode(text);
export const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
export const unhex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** A varint, with `padding` needless continuation bytes (at most ten bytes in all stay valid). */
export function varint(value: number | bigint, padding = 0): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  } while (rest > 0n);
  for (let i = 0; i < padding; i++) bytes.push(0x80);
  bytes[bytes.length - 1]! &= 0x7f;
  return new Uint8Array(bytes);
}

/** Padded only where protobufjs (five bytes a tag at most) still reads it. */
export function tag(number: number, wire: number, padding = 0): Uint8Array {
  return varint(number * 8 + wire, number < 2048 ? padding : 0);
}

export const lengthField = (number: number, body: Uint8Array, padding = 0) =>
  concat(tag(number, 2, padding), varint(body.length, padding), body);
export const varintField = (number: number, value: number | bigint, padding = 0) => concat(tag(number, 0), varint(value, padding));
export const fixed32Field = (number: number, value: number) => concat(tag(number, 5), new Uint8Array(new Uint32Array([value]).buffer));
export const fixed64Field = (number: number, value: bigint) => concat(tag(number, 1), new Uint8Array(new BigUint64Array([value]).buffer));
export const doubleField = (number: number, value: number) => concat(tag(number, 1), new Uint8Array(new Float64Array([value]).buffer));

// ---- builders --------------------------------------------------------------------------------------------------------------------------

export type AttributeValue =
  | string
  | number
  | bigint
  | boolean
  | Uint8Array
  | readonly AttributeValue[]
  | { readonly [key: string]: AttributeValue };
export type Attributes = { readonly [key: string]: AttributeValue };

export interface SpanSpec {
  readonly traceId: Uint8Array;
  readonly spanId?: Uint8Array;
  readonly parentSpanId?: Uint8Array;
  readonly traceState?: string;
  readonly name?: string;
  readonly kind?: number;
  readonly startNanos?: bigint;
  readonly endNanos?: bigint;
  readonly attributes?: Attributes;
  readonly events?: readonly { readonly name: string; readonly timeNanos?: bigint; readonly attributes?: Attributes }[];
  readonly links?: readonly { readonly traceId: Uint8Array; readonly spanId: Uint8Array; readonly attributes?: Attributes }[];
  readonly statusCode?: number;
  readonly statusMessage?: string;
  readonly flags?: number;
}

/** AnyValue: integers become int_value, other numbers double_value. */
export function anyValueBytes(value: AttributeValue): Uint8Array {
  if (typeof value === 'string') return lengthField(1, utf8(value));
  if (typeof value === 'boolean') return varintField(2, value ? 1 : 0);
  if (typeof value === 'bigint') return varintField(3, value);
  if (typeof value === 'number') return Number.isSafeInteger(value) ? varintField(3, value) : doubleField(4, value);
  if (value instanceof Uint8Array) return lengthField(7, value);
  if (Array.isArray(value)) return lengthField(5, concat(...value.map((item) => lengthField(1, anyValueBytes(item)))));
  return lengthField(6, attributesBytes(1, value as Attributes));
}

export const keyValueBytes = (key: string, value: AttributeValue) =>
  concat(lengthField(1, utf8(key)), lengthField(2, anyValueBytes(value)));

/** Repeated KeyValue fields under `number`. */
export function attributesBytes(number: number, attributes: Attributes): Uint8Array {
  return concat(...Object.entries(attributes).map(([key, value]) => lengthField(number, keyValueBytes(key, value))));
}

/** The body of a Span message, fields in the order in which SDKs write them; what is not given is not written. */
export function spanBytes(spec: SpanSpec): Uint8Array {
  const parts: Uint8Array[] = [lengthField(1, spec.traceId)];
  if (spec.spanId) parts.push(lengthField(2, spec.spanId));
  if (spec.traceState !== undefined) parts.push(lengthField(3, utf8(spec.traceState)));
  if (spec.parentSpanId) parts.push(lengthField(4, spec.parentSpanId));
  if (spec.name !== undefined) parts.push(lengthField(5, utf8(spec.name)));
  if (spec.kind !== undefined) parts.push(varintField(6, spec.kind));
  if (spec.startNanos !== undefined) parts.push(fixed64Field(7, spec.startNanos));
  if (spec.endNanos !== undefined) parts.push(fixed64Field(8, spec.endNanos));
  parts.push(attributesBytes(9, spec.attributes ?? {}));
  for (const event of spec.events ?? []) {
    parts.push(
      lengthField(
        11,
        concat(fixed64Field(1, event.timeNanos ?? 0n), lengthField(2, utf8(event.name)), attributesBytes(3, event.attributes ?? {})),
      ),
    );
  }
  for (const link of spec.links ?? []) {
    parts.push(
      lengthField(13, concat(lengthField(1, link.traceId), lengthField(2, link.spanId), attributesBytes(4, link.attributes ?? {}))),
    );
  }
  if (spec.statusCode !== undefined || spec.statusMessage !== undefined) {
    const message = spec.statusMessage === undefined ? new Uint8Array() : lengthField(2, utf8(spec.statusMessage));
    parts.push(lengthField(15, concat(message, varintField(3, spec.statusCode ?? 0))));
  }
  if (spec.flags !== undefined) parts.push(fixed32Field(16, spec.flags));
  return concat(...parts);
}

export interface ScopeSpec {
  readonly scopeName?: string;
  readonly spans: readonly SpanSpec[];
}

/** One ExportTraceServiceRequest with one ResourceSpans of the given resource attributes. Concatenate several for more. */
export function requestBytes(resource: Attributes, ...scopes: readonly ScopeSpec[]): Uint8Array {
  const scopeSpans = scopes.map(({ scopeName, spans }) =>
    lengthField(
      2,
      concat(
        scopeName === undefined ? new Uint8Array() : lengthField(1, lengthField(1, utf8(scopeName))),
        ...spans.map((span) => lengthField(2, spanBytes(span))),
      ),
    ),
  );
  return lengthField(1, concat(lengthField(1, attributesBytes(1, resource)), ...scopeSpans));
}

/** A trace id that is a function of `index`: 16 bytes, never all zero. */
export function traceIdOf(index: number): Uint8Array {
  const id = new Uint8Array(16).fill(0xa5);
  new DataView(id.buffer).setUint32(12, index);
  return id;
}

export function spanIdOf(index: number): Uint8Array {
  const id = new Uint8Array(8).fill(0x5a);
  new DataView(id.buffer).setUint32(4, index);
  return id;
}

// ---- generator -------------------------------------------------------------------------------------------------------------------------

/** Random choices out of one seeded source. */
export class Dice {
  readonly #prng: Prng;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.#prng.next() * bound);
  }

  chance(probability: number): boolean {
    return this.#prng.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [items[i], items[j]] = [items[j]!, items[i]!];
    }
    return items;
  }
}

function randomValue(dice: Dice, depth: number): AttributeValue {
  const kinds = depth > 3 ? 6 : 8;
  switch (dice.below(kinds)) {
    case 0:
      return 'v'.repeat(dice.pick([0, 1, 5, 130, 300]));
    case 1:
      return dice.chance(0.5);
    case 2:
      return dice.pick([0n, 1n, 127n, 128n, -1n, 2n ** 62n, 300n]);
    case 3:
      return dice.pick([0.5, -1.25, 1e300]);
    case 4:
      return dice.bytes(dice.below(20));
    case 5:
      return `text-${dice.below(5)}`;
    case 6:
      return Array.from({ length: dice.below(4) }, () => randomValue(dice, depth + 1));
    default:
      return randomAttributes(dice, depth + 1);
  }
}

function randomAttributes(dice: Dice, depth = 0): Attributes {
  return Object.fromEntries(Array.from({ length: dice.below(5) }, (_, i) => [`key.${i}.${dice.below(3)}`, randomValue(dice, depth)]));
}

/** A field no version of OTLP has. */
function unknownField(dice: Dice): Uint8Array {
  const number = dice.pick([63, 200, 5000, 536_870_911]);
  switch (dice.below(4)) {
    case 0:
      return varintField(number, dice.pick([0, 1, 2 ** 40]), dice.below(3));
    case 1:
      return fixed32Field(number, dice.below(1000));
    case 2:
      return fixed64Field(number, BigInt(dice.below(1000)));
    default:
      return lengthField(number, dice.bytes(dice.below(30)), dice.below(3));
  }
}

/** Sprinkles unknown fields over a message's fields and, sometimes, reorders them. */
function oddly(dice: Dice, fields: Uint8Array[], oddness: number): Uint8Array {
  if (dice.chance(oddness)) fields.splice(dice.below(fields.length + 1), 0, unknownField(dice));
  if (dice.chance(oddness)) dice.shuffle(fields);
  return concat(...fields);
}

function randomStatus(dice: Dice, padding: number): Uint8Array[] {
  if (dice.chance(0.4)) return [];
  const code = varintField(3, dice.below(3), padding);
  const message = lengthField(2, utf8('status'));
  // A split sub-message merges with its other half.
  return dice.chance(0.2) ? [lengthField(15, message), lengthField(15, code)] : [lengthField(15, concat(message, code))];
}

function randomSpan(dice: Dice, traceId: Uint8Array, oddness: number): Uint8Array {
  const padding = dice.chance(oddness) ? dice.below(3) : 0;
  const fields = [
    ...(dice.chance(oddness / 2) ? [lengthField(1, dice.bytes(16))] : []),
    ...(dice.chance(oddness) ? [lengthField(5, utf8('a name that a later one replaces'))] : []),
  ];
  const later = [
    ...(traceId.length > 0 || dice.chance(0.5) || fields.length > 0 ? [lengthField(1, traceId, padding)] : []),
    lengthField(2, dice.bytes(8)),
    ...(dice.chance(0.3) ? [lengthField(3, utf8(dice.pick(['', 'ot=th:8', 'a=b,c=d'])))] : []),
    ...(dice.chance(0.6) ? [lengthField(4, dice.pick([new Uint8Array(), new Uint8Array(8), dice.bytes(8)]), padding)] : []),
    lengthField(5, utf8('n'.repeat(dice.pick([0, 3, 200])))),
    varintField(6, dice.below(6), padding),
    fixed64Field(7, 1_700_000_000_000_000_000n + BigInt(dice.below(1e9))),
    fixed64Field(8, 1_700_000_001_000_000_000n + BigInt(dice.below(1e9))),
    ...Object.entries(randomAttributes(dice)).map(([key, value]) => lengthField(9, keyValueBytes(key, value), padding)),
    ...(dice.chance(0.2) ? [varintField(10, dice.below(1000))] : []),
    ...Array.from({ length: dice.chance(0.3) ? dice.below(4) : 0 }, () =>
      lengthField(
        11,
        oddly(dice, [fixed64Field(1, 5n), lengthField(2, utf8('event')), attributesBytes(3, randomAttributes(dice))], oddness),
      ),
    ),
    ...Array.from({ length: dice.chance(0.2) ? dice.below(3) : 0 }, () =>
      lengthField(13, concat(lengthField(1, dice.bytes(16)), lengthField(2, dice.bytes(8)), attributesBytes(4, randomAttributes(dice)))),
    ),
    ...randomStatus(dice, padding),
    ...(dice.chance(0.5) ? [fixed32Field(16, dice.below(512))] : []),
  ];
  return concat(...fields, oddly(dice, later, oddness));
}

export interface RandomRequestOptions {
  readonly traces?: number;
  readonly spansPerScopeMax?: number;
  /** Chance of each sort of odd encoding; 0 is what SDKs write. */
  readonly oddness?: number;
}

/**
 * A valid ExportTraceServiceRequest, a function of the dice alone: several resources and scopes, all kinds of values, events, links, unknown
 * fields, fields in any order, split sub-messages, overlong varints, missing trace ids.
 */
export function randomRequest(dice: Dice, options: RandomRequestOptions = {}): Uint8Array {
  const { traces = 6, spansPerScopeMax = 8, oddness = 0.15 } = options;
  const ids = Array.from({ length: traces }, (_, i) => (i === 0 && dice.chance(oddness) ? new Uint8Array() : dice.bytes(16)));
  const scope = () => {
    let traceId = dice.pick(ids);
    const spans = Array.from({ length: dice.below(spansPerScopeMax + 1) }, () => {
      if (dice.chance(0.5)) traceId = dice.pick(ids);
      return lengthField(2, randomSpan(dice, traceId, oddness), dice.chance(oddness) ? 1 : 0);
    });
    const heading = [lengthField(1, lengthField(1, utf8(`scope-${dice.below(3)}`))), lengthField(3, utf8('https://schema/scope'))];
    if (dice.chance(oddness)) heading.push(lengthField(1, lengthField(2, utf8('1.0'))));
    return oddly(dice, [...heading, ...spans], oddness * 2);
  };
  const resource = () => {
    const heading = [lengthField(1, attributesBytes(1, randomAttributes(dice)))];
    if (dice.chance(0.3)) heading.push(lengthField(3, utf8('https://schema/resource')));
    if (dice.chance(oddness)) heading.push(lengthField(1, concat(varintField(2, 3), lengthField(3, lengthField(2, utf8('service'))))));
    const scopes = Array.from({ length: dice.below(4) }, () => lengthField(2, scope(), dice.chance(oddness) ? 2 : 0));
    return oddly(dice, [...heading, ...scopes], oddness * 2);
  };
  return oddly(
    dice,
    Array.from({ length: dice.below(4) }, () => lengthField(1, resource())),
    oddness,
  );
}

// ---- decoder ---------------------------------------------------------------------------------------------------------------------------

/** One span with all that belongs to it; `context` is its resource, scope and schema URLs as JSON. */
export interface DecodedSpan {
  readonly traceId: string;
  readonly context: string;
  /** protobufjs's toObject: bytes in base64, 64-bit integers as decimal text. */
  readonly span: Record<string, unknown>;
}

interface DecodedRequest {
  readonly resourceSpans?: readonly {
    readonly resource?: unknown;
    readonly schemaUrl?: string;
    readonly scopeSpans?: readonly {
      readonly scope?: unknown;
      readonly schemaUrl?: string;
      readonly spans?: readonly Record<string, unknown>[];
    }[];
  }[];
}

/** Decodes with protobufjs, an implementation that is not ours. Throws on malformed bytes. */
export function decodeSpans(bytes: Uint8Array): DecodedSpan[] {
  const message = exportTraceServiceRequest.decode(bytes);
  const request = exportTraceServiceRequest.toObject(message, { longs: String, bytes: String }) as DecodedRequest;
  const spans: DecodedSpan[] = [];
  for (const { resource, schemaUrl, scopeSpans = [] } of request.resourceSpans ?? []) {
    for (const { scope, schemaUrl: scopeSchemaUrl, spans: inner = [] } of scopeSpans) {
      const context = JSON.stringify({ resource, schemaUrl, scope, scopeSchemaUrl });
      for (const span of inner) spans.push({ traceId: hex(Buffer.from(String(span.traceId ?? ''), 'base64')), context, span });
    }
  }
  return spans;
}

/** The multiset of spans as sorted text, for `t.same`. */
export function spanTexts(spans: readonly DecodedSpan[]): string[] {
  return spans.map((span) => JSON.stringify(span)).sort();
}
