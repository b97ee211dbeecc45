import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { copyOfTheCode } from './terraform.ts';

jest.setTimeout(300_000);

const root = resolve(import.meta.dirname, '..');
const inside = (folder: string): string[] =>
  readdirSync(join(root, folder))
    .map((name) => `${folder}/${name}`)
    .sort();

const modules = inside('modules');
const environments = inside('environments');
const examples = modules.flatMap((module) => inside(`${module}/examples`));
const tested = [...modules, ...environments].filter((path) =>
  existsSync(join(root, path, 'tests')),
);

const code = copyOfTheCode();
afterAll(() => code.remove());

async function initialised(path: string) {
  const terraform = code.terraform(path);
  const init = await terraform.init('-backend=false');
  expect(init).toEqual({ code: 0, output: expect.stringContaining('initialized!') });
  return terraform;
}

describe('terraform test', () => {
  it.each(tested)('%s', async (path) => {
    const result = await (await initialised(path)).test();
    const success = expect.stringMatching(/Success! [1-9]\d* passed, 0 failed/);
    expect(result).toEqual({ code: 0, output: success });
  });
});

describe('terraform validate', () => {
  it.each([...examples, ...environments])('%s', async (path) => {
    const result = await (await initialised(path)).validate();
    expect(result).toEqual({ code: 0, output: expect.stringContaining('is valid') });
  });
});

describe('the three environments', () => {
  /** What makes an environment another one; all else is the same, byte for byte. */
  const own = ['main.tf', 'variables.tf', 'backend.tf', 'terraform.tfvars.example', 'README.md'];
  const files = (path: string) =>
    Object.fromEntries(
      readdirSync(join(root, path), { withFileTypes: true })
        .filter((entry) => entry.isFile() && !own.includes(entry.name))
        .map(({ name }) => [name, readFileSync(join(root, path, name), 'utf8')]),
    );

  it.each(environments)('%s has the shape of production', (path) => {
    expect(files(path)).toEqual(files('environments/production'));
  });
});
