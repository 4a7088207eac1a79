/** The `pprof` extension over a real socket: profiles that tools read, one at a time, bounded, and ended with the process. */

import t, { type Test } from 'tap';
import { decode } from '../../../src/main/config/fields.ts';
import { pprofExtensionType } from '../../../src/main/extensions/pprof.ts';
import { componentRig, configOf } from '../../support/component-rig.ts';

async function pprofRig(t: Test) {
  const { settings, logger } = componentRig('pprof');
  const extension = pprofExtensionType.create(settings, configOf(pprofExtensionType.schema, { endpoint: '127.0.0.1:0' }));
  await extension.start();
  t.teardown(() => extension.stop());
  const { port } = logger.lines[0]!.fields as { port: number };
  return { extension, ask: (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${port}${path}`, init) };
}

interface CpuProfile {
  readonly nodes: readonly { readonly callFrame: { readonly functionName: string } }[];
  readonly samples: readonly number[];
  readonly startTime: number;
  readonly endTime: number;
}

function spinForProfile(untilMs: number): number {
  let sum = 0;
  while (performance.now() < untilMs) sum += Math.sqrt(sum + 1);
  return sum;
}

t.test('hands out a profile that names what ran', async (t) => {
  const { ask } = await pprofRig(t);
  const answer = ask('/debug/profile?seconds=0.3', { method: 'POST' });
  for (let turn = 0; turn < 20; turn++) {
    spinForProfile(performance.now() + 10);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const response = await answer;
  t.equal(response.status, 200);
  t.match(response.headers.get('content-disposition'), /\.cpuprofile"$/);
  const profile = (await response.json()) as CpuProfile;
  t.ok(profile.nodes.some(({ callFrame }) => callFrame.functionName === 'spinForProfile'));
  t.ok(profile.samples.length > 0);
  t.ok(profile.endTime - profile.startTime >= 290_000, 'as long as asked for');
});

t.test('takes one profile at a time, and ends it with the client or the process', async (t) => {
  const { extension, ask } = await pprofRig(t);
  const client = new AbortController();
  const first = ask('/debug/profile?seconds=200', { method: 'POST', signal: client.signal }).catch(() => 'gone');
  const second = async () => (await ask('/debug/profile?seconds=0.01', { method: 'POST' })).status;
  while ((await second()) !== 409);
  client.abort();
  t.equal(await first, 'gone');
  while ((await second()) !== 200);
  const last = ask('/debug/profile?seconds=200', { method: 'POST' }).catch(() => 'gone');
  while ((await second()) !== 409);
  await extension.stop();
  await last;
  await t.rejects(ask('/debug/pprof/heap'));
});

t.test('refuses what it does not know, and browsers', async (t) => {
  const { ask } = await pprofRig(t);
  t.equal((await ask('/debug/profile')).status, 405);
  for (const seconds of ['0', '-1', '301', 'x', '', 'NaN']) {
    t.equal((await ask(`/debug/profile?seconds=${seconds}`, { method: 'POST' })).status, 400, seconds);
  }
  t.equal((await ask('/debug/profile', { method: 'POST', headers: { origin: 'https://example.org' } })).status, 403);
  t.equal((await ask('/debug/pprof/profile')).status, 404);
  t.match(await (await ask('/debug/pprof/')).text(), 'POST /debug/profile');
});

t.test('tells the memory of process, heap and arena', async (t) => {
  const { ask } = await pprofRig(t);
  const memory = (await (await ask('/debug/pprof/heap')).json()) as {
    process: { rss: number };
    heap: { used_heap_size: number };
    arena: { capacityBytes: number };
  };
  t.ok(memory.process.rss > 0 && memory.heap.used_heap_size > 0 && memory.arena.capacityBytes > 0);
});

t.test("reads the Collector's options", async (t) => {
  const faultsOf = (raw: object) => {
    const outcome = decode(pprofExtensionType.schema, raw);
    if (!('config' in outcome)) throw new Error(JSON.stringify(outcome));
    const faults = pprofExtensionType.check!(outcome.config, { type: 'pprof', name: '', text: 'pprof' });
    return faults.map(({ severity, path, message }) => `${severity}: ${path.join('.')}: ${message}`);
  };
  t.same(faultsOf({}), []);
  t.same(faultsOf({ endpoint: '[::1]:1777', block_profile_fraction: 0, save_to_file: '' }), []);
  t.match(faultsOf({ endpoint: ':1888' }), [/^warning: endpoint: ":1888" lets other machines profile this process$/]);
  t.match(faultsOf({ endpoint: 'x' }), [/^error: endpoint: address x: missing port in address$/]);
  t.match(faultsOf({ block_profile_fraction: 3, mutex_profile_fraction: 5, save_to_file: 'cpu.prof' }), [
    /^warning: block_profile_fraction: /,
    /^warning: mutex_profile_fraction: /,
    /^warning: save_to_file: /,
  ]);
});
