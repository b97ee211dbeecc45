import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { type Ended, runAction } from '../../lib/runner/test/start-action.ts';
import { fortySecrets, readableForms } from './forty-secrets.ts';
import { inlineVault, makeProject, type Project, playbook, writeVault } from './project.ts';
import { type Sshd, startSshd } from './sshd.ts';

const password = 'planted vault password';
const secrets = fortySecrets();
const node = process.execPath;
let sshd: Sshd;
let project: Project;
let temp: string;

beforeAll(async () => {
  sshd = await startSshd(18424);
});
afterAll(() => sshd.stop());
beforeEach(() => {
  project = makeProject(sshd.port);
  temp = mkdtempSync(join(tmpdir(), 'compta-forty-'));
});
afterEach(() => {
  process.execPath = node;
  project.remove();
  rmSync(temp, { recursive: true });
});

// Both ways on which modules get to a server.
test.each(['linear', 'mitogen_linear'])(
  'forty secrets at -vvv and with --diff are readable nowhere, nor in any argv (%s)',
  async (strategy) => {
    const { s0, s1, ...others } = secrets;
    writeVault(project, password, stringify({ secrets: others }));
    const inline = [s0, s1].map((value) => inlineVault(project, password, value ?? ''));
    project.write(
      'inventory/group_vars/all/inline.yml',
      `inline:\n    - ${inline.join('\n    - ')}\n`,
    );
    project.write(
      'all.j2',
      '{% for name in secrets %}{{ name }}: {{ secrets[name] }}\n{% endfor %}',
    );
    project.write('site.yml', printing(join(sshd.home, strategy)));
    const trace = join(project.folder, 'trace');
    traced(trace);

    const ended = await runAction(
      'action-ansible',
      {
        playbook: 'site.yml',
        directory: project.folder,
        inventory: 'inventory/hosts.yml',
        strategy,
        'known-hosts': sshd.knownHosts,
        'private-key': sshd.privateKey,
        'vault-password': password,
        'secret-vars': stringify({ given: 'planted-given secret' }),
      },
      {
        RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '',
        RUNNER_TEMP: temp,
        ANSIBLE_VERBOSITY: '3',
        ANSIBLE_DIFF_ALWAYS: 'True',
      },
    );
    expect(ended.exitCode).toBe(1);
    expect(ended.errors.at(-1)).toBe('site.yml failed.\n1 task failed.');
    expect(ended.stdout).toContain('+++ after');
    const argv = readFileSync(trace, 'utf8');
    expect(argv).toContain('ansible-playbook');
    expect(argv).toContain('"ssh"');

    const left = readdirSync(temp, { recursive: true, encoding: 'utf8' });
    expect(left).toEqual([expect.stringMatching(/^ansible-events-/)]);
    const written = left.map((name) => readFileSync(join(temp, name), 'utf8')).join('\n');
    const seen = `${said(ended)}\n${written}\n${argv}`;
    const values = [...Object.values(secrets), password, 'planted-given secret', sshd.privateKey];
    const leaks = readableForms(values).filter((form) => seen.includes(form));
    expect(leaks).toEqual([]);
    expect(seen.match(/.{0,60}planted\d+q.{0,60}/g) ?? []).toEqual([]);
  },
  400_000,
);

/**
 * Templates with a diff, loops, encodings, ignored failures, and a last one that stays.
 * @param made what its files' names begin with.
 */
function printing(made: string): string {
  const each = '{{ secrets | dict2items }}';
  return playbook(
    { template: { src: 'all.j2', dest: `${made}-all` } },
    { copy: { content: '{{ secrets | to_json }}', dest: `${made}-json` } },
    { debug: { var: 'secrets' } },
    { debug: { msg: '{{ item.key }} is {{ item.value }}' }, loop: each },
    { debug: { msg: '{{ item.value | b64encode }} {{ item.value | urlencode }}' }, loop: each },
    { debug: { msg: '{{ item.value | quote }} {{ item.value | to_json }}' }, loop: each },
    { debug: { msg: '{{ ("user:" ~ item.value) | b64encode }}' }, loop: each },
    { name: 'Echo {{ inline[0] }}', command: { argv: ['echo', '{{ inline | join }}'] } },
    {
      shell: { cmd: 'cat; exit 3', stdin: '{{ secrets.values() | join(" ") }}' },
      ignore_errors: true,
    },
    { debug: { msg: '{{ given }}' } },
    {
      name: 'Refuse {{ secrets.s2 }}',
      fail: { msg: 'no entry with {{ secrets.values() | list }}' },
    },
  );
}

/** Everything that the runner would show or hand on, but for the masks themselves. */
function said({ stdout, summary, outputs, errors }: Ended): string {
  const log = stdout.replaceAll(/^::add-mask::.*$/gm, '');
  return [log, summary, JSON.stringify(outputs), ...Object.values(outputs), ...errors].join('\n');
}

/** The action is started by way of strace, which writes the argv of all that it starts. */
function traced(file: string): void {
  const program = join(project.folder, 'traced');
  const options = ['-f', '-qq', '--seccomp-bpf', '-e', 'trace=execve', '-s', '1000000', '-o', file];
  const argv = JSON.stringify(['strace', ...options, node]);
  // Not in sh, which drops variables such as INPUT_KNOWN-HOSTS.
  const lines = [
    '#!/usr/bin/python3',
    'import os, sys',
    `os.execvp("strace", ${argv} + sys.argv[1:])`,
  ];
  writeFileSync(program, `${lines.join('\n')}\n`);
  chmodSync(program, 0o755);
  process.execPath = program;
}
