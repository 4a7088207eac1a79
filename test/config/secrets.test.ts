/** Secrets stay where they are: a value put into every secret field shows in no finding, no printed configuration, no log and no metric. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in YAML.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { stringify } from 'yaml';
import { runCheck } from '../../src/main/commands/check.ts';
import { type FieldSchema, metaOf } from '../../src/main/config/fields.ts';
import type { ComponentType } from '../../src/main/pipeline/component.ts';
import { componentTypes } from '../../src/main/pipeline/component-types.ts';
import { requestBytes } from '../support/otlp.ts';

const word = 'hunter2secret';

type Path = readonly string[];

/** Paths of the fields whose schema says that they are secret. `[]` is a list's item. */
function secretPaths(schema: FieldSchema<unknown>, path: Path = []): Path[] {
  const meta = metaOf(schema);
  if (meta?.secret === true) return [path];
  if (meta?.shape !== undefined) return Object.entries(meta.shape).flatMap(([key, child]) => secretPaths(child, [...path, key]));
  return meta?.item === undefined ? [] : secretPaths(meta.item, [...path, '[]']);
}

function nested([step, ...rest]: Path, value: unknown): unknown {
  if (step === undefined) return value;
  return step === '[]' ? [nested(rest, value)] : { [step]: nested(rest, value) };
}

const sections = { receiver: 'receivers', processor: 'processors', exporter: 'exporters', extension: 'extensions' } as const;

async function check(text: string, more: { readonly sets?: readonly string[]; readonly file?: string } = {}): Promise<string> {
  let said = '';
  const io = {
    componentTypes,
    environment: { WORD: word },
    out: (part: string) => void (said += part),
    err: (part: string) => void (said += part),
  };
  await runCheck({ files: [more.file ?? `yaml:${text}`], print: true, ...(more.sets === undefined ? {} : { sets: more.sets }) }, io);
  return said;
}

/** A whole configuration around one component, so that `--print` has something to print. */
function around({ kind, type }: ComponentType, config: unknown): Record<string, unknown> {
  const root: Record<string, Record<string, unknown>> = {
    receivers: { nop: null },
    exporters: { nop: null },
    service: { pipelines: { traces: { receivers: ['nop'], exporters: ['nop'] } } },
  };
  root[sections[kind]] = { ...root[sections[kind]], [type]: config };
  return root;
}

/** Forms in which people write a secret: right, out of the environment, and wrong in several ways. */
const forms: readonly unknown[] = [
  word,
  `\${env:WORD}`,
  `x-\${WORD}`,
  [word],
  { key: word },
  [{ name: 'key', value: word }],
  [{ name: 'key', value: [word] }],
];

t.test('no finding and no printed configuration shows what a secret field holds', async (t) => {
  const fields = componentTypes.flatMap((type) => secretPaths(type.schema).map((path) => ({ type, path })));
  t.ok(fields.length > 20, `finds the secret fields: ${fields.length}`);
  for (const { type, path } of fields) {
    for (const form of forms) {
      const said = await check(stringify(around(type, nested(path, form))));
      t.notMatch(said, word, `${type.kind} ${type.type} ${path.join('.')} ${JSON.stringify(form)}`);
    }
  }
});

t.test('nor do faults around it, --set, and addresses that carry one', async (t) => {
  const exporter = (config: string) =>
    `receivers: {nop: }\nexporters: {otlp_http: {endpoint: "http://b:4318", ${config}}}\nservice: {pipelines: {traces: {receivers: [nop], exporters: [otlp_http]}}}\n`;
  const texts: Readonly<Record<string, string>> = {
    'a key twice': exporter(`headers: {a: ${word}, a: ${word}}`),
    'broken YAML': exporter(`headers: {a: "${word}`),
    'an unknown key beside it': exporter(`header: {a: x}, headers: {a: ${word}}`),
    'a number where a text belongs': exporter('headers: {a: 4711}'),
    'a user in the address': exporter('').replace('http://b', `http://u:${word}@b`),
    'a user in the proxy': exporter(`proxy_url: "http://u:${word}@proxy:3128"`),
  };
  for (const [name, text] of Object.entries(texts)) t.notMatch(await check(text), new RegExp(`${word}|4711`), name);
  t.notMatch(await check(exporter(''), { sets: [`exporters.otlp_http.headers.a=${word}`] }), word, '--set');
  t.notMatch(await check(exporter(''), { sets: [`exporters.otlp_http.headers=${word}`] }), word, '--set of the wrong type');
  t.notMatch(await check('', { file: `http://u:${word}@127.0.0.1:1/c.yaml?token=${word}` }), word, 'the address of a source');
});

const cli = fileURLToPath(new URL('../../src/main/cli.ts', import.meta.url));

t.test('nor do the logs and metrics of a process whose backend refuses it', async (t) => {
  const backend = createServer((request, answer) => {
    request.resume();
    answer.writeHead(401, { 'www-authenticate': 'Bearer' }).end(`no: ${request.headers.authorization === undefined ? 'nothing' : 'wrong'}`);
  });
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  const { port } = backend.address() as AddressInfo;
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint: '127.0.0.1:0' } } } },
    exporters: {
      otlp_http: {
        endpoint: `http://127.0.0.1:${port}`,
        headers: { 'x-key': word },
        auth: { authenticator: 'bearertokenauth' },
        sending_queue: { enabled: false },
      },
      debug: null,
    },
    extensions: { bearertokenauth: { token: word }, 'basicauth/x': { htpasswd: { inline: `u:${word}` } } },
    service: {
      extensions: ['bearertokenauth', 'basicauth/x'],
      telemetry: { logs: { level: 'debug' }, metrics: { level: 'none' } },
      pipelines: { traces: { receivers: ['otlp'], exporters: ['otlp_http', 'debug'] } },
    },
  };
  const child = spawn(process.execPath, [cli, `--config=yaml:${stringify(config)}`], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => void (said += chunk));
  const listening = () => /Listening for OTLP.*"port":(\d+)/.exec(said);
  while (listening() === null && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20));
  const headers = { 'content-type': 'application/x-protobuf' };
  const body = Buffer.from(
    requestBytes({}, { spans: [{ traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(1), name: 'a' }] }),
  );
  const answer = await fetch(`http://127.0.0.1:${listening()![1]}/v1/traces`, { method: 'POST', headers, body });
  const answered = await answer.text();
  child.kill('SIGTERM');
  await once(child, 'close');
  backend.close();
  t.not(answer.status, 200, 'the refusal is told');
  t.notMatch(said + answered, word);
});
