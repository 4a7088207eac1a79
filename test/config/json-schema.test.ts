/** `--print-schema` against an independent validator: what loads is valid by it, what is wrong is not, and what `--print` shows is both. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in YAML.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import t from 'tap';
import { parse } from 'yaml';
import { printEffective } from '../../src/main/config/effective-config.ts';
import { jsonSchema } from '../../src/main/config/json-schema.ts';
import { readSource } from '../../src/main/config/load-configuration.ts';
import { printCanonical } from '../../src/main/config/print-canonical.ts';
import { plainValue } from '../../src/main/config/raw-value.ts';
import { readConfiguration } from '../../src/main/config/read-configuration.ts';
import { componentTypes } from '../../src/main/pipeline/component-types.ts';
import { linesOf } from './load-rig.ts';

const read = (path: string) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8');
const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
const validate = ajv.compile(jsonSchema(componentTypes));

function faultsOf(value: unknown): string[] {
  const withoutBigints = JSON.parse(JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? Number(item) : item)));
  return validate(withoutBigints) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

async function load(text: string) {
  const outcome = await readConfiguration([`yaml:${text}`], componentTypes, { environment: {}, sets: [], featureGates: new Set() });
  return { raw: outcome.raw, errors: linesOf(outcome.faults.filter(({ severity }) => severity === 'error')) };
}

const everyPolicy = `receivers: {otlp: {protocols: {grpc: , http: {endpoint: "0.0.0.0:4318"}}}}
processors:
  tail_sampling/every:
    decision_wait: 2500ms
    policies:
      - {name: a, type: latency, latency: {threshold_ms: 100, upper_threshold_ms: 900}}
      - {name: b, type: numeric_attribute, numeric_attribute: {key: k, min_value: 1, invert_match: true}}
      - {name: c, type: probabilistic, probabilistic: {hash_salt: x, sampling_percentage: 12.5}}
      - {name: d, type: status_code, status_code: {status_codes: [ERROR]}}
      - {name: e, type: string_attribute, string_attribute: {key: k, values: ["^a"], enabled_regex_matching: true}}
      - {name: f, type: rate_limiting, rate_limiting: {spans_per_second: 35}}
      - {name: g, type: span_count, span_count: {min_spans: 2}}
      - {name: h, type: trace_state, trace_state: {key: k, values: [a]}}
      - {name: i, type: boolean_attribute, boolean_attribute: {key: k, value: true}}
      - {name: j, type: ottl_condition, ottl_condition: {error_mode: ignore, span: ['attributes["x"] == 1']}}
      - {name: k, type: and, and: {and_sub_policy: [{name: l, type: not, not: {not_sub_policy: {name: m, type: trace_flags}}}]}}
      - {name: n, type: drop, drop: {drop_sub_policy: [{name: o, type: bytes_limiting, bytes_limiting: {bytes_per_second: 9}}]}}
      - name: p
        type: composite
        composite:
          max_total_spans_per_second: 100
          composite_sub_policy: [{name: q, type: span_count, span_count: {min_spans: 9}}]
          rate_allocation: [{policy: q, percent: 100}]
exporters:
  loadbalancing:
    protocol: {otlp: {tls: {insecure: true}, headers: {authorization: Bearer x}}}
    resolver: {dns: {hostname: samplers, port: "4317", interval: 5s}}
  debug: {verbosity: detailed}
service:
  telemetry: {logs: {level: warn}, metrics: {level: none}}
  pipelines:
    traces/in: {receivers: [otlp], exporters: [loadbalancing]}
    traces/out: {receivers: [otlp], processors: [tail_sampling/every], exporters: [debug]}
`;

const readme = [...read('../../README.md').matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] as string);
const fixtures = ['backend-collector.yaml', 'operator-collector.yaml'].map((name) => {
  return printCanonical(readSource(read(`./fixtures/${name}`), name));
});
const examples = [...readme, ...fixtures, everyPolicy];

t.test('every example is valid', async (t) => {
  t.equal(examples.length, 5);
  for (const text of examples) t.same(faultsOf(plainValue((await load(text)).raw?.raw)), [], text.slice(0, 200));
});

t.test('what --print shows is valid, loads, and prints as itself', async (t) => {
  for (const text of [...readme, everyPolicy]) {
    const { raw, errors } = await load(text);
    t.same(errors, []);
    const printed = printEffective(raw!, componentTypes);
    t.same(faultsOf(parse(printed)), []);
    const again = await load(printed);
    t.same(again.errors, []);
    t.equal(printEffective(again.raw!, componentTypes), printed);
  }
});

const wrong: readonly (readonly [old: string, edited: string])[] = [
  ['decision_wait:', 'decision_wiat:'],
  ['decision_wait: 2500ms', 'decision_wait: [5s]'],
  ['exporters:\n', 'exporters:\n  nothing: {}\n'],
  ['{key: k, value: true}', '{key: k, value: 1}'],
  ['insecure: true', 'insecure: sometimes'],
  ['min_spans: 2', 'min_spans: 2, most_spans: 3'],
  ['percent: 100', 'percent: all'],
  ['port: "4317"', 'port: {}'],
  ['error_mode: ignore', 'error_mode: shout'],
  ['receivers: {otlp:', 'recievers: {otlp:'],
  ['    traces/in: {receivers: [otlp]', '    traces/in: {receivers: 5'],
];

t.test('what is wrong is not valid', async (t) => {
  for (const [old, edited] of wrong) {
    t.ok(everyPolicy.includes(old), old);
    t.not(faultsOf(parse(everyPolicy.replace(old, edited))).length, 0, edited);
  }
});

t.test('a reference is valid wherever a value is', async (t) => {
  const text = everyPolicy.replace('2500ms', '"${env:WAIT}"').replace('value: true', 'value: "${env:ON:-true}"');
  t.same(faultsOf(parse(text)), []);
});
