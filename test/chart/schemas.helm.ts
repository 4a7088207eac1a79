import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { goldenCases, helmAt, render } from './render.ts';
import { helmPrograms } from './tools.ts';

const helm = helmAt(helmPrograms().helm4);
const folder = fileURLToPath(new URL('../../node_modules/.cache/ringtail-chart/kubernetes-validate/', import.meta.url));
/** Carries the API's schemas of every version. */
const validator = 'kubernetes-validate==1.37.0';

function validatorIsHere(): boolean {
  if (existsSync(`${folder}kubernetes_validate`)) return true;
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync('python3', ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', folder, validator], {
      stdio: 'pipe',
    });
    return true;
  } catch {
    return false;
  }
}

if (!validatorIsHere()) {
  t.comment(`not checked against the API's schemas: python3 with pip could not install ${validator}`);
} else {
  for (const version of ['1.27', '1.28', '1.29', '1.30', '1.31', '1.32', '1.33', '1.34', '1.35', '1.36', '1.37']) {
    t.test(`Kubernetes ${version} knows every field of every render`, async (t) => {
      const files = t.testdir();
      const names: string[] = [];
      for (const one of goldenCases()) {
        const { text, error } = await render(helm, { ...one, kubeVersion: `${version}.0` });
        t.equal(error, '');
        names.push(`${files}/${one.name}.yaml`);
        writeFileSync(names.at(-1) as string, text);
      }
      const args = ['-m', 'kubernetes_validate', '--strict', '--no-warn', '-k', version, ...names];
      const { status, stdout, stderr } = spawnSync('python3', args, { env: { ...process.env, PYTHONPATH: folder }, encoding: 'utf8' });
      t.equal(
        status,
        0,
        `${stdout}${stderr}`
          .split('\n')
          .filter((line) => !line.startsWith('INFO'))
          .join('\n'),
      );
      t.match(stdout, /passed for resource statefulset\/demo-ringtail-sampler/i);
    });
  }
}
