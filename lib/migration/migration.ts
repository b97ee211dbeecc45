import { mkdtempSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Host } from '../release/host.ts';
import { Lease } from '../release/lease.ts';
import { recordContracts, recordRestore } from '../release/schema.ts';
import { messageOf } from '../runner/main.ts';
import type { Annotation } from '../runner/runner.ts';
import type { Connection } from '../ssh/connection.ts';
import { findTool } from '../tools/find.ts';
import { invalidIndexes, isBesideAnother, remarksOn, touchedTables } from './aftermath.ts';
import { backupAt, makeBackup, newestBackup, restoreBackup } from './backup.ts';
import { createRestorePoint, judge, readFacts, refuseUnlessAllHold } from './checks.ts';
import { Database } from './database.ts';
import { type RestoredHistory, withHistory } from './drill.ts';
import { releasedImage, servedReleases, standInTheWay, unwellSlots } from './fleet.ts';
import {
  type Flyway,
  FlywayRefused,
  LOCK_NOT_AVAILABLE,
  type Mismatch,
  migrate,
  readState,
  repairHistory,
  type State,
} from './flyway.ts';
import { assertPostgres } from './front.ts';
import { refuseMixed, refuseUnspoken } from './intent.ts';
import { lint, sourceOf } from './lint.ts';
import { createLogin, dropDeadLogins, dropLogin } from './login.ts';
import { folderWithout, readPending, refuseTakenOut, runsOf } from './pending.ts';
import { MigrationRefused } from './refused.ts';
import { rehearse } from './rehearsal.ts';
import {
  copyHistory,
  correctionsFor,
  explain,
  refuseUnlessNamed,
  scriptsInHistory,
} from './repair.ts';
import { emptyReport, type Report, wayBackFrom } from './report.ts';
import type { Request } from './request.ts';
import { scriptsFolder } from './scripts.ts';
import { takeTurn } from './turn.ts';

/** Everything outside of us. */
export interface World {
  /** Name of the environment that these servers are. */
  environment: string;
  /** The database server. */
  server: Connection;
  /** The application servers, connected when first asked for; none before there are any. */
  hosts: () => Promise<readonly Host[]>;
  /** A folder of our own. */
  temp: string;
  workspace: string;
  env: NodeJS.ProcessEnv;
  cancelled: AbortSignal;
  by: string;
  run: string;
  /** Token of the lease that is held around this process; see `identity`. */
  within?: number | undefined;
  say: (line: string) => void;
  mask: (secret: string) => void;
  annotate: (message: string, at: Annotation) => void;
  /** Told the lease's token, so that it can be freed even if this process is killed. */
  leaseTaken?: (token: number) => void;
}

interface Work extends World {
  request: Request;
  report: Report;
  database: Database;
}

/** Does what is asked for. What goes wrong is in the report's `problems`. */
export async function carryOut(request: Request, world: World): Promise<Report> {
  const { command, dryRun } = request;
  const report = emptyReport(command, request.database, dryRun);
  const database = new Database(world.server, request.port);
  const work: Work = { ...world, request, report, database };
  const changes = !dryRun && ['migrate', 'repair', 'restore'].includes(command);
  try {
    await refusePooler(work);
    if (command === 'backup') report.backup = await backUp(work);
    else if (command === 'restore') await inTurn(work, () => restore(work));
    else if (changes || request.rehearse || request.history)
      await inTurn(work, () => withFlyway(work, true));
    else await withFlyway(work, false);
  } catch (error) {
    report.problems.push(messageOf(error));
  }
  if (report.problems.length > 0 && changes) {
    const { environment, server } = world;
    const place = { environment, service: request.service, server: server.name };
    report.wayBack = wayBackFrom(report, place);
  }
  return report;
}

/** Before anything else: the lock of a turn would stay behind a pooler, with a session that is nobody's. */
async function refusePooler({ server, request }: Work): Promise<void> {
  const tunnel = await server.forward('127.0.0.1', request.port);
  try {
    await assertPostgres(tunnel.port, request.port);
  } finally {
    await tunnel.close();
  }
}

/** One runner at a time, and no longer than the connection lives. */
async function inTurn(work: Work, body: () => Promise<void>): Promise<void> {
  const { database, request, by, run } = work;
  const number = /\d+$/.exec(run)?.[0];
  const who = number === undefined ? by : `${by}, run ${number}`;
  const turn = await takeTurn(database, request.database, who);
  work.cancelled = AbortSignal.any([work.cancelled, turn.ended]);
  try {
    await body();
  } finally {
    await turn.end();
  }
}

