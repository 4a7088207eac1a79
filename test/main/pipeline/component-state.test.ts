import t from 'tap';
import { ComponentLife } from '../../../src/main/pipeline/component-state.ts';

t.test('stop waits for a start under way and runs once', async (t) => {
  const gate = Promise.withResolvers<void>();
  const events: string[] = [];
  const life = new ComponentLife({
    start: () => gate.promise.then(() => void events.push('started')),
    stop: () => void events.push('stopped'),
  });
  const started = life.start();
  const stopped = [life.stop(), life.stop()];
  t.equal(life.state, 'stopped', 'the state changes before the first await');
  gate.resolve();
  await Promise.all([started, ...stopped]);
  t.same(events, ['started', 'stopped']);
  t.equal(life.state, 'stopped');
});

t.test('a start that fails is closed by stop, and drains to nothing', async (t) => {
  let closed = 0;
  const life = new ComponentLife({
    start: () => Promise.reject(new Error('no port')),
    drain: () => t.fail('nothing to drain') as never,
    stop: () => void closed++,
  });
  await t.rejects(life.start(), /no port/);
  t.same(await life.drain(0), { spansLost: 0 });
  await life.stop();
  t.equal(closed, 1);
});

t.test('nothing starts twice or after its end', async (t) => {
  const life = new ComponentLife({});
  await life.start();
  t.equal(life.running, true);
  t.throws(() => life.start(), /start of a component that is running/);
  await life.drain(0);
  t.equal(life.state, 'drained');
  await life.stop();
  t.throws(() => life.start(), /start of a component that is stopped/);
});
