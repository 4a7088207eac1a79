/** Makes dist/ (or the folder named): what is published and what the image runs, src/ as JavaScript and beside it the files that it reads. Runs alone, by `npm run build`. */

import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = resolve(process.argv[2] ?? join(root, 'dist'));

/** Types are checked by `npm run types`, not here. tsc rewrites `.ts` in imports; this does it for files that are started by URL. */
const startedByUrl = /(new URL\(\s*['"`]\.{1,2}\/[^'"`]+)\.ts(['"`],\s*import\.meta\.url\s*\))/g;

function compile(): void {
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  // A test runner hands its loaders down in NODE_OPTIONS, whatever environment is given here; they are nothing for the compiler.
  const command = ['-c', 'NODE_OPTIONS= exec "$0" "$@"', tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', dist];
  const { status } = spawnSync('sh', command, { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error('tsc could not write dist');
}

function filesBelow(folder: string, wanted: RegExp): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => wanted.test(name));
}

/** YAML and JSON lie beside the code that reads them. */
function copyData(): void {
  for (const name of filesBelow(join(root, 'src'), /\.(ya?ml|json)$/)) {
    const to = join(dist, 'src', name);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(join(root, 'src', name), to);
  }
  cpSync(join(root, 'wasm', 'build', 'kernel.wasm'), join(dist, 'wasm', 'build', 'kernel.wasm'));
}

/** The program reads its version two folders above cli.js, which is here; dependencies stay in the published package.json. */
function writePackage(): void {
  const { name, version, license, type } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, string>;
  writeFileSync(join(dist, 'package.json'), `${JSON.stringify({ name, version, license, type }, null, 2)}\n`);
}

function rewriteUrls(): void {
  for (const name of filesBelow(join(dist, 'src'), /\.js$/)) {
    const path = join(dist, 'src', name);
    const text = readFileSync(path, 'utf8');
    const rewritten = text.replace(startedByUrl, '$1.js$2');
    if (rewritten !== text) writeFileSync(path, rewritten);
  }
}

if (!existsSync(join(root, 'wasm', 'build', 'kernel.wasm'))) throw new Error('wasm/build/kernel.wasm is missing: run npm run build:wasm');
rmSync(dist, { recursive: true, force: true });
compile();
copyData();
writePackage();
rewriteUrls();
chmodSync(join(dist, 'src', 'main', 'cli.js'), 0o755);
