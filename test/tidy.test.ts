/** The house rules that a machine can check: sizes, imports, calls with one home, names, the folder map of the README. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('..', import.meta.url));
const sourceLinesMax = 400;
const testLinesMax = 800;
const functionLinesMax = 70;

interface SourceFile {
  /** From the project's root, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

function filesBelow(folder: string, extension: string): SourceFile[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension) && !name.includes('node_modules'))
    .map((name) => {
      const path = `${folder}/${name.replaceAll('\\', '/')}`;
      const text = readFileSync(join(root, path), 'utf8');
      return { path, text, lines: text.replace(/\n$/, '').split('\n') };
    });
}

const sources = filesBelow('src', '.ts');
const tests = filesBelow('test', '.ts');

/** Lines that are code: comments blanked, so that a word in a sentence is no call. */
function codeLines(file: SourceFile): string[] {
  let inBlock = false;
  return file.lines.map((line) => {
    if (inBlock) {
      inBlock = !line.includes('*/');
      return '';
    }
    if (/^\s*\/\*/.test(line)) {
      inBlock = !line.includes('*/');
      return '';
    }
    return line.replace(/(^|\s)\/\/.*$/, '');
  });
}

function findings(files: readonly SourceFile[], pattern: RegExp, allowed: readonly string[] = []): string[] {
  return files
    .filter((file) => !allowed.some((home) => file.path === home || file.path.startsWith(home)))
    .flatMap((file) => codeLines(file).flatMap((line, index) => (pattern.test(line) ? [`${file.path}:${index + 1}: ${line.trim()}`] : [])));
}

t.test(`source files have at most ${sourceLinesMax} lines, test files ${testLinesMax}`, async (t) => {
  t.ok(sources.length > 50, 'finds the sources');
  const tooLong = [
    ...sources.filter((file) => file.lines.length > sourceLinesMax),
    ...tests.filter((file) => file.lines.length > testLinesMax),
  ];
  t.same(
    tooLong.map((file) => `${file.path}: ${file.lines.length}`),
    [],
  );
});

