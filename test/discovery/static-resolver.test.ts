import t from 'tap';
import { canonicalAddress, sortedDistinct, withPort } from '../../src/discovery/endpoint-names.ts';
import { StaticResolver } from '../../src/discovery/static-resolver.ts';
import { RecordedEnvironment } from '../support/resolver-environment.ts';

t.test('tells the sorted, distinct list once, with ports', async (t) => {
  const environment = new RecordedEnvironment();
  const resolver = new StaticResolver({ hostnames: ['endpoint-2', 'endpoint-1:55690', 'endpoint-2:4317', '::1'] }, environment);
  await environment.start(resolver);
  resolver.refresh();
  t.strictSame(environment.sets, [{ version: 1, endpoints: ['[::1]:4317', 'endpoint-1:55690', 'endpoint-2:4317'] }]);
  t.equal(resolver.ringNameOf('[::1]:4317'), '::1');
  t.equal(environment.value('otelcol_loadbalancer_num_backends', { resolver: 'static' }), 3);
  t.equal(environment.value('otelcol_loadbalancer_num_backend_updates', { resolver: 'static' }), 1);
  t.equal(environment.value('otelcol_loadbalancer_num_resolutions', { resolver: 'static', success: 'true' }), 1);
  await resolver.stop();
  await resolver.stop();
});

t.test('an empty list is refused', async (t) => {
  t.throws(() => new StaticResolver({ hostnames: [] }, new RecordedEnvironment()), {
    code: 'no_endpoints',
    message: 'no endpoints specified for the static resolver',
  });
});

t.test('endpoints are spelled in one way', async (t) => {
  for (const [written, spelled] of [
    ['a', 'a:4317'],
    ['a:1', 'a:1'],
    ['10.0.0.1', '10.0.0.1:4317'],
    ['fd00::1', '[fd00::1]:4317'],
    ['[fd00::1]', '[fd00::1]:4317'],
    ['[fd00::1]:1', '[fd00::1]:1'],
    ['unix:///x.sock', 'unix:///x.sock'],
  ]) {
    t.equal(withPort(written), spelled);
  }
  t.equal(canonicalAddress('FD00:0:0::0001'), 'fd00::1');
  t.equal(canonicalAddress('::ffff:10.0.0.1'), '10.0.0.1');
  t.equal(canonicalAddress('fe80::1%eth0'), 'fe80::1');
  t.equal(canonicalAddress('10.0.0.1'), '10.0.0.1');
  t.strictSame(sortedDistinct(['b', '\u{1f600}', 'a', 'b', '\uffee']), ['a', 'b', '\uffee', '\u{1f600}'], 'by bytes, not by UTF-16 units');
});
