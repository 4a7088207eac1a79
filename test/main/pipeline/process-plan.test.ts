import t from 'tap';
import { arenaCapacityBytes } from '../../../src/main/pipeline/arena-capacity.ts';
import { readFeatureGates } from '../../../src/main/pipeline/feature-gates.ts';
import { containerMemoryBytes } from '../../../src/main/telemetry/container-memory.ts';

const mib = 1_048_576;
const sampler = { overrideMib: undefined, containerBytes: 1000 * mib, softLimitsBytes: [], holdsTraces: true };

t.test('the arena is 60 % of the container, at most 3.5 GiB, and 256 MiB in a router', async (t) => {
  t.equal(arenaCapacityBytes(sampler), 600 * mib);
  t.equal(arenaCapacityBytes({ ...sampler, containerBytes: 64_000 * mib }), 3584 * mib);
  t.equal(arenaCapacityBytes({ ...sampler, holdsTraces: false }), 256 * mib);
  t.equal(arenaCapacityBytes({ ...sampler, holdsTraces: false, containerBytes: 100 * mib }), 60 * mib);
});

t.test('a memory limiter leaves the arena less than its soft limit, an override wins', async (t) => {
  t.equal(arenaCapacityBytes({ ...sampler, softLimitsBytes: [500 * mib, 400 * mib] }), 304 * mib);
  t.equal(arenaCapacityBytes({ ...sampler, softLimitsBytes: [100 * mib] }), 50 * mib);
  t.equal(arenaCapacityBytes({ ...sampler, softLimitsBytes: [400 * mib], overrideMib: 64 }), 64 * mib);
});

t.test('the container limit is read from either cgroup version, and none is the machine', async (t) => {
  const machine = containerMemoryBytes(() => '');
  t.ok(machine > 0 && machine < 2 ** 50);
  t.equal(
    containerMemoryBytes((path) => (path.endsWith('memory.max') ? String(64 * mib) : '')),
    64 * mib,
  );
  t.equal(
    containerMemoryBytes((path) => (path.endsWith('limit_in_bytes') ? String(32 * mib) : '')),
    32 * mib,
  );
  t.equal(
    containerMemoryBytes((path) => (path.endsWith('memory.max') ? 'max' : '9223372036854771712')),
    machine,
  );
});

t.test('feature gates turn on and off, later wins, unknown and stable ones are refused', async (t) => {
  const recordPolicy = 'processor.tailsamplingprocessor.recordpolicy';
  const enabled = (...lists: string[]) => {
    const outcome = readFeatureGates(lists);
    return outcome.kind === 'gates' && outcome.enabled.has(recordPolicy);
  };
  t.equal(enabled(), false);
  t.equal(enabled(`+${recordPolicy}`), true);
  t.equal(enabled(recordPolicy, `-${recordPolicy}`), false);
  t.match(readFeatureGates(['+nothing']), { kind: 'faulty', message: /no such feature gate "nothing"/ });
  t.match(readFeatureGates(['-ottl.PanicDuplicateName']), { kind: 'faulty', message: /is stable/ });
});
