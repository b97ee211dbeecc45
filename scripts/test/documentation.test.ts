import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { anchorsOf, linksOf, pages, rowsOf, textOf, tokensOf } from './documentation.ts';
import { allWorkflows, environmentOf, root, workflow } from './workflow-files.ts';

/** What the pages say is so. */

test.each(pages())('%s links to what exists', (page) => {
  const broken = linksOf(page).filter((href) => {
    if (/^[a-z]+:/.test(href)) return false;
    const [path = '', anchor] = decodeURI(href).split('#');
    const target = path === '' ? page : normalize(join(dirname(page), path));
    if (!existsSync(join(root, target))) return true;
    return anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).has(anchor);
  });
  expect(broken).toEqual([]);
});

test('troubleshooting quotes messages that exist', () => {
  const source = sources();
  const quoted = rowsOf('docs/troubleshooting.md').map(([message = '']) =>
    /^`(.+)`$/.exec(message),
  );
  expect(quoted.length).toBeGreaterThan(50);
  const unknown = quoted.filter((match) => !source.some((text) => holds(text, match?.[1] ?? '')));
  expect(unknown.map((match) => match?.input)).toEqual([]);
});

test('the secrets and variables of docs/deployment.md are those of the workflows, and no others', () => {
  const used = (context: string) =>
    new Set(
      allWorkflows().flatMap(({ text }) =>
        [...text.matchAll(new RegExp(`\\b${context}\\.([A-Z][A-Z0-9_]*)`, 'g'))].map(
          ([, name]) => name,
        ),
      ),
    );
  const listed = rowsOf('docs/deployment.md')
    .flatMap(([first = '']) => [...first.matchAll(/`([A-Z][A-Z0-9_]{3,})`/g)])
    .map(([, name]) => name);
  const all = new Set([...used('secrets'), ...used('vars')]);
  // A name that is put together: vars[format('{0}_URL', …)].
  const composed = allWorkflows().flatMap(({ text }) =>
    [...text.matchAll(/format\('\{0\}(_[A-Z_]+)'/g)].map(([, end]) => end ?? ''),
  );
  const isUsed = (name = '') => all.has(name) || composed.some((end) => name.endsWith(end));
  expect(listed.filter((name) => !isUsed(name))).toEqual([]);
  expect([...all].filter((name) => !listed.includes(name))).toEqual([]);
});

test('the call of service-release.yml hands over the names of what environments hold', () => {
  const [call = ''] = tokensOf('docs/deployment.md').flatMap((token) =>
    token.type === 'code' && token.text.includes('/service-release.yml@') ? [token.text] : [],
  );
  const handed = Object.keys(parse(call).jobs.release.secrets);
  const jobs = Object.values(workflow('service-release.yml').jobs).filter(environmentOf);
  const read = JSON.stringify(jobs).matchAll(/secrets\.([A-Z_]+)/g);
  // What is the repository's own where it is there at all.
  const needed = [...read].map(([, name]) => name).filter((name) => name !== 'SUITE_TOKEN');
  expect(needed).toContain('SSH_PRIVATE_KEY');
  expect(handed).toEqual(expect.arrayContaining(needed));
});

test('commands in the documents are ones that the project has', () => {
  const commands = pages()
    .filter((page) => !page.startsWith('examples/'))
    .flatMap(tokensOf)
    .flatMap((token): string[] => (token.type === 'code' ? token.text.split('\n') : []))
    .map((line) => line.replace(/^[$>#] */, ''));
  const targets: string[] = textOf('Makefile').match(/^[a-z]+(?=:)/gm) ?? [];
  const made = commands.flatMap((line) => /^make ([a-z]+)/.exec(line)?.[1] ?? []);
  expect(made.filter((target) => !targets.includes(target))).toEqual([]);

  const calls = commands.flatMap((line) => {
    const word = /^compta ([a-z]+)|^infra\/scripts\/deploy\/([a-z]+)/.exec(line);
    return word
      ? [{ command: word[1] ?? word[2] ?? '', options: line.match(/--[a-z-]+/g) ?? [] }]
      : [];
  });
  expect(calls.length).toBeGreaterThan(0);
  const names = new Set(calls.map(({ command }) => command));
  const help = new Map([...names].map((name) => [name, helpOf(name)]));
  const unknown = calls.flatMap(({ command, options }) =>
    [`compta ${command}`, ...options]
      .filter((word) => !help.get(command)?.includes(word))
      .map((word) => `${command}: ${word}`),
  );
  expect(unknown).toEqual([]);

  const scripts = commands.flatMap((line) => /^(infra\/[\w./-]+\.sh)/.exec(line)?.[1] ?? []);
  expect(scripts.filter((script) => !existsSync(join(root, script)))).toEqual([]);
});

/** What the command line says of one of its commands. */
function helpOf(command: string): string {
  const words = [join(root, 'cli/src/index.ts'), command, '--help'];
  return execFileSync(process.execPath, words, { encoding: 'utf8' });
}

/** Code in which messages are written, with `…` for what is put in and strings that go on joined. */
function sources(): string[] {
  const places = ['lib', 'action-*/src/*', 'cli/src', 'infra/ansible', '.github/workflows'];
  const files = execFileSync('git', ['-C', root, 'ls-files', '-z', '--', ...places], {
    encoding: 'utf8',
  })
    .split('\0')
    .filter((file) => file !== '' && !file.includes('/test/') && existsSync(join(root, file)));
  return files.map((file) =>
    readFileSync(join(root, file), 'utf8')
      .replaceAll(/['`"] \+\s*['`"]/g, '')
      .replaceAll(/\\([`'"])/g, '$1'),
  );
}

/** Whether a text has the parts of a message between its `…`, in order and close together. */
function holds(text: string, message: string): boolean {
  const parts = message.split('…').filter((part) => part.trim() !== '');
  const pattern = parts.map(escaped).join('[^]{0,120}?');
  return parts.length > 0 && new RegExp(pattern).test(text);
}

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
