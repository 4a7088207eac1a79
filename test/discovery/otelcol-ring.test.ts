import t from 'tap';
import { createOtelcolRing } from '../../src/discovery/otelcol-ring.ts';
import { placementOf } from '../../src/discovery/placement-of.ts';

const three = ['10.0.0.1:4317', '10.0.0.2:4317', '10.0.0.3:4317'];

t.test('the whole ring equals the Collector’s', async (t) => {
  const ring = createOtelcolRing(three);
  t.equal(ring.digest, 'ca6994840c22d7ae');
  t.equal(createOtelcolRing(['endpoint-2', 'endpoint-1']).digest, 'c191fb6564b059f5');
  t.equal(ring.positions.length, 600);
  const items = [...ring.positions].map((position, index) => `${position}(.${ring.owners[index] + 1})`);
  t.strictSame(items.slice(0, 5), ['205(.1)', '258(.1)', '905(.2)', '914(.3)', '1380(.3)']);
  t.strictSame(items.slice(-3), ['130502(.1)', '130726(.3)', '131050(.2)']);
});

t.test('the order of the list does not matter', async (t) => {
  t.equal(createOtelcolRing([...three].reverse()).digest, createOtelcolRing(three).digest);
  t.not(createOtelcolRing(three.slice(1)).digest, createOtelcolRing(three).digest);
});

t.test('small rings have the points of the vectors', async (t) => {
  const one = createOtelcolRing(['endpoint-1'], { points: 5 });
  t.strictSame([...one.positions], [19428, 26218, 44399, 107713, 113378]);
  const twice = createOtelcolRing(['endpoint-1', 'endpoint-1'], { points: 5 });
  t.strictSame(
    [...twice.positions],
    [19428, 26218, 44399, 107713, 113378].flatMap((position) => [position, position + 1]),
  );
  const two = createOtelcolRing(['endpoint-A', 'endpoint-B'], { points: 5 });
  t.equal(
    [...two.positions].map((position, index) => `${'AB'[two.owners[index]]}${position}`).join(' '),
    'B24996 A51857 A68466 B70514 B71345 A71681 B100918 B110337 A110358 A124707',
  );
});

t.test('300 endpoints keep all 60,000 points, and crowded ones lose some', async (t) => {
  const names = (count: number) => Array.from({ length: count }, (_, index) => `endpoint-${index}:4317`);
  t.equal(createOtelcolRing(names(300)).positions.length, 60_000);
  const crowded = createOtelcolRing(
    Array.from({ length: 12 }, () => 'endpoint-1'),
    { points: 5 },
  );
  t.equal(crowded.positions.length, 50, 'each of the five points finds ten free positions');
});

t.test('keys find the owner of the vectors', async (t) => {
  const two = createOtelcolRing(['endpoint-1', 'endpoint-2']);
  const ofTwo: [Uint8Array, string][] = [
    [Buffer.from('01020000', 'hex'), 'endpoint-2'],
    [Buffer.from('80800000', 'hex'), 'endpoint-1'],
    [Buffer.from('80800100', 'hex'), 'endpoint-2'],
    [Buffer.from('ad-service-7'), 'endpoint-2'],
    [Buffer.from('get-recommendations-1'), 'endpoint-2'],
    [Buffer.from('get-recommendations-2'), 'endpoint-2'],
  ];
  for (const [key, owner] of ofTwo) t.equal(two.endpoints[two.ownerOfKey(key)], owner, Buffer.from(key).toString('latin1'));

  const ring = createOtelcolRing(three);
  const ids: [string, number][] = [
    ['00000000000000000000000000000000', 3],
    ['000102030405060708090a0b0c0d0e0f', 3],
    ['0102030405060708090a0b0c0d0e0f10', 2],
    ['4bf92f3577b34da6a3ce929d0e0e4736', 3],
    ['ffffffffffffffffffffffffffffffff', 2],
    ['0af7651916cd43dd8448eb211c80319c', 1],
    ['5b8aa5a2d2c872e8321cf37308d69df2', 2],
  ];
  for (const [id, owner] of ids) {
    const bytes = Buffer.concat([Buffer.from([0xaa]), Buffer.from(id, 'hex'), Buffer.from([0xbb])]);
    t.equal(ring.ownerOfTraceId(bytes, 1) + 1, owner, id);
    t.equal(ring.ownerOfKey(Buffer.from(id, 'hex')) + 1, owner, `${id} as a key`);
  }
  for (const name of ['checkout', '', 'service-name-1']) t.equal(ring.ownerOfKey(Buffer.from(`service.name=${name}|`)) + 1, 3, name);
});

t.test('an empty ring owns nothing', async (t) => {
  const ring = createOtelcolRing([]);
  t.equal(ring.ownerOfTraceId(new Uint8Array(16), 0), -1);
  t.equal(ring.ownerOfKey(new Uint8Array(3)), -1);
});

t.test('endpoints are hashed under the name that the Collector knows, and kept under the one that is dialled', async (t) => {
  const dialled = three.map((endpoint) => endpoint.replace(':4317', '-x:4317'));
  const ring = placementOf('otelcol', dialled, (endpoint) => endpoint.replace('-x', ''));
  t.equal(ring.digest, 'ca6994840c22d7ae');
  t.equal(ring.endpoints[ring.ownerOfTraceId(new Uint8Array(16), 0)], '10.0.0.3-x:4317');
  t.not(placementOf('slots', three).digest, ring.digest);
});
