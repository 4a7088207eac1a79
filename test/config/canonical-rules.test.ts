/** Forms that people write: each is read as meant with one warning, and `--fix` prints what needs none. */

import { readFileSync } from 'node:fs';
import t from 'tap';
import { parse } from 'yaml';
import { readSource } from '../../src/main/config/load-configuration.ts';
import { canonical, linesOf } from './load-rig.ts';

/** The text of one policy inside a sampler; policies begin at line 4. */
function sampler(policies: string): string {
  return `processors:\n  tail_sampling:\n    policies:\n${policies}\n`;
}

function policiesOf(text: string): unknown[] {
  return (parse(text) as { processors: { tail_sampling: { policies: unknown[] } } }).processors.tail_sampling.policies;
}

interface PolicyForm {
  readonly name: string;
  readonly written: string;
  readonly meant: object;
  /** Line and column, then a part of the message, of the only warning. */
  readonly warning: readonly [place: string, message: string];
}

const policyForms: readonly PolicyForm[] = [
  {
    name: 'and_sub_policy beside type, and sub-policies in short',
    written:
      '      - name: p\n        type: and\n        and_sub_policy:\n          - {name: a, type: status_code, status_codes: [ERROR]}\n          - {name: b, type: probabilistic, sampling_percentage: 100}',
    meant: {
      name: 'p',
      type: 'and',
      and: {
        and_sub_policy: [
          { name: 'a', type: 'status_code', status_code: { status_codes: ['ERROR'] } },
          { name: 'b', type: 'probabilistic', probabilistic: { sampling_percentage: 100 } },
        ],
      },
    },
    warning: [
      '6:9',
      'canonical is and: { and_sub_policy: [ { status_code: { status_codes } }, { probabilistic: { sampling_percentage } } ] }',
    ],
  },
  {
    name: 'the list right under and',
    written: '      - {name: p, type: and, and: [{name: a, type: always_sample}]}',
    meant: { name: 'p', type: 'and', and: { and_sub_policy: [{ name: 'a', type: 'always_sample' }] } },
    warning: ['4:30', 'canonical is and: { and_sub_policy: [ { type: always_sample } ] }'],
  },
  {
    name: 'a short sub-policy in a canonical and',
    written:
      '      - name: p\n        type: and\n        and:\n          and_sub_policy:\n            - {name: a, type: latency, threshold_ms: 5}',
    meant: { name: 'p', type: 'and', and: { and_sub_policy: [{ name: 'a', type: 'latency', latency: { threshold_ms: 5 } }] } },
    warning: ['8:40', 'processors.tail_sampling.policies[0].and.and_sub_policy[0]: threshold_ms beside type: latency is shorthand'],
  },
  {
    name: 'drop_sub_policy beside type',
    written: '      - {name: p, type: drop, drop_sub_policy: [{name: a, type: always_sample}]}',
    meant: { name: 'p', type: 'drop', drop: { drop_sub_policy: [{ name: 'a', type: 'always_sample' }] } },
    warning: ['4:31', 'canonical is drop: { drop_sub_policy: [ { type: always_sample } ] }'],
  },
  {
    name: 'not_sub_policy beside type',
    written: '      - {name: p, type: not, not_sub_policy: {name: a, type: span_count, min_spans: 3}}',
    meant: { name: 'p', type: 'not', not: { not_sub_policy: { name: 'a', type: 'span_count', span_count: { min_spans: 3 } } } },
    warning: ['4:30', 'canonical is not: { not_sub_policy: { span_count: { min_spans } } }'],
  },
  {
    name: 'composite in short',
    written:
      '      - name: p\n        type: composite\n        max_total_spans_per_second: 10\n        composite_sub_policy: [{name: a, type: always_sample}]\n        rate_allocation: [{policy: a, percent: 100}]',
    meant: {
      name: 'p',
      type: 'composite',
      composite: {
        max_total_spans_per_second: 10,
        composite_sub_policy: [{ name: 'a', type: 'always_sample' }],
        rate_allocation: [{ policy: 'a', percent: 100 }],
      },
    },
    warning: ['6:9', 'max_total_spans_per_second, composite_sub_policy, rate_allocation beside type: composite is shorthand'],
  },
  {
    name: 'a leaf in short',
    written: '      - {name: p, type: numeric_attribute, key: k, min_value: 1, invert_match: true}',
    meant: { name: 'p', type: 'numeric_attribute', numeric_attribute: { key: 'k', min_value: 1, invert_match: true } },
    warning: ['4:44', 'key, min_value, invert_match beside type: numeric_attribute is shorthand'],
  },
  {
    name: 'a block of another type',
    written: '      - {name: p, type: always_sample, latency: {threshold_ms: 5}}',
    meant: { name: 'p', type: 'always_sample' },
    warning: ['4:40', 'latency beside always_sample in a policy of type always_sample is ignored'],
  },
  {
    name: 'probabilistic 100 % beside latency',
    written:
      '      - name: p\n        type: latency\n        latency: {threshold_ms: 5}\n        probabilistic: {sampling_percentage: 100}',
    meant: { name: 'p', type: 'latency', latency: { threshold_ms: 5 } },
    warning: [
      '7:9',
      'policies[0].probabilistic: probabilistic beside latency in a policy of type latency is ignored, and at 100 % it would change nothing',
    ],
  },
  {
    name: 'values that are no texts',
    written: '      - {name: p, type: string_attribute, string_attribute: {key: k, values: [true, a]}}',
    meant: { name: 'p', type: 'string_attribute', string_attribute: { key: 'k', values: ['true', 'a'] } },
    warning: ['4:79', 'true is no text here but a bool; read as "true"; canonical is "true" in quotes'],
  },
  {
    name: 'no name',
    written: '      - type: always_sample',
    meant: { name: 'always_sample', type: 'always_sample' },
    warning: ['4:9', 'canonical is name: always_sample'],
  },
  {
    name: 'span_event',
    written: `      - {name: p, type: ottl_condition, ottl_condition: {span_event: ['name == "x"']}}`,
    meant: { name: 'p', type: 'ottl_condition', ottl_condition: { spanevent: ['name == "x"'] } },
    warning: ['4:58', 'canonical is spanevent'],
  },
];

