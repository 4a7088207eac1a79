/** Fuzz target: whatever the text of a condition, compiling and evaluating it ends without an exception, and what was compiled can be compiled again. */

import { strict as assert } from 'node:assert';
import { systemClock } from '../../src/shared/clock.ts';
import type { Prng } from '../../src/shared/prng.ts';
import { compileConditions, OttlFault } from '../../src/workers/ottl/compile-conditions.ts';
import { standardConverters } from '../../src/workers/ottl/converters/standard-converters.ts';
import { sampleSpans, viewOfFirstSpan } from '../workers/ottl/sample-spans.ts';
import type { FuzzTarget } from './run.ts';

const pieces = [
  ...'( ) [ ] { } , . : = == != < <= > >= + - * / => _ and or not nil true false'.split(' '),
  ...[
    '"a"',
    '"(a+"',
    '"%Y-%m-%d"',
    '"\\x"',
    '"é"',
    '0x01',
    '0x1',
    '1',
    '9223372036854775807',
    '08',
    '1.5',
    '1.e5',
    '\n',
    'é',
    '"',
    '0x',
    '%',
  ],
  ...'span resource scope spanevent otelcol cache name kind status code trace_id string attributes trace_state events start_time end_time x'.split(
    ' ',
  ),
  ...[
    'attributes["str.a"]',
    'attributes["map.a"]',
    'attributes["arr.a"]',
    'attributes["num.a"]',
    'resource.attributes["num.a"]',
    'STATUS_CODE_OK',
    '(k, v) =>',
  ],
  ...standardConverters.keys(),
];

function text(prng: Prng): string {
  const pick = <T>(all: readonly T[]): T => all[Math.floor(prng.next() * all.length)]!;
  const value = (depth: number): string => {
    const kind = prng.next();
    if (depth === 0 || kind < 0.3) return pick(pieces);
    if (kind < 0.75) {
      const call = standardConverters.get(pick([...standardConverters.keys()]))!;
      const count = prng.next() < 0.9 ? call.parameters.length : Math.floor(prng.next() * 4);
      const args = Array.from({ length: count }, () => (prng.next() < 0.1 ? `(k, v) => ${value(depth - 1)}` : value(depth - 1)));
      return `${call.name}(${args.join(', ')})${prng.next() < 0.2 ? `[${value(0)}]` : ''}`;
    }
    if (kind < 0.85) return `[${value(depth - 1)}, ${value(depth - 1)}]`;
    return `(${value(depth - 1)} ${pick(['+', '-', '*', '/'])} ${value(depth - 1)})`;
  };
  if (prng.next() < 0.4) return Array.from({ length: Math.floor(prng.next() * 14) }, () => pick(pieces)).join(prng.next() < 0.8 ? ' ' : '');
  return `${prng.next() < 0.2 ? 'not ' : ''}${value(3)} ${pick(['==', '!=', '<', 'and', 'or', '>='])} ${value(3)}`;
}

export const ottlFuzz: FuzzTarget = {
  name: 'ottl',
  start(prng) {
    const views = [...sampleSpans().values()].map(viewOfFirstSpan);
    for (const view of views) view.nextEvent();
    const options = { featureGates: new Set(['ottl.functions.enableLambda']), clock: systemClock, prng };
    return () => {
      const condition = text(prng);
      const context = prng.next() < 0.7 ? 'span' : 'spanevent';
      const compiled = compileConditions([condition], context, options);
      if (compiled instanceof OttlFault) {
        assert(compiled.message.length > 0, `${condition} is refused without a reason`);
        return;
      }
      const { rewritten, evaluate } = compiled.conditions[0]!;
      for (const view of views) {
        const answer = evaluate(view);
        assert(typeof answer === 'boolean' || answer.message.length >= 0, `${condition} has neither an answer nor an error`);
      }
      const again = compileConditions([rewritten], context, options);
      assert(!(again instanceof OttlFault), `${rewritten} came from ${condition} and is refused`);
      assert.equal(again.conditions[0]!.rewritten, rewritten, 'rewriting twice is rewriting once');
    };
  },
};
