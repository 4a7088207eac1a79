/** Compiles assembly/ to build/kernel.wasm when a source is newer than the output. Runs on install, alone. */

import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const output = here('./build/kernel.wasm');

/** Shape: newest modification time of the sources and of this file. Units: milliseconds. */
function sourcesMs(): number {
  const names = readdirSync(here('./assembly')).map((name) => here(`./assembly/${name}`));
  return Math.max(...[...names, here('./build.ts')].map((path) => statSync(path).mtimeMs));
}

function outputMs(): number {
  return statSync(output, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/**
 * Compiler options, with what each is for.
 *
 * `runtime stub` and no static data: the module keeps nothing in memory, so any number of instances share one memory (its page 0 stays theirs, all zero).
 * `maximumMemory`: an imported memory may not exceed what the module declares; 65,536 pages is all there is.
 * `simd`: only for copying short pieces without leaving WASM.
 */
const options = [
  ...['--runtime', 'stub', '--noAssert', '--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
  ...['--enable', 'threads', '--enable', 'bulk-memory', '--enable', 'sign-extension', '--enable', 'simd'],
  ...['--optimizeLevel', '3', '--shrinkLevel', '0', '--converge'],
];

async function build(): Promise<void> {
  const { main } = await import('assemblyscript/asc');
  const partial = `build/kernel.${process.pid}.wasm`;
  mkdirSync(here('./build'), { recursive: true });
  const { error, stderr } = await main(['assembly/index.ts', '--outFile', partial, '--baseDir', here('.'), ...options]);
  if (error) {
    rmSync(here(`./${partial}`), { force: true });
    throw new Error(`wasm/assembly does not compile: ${error.message}\n${stderr.toString()}`);
  }
  // Renamed into place, so that a process starting meanwhile reads the old module or the new one.
  renameSync(here(`./${partial}`), output);
}

if (outputMs() <= sourcesMs()) await build();
