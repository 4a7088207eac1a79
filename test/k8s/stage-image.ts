/** Lays out the image's files in a folder as the Dockerfile does, for machines without a container builder. */

import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Shape: `folder` becomes the image's root, without Node itself. Errors: throws when the build or npm fails. */
export function stageImage(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  const app = join(folder, 'app');
  mkdirSync(app, { recursive: true });
  execFileSync(process.execPath, [join(root, '.ci/build-dist.ts')], { stdio: 'inherit' });
  cpSync(join(root, 'dist'), join(app, 'dist'), { recursive: true });
  const { name, version, license, type, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name, version, license, type, private: true, dependencies }, null, 2));
  cpSync(join(root, 'package-lock.json'), join(app, 'package-lock.json'));
  execFileSync('npm', ['install', '--omit=dev', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'], {
    cwd: app,
    stdio: 'inherit',
  });
  cpSync(join(root, 'helm/image/ringtail'), join(folder, 'ringtail'));
  chmodSync(join(folder, 'ringtail'), 0o755);
  for (const alias of ['otelcol', 'otelcol-contrib', 'otelcol-k8s']) symlinkSync('/ringtail', join(folder, alias));
}
