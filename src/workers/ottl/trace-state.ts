/** Reads one key of a W3C tracestate as OTTL's `trace_state["key"]` does. Worker thread. */

const valuePattern = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const simpleKey = /^[a-z][a-z0-9_\-*/]{0,255}$/;
const tenantKey = /^[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}$/;

/**
 * Value of `key`, '' when it is absent, null when the text is no tracestate.
 *
 * Source: W3C Trace Context; OpenTelemetry Go's strictness (at most 32 members, no duplicates, blanks only around a member).
 */
export function traceStateValue(text: string, key: string): string | null {
  const found = new Map<string, string>();
  for (const member of text.split(',')) {
    if (member === '') continue;
    const equals = member.indexOf('=');
    if (equals < 0) return null;
    const name = member.slice(0, equals).replace(/^[ \t]+/, '');
    const value = member.slice(equals + 1).replace(/[ \t]+$/, '');
    if (!simpleKey.test(name) && !tenantKey.test(name)) return null;
    if (!valuePattern.test(value) || found.has(name)) return null;
    found.set(name, value);
    if (found.size > 32) return null;
  }
  return found.get(key) ?? '';
}
