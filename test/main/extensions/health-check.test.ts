import { createServer } from 'node:net';
import t from 'tap';
import { healthCheckExtensionType } from '../../../src/main/extensions/health-check.ts';
import type { PipelineWatcher } from '../../../src/main/pipeline/graph.ts';
import { componentRig, configOf } from '../../support/component-rig.ts';

async function healthRig(raw: object = {}) {
  const { settings, logger } = componentRig('health_check');
  const config = configOf(healthCheckExtensionType.schema, { endpoint: '127.0.0.1:0', ...raw });
  const extension = healthCheckExtensionType.create(settings, config) as PipelineWatcher;
  await extension.start();
  const { port } = logger.lines[0]!.fields as { port: number };
  return { extension, port, get: (path = '/', init: RequestInit = {}) => fetch(`http://127.0.0.1:${port}${path}`, init) };
}

t.test('is not available before the pipelines are ready, while no exporter can send, and from shutdown on', async (t) => {
  const { extension, get } = await healthRig();
  const notAvailable = { status: 'Server not available', upSince: '0001-01-01T00:00:00Z', uptime: '' };
  const before = await get();
  t.equal(before.status, 503);
  t.equal(before.headers.get('content-type'), 'application/json');
  t.same(await before.json(), notAvailable);
  let ready = true;
  extension.pipelinesReady(() => ready);
  const available = await get('/anything/below', { method: 'POST' });
  t.equal(available.status, 200);
  t.equal(available.headers.get('connection'), 'close');
  const body = (await available.json()) as { status: string; upSince: string; uptime: string };
  t.equal(body.status, 'Server available');
  t.match(body.upSince, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  t.match(body.uptime, /^[0-9.]+(s|ms|µs|ns)$/);
  ready = false;
  t.equal((await get()).status, 503);
  ready = true;
  t.equal((await get()).status, 200);
  extension.pipelinesNotReady();
  t.same(await (await get()).json(), notAvailable);
  await extension.stop();
  await t.rejects(get());
});

t.test('answers only on its path, with fixed bodies when configured', async (t) => {
  const { extension, get } = await healthRig({ path: '/health', response_body: { healthy: 'fine', unhealthy: 'ill' } });
  t.equal((await get('/')).status, 404);
  t.equal((await get('/health/deep')).status, 404);
  const ill = await get('/health?probe=1');
  t.same([ill.status, await ill.text(), ill.headers.get('content-type')], [503, 'ill', null]);
  extension.pipelinesReady(() => true);
  t.equal(await (await get('/health')).text(), 'fine');
  await extension.stop();
});

t.test('says which address it cannot have', async (t) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  await t.rejects(healthRig({ endpoint: `127.0.0.1:${port}` }), new RegExp(`cannot listen on endpoint "127.0.0.1:${port}"`));
  await new Promise((resolve) => other.close(resolve));
});

t.test('refuses a path without a slash and the fields of the gated version', async (t) => {
  const messages = (raw: object) => {
    const { settings } = componentRig('health_check');
    const config = configOf(healthCheckExtensionType.schema, raw);
    return healthCheckExtensionType.check?.(config, settings.id).map((fault) => fault.message) ?? [];
  };
  t.same(messages({}), []);
  t.same(messages({ path: 'health' }), ['path must start with /']);
  t.match(messages({ http: {} })[0], /^v2 healthcheck configuration \(http\/grpc fields\) detected/);
});

t.test('answers on the liveness path whether or not it is ready', async (t) => {
  const { extension, get } = await healthRig({ liveness_path: '/livez' });
  t.same([(await get('/')).status, (await get('/livez')).status], [503, 200]);
  extension.pipelinesReady(() => false);
  t.same([(await get('/')).status, (await get('/livez?probe=1')).status], [503, 200]);
  await extension.stop();
});
