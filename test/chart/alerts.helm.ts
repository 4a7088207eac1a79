import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const folder = fileURLToPath(new URL('./rules/', import.meta.url));

if (spawnSync('go', ['version']).status !== 0) {
  t.comment('not checked with the engine of Prometheus: Go is missing');
} else {
  t.test('every alert fires and keeps quiet where it should, and the dashboard’s queries parse, by the engine of Prometheus', async (t) => {
    const { status, stdout, stderr } = spawnSync('go', ['test', '-count=1', './...'], { cwd: folder, encoding: 'utf8' });
    t.equal(status, 0, `${stdout}${stderr}`);
  });
}
