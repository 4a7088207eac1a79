/** The UserAgent converter: browser and system behind a user agent text. Worker thread; built at compile time. */

import { createRequire } from 'node:module';
import { compilePattern, type Pattern } from '../../../shared/re2.ts';
import { type Converter, converter } from '../converter.ts';
import type { OttlValue, RawMap } from '../values.ts';
import { map1 } from './map-arguments.ts';

/** Texts whose answers are kept; user agents repeat, and an answer costs some hundred patterns. */
const answersMax = 1000;

interface Rule {
  readonly source: string;
  /** Templates with $1 for groups: the family, then the parts of the version. */
  readonly templates: readonly string[];
  pattern: Pattern | undefined;
}

interface Rules {
  readonly userAgent: readonly Rule[];
  readonly os: readonly Rule[];
}

let loaded: Rules | undefined;

function toRule([source, ...templates]: readonly string[], count: number): Rule {
  return { source: source!, templates: Array.from({ length: count }, (_, i) => templates[i] || `$${i + 1}`), pattern: undefined };
}

/** Source: the definitions of ua-parser (uap-core, Apache-2.0) as github.com/ua-parser/uap-go ships them. Read when the first condition asks. */
function rules(): Rules {
  if (loaded === undefined) {
    const data = createRequire(import.meta.url)('./data/user-agent-patterns.json') as Record<
      'userAgent' | 'os',
      readonly (readonly string[])[]
    >;
    loaded = { userAgent: data.userAgent.map((rule) => toRule(rule, 4)), os: data.os.map((rule) => toRule(rule, 5)) };
  }
  return loaded;
}

/** regexp.Expand: $1 or ${1}; a group that is not there is empty. */
function fill(template: string, groups: readonly (string | null)[]): string {
  return template.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (whole, bare?: string, braced?: string) => {
    if (whole === '$$') return '$';
    const name = bare ?? braced!;
    return /^\d+$/.test(name) ? (groups[Number(name) - 1] ?? '') : '';
  });
}

/** The parts that the first rule gives whose family is not empty. */
function firstMatch(all: readonly Rule[], text: string): readonly string[] {
  for (const rule of all) {
    if (rule.pattern === undefined) {
      const outcome = compilePattern(rule.source);
      if (outcome.kind === 'faulty') continue;
      rule.pattern = outcome.pattern;
    }
    if (!rule.pattern.matches(text)) continue;
    const groups = rule.pattern.groups(text)!;
    const parts = rule.templates.map((template) => fill(template, groups));
    if (parts[0] !== '') return parts;
  }
  return ['Other'];
}

function version(parts: readonly string[]): string {
  const [major = '', ...minor] = parts.slice(1);
  return major + minor.map((part) => (part === '' ? '' : `.${part}`)).join('');
}

function parse(text: string): RawMap {
  const agent = firstMatch(rules().userAgent, text);
  const os = firstMatch(rules().os, text);
  const found: RawMap = new Map<string, OttlValue>([
    ['user_agent.name', agent[0]!],
    ['user_agent.original', text],
    ['user_agent.version', version(agent)],
  ]);
  if (os[0] !== '') found.set('os.name', os[0]!);
  if (version(os) !== '') found.set('os.version', version(os));
  return found;
}

export const userAgentConverters: readonly Converter[] = [
  converter('UserAgent', ['UserAgent StringGetter'], ([userAgent]) => {
    const answers = new Map<string, RawMap>();
    return map1<string>(userAgent, (text) => {
      let answer = answers.get(text);
      if (answer === undefined) {
        if (answers.size >= answersMax) answers.delete(answers.keys().next().value!);
        answer = parse(text);
        answers.set(text, answer);
      }
      return answer;
    });
  }),
];
