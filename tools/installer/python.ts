import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Build, pythonCommand } from './build.ts';
import type { PythonPin } from './pins.ts';

/** What a playbook imports in every process; the linters beside it stay as they came. */
const COMPILED = ['ansible', 'ansible_collections', 'jinja2', 'yaml'];

/**
 * A virtual environment, and in it the wanted collections out of PyPI's `ansible`, where
 * ansible-core looks by itself: Galaxy is not asked, and 90 other collections are left out.
 */
export async function buildPython(pin: PythonPin, build: Build): Promise<void> {
  const python = join(build.folder, 'bin', 'python');
  await build.exec([pythonCommand(), '-m', 'venv', build.folder]);
  const pip = [python, '-m', 'pip', '--no-input'];
  const hashed = (file: string) => ['--require-hashes', '-r', join(build.tools, file)];
  await build.exec([...pip, 'install', '--no-compile', ...hashed(pin.requirements)]);
  if (!pin.collections) return;

  const wheels = join(build.folder, 'wheels');
  const { requirements, names } = pin.collections;
  await build.exec([...pip, 'download', '--no-deps', '-d', wheels, ...hashed(requirements)]);
  await build.exec([
    python,
    join(build.tools, 'python', 'unpack_collections.py'),
    wheels,
    ...names,
  ]);
  // Ansible forks a process a task, and each would compile what it imports once more.
  // Some files of collections are templates that only look like Python: status 1.
  const [version = ''] = readdirSync(join(build.folder, 'lib'));
  const packages = join(build.folder, 'lib', version, 'site-packages');
  await build.exec(
    [python, '-m', 'compileall', '-q', ...COMPILED.map((name) => join(packages, name))],
    { allowedExitCodes: [0, 1] },
  );
}
