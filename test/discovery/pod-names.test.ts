import { join } from 'node:path';
import t, { type Test } from 'tap';
import { DnsResolver } from '../../src/discovery/dns-resolver.ts';
import { startZone } from '../support/name-zone.ts';
import { eventually, RecordedEnvironment } from '../support/resolver-environment.ts';

const addresses = ['10.244.0.5', '10.244.0.6', '10.244.0.7'];
const patient = 5_000;

async function warningsFor(t: Test, hostname: string, hosts: readonly string[]): Promise<readonly string[]> {
  const services = hosts.map((host) => ({ host: `${host}.${hostname}`, port: 4317 }));
  const server = await startZone({ [hostname]: { addresses, types: { SRV: { services } } } });
  const directory = t.testdir({ hosts: '', 'resolv.conf': '' });
  const environment = new RecordedEnvironment();
  const resolver = new DnsResolver(
    {
      hostname,
      timeoutMs: patient,
      nameservers: [server.address],
      hostsPath: join(directory, 'hosts'),
      resolvConfPath: join(directory, 'resolv.conf'),
    },
    environment,
  );
  await environment.start(resolver);
  const inCluster = hostname.includes('.svc.');
  if (inCluster) await eventually('the pods are asked for', () => server.asked.some((question) => question.includes(' SRV ')));
  const warnings = () => environment.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
  if (hosts.every((host) => /^\d/.test(host)) && inCluster && hosts.length > 0)
    await eventually('the warning', () => warnings().length > 0);
  await resolver.stop();
  t.equal(server.asked.filter((question) => question.includes(' SRV ')).length, inCluster ? 1 : 0, 'asked once, and in a cluster only');
  await server.stop();
  return warnings();
}

t.test('names a StatefulSet whose serviceName is another Service, once', async (t) => {
  const warnings = await warningsFor(t, 'sampler-headless.traces.svc.example', ['10-244-0-5', '10-244-0-6', '10-244-0-7']);
  t.same(warnings, [
    "Service sampler-headless has 3 pods, none of which has a name of its own under it: if they are a StatefulSet's, its spec.serviceName is not " +
      'sampler-headless; routing by address works, names such as pod-0.sampler-headless do not resolve',
  ]);
});

t.test('says nothing of pods that have names, of a Service without SRV records, and of names outside a cluster', async (t) => {
  t.same(await warningsFor(t, 'sampler-headless.traces.svc.example', ['sampler-0', 'sampler-1', '10-244-0-7']), []);
  t.same(await warningsFor(t, 'sampler-headless.traces.svc.example', []), []);
  t.same(await warningsFor(t, 'sampler.example.com', ['10-244-0-5']), []);
});
