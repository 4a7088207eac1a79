import t from 'tap';
import {
  checkMemoryLimiter,
  memoryLimiterSchema,
  memoryLimits,
} from '../../../../src/main/processors/memory-limiter/memory-limiter-config.ts';
import { memoryLimiterProcessorType } from '../../../../src/main/processors/memory-limiter/memory-limiter-processor.ts';
import { MemoryWatch } from '../../../../src/main/processors/memory-limiter/memory-watch.ts';
import { componentRig, configOf, LogRecorder, Sink } from '../../../support/component-rig.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const mib = 1_048_576;

function watchRig(raw: object = {}) {
  const clock = new ManualClock();
  const config = configOf(memoryLimiterSchema, { check_interval: '1s', limit_mib: 100, ...raw });
  const state = { usedBytes: 0, collections: 0, freedBytes: 0 };
  const source = {
    usedBytes: () => state.usedBytes,
    collectGarbage() {
      state.collections++;
      state.usedBytes -= state.freedBytes;
    },
  };
  const watch = new MemoryWatch(config, memoryLimits(config, 0), source, clock, new LogRecorder());
  watch.retain();
  return { clock, state, watch };
}

t.test('refuses at the soft limit and takes data again below it', async (t) => {
  const { clock, state, watch } = watchRig();
  state.usedBytes = 80 * mib - 1;
  await clock.advance(1000);
  t.equal(watch.refusing, false);
  state.usedBytes = 80 * mib;
  await clock.advance(1000);
  t.equal(watch.refusing, true);
  state.usedBytes = 79 * mib;
  await clock.advance(1000);
  t.equal(watch.refusing, false);
  watch.release();
  t.equal(clock.waiting, 0);
});

t.test('a collection that frees enough comes before refusing', async (t) => {
  const { clock, state, watch } = watchRig({ min_gc_interval_when_soft_limited: '0s' });
  state.usedBytes = 90 * mib;
  state.freedBytes = 30 * mib;
  await clock.advance(1000);
  t.same([state.collections, watch.refusing], [1, false]);
  watch.release();
});

t.test('collections in vain become rarer, up to the maximum', async (t) => {
  const { clock, state, watch } = watchRig({ min_gc_interval_when_soft_limited: '0s', max_gc_interval_when_soft_limited: '30s' });
  state.usedBytes = 120 * mib;
  await clock.advance(100_000);
  t.ok(state.collections >= 5 && state.collections <= 10, `${state.collections} in 100 checks`);
  t.equal(watch.refusing, true);
  watch.release();
});

t.test('the processor refuses for later and counts both ways', async (t) => {
  const clock = new ManualClock();
  const { settings, metric } = componentRig('memory_limiter', { clock });
  const config = configOf(memoryLimiterSchema, { check_interval: '1s', limit_mib: 1 });
  const sink = new Sink();
  const processor = memoryLimiterProcessorType.create(settings, config, sink);
  const second = memoryLimiterProcessorType.create(settings, config, sink);
  await processor.start();
  await second.start();
  const payload = { bytes: new Uint8Array(0), spanCount: 7 };
  t.same(await processor.consume(payload), { kind: 'accepted' });
  await clock.advance(1000);
  t.same(await processor.consume(payload), {
    kind: 'refused',
    retryable: true,
    code: 14,
    message: 'data refused due to high memory usage',
  });
  t.match(await second.consume(payload), { kind: 'refused' }, 'pipelines share one limiter');
  t.equal(metric('otelcol_processor_memory_limiter_accepted_spans'), 7);
  t.equal(metric('otelcol_processor_memory_limiter_refused_spans'), 14);
  await processor.stop();
  await second.stop();
  t.equal(clock.waiting, 0);
});

t.test('refuses configurations in the words of the Collector', async (t) => {
  const message = (raw: object) => checkMemoryLimiter(configOf(memoryLimiterSchema, raw))[0]?.message;
  t.equal(message({}), "'check_interval' must be greater than zero");
  t.equal(message({ check_interval: '1s' }), "'limit_mib' or 'limit_percentage' must be greater than zero");
  t.equal(message({ check_interval: '1s', limit_mib: 1, spike_limit_mib: 1 }), "'spike_limit_mib' must be smaller than 'limit_mib'");
  t.match(message({ check_interval: '1s', limit_percentage: 101 }), /less than or equal to hundred/);
  t.equal(message({ check_interval: '1s', limit_percentage: 50 }), undefined);
});

t.test('percentages are of the memory there is, and a fifth is kept for spikes', async (t) => {
  const config = configOf(memoryLimiterSchema, { check_interval: '1s', limit_percentage: 50 });
  t.same(memoryLimits(config, 1000 * mib), { hardBytes: 500 * mib, softBytes: 400 * mib });
});
