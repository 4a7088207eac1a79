/** The demo's account of what was kept. */

import t from 'tap';
import { demoResult, demoSentence, demoTable, keptAllItMust, type SentTrace } from '../../../src/main/demo/demo-result.ts';
import { demoKinds, demoPlan, demoServices } from '../../../src/main/demo/demo-traces.ts';

const sent = new Map<string, SentTrace>(
  (['dev', 'tst'] as const).flatMap((environment) =>
    demoKinds.map((kind): [string, SentTrace] => [`${environment}-${kind}`, { environment, kind, spans: 15 }]),
  ),
);

t.test('tells whole, broken and dropped traces apart', async (t) => {
  const held = new Map([
    ['dev-error', 15],
    ['dev-slow', 15],
    ['tst-error', 10],
    ['unknown', 3],
  ]);
  const result = demoResult(sent, held);
  t.same(result.dev, {
    error: { sent: 15, kept: 15, traces: 1, whole: 1 },
    slow: { sent: 15, kept: 15, traces: 1, whole: 1 },
    normal: { sent: 15, kept: 0, traces: 0, whole: 0 },
  });
  t.same(result.tst.error, { sent: 15, kept: 10, traces: 1, whole: 0 });
  t.ok(keptAllItMust(result));
  t.match(demoTable(result), /tst, straight to samplers +error +15 +10 \(66\.7 %\) +0 +1\n/);
  t.match(demoSentence(result, 1), /all 2 of 2 error and slow traces were kept whole; .* 2 of 2 lost spans/);
});

t.test('is no success when one span of a slow trace is missing', async (t) => {
  const result = demoResult(
    sent,
    new Map([
      ['dev-error', 15],
      ['dev-slow', 14],
    ]),
  );
  t.notOk(keptAllItMust(result));
  t.match(demoSentence(result, 1), /only 1 of 2/);
  t.notOk(keptAllItMust(demoResult(new Map(), new Map())), 'nor when nothing was sent');
});

t.test('every trace has spans of every service, and only some of them tell its kind', async (t) => {
  for (const spanCount of [3, 4, 15, 100]) {
    for (const kind of demoKinds) {
      const { spans } = demoPlan(kind, spanCount);
      t.equal(spans.length, spanCount);
      t.equal(new Set(spans.map((span) => span.service)).size, demoServices.length);
      t.equal(spans.at(-1)?.isRoot, true);
      const longest = Math.max(...spans.map((span) => span.endNanos));
      t.equal(longest > 1.5e9, kind === 'slow');
      t.ok(spans.every((span) => span.startNanos >= 0 && span.endNanos > span.startNanos));
    }
  }
});