/** Tunnel and one-time login around the work; both are gone afterwards, whatever happened. */
async function withFlyway(work: Work, alone: boolean): Promise<void> {
  const { request, database, server, temp, cancelled, env, say } = work;
  const { owner, statements } = request;
  const [tool, scripts] = await Promise.all([
    findTool({ name: 'flyway', version: request.flyway, cancelled }),
    scriptsFolder(await sourceFor(work), temp, cancelled),
  ]);
  const tunnel = await server.forward('127.0.0.1', request.port);
  try {
    for (const user of await dropDeadLogins(database, owner, alone)) {
      say(`Ended ${user}, which a run that was killed had left`);
    }
    const login = await createLogin(database, owner);
    work.mask(login.password);
    try {
      await onFlyway(work, {
        ...{ program: resolve(tool, 'flyway'), home: mkdtempSync(join(temp, 'flyway-')) },
        ...{ scripts, database: request.database, owner, login },
        ...{ port: tunnel.port, limits: statements, env, cancelled },
      });
    } finally {
      await dropLogin(database, login);
    }
  } finally {
    await tunnel.close();
  }
}

const inWords = ({ code, message }: Mismatch): string => `${code}: ${message}`;

async function sourceFor({ request, hosts }: Work): Promise<Parameters<typeof scriptsFolder>[0]> {
  const { scripts, service, command } = request;
  if (!scripts) throw new MigrationRefused(`${command} needs scripts.`);
  if (scripts.from !== 'current') return scripts;
  const reference = await releasedImage(await hosts(), service);
  if (reference !== undefined) return { ...scripts, from: 'image', reference };
  throw new MigrationRefused(
    `No release of ${service} is on the application servers: give the image by digest.`,
  );
}

async function onFlyway(work: Work, flyway: Flyway): Promise<void> {
  const { request, report } = work;
  if (request.history) return holdRestored(work, flyway, request.history);
  const state = await readState(flyway);
  report.before = state.version;
  report.after = state.version;
  report.corrections = correctionsFor(state.wrong);
  if (request.command === 'repair') return repair(work, flyway);
  report.problems.push(...discrepancies(state));
  if (request.command === 'info') {
    report.pending = readPending(state.pending);
    report.remarks.push(...report.problems.splice(0));
    return;
  }
  if (request.command === 'validate') await lookAround(work);
  if (report.problems.length > 0) return;
  report.pending = readPending(state.pending);
  if (report.pending.length === 0) return;
  await lintPending(work);
  if (request.dryRun || request.command === 'validate') {
    await refuseEarlyContracts(work);
    if (request.command === 'migrate') await prepare(work, flyway);
    return;
  }
  await underLease(work, async () => {
    await refuseEarlyContracts(work);
    await prepare(work, flyway);
    await change(work, flyway);
  });
}

/** Where a history and the scripts do not fit together. */
function discrepancies({ wrong, passedOver, version: current }: State): string[] {
  return [
    ...wrong.map(inWords),
    ...passedOver.map(
      ({ version, description }) =>
        `Script ${version} "${description}" is below the schema's version ${current} and would ` +
        'never run: give it a higher version.',
    ),
  ];
}

/** What a backup holds must be the scripts' work too; scripts that came after it are still to run. */
async function holdRestored(work: Work, flyway: Flyway, restored: RestoredHistory): Promise<void> {
  const { report, database } = work;
  const state = await withHistory(database, flyway, restored, readState);
  report.heldBackup = restored.backup;
  report.before = state.version;
  report.after = state.version;
  report.pending = readPending(state.pending);
  report.problems.push(...discrepancies(state).map((problem) => `${restored.backup}: ${problem}`));
}

