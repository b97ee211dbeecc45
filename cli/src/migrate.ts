import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isAtRemote } from '../../lib/migration/backup.ts';
import { historyIn, type RestoredHistory } from '../../lib/migration/drill.ts';
import { carryOut } from '../../lib/migration/migration.ts';
import { reach } from '../../lib/migration/reach.ts';
import { type Report, reportJson } from '../../lib/migration/report.ts';
import {
  COMMANDS,
  type Command,
  DEFAULTS,
  needsScripts,
  type Request,
  serviceOf,
} from '../../lib/migration/request.ts';
import type { ScriptSource } from '../../lib/migration/scripts.ts';
import { summary } from '../../lib/migration/summary.ts';
import { identity, inventoryFrom } from '../../lib/release/inputs.ts';
import { optionalSecret, secret } from '../../lib/runner/inputs.ts';
import { refuseEmpty, UsageError } from './arguments.ts';
import { commandLineRunner } from './runner.ts';

export const migrateHelp = `compta migrate: a database's schema, as action-db-migrate brings it up to date

  compta migrate          --database NAME --image REFERENCE | --locations FOLDER  [--dry-run] [--rehearse]
  compta migrate validate … | info …
  compta migrate validate … --drill-report FILE
  compta migrate repair   … --confirm "VERSION …"
  compta migrate backup   --database NAME
  compta migrate restore  --database NAME --backup-path BACKUP --confirm NAME  [--age-identity FILE]

  --terraform-outputs FILE, --private-key FILE, --json   as for compta
  --image REFERENCE   image by digest, or current for what is released
  --username NAME, --password-file FILE
                      login at its registry; or COMPTA_REGISTRY_USERNAME and COMPTA_REGISTRY_PASSWORD
  --backup-path PATH  a verified backup of the last hour on the database server, instead of a new one; for restore also
                      what is at the remote: latest, until=TIME, a name; --age-identity opens it
  --drill-report FILE a restore drill's report: the history in the restored backup is held to the scripts, not
                      the database's own
  --port N            PostgreSQL's on the database server (5432)
  --service NAME      whose releases the schema must suit, when the image does not tell
`;

const options = {
  'terraform-outputs': { type: 'string' },
  'private-key': { type: 'string' },
  database: { type: 'string' },
  image: { type: 'string' },
  locations: { type: 'string' },
  service: { type: 'string' },
  port: { type: 'string', default: '5432' },
  username: { type: 'string' },
  'password-file': { type: 'string' },
  'backup-path': { type: 'string' },
  'age-identity': { type: 'string' },
  'drill-report': { type: 'string' },
  confirm: { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
  rehearse: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/**
 * `compta migrate …`; prints the report, and with `--json` the same as action-db-migrate's report
 * file with `changed` for Ansible.
 *
 * @returns the exit code.
 * @throws UsageError
 */
export async function migrateCommand(
  argv: readonly string[],
  cancelled: AbortSignal,
): Promise<number> {
  const { values, request } = readRequest(argv);
  if (values.help) {
    process.stdout.write(migrateHelp);
    return 0;
  }
  const runner = commandLineRunner(values, process.env);
  const wanted = request(optionalSecret(runner, 'password'));
  const outputs = values['terraform-outputs'] ?? process.env.COMPTA_TERRAFORM_OUTPUTS;
  const inventory = inventoryFrom(given(outputs, 'terraform-outputs'));
  const key = secret(runner, 'private-key', 'give --private-key, or the key in COMPTA_SSH_KEY.');
  if (wanted.identity) runner.mask(wanted.identity);
  const say = (line: string) => runner.info(line);
  const report = await reach(inventory, key, tmpdir(), (places) =>
    carryOut(wanted, {
      ...places,
      ...identity(runner.env),
      env: process.env,
      workspace: process.cwd(),
      cancelled,
      say,
      mask: (password) => runner.mask(password),
      annotate: (message, { file, startLine }) => say(`${file}:${startLine}: ${message}`),
    }),
  );
  console.log(runner.redact(values.json ? forProgram(report) : summary(report)));
  for (const problem of report.problems) say(problem);
  return report.problems.length > 0 ? 1 : 0;
}

function forProgram(report: Report): string {
  const { command, applied, restored, historyCopy } = report;
  const changed =
    command === 'backup' ||
    applied.length > 0 ||
    restored !== undefined ||
    historyCopy !== undefined;
  return JSON.stringify({ changed, ...(JSON.parse(reportJson(report)) as object) }, null, 2);
}

function readRequest(argv: readonly string[]) {
  const { values, positionals } = parsed(argv);
  const [word = 'migrate', ...rest] = positionals;
  const command = COMMANDS.find((candidate) => candidate === word);
  if (command === undefined || rest.length > 0) {
    throw new UsageError(`Give one command of ${COMMANDS.join(', ')}; see compta migrate --help.`);
  }
  const request = (password: string | undefined): Request => {
    const database = given(values.database, 'database');
    if (!/^[a-z_][a-z0-9_]{0,62}$/.test(database)) {
      throw new UsageError('--database: lower-case letters, digits and _ only.');
    }
    const port = Number(values.port);
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      throw new UsageError('--port is a whole number from 1 to 65535.');
    }
    const identity = values['age-identity'] && readFileSync(values['age-identity'], 'utf8');
    if (command === 'restore' && isAtRemote(given(values['backup-path'], 'backup-path'))) {
      given(identity, 'age-identity');
    }
    const scripts = needsScripts(command) ? scriptSource(values, password) : undefined;
    if (values['dry-run'] && scripts === undefined) {
      throw new UsageError(`A ${command} has no dry run.`);
    }
    return {
      ...DEFAULTS,
      command,
      scripts,
      database,
      port,
      owner: `${database}_owner`,
      service: values.service ?? serviceOf(scripts, database),
      dryRun: values['dry-run'],
      rehearse: values.rehearse,
      backup: true,
      backupPath: values['backup-path'],
      history: restoredHistory(values['drill-report'], command, database),
      identity,
      confirmed: values.confirm ?? '',
    };
  };
  return { values, request };
}

function parsed(argv: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    refuseEmpty(values);
    const { COMPTA_REGISTRY_USERNAME: username } = process.env;
    return { values: { ...(username && { username }), ...values }, positionals };
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function given(value: string | undefined, name: string): string {
  if (value === undefined || value === '') throw new UsageError(`--${name} is missing.`);
  return value;
}

function restoredHistory(
  report: string | undefined,
  command: Command,
  database: string,
): RestoredHistory | undefined {
  if (report === undefined) return undefined;
  if (command !== 'validate') throw new UsageError('--drill-report: only validate reads it.');
  const found = historyIn(readFileSync(report, 'utf8'), database);
  if (typeof found !== 'string') return found;
  throw new UsageError(`--drill-report: ${report} ${found}.`);
}

function scriptSource(
  {
    image,
    locations,
    username,
  }: {
    image?: string | undefined;
    locations?: string | undefined;
    username?: string | undefined;
  },
  password: string | undefined,
): ScriptSource {
  if (image === undefined) return { from: 'folder', path: resolve(given(locations, 'locations')) };
  const login = username && password ? { username, password } : undefined;
  if (image === 'current') return { from: 'current', login };
  if (!/@sha256:[0-9a-f]{64}$/.test(image)) {
    throw new UsageError('--image: give it by digest, or the word current.');
  }
  return { from: 'image', reference: image, login };
}
