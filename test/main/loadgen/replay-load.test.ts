/** `ringtail loadgen --replay`: what a file exporter wrote goes out again, and faults of the file are told. */

import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { runLoadgen } from '../../../src/main/commands/loadgen.ts';
import { checkLoadgenOptions } from '../../../src/main/loadgen/loadgen-flags.ts';
import { systemClock } from '../../../src/shared/clock.ts';
import { jsonTextOf } from '../../../src/shared/otlp/json-text.ts';
import { seededPrng } from '../../../src/shared/prng.ts';
import { optionsOf } from '../../support/captured-load.ts';
import { requestBytes, spanIdOf, traceIdOf } from '../../support/otlp.ts';

const requestOf = (index: number) =>
  requestBytes({}, { spans: [{ traceId: traceIdOf(index), spanId: spanIdOf(1) }, { traceId: traceIdOf(index) }] });

t.test('sends every request of the file, and ends with a fault where the file is broken', async (t) => {
  const seen: string[] = [];
  const server = createServer(async (request, response) => {
    seen.push(jsonTextOf(Buffer.concat(await request.toArray())));
    response.writeHead(seen.length === 2 ? 400 : 200).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const file = join(t.testdir(), 'traces.json');
  const texts = Array.from({ length: 7 }, (_, index) => jsonTextOf(requestOf(index)));
  const endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const flags = [`replay=${file}`, 'otlp-http', 'otlp-insecure', `otlp-endpoint=${endpoint}`];
  const run = async (content: string) => {
    writeFileSync(file, content);
    let text = '';
    const write = (more: string) => void (text += more);
    const host = {
      environment: {},
      clock: systemClock,
      prng: seededPrng(1),
      version: '1',
      stdout: write,
      stderr: write,
      exitNow: () => {},
    };
    const options = optionsOf(...flags);
    t.equal(checkLoadgenOptions(options), undefined);
    return { code: await runLoadgen(options, host), text };
  };
  const whole = await run(`${texts.join('\n')}\n`);
  t.same(seen, texts, 'in order, with one request at a time');
  t.match(whole.text, /14 sent, 12 accepted, 0 rejected, 2 failed/);
  t.equal(whole.code, 1, 'failed requests fail the command');
  const broken = await run(`${texts[0]}\nnonsense\n`);
  t.equal(seen.length, 8);
  t.match(broken.text, /error: record 2 of .*traces\.json/);
  t.equal(broken.code, 1);
});
