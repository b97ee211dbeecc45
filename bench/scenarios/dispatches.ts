import assert from 'node:assert/strict';
import { askBooks } from '../../demo/books.ts';
import { dispatch } from '../../demo/release.ts';
import type { Instance } from '../../local-cloud/instance.ts';
import { atConsole } from '../cloud.ts';
import { atMost } from '../measurement.ts';
import { timesOf } from './releases.ts';
import { type Scenario, summaryOf } from './scenario.ts';

const SERVER = 'staging-db-1';
const DATABASE = 'compta_accounting';

/** Needs a release (`make demo`), and leaves its books as they were at the backup. */
export const dispatches: Scenario = {
  shows: 'what a person dispatches: databases looked at, rehearsed, migrated and put back; drift',
  async run(instance, print) {
    const ran = async (workflow: string, inputs: Record<string, string>, matrix?: string) => {
      const outcome = await dispatch(instance, print, workflow, inputs, matrix);
      assert.ok(outcome.succeeded, `${workflow} ${JSON.stringify(inputs)}`);
      return outcome.jobs;
    };
    const database = (inputs: Record<string, string>) =>
      ran('database-migration.yml', {
        environment: 'staging',
        service: 'all',
        image: 'current',
        'dry-run': 'false',
        rehearse: 'true',
        ...inputs,
      });

    const info = await database({ command: 'info' });
    assert.match(summaryOf(info), new RegExp(`${DATABASE}: schema \\d+ is current`));
    const validate = await database({ command: 'validate' });

    // As before the last script: what is released has one that is due.
    await askBooks(
      instance,
      `ALTER TABLE journal_entry RENAME COLUMN posted_by TO kept;
       DELETE FROM flyway_schema_history WHERE version = '2'`,
    );
    await backUp(instance);
    const migration = { command: 'migrate', service: 'accounting-service' };
    const rehearsal = await database({ ...migration, 'dry-run': 'true' });
    assert.match(summaryOf(rehearsal), /Rehearsed\W+on a copy restored from/);
    const migrate = await database(migration);
    assert.match(summaryOf(migrate), new RegExp(`${DATABASE}: 1 script applied, schema 1 → 2`));
    await askBooks(
      instance,
      'UPDATE journal_entry SET posted_by = kept; ALTER TABLE journal_entry DROP COLUMN kept',
    );

    const path = await backUp(instance);
    const before = await entries(instance);
    await askBooks(instance, 'TRUNCATE journal_entry CASCADE');
    const restore = await database({
      command: 'restore',
      service: 'accounting-service',
      'backup-path': path,
      confirmation: DATABASE,
    });
    const missing = before - (await entries(instance));

    const drift = await ran('drift.yml', {}, 'environment:staging');
    return {
      info: timesOf(info),
      validate: timesOf(validate),
      rehearsal: timesOf(rehearsal),
      migrate: timesOf(migrate),
      restore: timesOf(restore),
      drift: timesOf(drift),
      entries: before,
      missing: atMost(0, missing, 'entries'),
    };
  },
};

/** @returns path of a backup of the books as they are. */
async function backUp(instance: Instance): Promise<string> {
  const { stdout } = await atConsole(instance, SERVER, ['compta-backup', DATABASE]);
  return (JSON.parse(stdout) as { path: string }).path;
}

async function entries(instance: Instance): Promise<number> {
  const [row = []] = await askBooks(instance, 'SELECT count(*) FROM journal_entry');
  return Number(row[0]);
}
