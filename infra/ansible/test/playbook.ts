import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runAction } from '../../../lib/runner/test/start-action.ts';
import type { Servers } from './servers.ts';

/** What one task, or one turn of its loop, did on one host. */
export interface Result {
  host: string;
  task: string;
  changed: boolean;
  /** The file that it writes, when it is such a task and its result is not hidden. */
  file: string | undefined;
}

export interface Played {
  /** What the action says went wrong. */
  errors: string[];
  results: Result[];
  /** Changed tasks by host. */
  changed: Record<string, number>;
}

/** Runs a playbook on the servers through action-ansible, as a workflow does. */
export async function play(
  servers: Servers,
  playbook: string,
  more: Record<string, string> = {},
): Promise<Played> {
  const work = mkdtempSync(join(tmpdir(), 'compta-play-'));
  const outputs = join(work, 'outputs.json');
  writeFileSync(outputs, JSON.stringify(servers.outputs));
  try {
    const { errors, stdout } = await runAction(
      'action-ansible',
      {
        directory: servers.ansible.directory,
        playbook: `playbooks/${playbook}`,
        inventory: 'inventories/staging',
        'terraform-outputs': outputs,
        'private-key': servers.privateKey,
        'hcloud-token': servers.hetzner.token,
        'vault-password': readFileSync(servers.ansible.vaultKey, 'utf8').trim(),
        'extra-vars': JSON.stringify({ ...servers.variables, ...SHOWN }),
        strategy: 'mitogen_free',
        ...more,
      },
      {
        RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE ?? '',
        HCLOUD_ENDPOINT: servers.hetzner.url,
        ANSIBLE_STDOUT_CALLBACK: 'ansible.posix.json',
        ANSIBLE_DIFF_ALWAYS: 'True',
      },
    );
    return { errors, ...read(stdout) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The vault is this test's alone, so it may see what was changed. */
const SHOWN = {
  postgresql_no_log: false,
  pgbouncer_no_log: false,
  redis_no_log: false,
  backup_no_log: false,
  monitoring_no_log: false,
  application_no_log: false,
};

interface Raw {
  changed?: boolean;
  skipped?: boolean;
  action?: string;
  dest?: string;
  path?: string;
  diff?: { before_header?: string } | { before_header?: string }[];
  results?: Raw[];
}
interface Report {
  plays: { tasks: { task: { name: string }; hosts: Record<string, Raw> }[] }[];
  stats: Record<string, { changed: number }>;
}

/** The reports of Ansible's JSON callback, one an attempt, among the action's own lines. */
function read(stdout: string): Omit<Played, 'errors'> {
  const reports = [...stdout.matchAll(/^\{$[\s\S]*?^\}$/gm)].map(
    ([text]) => JSON.parse(text) as Report,
  );
  if (reports.length === 0) throw new Error(`Ansible left no report:\n${stdout}`);
  const results = reports
    .flatMap(({ plays }) => plays)
    .flatMap(({ tasks }) => tasks)
    .flatMap(({ task, hosts }) =>
      Object.entries(hosts).flatMap(([host, raw]) =>
        (raw.results ?? [raw]).map((one) => ({
          host,
          task: task.name,
          changed: one.changed === true,
          file: fileOf(raw.action ?? '', one),
        })),
      ),
    );
  const changed: Record<string, number> = {};
  for (const [host, counts] of reports.flatMap(({ stats }) => Object.entries(stats))) {
    changed[host] = (changed[host] ?? 0) + counts.changed;
  }
  return { results, changed };
}

/** In check mode only the difference names the file. */
function fileOf(action: string, { skipped, dest, path, diff = [] }: Raw): string | undefined {
  const writes = /(^|\.)(copy|template|get_url|deb822_repository)$/.test(action);
  return writes && !skipped ? (dest ?? path ?? [diff].flat()[0]?.before_header) : undefined;
}
