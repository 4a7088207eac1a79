/** The sampling policies written straight from the specification over decoded traces: slow, plain, and sharing no code with the ones under test. */

import { exportTraceServiceRequest } from '../../src/shared/otlp/messages.ts';
import type { LeafPolicyConfig, PolicyConfig } from '../../src/shared/policy-config.ts';

export interface NaiveAnyValue {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: string;
  readonly doubleValue?: number;
  readonly arrayValue?: { readonly values?: readonly NaiveAnyValue[] };
  readonly kvlistValue?: { readonly values?: readonly NaiveKeyValue[] };
  readonly bytesValue?: string;
}
export interface NaiveKeyValue {
  readonly key?: string;
  readonly value?: NaiveAnyValue;
}
export interface NaiveSpan {
  readonly traceId?: string;
  readonly spanId?: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name?: string;
  readonly kind?: number;
  readonly startTimeUnixNano?: string;
  readonly endTimeUnixNano?: string;
  readonly attributes?: readonly NaiveKeyValue[];
  readonly droppedAttributesCount?: number;
  readonly events?: readonly {
    readonly timeUnixNano?: string;
    readonly name?: string;
    readonly attributes?: readonly NaiveKeyValue[];
    readonly droppedAttributesCount?: number;
  }[];
  readonly droppedEventsCount?: number;
  readonly links?: readonly {
    readonly traceId?: string;
    readonly spanId?: string;
    readonly traceState?: string;
    readonly attributes?: readonly NaiveKeyValue[];
    readonly droppedAttributesCount?: number;
    readonly flags?: number;
  }[];
  readonly droppedLinksCount?: number;
  readonly status?: { readonly message?: string; readonly code?: number };
  readonly flags?: number;
}
export interface NaiveScopeSpans {
  readonly scope?: {
    readonly name?: string;
    readonly version?: string;
    readonly attributes?: readonly NaiveKeyValue[];
    readonly droppedAttributesCount?: number;
  };
  readonly spans: readonly NaiveSpan[];
}
export interface NaiveResourceSpans {
  readonly resource?: {
    readonly attributes?: readonly NaiveKeyValue[];
    readonly droppedAttributesCount?: number;
    readonly entityRefs?: readonly {
      readonly schemaUrl?: string;
      readonly type?: string;
      readonly idKeys?: readonly string[];
      readonly descriptionKeys?: readonly string[];
    }[];
  };
  readonly scopeSpans: readonly NaiveScopeSpans[];
}
export interface NaiveTrace {
  readonly id: Uint8Array;
  readonly resourceSpans: NaiveResourceSpans[];
}

/** Adds a request's fragments to the traces, by trace id in hex: one ResourceSpans for each source ResourceSpans, one ScopeSpans for each source ScopeSpans. */
export function addRequest(traces: Map<string, NaiveTrace>, request: Uint8Array): void {
  const message = exportTraceServiceRequest.decode(request);
  const decoded = exportTraceServiceRequest.toObject(message, { longs: String, bytes: String });
  for (const source of decoded.resourceSpans ?? []) {
    const fragments = new Map<string, NaiveScopeSpans[]>();
    for (const scopeSpans of source.scopeSpans ?? []) {
      const bySpan = Map.groupBy((scopeSpans.spans ?? []) as NaiveSpan[], (span) =>
        Buffer.from(span.traceId ?? '', 'base64').toString('hex'),
      );
      for (const [id, spans] of bySpan) fragments.set(id, [...(fragments.get(id) ?? []), { scope: scopeSpans.scope, spans }]);
    }
    for (const [id, scopeSpans] of fragments) {
      const known: NaiveTrace = traces.get(id) ?? { id: Buffer.from(id.padEnd(32, '0'), 'hex'), resourceSpans: [] };
      known.resourceSpans.push({ resource: source.resource, scopeSpans });
      traces.set(id, known);
    }
  }
}

export type NaiveVerdict = 'sampled' | 'not_sampled' | 'dropped' | 'error';

export function spansOf(trace: NaiveTrace): NaiveSpan[] {
  return trace.resourceSpans.flatMap((fragment) => fragment.scopeSpans.flatMap((scope) => scope.spans));
}

const verdictOf = (isSampled: boolean): NaiveVerdict => (isSampled ? 'sampled' : 'not_sampled');

/** Spec 1.4, all but what needs a clock. */
export function naiveVerdict(policy: PolicyConfig, trace: NaiveTrace): NaiveVerdict {
  switch (policy.type) {
    case 'and':
    case 'drop': {
      for (const sub of policy.subPolicies) {
        const verdict = naiveVerdict(sub, trace);
        if (verdict === 'error' || verdict === 'not_sampled') return verdict;
      }
      return policy.type === 'and' ? 'sampled' : 'dropped';
    }
    case 'not': {
      const verdict = naiveVerdict(policy.subPolicy, trace);
      return verdict === 'sampled' ? 'not_sampled' : verdict === 'not_sampled' ? 'sampled' : verdict;
    }
    case 'composite':
      throw new Error('a composite needs a clock');
    default:
      return naiveLeaf(policy, trace);
  }
}

