/**
 * `npm run test:k8s`: the chart and the image on a real Kubernetes. Needs Linux, root, Go, and in KUBE_RIG the folder of the rig that starts a cluster on this
 * machine (its up.sh, build.sh and image.sh); says so and ends well where they are missing. KUBE_KEEP=1 leaves the cluster up. An argument is a pattern of
 * the scenarios to run.
 */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster, run } from './cluster.ts';
import { scenarios } from './scenarios.ts';
import { stageImage } from './stage-image.ts';

async function whatIsMissing(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'Linux on x86-64';
  if (process.getuid?.() !== 0) return 'root';
  const go = await run('go', ['version']).catch(() => undefined);
  if (go?.code !== 0) return 'Go';
  const rig = process.env.KUBE_RIG;
  if (rig === undefined || !existsSync(join(rig, 'up.sh'))) return 'the rig (KUBE_RIG=FOLDER)';
  return undefined;
}

async function must(command: string, args: readonly string[], environment = process.env): Promise<string> {
  const { code, out } = await run(command, args, '', environment);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${out}`);
  return out;
}

async function bringUp(rig: string): Promise<Cluster> {
  const kubeconfig = /^KUBECONFIG=(.*)$/m.exec(await must(join(rig, 'up.sh'), []))?.[1] as string;
  const programs = (await must(join(rig, 'build.sh'), [])).trim().split('\n').at(-1) as string;
  const environment = { ...process.env, KUBECONFIG: kubeconfig, PATH: `${programs}:${process.env.PATH}` };
  const image = `localhost/ringtail:t${process.pid}`;
  const folder = mkdtempSync(join(tmpdir(), 'ringtail-image-'));
  try {
    stageImage(folder);
    await must(join(rig, 'image.sh'), ['--cmd', '/ringtail', image, `${folder}:/`], environment);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const cluster = new Cluster(`ringtail-${process.pid}`, image, environment);
  await must('kubectl', ['create', 'namespace', cluster.namespace], environment);
  await must('kubectl', ['label', 'namespace', cluster.namespace, 'pod-security.kubernetes.io/enforce=restricted'], environment);
  return cluster;
}

async function main(): Promise<number> {
  const missing = await whatIsMissing();
  if (missing !== undefined) {
    process.stdout.write(`Not run on a real Kubernetes: ${missing} is missing.\n0 passed, 0 failed\n`);
    return 0;
  }
  const rig = process.env.KUBE_RIG as string;
  const cluster = await bringUp(rig);
  const figures: Record<string, unknown> = {};
  const only = process.argv[2];
  let passed = 0;
  let failed = 0;
  try {
    for (const [name, scenario] of Object.entries(scenarios)) {
      if (only !== undefined && name !== 'installs' && !new RegExp(only).test(name)) continue;
      if (only === undefined && name.startsWith('large: ')) {
        process.stdout.write(`not run: ${name} (needs about four idle cores; name it to run it)\n`);
        continue;
      }
      const startMs = performance.now();
      try {
        figures[name] = await scenario(cluster);
        passed++;
        process.stdout.write(`ok ${name} (${Math.round((performance.now() - startMs) / 1000)} s) ${JSON.stringify(figures[name] ?? '')}\n`);
      } catch (error) {
        failed++;
        process.stdout.write(`not ok ${name}\n${(error as Error).message}\n`);
        // Nothing after a failed installation means anything.
        if (name === 'installs') break;
      }
    }
    if (process.env.KUBE_FIGURES !== undefined) writeFileSync(process.env.KUBE_FIGURES, JSON.stringify(figures, null, 2));
  } finally {
    await cluster.tryKubectl('delete', 'namespace', cluster.namespace, '--wait=false');
    if (process.env.KUBE_KEEP === undefined) await must(join(rig, 'down.sh'), []);
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
