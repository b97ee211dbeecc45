import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { knownHosts } from '../../lib/inventory/formats.ts';
import { type Inventory, parseTerraformOutputs, serversOf } from '../../lib/inventory/inventory.ts';
import type { Step } from '../../lib/runner/main.ts';
import { openToRunner } from '../../lib/runner-access/step.ts';
import type { Connection } from '../../lib/ssh/connection.ts';
import { SshPool } from '../../lib/ssh/pool.ts';
import { findTool } from '../../lib/tools/find.ts';
import { type Backup, verifiedBackup } from './backup.ts';
import { createLogin, Database, dropLogin, invalidIndexes } from './database.ts';
import {
  type Flyway,
  type Migration,
  migrate,
  mismatches,
  readInfo,
  repairHistory,
  type Script,
} from './flyway.ts';
import { type Inputs, readInputs } from './inputs.ts';
import { scriptsFolder } from './scripts.ts';
import { summary } from './summary.ts';

export async function run(step: Step): Promise<void> {
  const { runner, cancelled } = step;
  const inputs = readInputs(runner);
  const inventory = parseTerraformOutputs(
    JSON.parse(readFileSync(inputs.terraformOutputs, 'utf8')),
  );
  await openToRunner(step, inventory);
  const temp = mkdtempSync(join(runner.temp, 'compta-migrate-'));
  chmodSync(temp, 0o700);
  const pool = new SshPool({
    ...inventory.ssh,
    privateKey: inputs.privateKey,
    knownHosts: knownHosts(inventory),
    jumpHost: inventory.bastion.publicIp,
  });
  try {
    const tool = await findTool({ name: 'flyway', version: inputs.flywayVersion });
    const scripts = await scriptsFolder(inputs.scripts, temp, cancelled);
    const server = await connectTo(inventory, pool);
    await withFlyway(
      inputs,
      server,
      { program: join(tool, 'flyway'), scripts },
      step,
      (flyway, database) => carryOut(inputs, { flyway, database, server }, step),
    );
  } finally {
    await pool.close();
    rmSync(temp, { recursive: true, force: true });
  }
}

function connectTo(inventory: Inventory, pool: SshPool): Promise<Connection> {
  const [server] = serversOf(inventory, 'database');
  if (!server) throw new Error('The Terraform outputs name no server of role database.');
  return pool.connect(server.privateIp, server.name);
}

/** Tunnel and one-time login around the work; both are gone afterwards, whatever happened. */
async function withFlyway(
  inputs: Inputs,
  server: Connection,
  tool: { program: string; scripts: string },
  { runner, cancelled }: Step,
  work: (flyway: Flyway, database: Database) => Promise<void>,
): Promise<void> {
  const database = new Database(server, inputs.port);
  const tunnel = await server.forward('127.0.0.1', inputs.port);
  const login = await createLogin(database, inputs.owner);
  runner.mask(login.password);
  const { owner, limits } = inputs;
  const connection = { database: inputs.database, owner, login, limits, port: tunnel.port };
  try {
    await work({ ...tool, ...connection, env: runner.env, cancelled }, database);
  } finally {
    await dropLogin(database, login);
    await tunnel.close();
  }
}

interface Tools {
  flyway: Flyway;
  database: Database;
  server: Connection;
}

interface Done {
  /** Whether the database may be another than before. */
  changed: boolean;
  applied: Migration['migrations'];
  backup: Backup | undefined;
  problems: string[];
}

async function carryOut(inputs: Inputs, tools: Tools, { runner }: Step): Promise<void> {
  const { flyway } = tools;
  const before = await readInfo(flyway);
  const wrong = await mismatches(flyway);
  const say = (line: string) => runner.info(line);
  const done = await act(inputs, tools, before.pending, wrong, say);
  const after = done.changed ? await readInfo(flyway) : before;

  runner.output('previous-schema-version', before.version);
  runner.output('schema-version', after.version);
  runner.output('pending', before.pending.length);
  runner.output('applied', done.applied.length);
  runner.output('backup-path', done.backup?.path ?? '');
  runner.summary(
    summary({
      ...done,
      command: inputs.command,
      database: inputs.database,
      dryRun: inputs.dryRun,
      before: before.version,
      after: after.version,
      pending: before.pending,
      sql: inputs.dryRun ? textOf(before.pending) : new Map(),
    }),
  );
  if (done.problems.length > 0) throw new Error(`${inputs.database}:\n${done.problems.join('\n')}`);
}

/** Changes something only for `migrate` with scripts pending, and `repair`; after the backup. */
async function act(
  inputs: Inputs,
  { flyway, database, server }: Tools,
  pending: readonly Script[],
  wrong: string[],
  say: (line: string) => void,
): Promise<Done> {
  const idle =
    inputs.dryRun ||
    inputs.command === 'info' ||
    inputs.command === 'validate' ||
    (inputs.command === 'migrate' && (pending.length === 0 || wrong.length > 0));
  if (idle)
    return {
      changed: false,
      applied: [],
      backup: undefined,
      problems: inputs.command === 'info' ? [] : wrong,
    };

  const backup = inputs.backup ? await verifiedBackup(server, inputs.database, say) : undefined;
  if (inputs.command === 'repair') {
    for (const action of await repairHistory(flyway)) say(`repair: ${action}`);
    return { changed: true, applied: [], backup, problems: await mismatches(flyway) };
  }
  const { migrations } = await migrate(flyway, say);
  const broken = await invalidIndexes(database, inputs.database);
  const problems = [
    ...(await mismatches(flyway)),
    ...broken.map((index) => `the index ${index} is invalid: drop it and create it again`),
  ];
  return { changed: true, applied: migrations, backup, problems };
}

function textOf(pending: readonly Script[]): Map<string, string> {
  return new Map(
    pending.flatMap(({ filepath }) =>
      filepath ? [[basename(filepath), readFileSync(filepath, 'utf8')] as const] : [],
    ),
  );
}