/** Holds the scripts to what they say of themselves. */
async function lintPending(work: Work): Promise<void> {
  const { request, report, annotate, workspace, cancelled } = work;
  refuseUnspoken(report.pending);
  refuseMixed(report.pending);
  refuseTakenOut(report.pending);
  const squawk = await findTool({ name: 'squawk', version: request.squawk, cancelled });
  report.findings = await lint(
    join(squawk, 'bin', 'squawk'),
    report.pending.map(({ path }) => path),
  );
  for (const { file, line, rule, message } of report.findings) {
    const sql = report.pending.find((script) => script.file === file)?.sql ?? '';
    const path = sourceOf(workspace, file, sql) ?? file;
    annotate(message, { title: rule, file: path, startLine: line });
  }
  const says = new Map(report.pending.map(({ file, intent }) => [file, intent]));
  const lies = report.findings.filter(
    ({ contracts, file }) => contracts && says.get(file)?.kind === 'expand',
  );
  if (lies.length > 0) {
    const list = lies.map(
      ({ file, line, rule, message }) => `${file}:${line}: ${rule}: ${message}`,
    );
    throw new MigrationRefused(
      `Nothing was changed. A script says "-- compta: expand" and takes something away:\n` +
        `${list.join('\n')}\nLeave that to a later script that says "-- compta: contract ` +
        'since=<version>", with the first release that does not need it any more.',
    );
  }
}

function contractsOf({ report }: Work): { script: string; since: string }[] {
  return report.pending.flatMap(({ file, intent }) =>
    intent?.kind === 'contract' ? [{ script: file, since: intent.since }] : [],
  );
}

/** Asks the servers whose releases must live with the schema; under the lease, so that it stays so. */
async function refuseEarlyContracts(work: Work): Promise<void> {
  const { request, report } = work;
  const contracts = contractsOf(work);
  if (contracts.length === 0) return;
  report.served = await servedReleases(await work.hosts(), request.service);
  const refusals = contracts.flatMap(({ script, since }) => {
    const inTheWay = standInTheWay(report.served, request.service, since);
    return inTheWay.length === 0
      ? []
      : [`${script} is safe from ${since} on, but ${inTheWay.join(', and ')}.`];
  });
  if (refusals.length > 0) {
    throw new MigrationRefused(
      `Nothing was changed. ${refusals.join('\n')}\nRelease versions that can live without it ` +
        'first, until a rollback would not go to an older one either; then migrate again.',
    );
  }
}

/** Checks, backup and rehearsal: whatever they find, the database is as it was. */
async function prepare(work: Work, flyway: Flyway): Promise<void> {
  const { request, report, database, server, temp, say } = work;
  const facts = await readFacts(database, server, request.database, request.limits);
  report.checks = judge(facts, request.limits);
  refuseUnlessAllHold(report.checks);
  if (!request.rehearse) return;
  const newest = request.dryRun
    ? await newestBackup(server, request.backupDirectory, request.database)
    : undefined;
  report.backup = newest ?? (await backUp(work));
  report.rehearsal = await rehearse({ flyway, database, server, temp, say }, report.backup);
}

function backUp({ request, server, say }: Work): ReturnType<typeof makeBackup> {
  const { database, backupPath } = request;
  if (backupPath !== undefined) return backupAt(server, database, backupPath);
  return makeBackup(server, database, say);
}

/** The backup, the restore point, the scripts, and a look at what came of them. */
async function change(work: Work, flyway: Flyway): Promise<void> {
  const { request, report, database } = work;
  if (request.backup) report.backup ??= await backUp(work);
  report.restorePoint = await createRestorePoint(database, request.database, report.before);
  const contracts = contractsOf(work);
  if (contracts.length > 0) {
    for (const host of await work.hosts()) await recordContracts(host, request.service, contracts);
  }
  // Not known until it is asked: the connection may be lost in between.
  report.after = '';
  try {
    await apply({ ...flyway, cancelled: work.cancelled }, work);
  } catch (error) {
    const locked = error instanceof FlywayRefused && error.sqlState === LOCK_NOT_AVAILABLE;
    report.problems.push(
      messageOf(error) + (locked ? `\nOpen then: ${await openTransactions(work)}` : ''),
    );
  }
  await takeStock(work, flyway);
}

async function apply(flyway: Flyway, work: Work): Promise<void> {
  const { report, temp, say } = work;
  const onRetry = async (line: string) => say(`${line} Open: ${await openTransactions(work)}`);
  const runs = runsOf(report.pending);
  for (const [index, scripts] of runs.entries()) {
    const folder = folderWithout(flyway.scripts, runs.slice(index + 1).flat(), temp);
    const outside = scripts[0]?.outside ?? false;
    say(`Applying ${scripts.map(({ file }) => file).join(', ')}`);
    await migrate({ ...flyway, scripts: folder }, { outside, onRetry });
  }
}

