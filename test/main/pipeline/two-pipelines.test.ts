/** Two pipelines that share a receiver and an exporter, made of real sender chains: who waits for whom, in operation, at start and at the end. */

import t from 'tap';
import { object } from '../../../src/main/config/fields.ts';
import { createSenderChain, type SenderChain } from '../../../src/main/exporters/sender/sender-chain.ts';
import { queueConfigOf, queueSchema } from '../../../src/main/exporters/sender/sender-config.ts';
import type { ComponentType, Exporter, Processor, Receiver, TracesConsumer, TracesPayload } from '../../../src/main/pipeline/component.ts';
import { ComponentLife } from '../../../src/main/pipeline/component-state.ts';
import { accepted, type ConsumeOutcome } from '../../../src/main/pipeline/consume-outcome.ts';
import { Graph, type GraphPlan, type PlannedComponent } from '../../../src/main/pipeline/graph.ts';
import { componentRig, configOf } from '../../support/component-rig.ts';
import { flush, ManualClock } from '../../support/manual-clock.ts';

type Answer = () => ConsumeOutcome | Promise<ConsumeOutcome>;

/** Component types that write down what happens; processors hold payloads until they are drained. */
class Scene {
  readonly events: string[] = [];
  readonly entries = new Map<string, TracesConsumer>();
  readonly spansAt = new Map<string, number>();
  readonly answers = new Map<string, Answer>();
  holding = false;

  #life(name: string, drain: () => Promise<void>): ComponentLife {
    return new ComponentLife({
      start: () => void this.events.push(`start ${name}`),
      drain: async () => {
        this.events.push(`drain ${name}`);
        await drain();
        this.events.push(`drained ${name}`);
        return { spansLost: 0 };
      },
      stop: () => void this.events.push(`stop ${name}`),
    });
  }

  readonly receiver: ComponentType = {
    kind: 'receiver',
    type: 'r',
    schema: object({}),
    create: ({ id }, _config, next): Receiver => {
      this.entries.set(id.text, next);
      return this.#life(id.text, async () => {});
    },
  };

  /** As `batch`: takes early, hands on at the end. */
  readonly processor: ComponentType = {
    kind: 'processor',
    type: 'p',
    schema: object({}),
    create: ({ id }, _config, next): Processor => {
      const held: TracesPayload[] = [];
      const life = this.#life(id.text, async () => {
        for (const payload of held.splice(0)) await next.consume(payload);
      });
      const consume = async (payload: TracesPayload): Promise<ConsumeOutcome> => {
        if (!this.holding) return next.consume(payload);
        held.push(payload);
        return accepted;
      };
      return { start: () => life.start(), drain: (deadlineMs) => life.drain(deadlineMs), stop: () => life.stop(), consume };
    },
  };

  /** `config` is that of its queue; undefined is none. */
  readonly exporter: ComponentType = {
    kind: 'exporter',
    type: 'e',
    schema: object({}),
    create: (settings, config: object | undefined): Exporter => {
      const name = settings.id.text;
      const queue = config && queueConfigOf(configOf(queueSchema, config));
      const chain: SenderChain = createSenderChain(
        settings,
        { queue, retry: undefined, timeoutMs: 0 },
        {
          send: async (request) => {
            const outcome = (await this.answers.get(name)?.()) ?? accepted;
            this.spansAt.set(name, (this.spansAt.get(name) ?? 0) + request.spanCount);
            return outcome;
          },
        },
      );
      const life = this.#life(name, async () => void (await chain.drain(Infinity)));
      return {
        start: () => life.start(),
        drain: (deadlineMs) => life.drain(deadlineMs),
        stop: () => life.stop(),
        consume: (payload) => chain.consume(payload),
      };
    },
  };
}

/** `queues`: exporter → its queue. */
function build(scene: Scene, queues: Readonly<Record<string, object>> = {}) {
  const clock = new ManualClock();
  const { settings, logger } = componentRig('graph', { clock });
  const all = (type: ComponentType, keys: readonly string[]): ReadonlyMap<string, PlannedComponent> =>
    new Map(keys.map((key) => [key, { id: { type: type.type, name: key.split('/')[1] ?? '', text: key }, type, config: queues[key] }]));
  const plan: GraphPlan = {
    receivers: all(scene.receiver, ['r/shared', 'r/2']),
    processors: all(scene.processor, ['p/first', 'p/second', 'p/other']),
    exporters: all(scene.exporter, ['e/shared', 'e/slow']),
    extensions: new Map(),
    serviceExtensions: [],
    pipelines: [
      { id: 'traces', receivers: ['r/shared'], processors: ['p/first', 'p/second'], exporters: ['e/shared', 'e/slow'] },
      { id: 'traces/2', receivers: ['r/shared', 'r/2'], processors: ['p/other'], exporters: ['e/shared'] },
    ],
  };
  return { clock, graph: new Graph(plan, settings, logger) };
}

