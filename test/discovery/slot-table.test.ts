import t from 'tap';
import { createSlotTable, type SlotTable } from '../../src/discovery/slot-table.ts';
import { seededPrng } from '../../src/shared/prng.ts';

const slotCount = 65_536;

function fleet(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `10.${(from + index) >> 8}.7.${(from + index) & 255}:4317`);
}

function loadsOf(table: SlotTable): number[] {
  const loads = new Array<number>(table.endpoints.length).fill(0);
  for (const owner of table.owners) loads[owner]++;
  return loads;
}

/** Slots that moved, and those of them whose owner is in both sets. */
function moves(before: SlotTable, after: SlotTable): { all: number; needless: number } {
  let all = 0;
  let needless = 0;
  const both = new Set(before.endpoints.filter((endpoint) => after.endpoints.includes(endpoint)));
  for (let slot = 0; slot < slotCount; slot++) {
    const [from, to] = [before.endpoints[before.owners[slot]], after.endpoints[after.owners[slot]]];
    if (from === to) continue;
    all++;
    if (both.has(from) && both.has(to)) needless++;
  }
  return { all, needless };
}

t.test('every slot has an owner, and none owns much more than the mean', async (t) => {
  for (const [count, highest] of [
    [1, 1],
    [2, 1.01],
    [3, 1.01],
    [9, 1.01],
    [30, 1.016],
    [100, 1.03],
    [1000, 1.09],
  ]) {
    const loads = loadsOf(createSlotTable(fleet(count)));
    t.equal(
      loads.reduce((sum, load) => sum + load, 0),
      slotCount,
    );
    t.ok((Math.max(...loads) * count) / slotCount <= highest, `${count}: ${(Math.max(...loads) * count) / slotCount}`);
  }
});

t.test('the table depends on the set alone', async (t) => {
  const names = fleet(30);
  const prng = seededPrng(3);
  const table = createSlotTable(names);
  for (let round = 0; round < 5; round++) {
    const shuffled = [...names, names[round]].map((name) => ({ name, at: prng.next() })).sort((a, b) => a.at - b.at);
    const again = createSlotTable(shuffled.map(({ name }) => name));
    t.equal(again.digest, table.digest);
    t.strictSame(again.endpoints, table.endpoints);
    t.ok(Buffer.from(again.owners.buffer).equals(Buffer.from(table.owners.buffer)));
  }
  t.not(createSlotTable(fleet(30, 1)).digest, table.digest);
});

t.test('a change of one endpoint moves hardly more than its own share', async (t) => {
  const rounds = 6;
  for (const count of [3, 9, 30]) {
    let moved = 0;
    for (let round = 0; round < rounds; round++) {
      const names = fleet(count, round * 1000);
      const before = createSlotTable(names);
      const removed = moves(before, createSlotTable(names.filter((_, index) => index !== round % count)));
      const added = moves(before, createSlotTable([...names, '192.168.0.1:4317']));
      t.ok(removed.needless <= slotCount * 0.005, `${count}: ${removed.needless} moved between survivors at a removal`);
      t.ok(added.needless <= slotCount * 0.005, `${count}: ${added.needless} moved between survivors at an addition`);
      t.ok(added.all <= (1.02 / count) * slotCount, `${count}: ${added.all} moved at an addition`);
      moved += removed.all;
    }
    t.ok(moved / rounds <= (1.02 / (count - 1)) * slotCount, `${count}: ${moved / rounds} moved at a removal`);
  }
});