t.test('policies', async (t) => {
  for (const { name, written, meant, warning } of policyForms) {
    const { text, lines, again } = canonical(sampler(written));
    t.same(policiesOf(text), [meant], name);
    t.equal(lines.length, 1, `${name}: one warning`);
    t.match(lines[0], `c.yaml:${warning[0]}: warning: `, `${name}: place`);
    t.match(lines[0], warning[1], `${name}: message`);
    t.same(again, [], `${name}: clean when read again`);
  }
});

t.test('names that are made up differ from those that are there', async (t) => {
  const { text } = canonical(
    sampler(
      '      - {name: latency, type: always_sample}\n      - type: latency\n      - {type: latency, name: }\n      - type: trace_flags',
    ),
  );
  const names = policiesOf(text).map((policy) => (policy as { name: string }).name);
  t.same(names, ['latency', 'latency-2', 'latency-3', 'trace_flags']);
});

t.test('under --compatibility otelcol a policy keeps having no name, which is refused later', async (t) => {
  const source = readSource(sampler('      - type: always_sample'), 'c.yaml', { otelcolCompatibility: true });
  t.same(source.faults, []);
});

t.test('probabilistic below 100 % beside latency is an error that proposes and, and --fix leaves it', async (t) => {
  const { text, lines } = canonical(
    sampler('      - name: p\n        type: latency\n        latency: {threshold_ms: 5}\n        probabilistic: {sampling_percentage: 25}'),
  );
  t.equal(lines.length, 1);
  t.match(
    lines[0],
    /^c.yaml:7:9: processors.tail_sampling.policies\[0\].probabilistic: .*write type: and, and: \{ and_sub_policy: .*sampling_percentage: 25/,
  );
  t.match(text, 'sampling_percentage: 25');
});

t.test('policies with nothing to say are left as they are, to the byte', async (t) => {
  const text = sampler(
    '      - name: a # why\n        type: and\n        and:\n          and_sub_policy:\n            - {name: x, type: not, not: {not_sub_policy: {name: y, type: trace_flags}}}\n      - {name: b, type: my_extension, my_extension: {a: b}}',
  );
  t.same(canonical(text), { text, lines: [], again: [] });
});

interface ExporterForm {
  readonly name: string;
  readonly written: string;
  readonly meant: object;
  readonly warnings: readonly string[];
}

const exporterForms: readonly ExporterForm[] = [
  {
    name: 'a number as the port of the dns resolver',
    written: 'exporters:\n  loadbalancing/a:\n    resolver: {dns: {hostname: h, port: 4317}}\n',
    meant: { exporters: { 'loadbalancing/a': { resolver: { dns: { hostname: 'h', port: '4317' } } } } },
    warnings: ['c.yaml:3:41: warning: exporters.loadbalancing/a.resolver.dns.port: the port is a text in the Collector'],
  },
  {
    name: 'insecure beside otlp',
    written: 'exporters:\n  load_balancing:\n    protocol:\n      otlp:\n      insecure: true\n',
    meant: { exporters: { load_balancing: { protocol: { otlp: { tls: { insecure: true } } } } } },
    warnings: ['c.yaml:5:7: warning: exporters.load_balancing.protocol.insecure: insecure stood here in old Collectors'],
  },
  {
    name: 'insecure in otlp',
    written: 'exporters:\n  loadbalancing:\n    protocol:\n      otlp:\n        timeout: 1s\n        insecure: true\n',
    meant: { exporters: { loadbalancing: { protocol: { otlp: { timeout: '1s', tls: { insecure: true } } } } } },
    warnings: ['c.yaml:6:9: warning: exporters.loadbalancing.protocol.otlp.insecure: insecure stood here in old Collectors'],
  },
  {
    name: 'logging',
    written:
      'exporters:\n  logging:\n    loglevel: debug\n  logging/b:\nservice:\n  pipelines:\n    traces: {exporters: [nop, logging, logging/b]}\n    traces/2:\n      exporters:\n      - logging\n',
    meant: {
      exporters: { debug: { verbosity: 'detailed' }, 'debug/b': null },
      service: { pipelines: { traces: { exporters: ['nop', 'debug', 'debug/b'] }, 'traces/2': { exporters: ['debug'] } } },
    },
    warnings: [
      'c.yaml:2:3: warning: exporters.logging: the logging exporter',
      'c.yaml:4:3: warning: exporters.logging/b: the logging exporter',
    ],
  },
  {
    name: 'logging beside a debug exporter',
    written: 'exporters:\n  debug:\n  logging:\nservice:\n  pipelines:\n    traces: {exporters: [debug, logging]}\n',
    meant: {
      exporters: { debug: null, 'debug/logging': null },
      service: { pipelines: { traces: { exporters: ['debug', 'debug/logging'] } } },
    },
    warnings: ['c.yaml:3:3: warning: exporters.logging: the logging exporter has been deprecated'],
  },
];

t.test('exporters', async (t) => {
  for (const { name, written, meant, warnings } of exporterForms) {
    const { text, lines, again } = canonical(written);
    t.same(parse(text), meant, name);
    t.equal(lines.length, warnings.length, name);
    for (const [index, warning] of warnings.entries()) t.match(lines[index], warning, name);
    t.same(again, [], `${name}: clean when read again`);
  }
});

t.test('a form inside a reference is none of the rules’ business', async (t) => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference in YAML.
  const text = sampler('      - {name: p, type: string_attribute, string_attribute: {key: k, values: ["${A}"]}}');
  t.same(canonical(text), { text, lines: [], again: [] });
});

