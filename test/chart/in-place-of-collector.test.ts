import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { manifestsOf, ofKind } from './render.ts';

const cli = fileURLToPath(new URL('../../src/main/cli.ts', import.meta.url));
const deadlineMs = 30_000;

interface Container {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly readinessProbe: { readonly httpGet: { readonly path: string; readonly port: number } };
}

/** The pod as the kubelet would start it, with its configuration elsewhere and free ports on loopback. */
function podOf(fixture: string, folder: string) {
  const manifests = manifestsOf(readFileSync(fileURLToPath(new URL(`./fixtures/${fixture}.yaml`, import.meta.url)), 'utf8'));
  const [key, text] = Object.entries(ofKind(manifests, 'ConfigMap')[0]?.data as Record<string, string>)[0] as [string, string];
  const container = ofKind(manifests, 'StatefulSet')[0]?.spec.template.spec.containers[0] as Container;
  const file = `${key.replace(/\.yaml$/, '')}.yaml`;
  const config = text
    .replace(/(endpoint: .*):\d+$/gm, '$1:0')
    .replace(/port: 8888/, 'port: 0')
    .replaceAll('0.0.0.0', '127.0.0.1');
  writeFileSync(join(folder, file), config);
  const environment = Object.fromEntries(
    container.env.map(({ name, value }) => [name, value ?? (name.endsWith('_IP') ? '127.0.0.1' : '1')]),
  );
  return {
    args: container.args.map((arg) => arg.replace('/conf/', `${folder}/`)),
    environment,
    probe: container.readinessProbe.httpGet,
    file,
  };
}

for (const fixture of ['opentelemetry-chart', 'opentelemetry-operator']) {
  t.test(`starts, becomes ready, serves metrics and ends as the ${fixture} asks for`, async (t) => {
    const { args, environment, probe, file } = podOf(fixture, t.testdir());
    t.match(args[0], new RegExp(`^--config=.*/${file}$`));
    const child = spawn(process.execPath, ['--initial-heap-size=64', cli, ...args], { env: { PATH: process.env.PATH, ...environment } });
    t.teardown(() => child.kill('SIGKILL'));
    let log = '';
    child.stderr.on('data', (chunk) => (log += chunk));
    const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
    const says = async (pattern: RegExp) => {
      const endMs = performance.now() + deadlineMs;
      for (;;) {
        const found = pattern.exec(log);
        if (found !== null) return found[1] as string;
        if (performance.now() > endMs || child.exitCode !== null) throw new Error(`never said ${pattern}:\n${log}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const health = await says(/Health check listens\.\s.*"port":(\d+)/);
    const metrics = await says(/Metrics are served\.\s.*"addresses":\["([^"]+)"/);
    await says(/Everything is ready/);
    t.equal(probe.port, 13133);
    t.equal((await fetch(`http://127.0.0.1:${health}${probe.path}`)).status, 200);
    t.match(await (await fetch(`http://${metrics}/metrics`)).text(), /^otelcol_process_uptime/m);
    child.kill('SIGTERM');
    t.equal(await closed, 0, log);
  });
}