t.test('ids of every shape are spread alike', async (t) => {
  const ids = 100_000;
  const prng = seededPrng(11);
  const id = Buffer.alloc(18);
  const shapes: Record<string, (index: number) => void> = {
    random: () => {
      for (let word = 1; word < 17; word += 4) id.writeUInt32BE((prng.next() * 2 ** 32) >>> 0, word);
    },
    'constant low half': (index) => {
      id.fill(0x11, 9, 17);
      id.writeUInt32BE(index, 5);
    },
    'clock in front': (index) => {
      id.writeUInt32BE(1_700_000_000 + (index >>> 10), 1);
      id.writeUInt32BE((prng.next() * 2 ** 32) >>> 0, 13);
    },
    'counter at the end': (index) => {
      id.fill(0, 1, 17);
      id.writeUInt32BE(index, 13);
    },
  };
  for (const count of [3, 9, 30]) {
    const table = createSlotTable(fleet(count));
    for (const [shape, write] of Object.entries(shapes)) {
      const loads = new Array<number>(count).fill(0);
      for (let index = 0; index < ids; index++) {
        write(index);
        loads[table.ownerOfTraceId(id, 1)]++;
      }
      // Four deviations of chance above what the table itself allows.
      const highest = 1.016 + 4 * Math.sqrt(count / ids);
      t.ok((Math.max(...loads) * count) / ids <= highest, `${shape} over ${count}: ${(Math.max(...loads) * count) / ids}`);
    }
  }
});

t.test('the position of the id in the bytes does not matter, the id does', async (t) => {
  const table = createSlotTable(fleet(1000));
  const prng = seededPrng(5);
  let same = 0;
  for (let round = 0; round < 200; round++) {
    const bytes = Buffer.from(Array.from({ length: 40 }, () => Math.floor(prng.next() * 256)));
    const shared = new Uint8Array(new SharedArrayBuffer(16));
    shared.set(bytes.subarray(7, 23));
    t.equal(table.ownerOfTraceId(bytes, 7), table.ownerOfTraceId(shared, 0));
    t.equal(table.ownerOfTraceId(bytes, 7), table.ownerOfKey(bytes.subarray(7, 23)));
    if (table.ownerOfTraceId(bytes, 7) === table.ownerOfTraceId(bytes, 8)) same++;
  }
  t.ok(same < 20);
});

t.test('ejecting endpoints moves their slots and no others', async (t) => {
  const names = fleet(30);
  const table = createSlotTable(names);
  const gone = new Set([table.endpoints[4], table.endpoints[17], 'unknown:1']);
  const rest = table.without(gone);
  t.strictSame(rest.endpoints, table.endpoints, 'indexes stay');
  t.not(rest.digest, table.digest);
  const gained = new Array<number>(30).fill(0);
  for (let slot = 0; slot < slotCount; slot++) {
    if (gone.has(table.endpoints[table.owners[slot]])) gained[rest.owners[slot]]++;
    else if (rest.owners[slot] !== table.owners[slot]) t.fail(`slot ${slot} moved without need`);
  }
  t.equal(gained[4] + gained[17], 0);
  const expected = (slotCount / 30) * (2 / 28);
  for (const [index, slots] of gained.entries())
    if (index !== 4 && index !== 17) t.ok(slots > expected / 2 && slots < expected * 2, `${slots}`);
  const inTwoSteps = table.without(new Set([table.endpoints[4]])).without(gone);
  t.equal(inTwoSteps.digest, rest.digest, 'each slot walks its own order, whatever the steps');
  t.equal(table.without(new Set(names)).digest, table.digest, 'ejecting all of them ejects none');
});

t.test('no endpoints, no owner', async (t) => {
  const table = createSlotTable([]);
  t.equal(table.ownerOfTraceId(new Uint8Array(16), 0), -1);
  t.equal(table.ownerOfKey(new Uint8Array(2)), -1);
  t.match(table.digest, /^[0-9a-f]{16}$/);
});

t.test('the table is the same in every version: routers of two versions must agree', async (t) => {
  const table = createSlotTable(['10.0.0.0:4317', '10.0.0.1:4317', '10.0.0.2:4317']);
  t.equal(table.digest, '3b14bc71e5875519');
  t.strictSame([...table.owners.subarray(0, 8)], [0, 1, 2, 0, 2, 2, 1, 0]);
  t.equal(table.ownerOfTraceId(Buffer.from('4bf92f3577b34da6a3ce929d0e0e4736', 'hex'), 0), 0);
});
