/** What the test on a real Kubernetes calls: the rig's scripts, kubectl and Helm, and pods of its own in the namespace under test. */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Ran {
  readonly code: number;
  readonly out: string;
}

/** Both streams together: what matters is said on either. */
export function run(command: string, args: readonly string[], input = '', environment: NodeJS.ProcessEnv = process.env): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: environment });
    let out = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (out += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, out }));
    child.stdin.end(input);
  });
}

export interface LoadAccount {
  readonly accepted: number;
  readonly failed: number;
  readonly retries: number;
}

export interface KeptTraces {
  readonly sent: number;
  readonly whole: number;
  readonly fragments: number;
  readonly missing: number;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const podScripts = fileURLToPath(new URL('./pods/', import.meta.url));
const spansPerTrace = 15;

export class Cluster {
  readonly namespace: string;
  readonly image: string;
  readonly #environment: NodeJS.ProcessEnv;
  #runs = 0;

  constructor(namespace: string, image: string, environment: NodeJS.ProcessEnv) {
    this.namespace = namespace;
    this.image = image;
    this.#environment = environment;
  }

  /** Errors: rejects with what was said when the command fails. */
  async kubectl(...args: readonly string[]): Promise<string> {
    const { code, out } = await this.tryKubectl(...args);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${out}`);
    return out;
  }

  tryKubectl(...args: readonly string[]): Promise<Ran> {
    return run('kubectl', ['-n', this.namespace, ...args], '', this.#environment);
  }

  async apply(manifest: object): Promise<void> {
    const { code, out } = await run('kubectl', ['-n', this.namespace, 'apply', '-f', '-'], JSON.stringify(manifest), this.#environment);
    if (code !== 0) throw new Error(`kubectl apply: ${out}`);
  }

  createRaw(path: string, body: object): Promise<Ran> {
    return run('kubectl', ['create', '--raw', path, '-f', '-'], JSON.stringify(body), this.#environment);
  }

  helm(...args: readonly string[]): Promise<Ran> {
    return this.helmOf('helm', ...args);
  }

  /** The rig has both generations: `helm` is 4. */
  helmOf(program: 'helm' | 'helm3', ...args: readonly string[]): Promise<Ran> {
    return run(program, ['-n', this.namespace, ...args], '', this.#environment);
  }

  /** Runs a module in a pod that is there, where top-level await and the image's packages are at hand. */
  node(pod: string, code: string): Promise<string> {
    return this.kubectl('exec', pod, '--', '/usr/local/bin/node', '--input-type=module', '-e', code);
  }

  async eventually(what: string, holds: () => Promise<boolean>, deadlineMs = 120_000): Promise<void> {
    const end = Date.now() + deadlineMs;
    while (!(await holds().catch(() => false))) {
      if (Date.now() > end) throw new Error(`${what}: not within ${deadlineMs / 1000} s`);
      await wait(2_000);
    }
  }

  async startSink(): Promise<void> {
    const files = ['sink.mjs', 'client.mjs'].map((name) => [name, readFileSync(`${podScripts}${name}`, 'utf8')]);
    await this.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'test-scripts' }, data: Object.fromEntries(files) });
    await this.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'sink' },
      spec: { selector: { app: 'sink' }, ports: [{ port: 4317 }] },
    });
    await this.apply(this.#pod('sink', 'sink.mjs', {}));
    await this.kubectl('wait', '--for=condition=Ready', 'pod/sink', '--timeout=60s');
  }

  /** Three clients send `traces` traces of 15 spans at `rate` a second; meanwhile `during` happens. */
  async load(
    traces: number,
    rate: number,
    during: () => Promise<void> = async () => {},
  ): Promise<{ run: number; accounts: readonly LoadAccount[] }> {
    const number = ++this.#runs;
    const routers = (
      await this.kubectl('get', 'service', '-l', 'app.kubernetes.io/component=router', '-o', 'jsonpath={.items[0].metadata.name}')
    ).trim();
    const names = [0, 1, 2].map((service) => `client-${number}-${service}`);
    const start = String(Date.now() + 8_000);
    for (const [service, name] of names.entries()) {
      const environment = {
        ROUTER_URL: `http://${routers}:4318`,
        SERVICE: String(service),
        RUN: String(number),
        START_MS: start,
        TRACES: String(traces),
        RATE: String(rate),
      };
      await this.apply(this.#pod(name, 'client.mjs', environment));
    }
    await wait(Math.max(0, Number(start) + 3_000 - Date.now()));
    await during();
    const finished = async (name: string) => (await this.kubectl('get', 'pod', name, '-o', 'jsonpath={.status.phase}')) === 'Succeeded';
    for (const name of names) await this.eventually(`${name} ends`, () => finished(name), 300_000);
    const accounts = await Promise.all(names.map(async (name) => JSON.parse(await this.kubectl('logs', name)) as LoadAccount));
    await this.kubectl('delete', 'pod', ...names, '--wait=false');
    return { run: number, accounts };
  }

  /** What came out of a run, by kind, once nothing more comes. */
  async kept(runNumber: number, traces: number): Promise<Readonly<Record<'errors' | 'slow' | 'normal', KeptTraces>>> {
    const stats = async () =>
      JSON.parse(await this.node('sink', "console.log(await (await fetch('http://127.0.0.1:8099/')).text())")) as Record<string, number>;
    let before = -1;
    let now = await stats();
    const sum = () => Object.values(now).reduce((total, count) => total + count, 0);
    while (sum() !== before) {
      before = sum();
      await wait(8_000);
      now = await stats();
    }
    const prefix = runNumber.toString(16).padStart(4, '0');
    const ofKind = (kind: number): KeptTraces => {
      const counts = Object.entries(now)
        .filter(([id]) => id.startsWith(`${prefix}0${kind}`))
        .map(([, count]) => count);
      const whole = counts.filter((count) => count === spansPerTrace).length;
      const sent = Array.from({ length: traces }, (_, number) => 1 + (number % 3)).filter((of) => of === kind).length;
      return { sent, whole, fragments: counts.length - whole, missing: sent - counts.length };
    };
    return { errors: ofKind(1), slow: ofKind(2), normal: ofKind(3) };
  }

  #pod(name: string, script: string, environment: Readonly<Record<string, string>>): object {
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { app: name } },
      spec: {
        restartPolicy: 'Never',
        terminationGracePeriodSeconds: 2,
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            name: 'main',
            image: this.image,
            imagePullPolicy: 'Never',
            command: ['/usr/local/bin/node', `/scripts/${script}`],
            env: Object.entries(environment).map(([key, value]) => ({ name: key, value })),
            securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
            ...(script === 'sink.mjs' ? { readinessProbe: { tcpSocket: { port: 4317 }, periodSeconds: 1 } } : {}),
            volumeMounts: [{ name: 'scripts', mountPath: '/scripts' }],
          },
        ],
        volumes: [{ name: 'scripts', configMap: { name: 'test-scripts' } }],
      },
    };
  }
}