/** A function's lines by its indentation: formatted code closes a block where its first line began. */
function longFunctions(file: SourceFile): string[] {
  const found: string[] = [];
  const opening =
    /^(\s*)(?:export )?(?:async )?(?:function\b.*|(?:static |async |#|get |set |private |\*)*[\w$#]+(?:<.*>)?\(.*\)(?:: .*)? |const [\w$]+ = (?:async )?\(.*=> |\)(?:: .*)? (?:=> )?)\{$/;
  const words = /^\s*(?:if|for|while|switch|catch|return|else|do|try)\b/;
  for (const [index, line] of file.lines.entries()) {
    const match = opening.exec(line);
    if (match === null || words.test(line)) continue;
    const end = file.lines.findIndex((candidate, at) => at > index && candidate.startsWith(`${match[1]}}`));
    if (end >= 0 && end - index + 1 > functionLinesMax) found.push(`${file.path}:${index + 1}: ${end - index + 1} lines`);
  }
  return found;
}

t.test(`functions have at most ${functionLinesMax} lines`, async (t) => {
  const probe = ['function f() {', ...Array.from({ length: functionLinesMax }, () => '  x();'), '}'];
  t.equal(longFunctions({ path: 'probe', text: '', lines: probe }).length, 1, 'sees a long function');
  const wrapped = ['  #f(', '    a: number,', '  ): void {', ...probe.slice(1, -1), '  }'];
  t.equal(longFunctions({ path: 'probe', text: '', lines: wrapped }).length, 1, 'sees one whose parameters are wrapped');
  t.same(sources.flatMap(longFunctions), []);
});

/** Who may import from whom. A folder imports freely from itself. */
const importTable: Readonly<Record<string, readonly string[]>> = {
  'src/main': ['src/discovery', 'src/shared'],
  'src/workers': ['src/shared'],
  'src/discovery': ['src/shared'],
  'src/shared': [],
};

interface Import {
  readonly file: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

function relativeImports(files: readonly SourceFile[]): Import[] {
  return files.flatMap((file) =>
    [...file.text.matchAll(/^(?:import|export)\s+(type\s)?[^'";]*?from\s+'(\.[^']+)'|import\('(\.[^']+)'\)/gm)].map((match) => ({
      file: file.path,
      target: relative(root, resolve(root, dirname(file.path), (match[2] ?? match[3]) as string)).replaceAll('\\', '/'),
      typeOnly: match[1] !== undefined,
    })),
  );
}

const folderOf = (path: string) => Object.keys(importTable).find((folder) => path.startsWith(`${folder}/`));

t.test('imports go one way: main to workers (types, and by URL), discovery and shared; workers and discovery to shared', async (t) => {
  const imports = relativeImports(sources);
  t.ok(imports.length > 100, 'finds the imports');
  const wrong = imports.filter(({ file, target }) => {
    const from = folderOf(file) as string;
    const to = folderOf(target);
    if (to === undefined || from === to) return to === undefined && !target.startsWith('wasm/');
    if (from === 'src/main' && to === 'src/workers') return false;
    return !(importTable[from] as readonly string[]).includes(to);
  });
  t.same(
    wrong.map(({ file, target }) => `${file} → ${target}`),
    [],
  );
});

const stages = ['src/main/receivers/', 'src/main/processors/', 'src/main/exporters/'];

t.test('stages know the pipeline and not each other', async (t) => {
  const stageOf = (path: string) => stages.find((stage) => path.startsWith(stage));
  const wrong = relativeImports(sources).filter(({ file, target }) => {
    const to = stageOf(target);
    return stageOf(file) !== undefined && to !== undefined && to !== stageOf(file);
  });
  t.same(
    wrong.map(({ file, target }) => `${file} → ${target}`),
    [],
  );
});

t.test('one npm package is imported by one folder that wraps it', async (t) => {
  const homes = new Map<string, Set<string>>();
  for (const file of sources) {
    for (const match of file.text.matchAll(/^import\s+[^'";]*?from\s+'([^.'][^']*)'/gm)) {
      const specifier = match[1] as string;
      if (specifier.startsWith('node:')) continue;
      const name = specifier.startsWith('@') ? specifier.split('/').slice(0, 2).join('/') : (specifier.split('/')[0] as string);
      homes.set(name, (homes.get(name) ?? new Set()).add(dirname(file.path)));
    }
  }
  t.ok(homes.has('pino'), 'finds the packages');
  t.same([...(homes.get('pino') ?? [])], ['src/main/telemetry']);
  t.same([...(homes.get('commander') ?? [])], ['src/main']);
  const dependencies = Object.keys((JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: object }).dependencies);
  t.same(
    [...homes.keys()].filter((name) => !dependencies.includes(name)),
    [],
    'what the product imports is a dependency of the product',
  );
});

t.test('console, exit, environment, time, timers and chance have one home each', async (t) => {
  t.same(findings(sources, /\bconsole\./), []);
  t.same(findings(sources, /\bprocess\.exit\(/, ['src/main/cli.ts']), []);
  t.same(findings(sources, /\bprocess\.env\b/, ['src/main/cli.ts']), []);
  t.same(findings(sources, /\bDate\.now\(|\bnew Date\(\)/, ['src/shared/clock.ts']), []);
  t.same(findings(sources, /\bMath\.random\(/, ['src/shared/prng.ts']), []);
  t.same(findings(sources, /(?<![.\w])set(?:Timeout|Interval)\(/, ['src/shared/clock.ts']), []);
});

t.test('nothing is a default export, an enum or a barrel, and every file opens with what it is for', async (t) => {
  t.same(findings(sources, /^export default\b/, ['src/workers/shard-worker.ts']), []);
  t.same(findings(sources, /^(?:export )?(?:const )?enum\b/), []);
  t.same(
    sources.filter((file) => /\/index\.ts$/.test(file.path)).map((file) => file.path),
    [],
  );
  t.same(
    sources.filter((file) => !/^(?:#!.*\n)?\/\*\*/.test(file.text)).map((file) => file.path),
    [],
  );
  t.same(
    [...sources, ...tests].filter((file) => !/^[a-z0-9.-]+\.ts$/.test(file.path.split('/').at(-1) as string)).map((file) => file.path),
    [],
  );
});

t.test('no test is skipped or alone', async (t) => {
  const files = tests.filter((file) => file.path !== 'test/tidy.test.ts');
  t.same(findings(files, /\bt\.(?:skip|todo|only)\b|\b(?:skip|todo|only): true\b/), []);
});

t.test('no path of one machine and no registry host stands in a file', async (t) => {
  const texts = [...sources, ...tests, ...filesBelow('wasm', '.ts'), ...filesBelow('helm', '.yaml'), ...filesBelow('src', '.md')].filter(
    (file) => file.path !== 'test/tidy.test.ts',
  );
  t.same(
    texts.filter((file) => /\/(?:work|tmp|home|root|Users)\/[a-z]/.test(file.text)).map((file) => file.path),
    [],
  );
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const hosts = new Set([...lock.matchAll(/"resolved": "https?:\/\/([^/"]+)/g)].map((match) => match[1]));
  t.same(
    [...hosts].filter((host) => host !== 'registry.npmjs.org'),
    [],
  );
});

t.test('the README maps every top folder and every folder of the source', async (t) => {
  const readme = existsSync(join(root, 'README.md')) ? readFileSync(join(root, 'README.md'), 'utf8') : '';
  const top = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && !['node_modules', 'diff-out'].includes(entry.name))
    .map((entry) => `${entry.name}/`);
  const inner = ['src/main/', 'src/workers/', 'src/shared/', 'src/discovery/'];
  t.same(
    [...top, ...inner].filter((folder) => !readme.includes(folder)),
    [],
  );
});
