import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askBooks } from '../../demo/books.ts';
import { release, releasedAt } from '../../demo/release.ts';
import type { Instance } from '../../local-cloud/instance.ts';
import { cloud } from '../cloud.ts';
import { atMost } from '../measurement.ts';
import { countsOf, timesOf } from './releases.ts';
import { type Scenario, summaryOf } from './scenario.ts';

const SOURCES = 'examples/services/accounting-service/src';

/**
 * A column gets another name as it has to be done under load: a release that adds the new one and
 * writes that; the next one, after which a rollback would not go to code that knows the old name;
 * then one whose script takes the old one away.
 */
export const schema: Scenario = {
  shows: 'releases that expand and then contract the schema, under load, and lose nothing',
  async run(instance, print) {
    await cloud('up');
    if (releasedAt(instance) === undefined) {
      const { succeeded } = await release(instance, print);
      assert.ok(succeeded, 'a first release, for the client to post to');
    }
    const push = (schemaIs: string, change: (workspace: string) => void) =>
      pushed(instance, print, `compta_accounting: ${schemaIs}`, change);
    const expand = await push('1 script applied, schema 2 → 3', rename);
    const next = await push('schema 3 is current', rename);
    const contract = await push('1 script applied, schema 3 → 4', (workspace) => {
      rename(workspace);
      takeAway(workspace, expand.version);
    });
    const found = await books(instance);
    assert.equal(found.formerColumns, 0, 'the old column is gone');
    // Code that does not know this schema cannot follow: the next scenario starts from nothing.
    await cloud('down');
    return {
      expand: expand.figures,
      next: next.figures,
      contract: contract.figures,
      entriesWithoutAuthor: atMost(0, found.withoutAuthor, 'entries'),
    };
  },
};

async function pushed(
  instance: Instance,
  print: (line: string) => void,
  verdict: string,
  change: (workspace: string) => void,
) {
  const { succeeded, jobs, traffic, push } = await release(instance, print, { change });
  const summary = summaryOf(jobs);
  assert.ok(summary.includes(verdict), `the summary says “${verdict}”`);
  assert.ok(succeeded, `${push.version} is released`);
  assert.ok(traffic, 'there was a release before, for the client to post to');
  return { version: push.version, figures: { ...timesOf(jobs), ...countsOf(traffic) } };
}

/** The code writes `author`; what the release before it writes until then stays in `posted_by`. */
function rename(workspace: string): void {
  script(
    workspace,
    'V3__author.sql',
    `-- compta: expand
ALTER TABLE journal_entry ADD COLUMN author text;
`,
  );
  edit(workspace, 'main/java/tn/compta/accounting/Journal.java', 'label, posted_by)');
  edit(workspace, 'test/java/tn/compta/accounting/AccountingServiceTest.java', 'SELECT posted_by');
}

function takeAway(workspace: string, since: string): void {
  script(
    workspace,
    'V4__posted_by.sql',
    `-- compta: contract since=${since}
UPDATE journal_entry SET author = posted_by WHERE author IS NULL;
ALTER TABLE journal_entry DROP COLUMN posted_by;
`,
  );
}

function script(workspace: string, name: string, sql: string): void {
  writeFileSync(join(workspace, SOURCES, 'main/resources/db/migration', name), sql);
}

function edit(workspace: string, name: string, statement: string): void {
  const file = join(workspace, SOURCES, name);
  const source = readFileSync(file, 'utf8');
  const altered = source.replace(statement, statement.replace('posted_by', 'author'));
  assert.notEqual(altered, source);
  writeFileSync(file, altered);
}

/** What the three releases made of the books, asked at the server itself. */
async function books(instance: Instance) {
  const [row = []] = await askBooks(
    instance,
    `SELECT (SELECT count(*) FROM journal_entry WHERE author IS NULL),
            (SELECT count(*) FROM information_schema.columns
             WHERE table_name = 'journal_entry' AND column_name = 'posted_by')`,
  );
  const [withoutAuthor, formerColumns] = row.map(Number);
  return { withoutAuthor: withoutAuthor ?? Number.NaN, formerColumns };
}