function naiveLeaf(policy: LeafPolicyConfig, trace: NaiveTrace): NaiveVerdict {
  const spans = spansOf(trace);
  switch (policy.type) {
    case 'always_sample':
      return 'sampled';
    case 'latency':
      return verdictOf(naiveLatency(spans, BigInt(policy.thresholdMs), BigInt(policy.upperThresholdMs)));
    case 'status_code':
      return verdictOf(
        spans.some((span) => policy.statusCodes.includes((['UNSET', 'OK', 'ERROR'] as const)[span.status?.code ?? 0] ?? ('none' as never))),
      );
    case 'trace_flags':
      return verdictOf(spans.some((span) => ((span.flags ?? 0) & 1) === 1));
    case 'span_count':
      return verdictOf(spans.length >= policy.minSpans && (policy.maxSpans === 0 || spans.length <= policy.maxSpans));
    case 'probabilistic':
      return verdictOf(naiveHash(policy.hashSalt || 'default-hash-seed', trace.id) <= naiveThreshold(policy.samplingPercentage));
    case 'numeric_attribute': {
      const least = policy.minValue === 0n ? -(2n ** 63n) : policy.minValue;
      const greatest = policy.maxValue === 0n ? 2n ** 63n - 1n : policy.maxValue;
      const matches = (value: NaiveAnyValue) => BigInt(value.intValue ?? 0) >= least && BigInt(value.intValue ?? 0) <= greatest;
      return verdictOf(anyAttribute(trace, policy.key, matches, matches) !== policy.invertMatch);
    }
    case 'boolean_attribute': {
      const matches = (value: NaiveAnyValue) => (value.boolValue ?? false) === policy.value;
      return verdictOf(anyAttribute(trace, policy.key, matches, matches) !== policy.invertMatch);
    }
    case 'string_attribute': {
      // Tests only use expressions that mean the same to JavaScript.
      const hits = (text: string) =>
        policy.enabledRegexMatching
          ? policy.values.some((value) => new RegExp(value).test(text))
          : text !== '' && policy.values.includes(text);
      const ofResource = (value: NaiveAnyValue) => hits(value.stringValue ?? '');
      const ofSpan = (value: NaiveAnyValue) => (value.stringValue ?? '') !== '' && hits(value.stringValue!);
      return verdictOf(anyAttribute(trace, policy.key, ofResource, ofSpan) !== policy.invertMatch);
    }
    case 'trace_state':
      return verdictOf(
        spans.some((span) => {
          const value = naiveTraceState(span.traceState ?? '')?.get(policy.key);
          return value !== undefined && policy.values.includes(value) && Buffer.byteLength(policy.key) + Buffer.byteLength(value) < 256;
        }),
      );
    default:
      throw new Error(`${policy.type} is not modelled here`);
  }
}

function firstOf(attributes: readonly NaiveKeyValue[] | undefined, key: string): NaiveAnyValue | undefined {
  const found = attributes?.find((attribute) => (attribute.key ?? '') === key);
  return found && (found.value ?? {});
}

function anyAttribute(
  trace: NaiveTrace,
  key: string,
  ofResource: (value: NaiveAnyValue) => boolean,
  ofSpan: (value: NaiveAnyValue) => boolean,
): boolean {
  return trace.resourceSpans.some((fragment) => {
    const onResource = firstOf(fragment.resource?.attributes, key);
    if (onResource !== undefined && ofResource(onResource)) return true;
    return fragment.scopeSpans.some((scope) =>
      scope.spans.some((span) => {
        const onSpan = firstOf(span.attributes, key);
        return onSpan !== undefined && ofSpan(onSpan);
      }),
    );
  });
}

function naiveLatency(spans: readonly NaiveSpan[], threshold: bigint, upper: bigint): boolean {
  let least = 0n;
  let greatest = 0n;
  for (const span of spans) {
    const start = BigInt(span.startTimeUnixNano ?? 0);
    const end = BigInt(span.endTimeUnixNano ?? 0);
    if (least === 0n || start < least) least = start;
    if (greatest === 0n || end > greatest) greatest = end;
    const difference = BigInt.asIntN(64, greatest) - BigInt.asIntN(64, least);
    const saturated = difference > 2n ** 63n - 1n ? 2n ** 63n - 1n : difference < -(2n ** 63n) ? -(2n ** 63n) : difference;
    const ms = saturated / 1_000_000n;
    if (ms > threshold && (upper === 0n || ms <= upper)) return true;
  }
  return false;
}

function naiveHash(salt: string, id: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of [...Buffer.from(salt), ...id]) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}

/** The percentages that tests use are exact in binary, so plain arithmetic gives the threshold. */
function naiveThreshold(percentage: number): bigint {
  if (percentage <= 0) return 0n;
  if (percentage >= 100) return 2n ** 64n - 1n;
  return ((2n ** 64n - 1n) * BigInt((percentage / 100) * 2 ** 20)) >> 20n;
}

