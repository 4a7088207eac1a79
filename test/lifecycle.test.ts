/** One contract over every component type: start once; drain and stop any number of times, from any state, concurrently; nothing left open. */

import t from 'tap';
import type { Component, ComponentType } from '../src/main/pipeline/component.ts';
import { componentTypes } from '../src/main/pipeline/component-types.ts';
import { componentRig, configOf, Sink } from './support/component-rig.ts';

/** The smallest configuration of each type, ports chosen by the system. */
const smallest: Readonly<Record<string, unknown>> = {
  'receiver otlp': { protocols: { grpc: { endpoint: '127.0.0.1:0' }, http: { endpoint: '127.0.0.1:0' } } },
  'processor memory_limiter': { check_interval: '1s', limit_mib: 4000 },
  'processor batch': {},
  'processor tail_sampling': { decision_wait: '1s', policies: [{ name: 'all', type: 'always_sample' }] },
  'exporter load_balancing': {
    protocol: { otlp: { tls: { insecure: true } } },
    resolver: { static: { hostnames: ['127.0.0.1:1'] } },
  },
  'exporter otlp_grpc': { endpoint: '127.0.0.1:1', tls: { insecure: true } },
  'exporter otlp_http': { endpoint: 'http://127.0.0.1:1' },
  'exporter debug': {},
  'receiver nop': {},
  'exporter nop': {},
  'exporter file': { path: '/dev/null' },
  'exporter googlecloud': { project: 'p', trace: { endpoint: '127.0.0.1:1', use_insecure: true } },
  'extension basicauth': { htpasswd: { inline: 'user:password' } },
  'extension bearertokenauth': { token: 'secret' },
  'extension file_storage': { directory: '.' },
  'extension health_check': { endpoint: '127.0.0.1:0' },
  'extension pprof': { endpoint: '127.0.0.1:0' },
};

const drainMs = 2_000;

function create(type: ComponentType): Component {
  const { settings } = componentRig(type.type, { arenaMib: 64 });
  const config = configOf(type.schema, smallest[`${type.kind} ${type.type}`]);
  switch (type.kind) {
    case 'receiver':
    case 'processor':
      return type.create(settings, config, new Sink());
    default:
      return type.create(settings, config);
  }
}

/** What keeps a process alive, by kind. Standard streams stay; closed things need a turn or two to be gone. */
async function openHandles(): Promise<readonly string[]> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  return process.getActiveResourcesInfo().filter((name) => !/^(Immediate|TTYWrap|PipeWrap|FSReqCallback|TickObject|CloseReq)/.test(name));
}

async function settlesTo(before: readonly string[]): Promise<readonly string[]> {
  let after = await openHandles();
  for (let attempt = 0; attempt < 200 && after.length > before.length; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    after = await openHandles();
  }
  return after;
}

const deadline = () => performance.now() + drainMs;

t.test('every component type stands in this test', async (t) => {
  for (const type of componentTypes) t.ok(`${type.kind} ${type.type}` in smallest, `${type.kind} ${type.type}`);
});

for (const type of componentTypes.filter((candidate) => `${candidate.kind} ${candidate.type}` in smallest)) {
  t.test(`${type.kind} ${type.type}`, async (t) => {
    t.test('ends without having started', async (t) => {
      const component = create(type);
      t.same(await component.drain(deadline()), { spansLost: 0 });
      await component.stop();
      await component.stop();
    });

    t.test('starts once, drains and stops any number of times at once, and leaves nothing open', async (t) => {
      const before = await openHandles();
      const component = create(type);
      await component.start();
      const at = deadline();
      const drains = [component.drain(at), component.drain(at)];
      t.equal(drains[0], drains[1], 'one drain, one promise');
      const stops = [component.stop(), component.stop()];
      t.equal(stops[0], stops[1], 'one stop, one promise');
      t.same(await Promise.all(drains), [{ spansLost: 0 }, { spansLost: 0 }]);
      await Promise.all(stops);
      t.same(await component.drain(deadline()), { spansLost: 0 }, 'drains after the end');
      t.equal((await settlesTo(before)).length <= before.length, true, `left open: ${await openHandles()}`);
    });

    t.test('stops without a drain, also while it is starting', async (t) => {
      const component = create(type);
      const started = component.start();
      await component.stop();
      await started;
      t.throws(() => component.start(), /start of a component/, 'does not start twice');
    });
  });
}
