import t from 'tap';
import { systemClock } from '../../../src/shared/clock.ts';
import { compileConditions, OttlFault } from '../../../src/workers/ottl/compile-conditions.ts';
import { OttlError } from '../../../src/workers/ottl/values.ts';
import { fixture, sampleSpans, viewOfFirstSpan } from './sample-spans.ts';

// Times without a zone are local; the answers were recorded in UTC.
process.env.TZ = 'UTC';

type Answer = boolean | { fault: string } | { error: string };
interface Case {
  readonly context: 'span' | 'spanevent';
  readonly text: string;
  readonly lambda?: true;
  /** By span, or `all` for every one. */
  readonly answers: Record<string, Answer>;
}

const spans = sampleSpans();

function answerTo({ context, text, lambda }: Case, span: string): Answer {
  const featureGates = new Set(lambda ? ['ottl.functions.enableLambda'] : []);
  const compiled = compileConditions([text], context, { featureGates, clock: systemClock });
  if (compiled instanceof OttlFault) return { fault: compiled.message };
  const view = viewOfFirstSpan(spans.get(span)!);
  if (context === 'spanevent') view.nextEvent();
  const condition = compiled.conditions[0]!;
  const result = condition.evaluate(view);
  return result instanceof OttlError ? { error: `failed to eval condition: ${condition.rewritten}, ${result.message}` } : result;
}

for (const file of ['language', 'converters', 'values']) {
  t.test(`answers, errors and faults are the Collector's: ${file}`, async (t) => {
    const cases = fixture<Case[]>(file);
    const differing: object[] = [];
    for (const each of cases) {
      for (const span of spans.keys()) {
        const expected = each.answers.all ?? each.answers[span];
        if (expected === undefined) continue;
        const found = answerTo(each, span);
        if (JSON.stringify(found) !== JSON.stringify(expected)) differing.push({ text: each.text, span, expected, found });
      }
    }
    t.ok(cases.length > 20, 'there are cases');
    t.same(differing, []);
  });
}
