/** Renders the chart with a real Helm and reads what came out. For the chart's tests. */

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

export const chartFolder = fileURLToPath(new URL('../../helm/ringtail/', import.meta.url));
export const goldenFolder = fileURLToPath(new URL('./fixtures/golden/', import.meta.url));

/** One Kubernetes object, as far as the tests look. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> };
  // biome-ignore lint/suspicious/noExplicitAny: manifests of every kind are read by path
  readonly [key: string]: any;
}

export interface RenderSettings {
  readonly values?: unknown;
  readonly valuesFile?: string;
  readonly release?: string;
  readonly namespace?: string;
  readonly kubeVersion?: string;
}

export interface Rendered {
  readonly text: string;
  readonly error: string;
  readonly manifests: readonly Manifest[];
}

export type Helm = (...args: readonly string[]) => Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;

export function helmAt(program: string): Helm {
  return (...args) =>
    new Promise((resolve, reject) => {
      const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (chunk) => (stdout += chunk));
      child.stderr.on('data', (chunk) => (stderr += chunk));
      child.on('error', reject);
      child.on('close', (code) => resolve({ code: code ?? 1, stdout, stderr }));
    });
}

/** `helm template`. A refusal is `error` with no manifests. */
export async function render(helm: Helm, settings: RenderSettings = {}): Promise<Rendered> {
  const { values, valuesFile, release = 'demo', namespace = 'traces', kubeVersion = '1.35.0' } = settings;
  const folder = mkdtempSync(join(tmpdir(), 'ringtail-chart-'));
  try {
    const args = ['template', release, chartFolder, '--namespace', namespace, '--kube-version', kubeVersion];
    if (valuesFile !== undefined) args.push('--values', valuesFile);
    if (values !== undefined) {
      // JSON: Helm reads YAML 1.1, in which a bare y is true.
      writeFileSync(join(folder, 'values.yaml'), JSON.stringify(values));
      args.push('--values', join(folder, 'values.yaml'));
    }
    const { code, stdout, stderr } = await helm(...args);
    if (code !== 0) return { text: '', error: stderr, manifests: [] };
    return { text: stdout, error: '', manifests: manifestsOf(stdout) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Errors: throws for text that is not YAML. */
export function manifestsOf(text: string): readonly Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0] as Error;
    const manifest = document.toJS() as Manifest | null;
    return manifest === null ? [] : [manifest];
  });
}

export function ofKind(manifests: readonly Manifest[], kind: string, component?: string): readonly Manifest[] {
  return manifests.filter(
    (manifest) =>
      manifest.kind === kind && (component === undefined || manifest.metadata.labels?.['app.kubernetes.io/component'] === component),
  );
}

/** A case of the golden files: a values file, and where its render is kept. */
export interface GoldenCase {
  readonly name: string;
  readonly valuesFile: string;
  readonly goldenFile: string;
  readonly release: string;
  readonly namespace: string;
}

export function goldenCases(): readonly GoldenCase[] {
  const ci = readdirSync(join(chartFolder, 'ci')).map((file) => ({
    name: file.replace('-values.yaml', ''),
    valuesFile: join(chartFolder, 'ci', file),
    goldenFile: join(goldenFolder, file.replace('-values', '')),
  }));
  const examples = readdirSync(join(chartFolder, 'examples')).map((name) => ({
    name,
    valuesFile: join(chartFolder, 'examples', name, 'values.yaml'),
    goldenFile: join(chartFolder, 'examples', name, 'rendered.yaml'),
  }));
  return [...ci, ...examples].map((one) => ({ ...one, release: 'demo', namespace: one.name === 'seed' ? 'otel-dev' : 'traces' }));
}

export function goldenText(one: GoldenCase): string {
  return existsSync(one.goldenFile) ? readFileSync(one.goldenFile, 'utf8') : '';
}