t.test('--fix keeps comments, flow lists, nulls and dashes where they were', async (t) => {
  const text =
    '# top\nreceivers:\n  otlp:\n    protocols:\n      grpc:\n      http: # on\nexporters:\n  # about logging\n  logging:\nservice:\n  pipelines:\n    traces:\n      receivers: [otlp]\n      exporters:\n      - logging\n';
  t.equal(canonical(text).text, text.replaceAll(/^( *-? ?)logging/gm, '$1debug'));
});

t.test('--fix spells a null in flow, where a bare colon could be read differently', async (t) => {
  t.equal(
    canonical('receivers: {otlp: {protocols: {grpc: , http: ~}}}\n').text,
    'receivers: {otlp: {protocols: {grpc: null, http: null}}}\n',
  );
});

t.test("the seed's files: each non-canonical form once, and what --fix prints is clean", async (t) => {
  const backend = readFileSync(new URL('./fixtures/backend-collector.yaml', import.meta.url), 'utf8');
  const { text, lines, again } = canonical(backend);
  t.match(lines, [
    /^c.yaml:9:3: warning: the configuration lies under opentelemetry-collector.config/,
    /^c.yaml:22:13: warning: processors.tail_sampling.policies\[0\]: and_sub_policy beside type: and/,
    /^c.yaml:33:13: warning: processors.tail_sampling.policies\[1\].probabilistic: /,
  ]);
  t.equal(lines.length, 3);
  t.same(again, []);
  t.same(policiesOf(text).length, 3);
  const operator = readFileSync(new URL('./fixtures/operator-collector.yaml', import.meta.url), 'utf8');
  const source = readSource(operator, 'c.yaml');
  t.match(linesOf(source.faults), [/^c.yaml:5:5: warning: the configuration lies under open_telemetry_collectors.main.config/]);
  t.same(canonical(canonical(operator).text).lines, []);
});
