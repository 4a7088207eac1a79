import { readFileSync } from 'node:fs';
import t from 'tap';
import { factBits, factRow, KernelError, resourceRow, runRow, runSpansMax, scopeRow } from '../../src/shared/arena/rows.ts';

const source = readFileSync(new URL('../../wasm/assembly/rows.ts', import.meta.url), 'utf8');
const kernel = new Map([...source.matchAll(/export const (\w+): u32 = (\d+);/g)].map(([, name, value]) => [name!, Number(value)]));

const constantCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
const prefixed = (prefix: string, row: object) =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [`${prefix}${constantCase(name)}`, value as number]));

t.test('the kernel and TypeScript have the same rows, bits and error codes', (t) => {
  const { resource, ...context } = scopeRow;
  t.same(context, resourceRow, 'a scope row begins like a resource row');
  const { none, ...errors } = KernelError;
  t.equal(none, 0);
  const expected = {
    ...prefixed('RUN_', runRow),
    RUN_SPANS_MAX: runSpansMax,
    ...prefixed('CONTEXT_', context),
    SCOPE_RESOURCE: resource,
    ...prefixed('FACT_', factRow),
    ...prefixed('', factBits),
    ...prefixed('ERROR_', errors),
  };
  kernel.delete('ZERO_TRACE_ID');
  t.same(Object.fromEntries(kernel), expected);
  t.end();
});
