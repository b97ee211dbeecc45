import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';

const role = resolve(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(role, file), 'utf8');

/** The fingerprint that PostgreSQL publishes, and that Debian ships in postgresql-common. */
const PGDG = 'B97B0AFCAA1A47F044F244A07FCC7D46ACCC4CF8';

test("PostgreSQL's packages are held to PGDG's key, which comes with the role", () => {
  const home = mkdtempSync(join(tmpdir(), 'compta-gpg-'));
  const options = ['--homedir', home, '--batch', '--no-tty', '--with-colons', '--show-keys'];
  try {
    const keys = execFileSync('gpg', [...options, join(role, 'files/apt.postgresql.org.asc')], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
    expect([...keys.matchAll(/^fpr:+(\w+):/gm)].map(([, print]) => print)).toEqual([PGDG]);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  const defaults = parse(read('defaults/main.yml')) as Record<string, string>;
  expect(defaults.postgresql_repository_key).toBe(
    "{{ lookup('ansible.builtin.file', 'apt.postgresql.org.asc') }}",
  );
  // A key by address would be whatever is served there on the day.
  const [repository] = (parse(read('tasks/repository.yml')) as Record<string, object>[]).flatMap(
    (task) => task['ansible.builtin.deb822_repository'] ?? [],
  );
  expect(repository).toMatchObject({ signed_by: '{{ postgresql_repository_key }}' });
});
