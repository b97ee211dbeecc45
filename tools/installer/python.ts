import { join } from 'node:path';
import { type Build, pythonCommand } from './build.ts';
import type { PythonPin } from './pins.ts';

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
}