const payload: TracesPayload = { bytes: new Uint8Array([1, 2, 3]), spanCount: 1 };

t.test('without a queue the slow exporter holds up the answer, and nobody else', async (t) => {
  const scene = new Scene();
  const { graph, clock } = build(scene);
  await graph.start();
  const gate = Promise.withResolvers<ConsumeOutcome>();
  scene.answers.set('e/slow', () => gate.promise);
  let answer: ConsumeOutcome | undefined;
  void scene.entries
    .get('r/shared')!
    .consume(payload)
    .then((outcome) => (answer = outcome));
  await flush();
  t.equal(scene.spansAt.get('e/shared'), 2, 'both pipelines have delivered to it');
  t.equal(answer, undefined);
  t.same(await scene.entries.get('r/2')!.consume(payload), accepted, 'the other pipeline goes on');
  gate.resolve(accepted);
  await flush();
  t.same(answer, accepted);
  await graph.drain(clock.monotonicMs() + 1_000);
  await graph.stop();
});

t.test('a queue on the slow exporter lets callers go, until it is full; block_on_overflow makes them wait then', async (t) => {
  for (const block of [false, true]) {
    const scene = new Scene();
    const { graph, clock } = build(scene, { 'e/slow': { queue_size: 2, num_consumers: 1, block_on_overflow: block } });
    await graph.start();
    const gate = Promise.withResolvers<ConsumeOutcome>();
    scene.answers.set('e/slow', () => gate.promise);
    const entry = scene.entries.get('r/shared')!;
    t.same(await entry.consume(payload), accepted);
    t.same(await entry.consume(payload), accepted);
    let third: ConsumeOutcome | undefined;
    void entry.consume(payload).then((outcome) => (third = outcome));
    await flush();
    if (block) t.equal(third, undefined);
    else t.match(third, { kind: 'refused', retryable: true, message: 'sending queue is full' });
    t.equal(scene.spansAt.get('e/shared'), 6, 'the fast exporter has had everything, twice');
    gate.resolve(accepted);
    await flush();
    if (block) t.same(third, accepted);
    await graph.drain(clock.monotonicMs() + 1_000);
    t.equal(scene.spansAt.get('e/slow'), block ? 3 : 2);
    await graph.stop();
  }
});

t.test(
  'starts from the back and drains from the front; what shared components hold arrives before their exporters are drained',
  async (t) => {
    const scene = new Scene();
    const { graph, clock } = build(scene, { 'e/slow': { num_consumers: 1 } });
    await graph.start();
    const place = (event: string): number => {
      const found = scene.events.indexOf(event);
      if (found < 0) throw new Error(`never: ${event}`);
      return found;
    };
    const inOrder = (...events: readonly string[]): void => {
      const places = events.map(place);
      t.same(
        places,
        [...places].sort((left, right) => left - right),
        events.join(' < '),
      );
    };
    for (const exporter of ['e/shared', 'e/slow']) inOrder(`start ${exporter}`, 'start p/second', 'start p/first', 'start r/shared');
    inOrder('start e/shared', 'start p/other', 'start r/2');
    scene.holding = true;
    t.same(await scene.entries.get('r/shared')!.consume(payload), accepted);
    t.same(await scene.entries.get('r/2')!.consume(payload), accepted);
    t.equal(scene.spansAt.size, 0, 'all of it is held');
    scene.answers.set('e/slow', async () => {
      await flush();
      return accepted;
    });
    t.same(await graph.drain(clock.monotonicMs() + 1_000), { spansLost: 0, faults: [] });
    for (const receiver of ['r/shared', 'r/2']) for (const next of ['p/first', 'p/other']) inOrder(`drained ${receiver}`, `drain ${next}`);
    inOrder('drained p/first', 'drain p/second');
    for (const last of ['p/second', 'p/other'])
      for (const exporter of ['e/shared', 'e/slow']) inOrder(`drained ${last}`, `drain ${exporter}`);
    t.equal(scene.spansAt.get('e/shared'), 3);
    t.equal(scene.spansAt.get('e/slow'), 1, 'and what was in its queue');
    await graph.stop();
    inOrder('stop r/shared', 'stop p/first', 'stop p/second', 'stop e/shared');
    for (const name of ['r/shared', 'e/shared', 'p/other']) t.equal(scene.events.filter((event) => event === `stop ${name}`).length, 1);
  },
);
