// Run by `helm test`: the samplers' Service resolves, its pods have names of their own under it, and a router takes a trace.
import { resolve4, resolveSrv } from 'node:dns/promises';
import { randomBytes } from 'node:crypto';

const { SAMPLER_SERVICE: service, SAMPLER_NAME: sampler, ROUTER_URL: router } = process.env;
const failures = [];

const addresses = await resolve4(service).catch((error) => {
  failures.push(`Service ${service} does not resolve (${error.code}): no sampler is ready, or the Service is not headless.`);
  return [];
});
const records = addresses.length === 0 ? [] : await resolveSrv(service).catch(() => []);
const names = records.map((record) => record.name);
const own = names.filter((name) => name.startsWith(`${sampler}-`));
console.log(`${service}: ${addresses.length} addresses, ${own.length} pods with names of their own`);
if (addresses.length > 0 && own.length < addresses.length) {
  failures.push(
    `Service ${service} resolves to ${addresses.length} addresses, but only ${own.length} have a name such as ${sampler}-0.${service}: ` +
      `StatefulSet ${sampler} has a spec.serviceName other than ${service.split('.')[0]}.`,
  );
}
for (const name of own) {
  const found = await resolve4(name).catch(() => []);
  if (found.length !== 1) failures.push(`${name} resolves to ${found.length} addresses instead of one.`);
}

if (router !== '') {
  const now = BigInt(Date.now()) * 1_000_000n;
  const span = {
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    name: 'helm test',
    kind: 1,
    startTimeUnixNano: String(now - 1_000_000n),
    endTimeUnixNano: String(now),
    status: { code: 2, message: 'sent by helm test, an error so that it is sampled' },
  };
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'helm-test' } }] };
  const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] });
  const answer = await fetch(`${router}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }).catch((error) => error);
  if (answer.status === 200) console.log(`${router} took trace ${span.traceId}`);
  else if (answer instanceof Error) failures.push(`${router}/v1/traces: ${answer.cause?.message ?? answer.message}`);
  else failures.push(`${router}/v1/traces: ${answer.status} ${await answer.text()}`);
}

for (const failure of failures) console.error(failure);
process.exitCode = failures.length === 0 ? 0 : 1;
