import { readFileSync } from 'node:fs';
import t from 'tap';
import { parse } from 'yaml';
import { staleChartFiles } from '../../helm/scripts/chart-docs.ts';
import { readConfiguration } from '../../src/main/config/read-configuration.ts';
import { componentTypes } from '../../src/main/pipeline/component-types.ts';
import { metricsTable } from '../../src/main/telemetry/metrics-table.ts';
import { sourcesDigest, sourcesDigestFile } from './golden-sources.ts';
import { brokenRules } from './invariants.ts';
import { chartFolder, goldenCases, goldenText, manifestsOf, ofKind } from './render.ts';

t.test('README.md and values.schema.json are generated from values.yaml as it is (node helm/scripts/chart-docs.ts)', async (t) => {
  t.same(staleChartFiles(), []);
});

t.test('the golden files are rendered from the chart as it is (npm run test:chart -- --update)', async (t) => {
  t.equal(readFileSync(sourcesDigestFile, 'utf8').trim(), sourcesDigest());
});

t.test('every render keeps the rules of routing, names, draining and restricted pod security', async (t) => {
  for (const one of goldenCases()) t.same(brokenRules(manifestsOf(goldenText(one))), [], one.name);
});

t.test('the program takes every configuration that the chart writes', async (t) => {
  const environment = { OTEL_K8S_NAMESPACE: 'traces', OTEL_K8S_POD_NAME: 'demo-0' };
  for (const one of goldenCases()) {
    for (const configMap of ofKind(manifestsOf(goldenText(one)), 'ConfigMap')) {
      if (configMap.data?.relay === undefined) continue;
      const settings = { sets: [], featureGates: new Set<string>(), environment };
      const { configuration, faults } = await readConfiguration([`yaml:${configMap.data.relay}`], componentTypes, settings);
      const errors = faults.filter(({ severity }) => severity === 'error').map(({ message }) => message);
      if (one.name === 'mtls') {
        // The certificates are in the pod only.
        t.ok(
          errors.every((message) => /\/tls\//.test(message)),
          `${one.name}: ${errors.join('; ')}`,
        );
        continue;
      }
      const unknown = errors.filter((message) => !/googlecloud/.test(message));
      t.same(unknown, [], `${one.name} ${configMap.metadata.name}`);
      if (errors.length === 0) t.ok(configuration);
    }
  }
});

/** Names and labels in a PromQL text. Labels of Kubernetes are added by whoever scrapes. */
function unknownInQuery(query: string): readonly string[] {
  const scraped = new Set(['namespace', 'pod', 'container', 'job', 'instance']);
  const rows = new Map(metricsTable.map((row) => [row.name, row]));
  const used = [...query.matchAll(/\b((?:otelcol|ringtail)_\w+)(?:\{([^}]*)\})?/g)];
  return used.flatMap(([, name, matchers]) => {
    const row = rows.get(name as string);
    if (row === undefined) return [`no metric ${name}`];
    const labels = [...(matchers ?? '').matchAll(/(\w[\w.]*)\s*(?:=~|!~|!=|=)/g)].map((match) => match[1] as string);
    return labels.filter((label) => !scraped.has(label) && !row.attributes.includes(label)).map((label) => `${name} has no label ${label}`);
  });
}

t.test('alerts ask for metrics and labels that the program has', async (t) => {
  const { groups } = parse(readFileSync(`${chartFolder}files/rules.yaml`, 'utf8')) as {
    groups: { rules: { alert: string; expr: string; annotations: { summary: string; description: string } }[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  t.ok(rules.length >= 10);
  for (const { alert, expr, annotations } of rules) {
    t.same(unknownInQuery(expr.replaceAll('SELECTOR', 'namespace="n",pod=~"p"')), [], alert);
    t.match(expr, /SELECTOR/, alert);
    t.ok(annotations.summary && annotations.description, alert);
  }
});

t.test('the dashboard asks for metrics and labels that the program has', async (t) => {
  const { panels } = JSON.parse(readFileSync(`${chartFolder}files/dashboard.json`, 'utf8')) as {
    panels: { id: number; title: string; targets?: { expr: string }[] }[];
  };
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  for (const { title, targets = [] } of panels) for (const { expr } of targets) t.same(unknownInQuery(expr), [], `${title}: ${expr}`);
});
