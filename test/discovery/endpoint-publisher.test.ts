import t from 'tap';
import { EndpointPublisher } from '../../src/discovery/endpoint-publisher.ts';
import type { EndpointSet } from '../../src/discovery/endpoint-set.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordedEnvironment } from '../support/resolver-environment.ts';

function rig() {
  const clock = new ManualClock();
  const environment = new RecordedEnvironment(clock);
  const publisher = new EndpointPublisher('dns', environment);
  publisher.begin((set: EndpointSet) => environment.sets.push(set));
  return { clock, environment, publisher };
}

t.test('an empty answer is a fault, and the last good set stays', async (t) => {
  const { environment, publisher } = rig();
  publisher.found([]);
  t.equal(publisher.hasSet, false);
  publisher.found(['b:1', 'a:1']);
  publisher.found([], 'nobody is ready');
  publisher.found(['a:1', 'b:1', 'a:1']);
  t.strictSame(environment.sets, [{ version: 1, endpoints: ['a:1', 'b:1'] }]);
  t.strictSame(environment.causes, ['the answer is empty', 'nobody is ready']);
  t.equal(environment.value('ringtail_loadbalancer_kept_last_good', { resolver: 'dns' }), 1);
  t.equal(environment.value('otelcol_loadbalancer_num_resolutions', { resolver: 'dns', success: 'false' }), 2);
  t.equal(environment.value('otelcol_loadbalancer_num_resolutions', { resolver: 'dns', success: 'true' }), 2);
});

t.test('a lasting cause is logged once in ten minutes, one that comes and goes once in half a minute', async (t) => {
  const { clock, environment, publisher } = rig();
  for (let second = 0; second < 1_260; second++) {
    publisher.failed('lasting');
    await clock.advance(1_000);
  }
  t.equal(environment.causes.length, 3);
  environment.lines.length = 0;
  for (let second = 0; second < 65; second++) {
    publisher.failed('flapping');
    publisher.found(['a:1']);
    await clock.advance(1_000);
  }
  t.equal(environment.causes.length, 3);
});

t.test('causes of the moment do not pile up', async (t) => {
  const { environment, publisher } = rig();
  for (let index = 0; index < 1_000; index++) publisher.failed(`cause ${index}`);
  t.equal(environment.causes.length, 1_000);
  publisher.failed('cause 999');
  t.equal(environment.causes.length, 1_000);
});

t.test('nothing is told, counted or logged after the end', async (t) => {
  const { environment, publisher } = rig();
  publisher.end();
  publisher.failed('late');
  publisher.impaired('late');
  publisher.found(['a:1']);
  t.strictSame([environment.sets.length, environment.lines.length], [0, 0]);
  t.equal(environment.value('otelcol_loadbalancer_num_backends', { resolver: 'dns' }), 0);
});