/** Who may hold the lock that was not to be had. */
async function openTransactions({ database, server, request }: Work): Promise<string> {
  const limits = { ...request.limits, transactionMs: request.statements.lockMs };
  const facts = await readFacts(database, server, request.database, limits);
  return judge(facts, limits).find(({ what }) => what === 'long transactions')?.found ?? 'none';
}

/** What is there now, whether it went well or not. */
async function takeStock(work: Work, flyway: Flyway): Promise<void> {
  const { request, report, database } = work;
  const calm = { ...flyway, cancelled: AbortSignal.timeout(60_000) };
  const state = await readState(calm);
  report.after = state.version;
  report.applied = state.applied
    .filter((script) => report.pending.some((wanted) => isSame(wanted, script)))
    .map(({ version, description, executionTime }) => ({
      version: version ?? '',
      description,
      milliseconds: executionTime ?? 0,
    }));
  report.corrections = correctionsFor(state.wrong);
  if (report.problems.length === 0) report.problems.push(...state.wrong.map(inWords));
  await lookAround(work);
  const applied = report.pending.filter((wanted) =>
    report.applied.some((script) => isSame(wanted, script)),
  );
  report.touched = await touchedTables(
    database,
    request.database,
    applied.map(({ sql }) => sql),
    report.backup?.tables ?? {},
  );
  report.remarks.push(...remarksOn(report.touched));
}

function isSame(
  wanted: { version: string; description: string },
  script: { version?: string | null | undefined; description: string },
): boolean {
  return wanted.version === (script.version ?? '') && wanted.description === script.description;
}

/** Invalid indexes, and the health of the service that lives on the database. */
async function lookAround({ request, report, database, hosts }: Work): Promise<void> {
  for (const index of await invalidIndexes(database, request.database)) {
    if (isBesideAnother(index)) {
      report.remarks.push(
        `${index} is what a REINDEX that was cut has left: DROP INDEX CONCURRENTLY ${index};`,
      );
    } else {
      report.problems.push(
        `The index ${index} is invalid: DROP INDEX CONCURRENTLY ${index}; then create it again.`,
      );
    }
  }
  const { asked, unwell } = await unwellSlots(await hosts(), request.service);
  report.slotsAsked = asked;
  report.problems.push(...unwell.map((slot) => `After the migration ${slot}.`));
}

async function repair(work: Work, flyway: Flyway): Promise<void> {
  const { request, report, database, say } = work;
  const { corrections } = report;
  if (corrections.length === 0 || request.dryRun) return;
  refuseUnlessNamed(corrections, request.confirmed);
  await underLease(work, async () => {
    if (request.backup) report.backup = await backUp(work);
    report.historyCopy = await copyHistory(database, request.database);
    for (const correction of corrections) say(`repair: ${explain(correction)}`);
    await repairHistory(flyway);
    const state = await readState(flyway);
    report.problems.push(...state.wrong.map(inWords));
    report.after = state.version;
  });
}

async function restore(work: Work): Promise<void> {
  const { request, report, server, hosts, say } = work;
  const { database, service, backupPath = '', identity = '', confirmed } = request;
  if (confirmed !== database) {
    throw new MigrationRefused(`A restore of ${database} must be confirmed by its name.`);
  }
  await underLease(work, async () => {
    const how = { replace: true, identity };
    report.restored = await restoreBackup(server, backupPath, database, how, say);
    const history = await scriptsInHistory(work.database, database);
    for (const host of await hosts()) await recordRestore(host, service, history);
    const { asked, unwell } = await unwellSlots(await hosts(), service, 30);
    report.slotsAsked = asked;
    report.problems.push(...unwell.map((slot) => `After the restore ${slot}.`));
  });
}

/** The same lease as releases take; before there is an application server there is none to take. */
async function underLease(work: Work, body: () => Promise<void>): Promise<void> {
  const hosts = await work.hosts();
  if (hosts.length === 0) return body();
  const lease = await Lease.take(hosts, {
    owner: work.by,
    run: work.run,
    within: work.within,
    waitMs: work.request.leaseMs,
    say: work.say,
    cancelled: work.cancelled,
    ...(work.leaseTaken && { taken: work.leaseTaken }),
  });
  work.cancelled = AbortSignal.any([work.cancelled, lease.lost]);
  try {
    await body();
  } finally {
    await lease.free();
  }
}
