/** OpenTelemetry's member of a W3C tracestate, read and rewritten: gate `usetracestate` only. Worker thread. */

/** 2^56: randomness lies below it, and a threshold of it samples nothing. */
export const neverThreshold = 1n << 56n;
export const alwaysThreshold = 0n;
const hexDigits = 14;

const textBytesMax = 1024;
const otelBytesMax = 256;
/** W3C allows so many members; the Collector refuses a list that has that many. */
export const membersMax = { w3c: 32, otelcol: 31 } as const;

const simpleKey = /^[a-z][a-z0-9_\-*/]{0,255}$/;
const tenantKey = /^[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}$/;
const memberValue = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const otelField = /^[a-z][a-z0-9]*:[a-zA-Z0-9._-]*$/;
const hexText = /^[0-9a-fA-F]+$/;

export interface OtelTraceState {
  /** As written; undefined when absent. */
  readonly randomness: bigint | undefined;
  readonly randomnessText: string;
  readonly threshold: bigint | undefined;
  /** Other fields of the member, `key:value`. */
  readonly otherFields: readonly string[];
  /** Other members of the list, `key=value`. */
  readonly otherMembers: readonly string[];
}

/**
 *     list  = member *( "," member ), each with blanks around it or empty, at most 1024 bytes
 *     ot    = field *( ";" field ), at most 256 bytes
 *     field = "rv:" 14HEXDIG | "th:" 1*14HEXDIG | lcalpha *( lcalpha | digit ) ":" *( ALPHA | digit | "." | "_" | "-" )
 *
 * Of several `ot` members, or several fields of one name, the last counts.
 * Errors: undefined for a text that breaks any of this, anywhere.
 * Source: spec 1.10; W3C Trace Context; OpenTelemetry, probability sampling with TraceState.
 */
export function parseOtelTraceState(text: string, itemsMax: number): OtelTraceState | undefined {
  if (text.length > textBytesMax) return undefined;
  const items = (text.endsWith(',') ? text.slice(0, -1) : text).split(',');
  if (text !== '' && items.length > itemsMax) return undefined;
  let member: OtelMember = noMember;
  const otherMembers: string[] = [];
  for (const item of items) {
    const trimmed = item.replace(/^[ \t]+|[ \t]+$/g, '');
    if (trimmed === '') continue;
    const equals = trimmed.indexOf('=');
    const key = trimmed.slice(0, Math.max(0, equals));
    if (!(simpleKey.test(key) || tenantKey.test(key)) || !memberValue.test(trimmed.slice(equals + 1))) return undefined;
    if (key !== 'ot') {
      otherMembers.push(trimmed);
      continue;
    }
    const parsed = parseOtelMember(trimmed.slice(equals + 1));
    if (parsed === undefined) return undefined;
    member = parsed;
  }
  return { ...member, otherMembers };
}

type OtelMember = Omit<OtelTraceState, 'otherMembers'>;
const noMember: OtelMember = { randomness: undefined, randomnessText: '', threshold: undefined, otherFields: [] };

function parseOtelMember(value: string): OtelMember | undefined {
  if (value.length > otelBytesMax) return undefined;
  let randomnessText = '';
  let thresholdText = '';
  const otherFields: string[] = [];
  for (const field of value.split(';')) {
    if (!otelField.test(field)) return undefined;
    const content = field.slice(field.indexOf(':') + 1);
    if (field.startsWith('rv:')) {
      if (content.length !== hexDigits || !hexText.test(content)) return undefined;
      randomnessText = content;
    } else if (field.startsWith('th:')) {
      if (content.length > hexDigits || !hexText.test(content)) return undefined;
      thresholdText = content;
    } else otherFields.push(field);
  }
  return {
    randomness: randomnessText === '' ? undefined : BigInt(`0x${randomnessText}`),
    randomnessText,
    threshold: thresholdText === '' ? undefined : BigInt(`0x${thresholdText.padEnd(hexDigits, '0')}`),
    otherFields,
  };
}

/** The text with `threshold` as its `th`, `ot` first; undefined when the span's own threshold is stricter and has to stay. */
export function withThreshold(state: OtelTraceState, threshold: bigint): string | undefined {
  if (state.threshold !== undefined && state.threshold > threshold) return undefined;
  const fields: string[] = [];
  if (state.randomnessText !== '') fields.push(`rv:${state.randomnessText}`);
  if (threshold < neverThreshold) fields.push(`th:${thresholdText(threshold)}`);
  fields.push(...state.otherFields);
  return [...(fields.length > 0 ? [`ot=${fields.join(';')}`] : []), ...state.otherMembers].join(',');
}

/** Hexadecimal without trailing zeros; `0` samples everything. */
export function thresholdText(threshold: bigint): string {
  const digits = threshold.toString(16).padStart(hexDigits, '0').replace(/0+$/, '');
  return digits === '' ? '0' : digits;
}

/** 2^56 − round(2^56 · percent/100); never below 2^-56, always from 100 % on. */
export function thresholdOfPercentage(samplingPercentage: number): bigint {
  const ratio = samplingPercentage / 100;
  if (ratio >= 1) return alwaysThreshold;
  if (!(ratio >= 2 ** -56)) return neverThreshold;
  return neverThreshold - BigInt(Math.round(ratio * 2 ** 56));
}
