// One of three services that share every trace: sends its five spans of each, at the same time as the others. Runs in a pod of the image under test.
// Trace ids tell what the trace is: run (2 bytes), kind (1 byte: 1 error, 2 slow, 3 normal), number (4 bytes), then their hash.
import { createHash } from 'node:crypto';

const { ROUTER_URL: url, SERVICE: service, RUN: run, START_MS: start, TRACES: traces, RATE: rate } = process.env;
const spansPerService = 5;
const account = { accepted: 0, failed: 0, retries: 0 };

function spansOf(number, now) {
  const kind = 1 + (number % 3);
  const head = Buffer.alloc(7);
  head.writeUInt16BE(Number(run), 0);
  head.writeUInt8(kind, 2);
  head.writeUInt32BE(number, 3);
  const traceId = Buffer.concat([head, createHash('sha256').update(head).digest().subarray(0, 9)]).toString('hex');
  return Array.from({ length: spansPerService }, (_, index) => {
    const durationMs = kind === 2 && service === '0' && index === 0 ? 2000 : 20;
    return {
      traceId,
      spanId: createHash('sha256').update(`${traceId}/${service}/${index}`).digest().subarray(0, 8).toString('hex'),
      name: `span ${index}`,
      kind: 1,
      startTimeUnixNano: `${now - durationMs}000000`,
      endTimeUnixNano: `${now}000000`,
      status: { code: kind === 1 && service === '1' && index === 2 ? 2 : 0 },
    };
  });
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function send(spans) {
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: `service-${service}` } }] };
  const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
  for (let attempt = 0; attempt < 20; attempt++) {
    const answer = await fetch(`${url}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(15_000),
    }).catch(() => undefined);
    if (answer?.status === 200) {
      await answer.text();
      account.accepted += spans.length;
      return;
    }
    await answer?.text();
    account.retries++;
    await wait(500);
  }
  account.failed += spans.length;
}

await wait(Math.max(0, Number(start) - Date.now()));
const perTick = Math.max(1, Math.round(Number(rate) / 10));
const sends = [];
for (let number = 0; number < Number(traces); number += perTick) {
  // Of the plan, not of the clock: a client that runs late must not make a normal trace slow.
  const now = Math.round(Number(start) + (number / Number(rate)) * 1000);
  const count = Math.min(perTick, Number(traces) - number);
  sends.push(send(Array.from({ length: count }, (_, index) => spansOf(number + index, now)).flat()));
  await wait(Math.max(0, Number(start) + ((number + perTick) / Number(rate)) * 1000 - Date.now()));
}
await Promise.all(sends);
console.log(JSON.stringify(account));