/** W3C tracestate by regular expressions; undefined when invalid. */
export function naiveTraceState(text: string): Map<string, string> | undefined {
  const members = new Map<string, string>();
  for (const member of text.split(',')) {
    if (member === '') continue;
    const match = /^[ \t]*([^=]*)=([\s\S]*?)[ \t]*$/.exec(member);
    if (match === null) return undefined;
    const [, key, value] = match as unknown as [string, string, string];
    if (!/^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})$/.test(key)) return undefined;
    if (!/^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/.test(value)) return undefined;
    if (members.has(key) || members.size === 32) return undefined;
    members.set(key, value);
  }
  return members;
}

// ---- sizes, spec 1.5 --------------------------------------------------------------------------------------------------------------------

const varintSize = (value: bigint): number => (value < 128n ? 1 : 1 + varintSize(value >> 7n));
const field = (length: number) => 1 + varintSize(BigInt(length)) + length;
const text = (value: string | undefined) => (value ? field(Buffer.byteLength(value)) : 0);
const uint = (value: number | undefined) => (value ? 1 + varintSize(BigInt(value)) : 0);
const enumeration = (value: number | undefined) => (value ? 1 + varintSize(BigInt.asUintN(64, BigInt(value))) : 0);
const time = (value: string | undefined) => (BigInt(value ?? 0) === 0n ? 0 : 9);
const id = (value: string | undefined) => {
  const bytes = Buffer.from(value ?? '', 'base64');
  return bytes.every((byte) => byte === 0) ? 2 : 2 + bytes.length;
};
const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);

function anyValueSize(value: NaiveAnyValue | undefined): number {
  if (value?.stringValue !== undefined) return field(Buffer.byteLength(value.stringValue));
  if (value?.boolValue !== undefined) return 2;
  if (value?.intValue !== undefined) return 1 + varintSize(BigInt.asUintN(64, BigInt(value.intValue)));
  if (value?.doubleValue !== undefined) return 9;
  if (value?.arrayValue !== undefined) return field(sum((value.arrayValue.values ?? []).map((item) => field(anyValueSize(item)))));
  if (value?.kvlistValue !== undefined) return field(attributesSize(value.kvlistValue.values));
  return value?.bytesValue === undefined ? 0 : field(Buffer.from(value.bytesValue, 'base64').length);
}
function attributesSize(attributes: readonly NaiveKeyValue[] | undefined): number {
  return sum((attributes ?? []).map(({ key, value }) => field(text(key) + field(anyValueSize(value)))));
}

function spanSize(span: NaiveSpan): number {
  const events = (span.events ?? []).map((event) =>
    field(time(event.timeUnixNano) + text(event.name) + attributesSize(event.attributes) + uint(event.droppedAttributesCount)),
  );
  const links = (span.links ?? []).map((link) =>
    field(
      id(link.traceId) +
        id(link.spanId) +
        text(link.traceState) +
        attributesSize(link.attributes) +
        uint(link.droppedAttributesCount) +
        (link.flags ? 5 : 0),
    ),
  );
  return (
    id(span.traceId) +
    id(span.spanId) +
    id(span.parentSpanId) +
    text(span.traceState) +
    text(span.name) +
    enumeration(span.kind) +
    time(span.startTimeUnixNano) +
    time(span.endTimeUnixNano) +
    attributesSize(span.attributes) +
    uint(span.droppedAttributesCount) +
    sum(events) +
    uint(span.droppedEventsCount) +
    sum(links) +
    uint(span.droppedLinksCount) +
    field(text(span.status?.message) + enumeration(span.status?.code)) +
    (span.flags ? 6 : 0)
  );
}

/** ResourceSpansSize of one fragment. */
export function naiveResourceSpansSize({ resource, scopeSpans }: NaiveResourceSpans): number {
  const refs = (resource?.entityRefs ?? []).map((ref) =>
    field(
      text(ref.schemaUrl) +
        text(ref.type) +
        sum([...(ref.idKeys ?? []), ...(ref.descriptionKeys ?? [])].map((key) => field(Buffer.byteLength(key)))),
    ),
  );
  const header = field(attributesSize(resource?.attributes) + uint(resource?.droppedAttributesCount) + sum(refs));
  const scopes = scopeSpans.map(({ scope, spans }) => {
    const scopeHeader = text(scope?.name) + text(scope?.version) + attributesSize(scope?.attributes) + uint(scope?.droppedAttributesCount);
    return field(field(scopeHeader) + sum(spans.map((span) => field(spanSize(span)))));
  });
  return header + sum(scopes);
}

/** TracesSize of the whole trace. */
export function naiveTracesSize(trace: NaiveTrace): number {
  return sum(trace.resourceSpans.map((fragment) => field(naiveResourceSpansSize(fragment))));
}
