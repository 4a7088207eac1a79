/** Where configuration texts come from: files, variables, text, HTTP, several at once; and what is said when they do not come. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in YAML.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { loadConfiguration } from '../../src/main/config/load-configuration.ts';
import { plainValue } from '../../src/main/config/raw-value.ts';
import { linesOf } from './load-rig.ts';

const server = createServer((request, response) => {
  const url = request.url ?? '';
  if (url.startsWith('/c.yaml')) response.end('processors: {batch: {timeout: 1s, send_batch_size: 5}}\n');
  else if (url === '/moved') response.writeHead(302, { location: '/c.yaml' }).end();
  else if (url === '/round') response.writeHead(307, { location: '/round' }).end();
  else if (url === '/who') response.end(`processors: {batch: {user: "${request.headers.authorization ?? 'nobody'}"}}\n`);
  else if (url === '/part') response.end('{timeout: 9s}');
  else if (url === '/huge') response.end(Buffer.alloc(17 * 1024 * 1024, 0x20));
  else response.writeHead(404).end('nothing here');
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
t.teardown(() => server.close());

async function batch(sources: readonly string[], sets: readonly string[] = []) {
  const environment = { WHOLE: 'processors: {batch: {timeout: 3s}}', HOST: host };
  const { configuration, faults } = await loadConfiguration(sources, { environment, sets });
  const plain = plainValue(configuration?.raw) as { readonly processors?: { readonly batch?: unknown } } | undefined;
  return { batch: plain?.processors?.batch, lines: linesOf(faults) };
}

t.test('a configuration comes over HTTP, redirects followed, with the user that the address names', async (t) => {
  t.same(await batch([`http://${host}/c.yaml`]), { batch: { timeout: '1s', send_batch_size: 5 }, lines: [] });
  t.same(await batch([`http://${host}/moved`]), { batch: { timeout: '1s', send_batch_size: 5 }, lines: [] });
  t.same((await batch([`http://${host}/who`])).batch, { user: 'nobody' });
  t.same((await batch([`http://me:pass%20word@${host}/who`])).batch, { user: `Basic ${Buffer.from('me:pass word').toString('base64')}` });
});

t.test('sources are merged in order, --set over all, references fetched', async (t) => {
  const file = t.testdir({ 'a.yaml': 'processors: {batch: {timeout: 2s, send_batch_max_size: 9}}\n' });
  const sources = [`http://${host}/c.yaml`, `${file}/a.yaml`, 'env:WHOLE', 'yaml:processors::batch::timeout: 4s'];
  t.same((await batch(sources.slice(0, 2))).batch, { timeout: '2s', send_batch_size: 5, send_batch_max_size: 9 });
  t.same((await batch(sources.slice(0, 3))).batch, { timeout: '3s', send_batch_size: 5, send_batch_max_size: 9 });
  t.same((await batch(sources)).batch, { timeout: '4s', send_batch_size: 5, send_batch_max_size: 9 });
  t.same((await batch(sources, ['processors.batch.send_batch_size=7', 'processors.batch.timeout=6s'])).batch, {
    timeout: '6s',
    send_batch_size: 7,
    send_batch_max_size: 9,
  });
  t.same((await batch([`yaml:processors: {batch: "\${http://${host}/part}"}`])).batch, { timeout: '9s' });
});

t.test('what does not come is told with its address, and without what the address hides', async (t) => {
  const wrong: Readonly<Record<string, RegExp>> = {
    [`http://${host}/none?token=hidden`]:
      /^http:\/\/127[^?]*\/none:1:1: cannot retrieve the configuration: failed to load resource from uri \S+\/none, status code: 404$/,
    [`http://${host}/round`]: /redirects more than 10 times$/,
    [`http://${host}/huge`]: /is larger than 16777216 bytes$/,
    'http://127.0.0.1:1/c.yaml': /unable to download http:\/\/127\.0\.0\.1:1\/c\.yaml: connect ECONNREFUSED/,
    'http://:bad:address': /unable to download .*: Invalid URL$/,
    'env:NOT_THERE': /environment variable NOT_THERE is not set/,
    'no-such-file.yaml': /unable to read the file no-such-file\.yaml: ENOENT/,
  };
  for (const [source, expected] of Object.entries(wrong)) {
    const { batch: found, lines } = await batch([source]);
    t.equal(found, undefined, source);
    t.match(lines, [expected], source);
    t.notMatch(lines.join(), 'hidden');
  }
  t.match((await batch(['yaml:{}'], ['no-equal-sign'])).lines, [/missing equal sign: write --set path\.to\.key=value/]);
});
