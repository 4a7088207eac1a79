import t from 'tap';
import { object } from '../../../src/main/config/fields.ts';
import type {
  Component,
  ComponentType,
  DrainReport,
  Exporter,
  Processor,
  Receiver,
  TracesConsumer,
} from '../../../src/main/pipeline/component.ts';
import { ComponentLife } from '../../../src/main/pipeline/component-state.ts';
import { accepted, type ConsumeOutcome, refusedPermanent, refusedRetryable } from '../../../src/main/pipeline/consume-outcome.ts';
import { combineOutcomes, fanOut } from '../../../src/main/pipeline/fan-out.ts';
import { Graph, type GraphPlan, type PlannedComponent } from '../../../src/main/pipeline/graph.ts';
import { componentRig, Sink } from '../../support/component-rig.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** Component types that write down what happens to them. */
class Recorder {
  readonly events: string[] = [];
  readonly entries = new Map<string, TracesConsumer>();
  readonly sinks = new Map<string, Sink>();
  failingStart: string | undefined;
  hangingDrain: string | undefined;
  lost = new Map<string, number>();

  #component(name: string): Component {
    const life = new ComponentLife({
      start: () => {
        this.events.push(`start ${name}`);
        if (name === this.failingStart) throw new Error('no luck');
      },
      drain: (): Promise<DrainReport> | DrainReport => {
        this.events.push(`drain ${name}`);
        return name === this.hangingDrain ? new Promise(() => {}) : { spansLost: this.lost.get(name) ?? 0 };
      },
      stop: () => {
        this.events.push(`stop ${name}`);
      },
    });
    return { start: () => life.start(), drain: (deadlineMs) => life.drain(deadlineMs), stop: () => life.stop() };
  }

  readonly receiver: ComponentType = {
    kind: 'receiver',
    type: 'r',
    schema: object({}),
    create: ({ id }, _config, next): Receiver => {
      this.entries.set(id.text, next);
      return this.#component(id.text);
    },
  };
  readonly processor: ComponentType = {
    kind: 'processor',
    type: 'p',
    schema: object({}),
    create: ({ id }, _config, next): Processor => {
      this.events.push(`create ${id.text}`);
      return { ...this.#component(id.text), consume: (payload) => next.consume(payload) };
    },
  };
  readonly exporter: ComponentType = {
    kind: 'exporter',
    type: 'e',
    schema: object({}),
    create: ({ id }): Exporter => {
      const sink = new Sink();
      this.sinks.set(id.text, sink);
      return { ...this.#component(id.text), consume: (payload) => sink.consume(payload) };
    },
  };
}

function plan(recorder: Recorder, pipelines: GraphPlan['pipelines']): GraphPlan {
  const all = (type: ComponentType, keys: readonly string[]): ReadonlyMap<string, PlannedComponent> =>
    new Map(keys.map((key) => [key, { id: { type: type.type, name: key.split('/')[1] ?? '', text: key }, type, config: {} }]));
  return {
    receivers: all(recorder.receiver, ['r', 'r/2']),
    processors: all(recorder.processor, ['p', 'p/2']),
    exporters: all(recorder.exporter, ['e', 'e/2', 'e/unused']),
    extensions: new Map(),
    serviceExtensions: [],
    pipelines,
  };
}

const onePipeline = [{ id: 'traces', receivers: ['r'], processors: ['p', 'p/2'], exporters: ['e'] }];
const payload = { bytes: new Uint8Array([1]), spanCount: 1 };

function build(recorder: Recorder, pipelines: GraphPlan['pipelines'] = onePipeline) {
  const clock = new ManualClock();
  const { settings, logger } = componentRig('graph', { clock });
  return { clock, logger, graph: new Graph(plan(recorder, pipelines), settings, logger) };
}

t.test('starts exporters, processors, receivers and drains the other way round', async (t) => {
  const recorder = new Recorder();
  const { graph, clock } = build(recorder);
  recorder.events.length = 0;
  t.equal(graph.ready(), false);
  await graph.start();
  t.equal(graph.ready(), true);
  t.same(recorder.events, ['start e', 'start p/2', 'start p', 'start r']);
  recorder.events.length = 0;
  t.same(await graph.drain(clock.monotonicMs() + 1000), { spansLost: 0, faults: [] });
  t.equal(graph.ready(), false);
  t.same(recorder.events, ['drain r', 'drain p', 'drain p/2', 'drain e']);
  recorder.events.length = 0;
  await Promise.all([graph.stop(), graph.stop()]);
  t.same(recorder.events, ['stop r', 'stop p', 'stop p/2', 'stop e']);
});

t.test('shares receivers and exporters between pipelines, and makes a processor for each', async (t) => {
  const recorder = new Recorder();
  const { graph } = build(recorder, [
    { id: 'traces', receivers: ['r'], processors: ['p'], exporters: ['e'] },
    { id: 'traces/2', receivers: ['r', 'r/2'], processors: ['p'], exporters: ['e', 'e/2'] },
  ]);
  t.same(recorder.events, ['create p', 'create p']);
  t.same([...recorder.sinks.keys()], ['e', 'e/2'], 'an exporter that no pipeline names is not built');
  await graph.start();
  t.same(await recorder.entries.get('r')?.consume(payload), accepted);
  t.equal(recorder.sinks.get('e')?.spanCount, 2, 'by both pipelines');
  t.equal(recorder.sinks.get('e/2')?.spanCount, 1);
  await recorder.entries.get('r/2')?.consume(payload);
  t.equal(recorder.sinks.get('e')?.spanCount, 3);
  await graph.stop();
});

t.test('a start that fails stops what had started and names the component', async (t) => {
  const recorder = new Recorder();
  recorder.failingStart = 'p';
  const { graph } = build(recorder);
  await t.rejects(graph.start(), { message: 'cannot start processor "p": no luck' });
  t.same(
    recorder.events.filter((event) => event.startsWith('stop')),
    ['stop p', 'stop p/2', 'stop e'],
  );
});

t.test('reports what was lost and goes on past a component that hangs', async (t) => {
  const recorder = new Recorder();
  recorder.hangingDrain = 'p';
  recorder.lost.set('e', 7);
  const { graph, clock } = build(recorder);
  await graph.start();
  const drained = graph.drain(clock.monotonicMs() + 10_000);
  await clock.advance(20_000);
  t.same(await drained, {
    spansLost: 7,
    faults: [
      { id: 'p', spansLost: 0, reason: 'not drained by the deadline' },
      { id: 'e', spansLost: 7, reason: 'spans left at the deadline' },
    ],
  });
});

t.test('one slow exporter does not keep the others waiting, and the answer waits for all', async (t) => {
  const slow = new Sink();
  const fast = new Sink();
  const gate = Promise.withResolvers<ConsumeOutcome>();
  slow.answer = () => gate.promise;
  const answer = fanOut([slow, fast]).consume(payload);
  t.equal(fast.spanCount, 1);
  t.equal(await Promise.race([answer, new Promise((resolve) => setImmediate(resolve, 'waits'))]), 'waits');
  gate.resolve(refusedRetryable('later'));
  t.match(await answer, { kind: 'refused', retryable: true, message: 'later' });
});

t.test('joined outcomes: permanent wins, the longest delay counts, a thrown error is permanent', async (t) => {
  t.same(combineOutcomes([accepted, accepted]), accepted);
  t.match(combineOutcomes([refusedRetryable('a'), refusedPermanent('b'), accepted]), { retryable: false, code: 13, message: 'a; b' });
  t.match(combineOutcomes([refusedRetryable('a', { retryAfterMs: 5 }), refusedRetryable('a', { retryAfterMs: 9 })]), {
    retryable: true,
    retryAfterMs: 9,
    message: 'a',
  });
  const broken = new Sink();
  broken.answer = () => {
    throw new Error('bug');
  };
  const healthy = new Sink();
  t.match(await fanOut([broken, healthy]).consume(payload), { retryable: false, message: 'internal error: bug' });
  t.equal(healthy.spanCount, 1);
});
