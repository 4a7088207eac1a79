import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { sourcesDigest, sourcesDigestFile } from './golden-sources.ts';
import { brokenRules } from './invariants.ts';
import { chartFolder, goldenCases, goldenText, helmAt, manifestsOf, render } from './render.ts';
import { helmPrograms } from './tools.ts';

const programs = helmPrograms();
const helm4 = helmAt(programs.helm4);
const helm3 = helmAt(programs.helm3);
const update = process.argv.includes('--update');

/** Documents without regard to their order and to blank lines, in which the two generations differ. */
function comparable(text: string): readonly string[] {
  return manifestsOf(text)
    .map((manifest) => JSON.stringify(manifest))
    .sort();
}

t.test('both generations of Helm lint the chart strictly', async (t) => {
  for (const helm of [helm3, helm4]) {
    for (const { valuesFile } of goldenCases()) {
      const { code, stdout, stderr } = await helm('lint', '--strict', chartFolder, '--values', valuesFile);
      t.equal(code, 0, `${valuesFile}: ${stdout}${stderr}`);
    }
  }
});

for (const one of goldenCases()) {
  t.test(`${one.name} renders as its golden file says, with both generations of Helm`, async (t) => {
    const by4 = await render(helm4, one);
    t.equal(by4.error, '');
    if (update) writeFileSync(one.goldenFile, by4.text);
    t.same(comparable(by4.text), comparable(goldenText(one)));
    const by3 = await render(helm3, one);
    t.same(comparable(by3.text), comparable(by4.text));
    t.same(brokenRules(by4.manifests), []);
  });
}

t.test('renders for every supported Kubernetes, with a preStop that it knows', async (t) => {
  for (const [kubeVersion, how] of [
    ['1.27.0', 'exec'],
    ['1.29.9-gke.1', 'exec'],
    ['1.30.0', 'sleep'],
    ['1.36.0', 'sleep'],
  ] as const) {
    const { manifests, error } = await render(helm4, { kubeVersion });
    t.equal(error, '');
    for (const { kind, spec } of manifests) {
      if (kind === 'StatefulSet') t.same(Object.keys(spec.template.spec.containers[0].lifecycle.preStop), [how], kubeVersion);
    }
  }
  t.match((await render(helm4, { kubeVersion: '1.26.0' })).error, /incompatible with Kubernetes/);
});

t.test('packages without tests and examples', async (t) => {
  const folder = t.testdir();
  const { code, stderr } = await helm4('package', chartFolder, '--destination', folder);
  t.equal(code, 0, stderr);
  const files = execFileSync('tar', ['tzf', `${folder}/ringtail-0.1.0.tgz`], { encoding: 'utf8' });
  t.match(files, 'ringtail/values.schema.json');
  t.match(files, 'ringtail/files/rules.yaml');
  t.notMatch(files, /examples|README\.template|\/ci\//);
});

t.teardown(() => {
  if (update) writeFileSync(sourcesDigestFile, `${sourcesDigest()}\n`);
});
