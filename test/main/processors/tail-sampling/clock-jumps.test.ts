/** A wall clock that jumps by days, as after a suspended machine or a wrong time server: decisions keep to the time that passes. */

import t from 'tap';
import { ManualClock } from '../../../support/manual-clock.ts';
import { requestBytes, spanIdOf, traceIdOf } from '../../../support/otlp.ts';
import { samplerRig } from '../../../support/sampler-rig.ts';

class JumpingClock extends ManualClock {
  jumpMs = 0;
  override wallMs(): number {
    return super.wallMs() + this.jumpMs;
  }
}

const dayMs = 86_400_000;
const request = (trace: number, id: number) =>
  requestBytes({}, { spans: [{ traceId: traceIdOf(trace), spanId: spanIdOf(id), startNanos: 1n, endNanos: 2n }] });

for (const [how, jumps] of [
  ['forward', [dayMs, 2 * dayMs, 40 * 365 * dayMs]],
  ['back', [-dayMs, -2 * dayMs, -40 * 365 * dayMs]],
  ['to and fro', [dayMs, -dayMs, 0]],
] as const) {
  t.test(`traces are decided after their wait when the clock jumps ${how}`, async (t) => {
    const clock = new JumpingClock();
    const policies = [
      { name: 'all', type: 'rate_limiting', rate_limiting: { spans_per_second: 2, burst_capacity: 2 } },
      { name: 'slow', type: 'latency', latency: { threshold_ms: 60_000 } },
    ];
    const rig = samplerRig({ decision_wait: '3s', policies }, { clock });
    await rig.processor.start();
    let expected = 0;
    for (const [index, jumpMs] of jumps.entries()) {
      await rig.send(request(index, 1));
      await clock.advance(1_000);
      clock.jumpMs = jumpMs;
      await rig.send(request(index, 2));
      await clock.advance(1_800);
      t.equal(rig.kept.length, expected, 'not before');
      await clock.advance(500);
      expected += 2;
      t.equal(rig.kept.length, expected, 'and not much later; the limiter does not count the days either');
      // Four spans at once are more than the bucket holds, whatever the calendar says.
      await rig.send(request(100 + index, 1));
      await rig.send(request(100 + index, 2));
      await rig.send(request(100 + index, 3));
      await clock.advance(3_500);
      t.equal(rig.kept.length, expected);
    }
    t.equal(rig.metric('ringtail_account_buffered_spans', { processor: 'tail_sampling' }), 0);
    await rig.processor.stop();
  });
}
