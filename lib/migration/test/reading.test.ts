import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { remarksOn } from '../aftermath.ts';
import { type Facts, judge } from '../checks.ts';
import { historyIn } from '../drill.ts';
import { standInTheWay } from '../fleet.ts';
import { intentOf, refuseMixed, refuseUnspoken } from '../intent.ts';
import { locksOf } from '../locks.ts';
import { refuseTakenOut, runsOf } from '../pending.ts';
import { correctionsFor, refuseUnlessNamed } from '../repair.ts';
import { emptyReport, wayBackFrom } from '../report.ts';
import { serviceOf } from '../request.ts';
import { blanked, couldBeInside, runsOutsideTransaction, tablesNamed, takesAway } from '../sql.ts';

describe('what a script says of itself', () => {
  test.each([
    ['-- compta: expand\nSELECT 1;', { kind: 'expand' }],
    ['\n-- Copyright\n\n--compta:  expand \n', { kind: 'expand' }],
    ['-- compta: contract since=1.4.0\n', { kind: 'contract', since: '1.4.0' }],
    ['-- compta: contract\n', undefined],
    ['-- compta: contract since=next\n', undefined],
    ['SELECT 1; -- compta: expand\n', undefined],
    ['SELECT 1;\n-- compta: expand\n', undefined],
  ])('%j', (sql, intent) => expect(intentOf(sql)).toEqual(intent));

  test('is asked for with the line to write, of every script that lacks it', () => {
    const scripts = [
      { file: 'V1__a.sql', sql: 'SELECT 1;' },
      { file: 'V2__b.sql', sql: '-- compta: shrink\n' },
      { file: 'V3__c.sql', sql: '-- compta: expand\n' },
    ];
    expect(() => refuseUnspoken(scripts)).toThrow(
      'V1__a.sql does not say whether it expands or contracts the schema; ' +
        'V2__b.sql says "compta: shrink", which cannot be read: begin it with "-- compta: expand"',
    );
  });

  test('a version without numbers stands in the way, and says so', () => {
    const served = [{ host: 'app-1', role: 'runs' as const, version: 'develop' }];
    expect(standInTheWay(served, 'auth-service', '1.4.0')).toEqual([
      'app-1 runs auth-service develop, a version without numbers to compare',
    ]);
  });
});

test('a drill’s report has the history of a database, or it is said which ones it has', () => {
  const first = { installed_rank: 1, version: '1', description: 'books', type: 'SQL' };
  const history = [{ ...first, script: 'V1__books.sql', checksum: 17, success: true }];
  const report = JSON.stringify({
    databases: [
      { database: 'compta_books', name: 'compta_books-1', history },
      { database: 'other', name: 'other-1', history: null },
    ],
  });
  expect(historyIn(report, 'compta_books')).toEqual({ backup: 'compta_books-1', entries: history });
  for (const name of ['other', 'third']) {
    expect(historyIn(report, name)).toBe(`has no history of ${name}, only of compta_books`);
  }
  expect(historyIn('{"check": true}', 'other')).toBe('is no report of a restore drill');
  expect(historyIn('', 'other')).toBe('is no report of a restore drill');
});

describe('what can be read from SQL', () => {
  test('comments and quoted text do not count, lines stay', () => {
    const sql = `/* DROP VIEW a;\n*/ SELECT 'it''s; DROP VIEW b', $x$ DROP VIEW c; $x$;\n-- DROP VIEW d\nDROP VIEW e;`;
    expect(blanked(sql).split('\n')).toHaveLength(4);
    expect(takesAway(sql)).toEqual([{ line: 4, what: 'DROP VIEW' }]);
    expect(takesAway('SELECT 1;\n\n  truncate entry;')).toEqual([{ line: 3, what: 'TRUNCATE' }]);
  });

  test.each([
    ['CREATE UNIQUE INDEX CONCURRENTLY a ON b (c);', true],
    ['SELECT 1; vacuum b;', true],
    ['REINDEX (VERBOSE) DATABASE x;', true],
    ['-- CONCURRENTLY would be better\nCREATE INDEX a ON b (c);', false],
    ["COMMENT ON TABLE b IS 'CONCURRENTLY';", false],
  ])('%s runs outside a transaction: %s', (sql, outside) =>
    expect(runsOutsideTransaction(sql)).toBe(outside),
  );

  test.each([
    ['INSERT INTO b VALUES (1);\nCREATE INDEX CONCURRENTLY a ON b (c);', [1]],
    ['SET x = 1;\nVACUUM b;\n\n-- the rest\nUPDATE b SET c = 1;\nDO $$ BEGIN; END $$;\n', [5, 6]],
    [
      "DROP INDEX CONCURRENTLY IF EXISTS a; -- ; and\nCREATE INDEX CONCURRENTLY a ON b ((';'));\n",
      [],
    ],
    ['INSERT INTO b VALUES (1); INSERT INTO b VALUES (2);', []],
  ])('what a script outside a transaction holds besides is found: %j', (sql, lines) =>
    expect(couldBeInside(sql)).toEqual(lines),
  );

  test('and refused, as a script that was cut would run again', () => {
    const sql = '-- compta: expand\nUPDATE b SET c = 1;\nVACUUM b;';
    expect(() => refuseMixed([{ file: 'V1__a.sql', sql }])).toThrow(
      /^Nothing was changed\. V1__a\.sql:2: beside what PostgreSQL refuses in a transaction/,
    );
    expect(() => refuseMixed([{ file: 'V2__b.sql', sql: 'VACUUM b;' }])).not.toThrow();
  });

  test('tables are those that a script names, whatever the case, not in a comment', () => {
    const tables = [{ name: 'entry' }, { name: 'line' }, { name: 'Mixed' }, { name: 'other' }];
    expect(tablesNamed(tables, ['UPDATE Entry SET x = 1; -- other', 'TRUNCATE "Mixed"'])).toEqual([
      { name: 'entry' },
      { name: 'Mixed' },
    ]);
  });
});

test('nor is a script to be taken out of its transaction by a file beside it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'compta-pending-'));
  const script = (name: string, conf: string) => {
    writeFileSync(join(folder, `${name}.conf`), conf);
    return { path: join(folder, name) };
  };
  const fine = [
    script('V1__a.sql', 'encoding=UTF-8\n# executeInTransaction=false'),
    { path: 'V2' },
  ];
  expect(() => refuseTakenOut(fine)).not.toThrow();
  const taken = script('V3__b.sql', 'encoding=UTF-8\n executeInTransaction = false\n');
  expect(() => refuseTakenOut([...fine, taken])).toThrow(
    /^Nothing was changed\. V3__b\.sql\.conf: executeInTransaction is not to be set\./,
  );
  rmSync(folder, { recursive: true });
});

test('scripts outside a transaction get a run of their own, the others go together', () => {
  const script = (file: string, outside = false) => ({ file, outside });
  const runs = runsOf([
    script('1'),
    script('2'),
    script('3', true),
    script('4', true),
    script('5'),
    script('6'),
  ]);
  expect(runs.map((run) => run.map(({ file }) => file).join())).toEqual(['1,2', '3', '4', '5,6']);
});

test('the way back gives the workflow the inputs that it has, and all that it requires', () => {
  const report = emptyReport('migrate', 'compta_auth', false);
  report.applied.push({ version: '2', description: 'debit', milliseconds: 1 });
  const numbers = { bytes: 1, sha256: '0'.repeat(64), tables: {}, seconds: 1 };
  const proof = 'restored-and-compared' as const;
  report.backup = { database: 'compta_auth', path: '/backups/compta_auth.dump', proof, ...numbers };
  const place = { environment: 'production', service: 'auth-service', server: 'db-1' };
  const back = wayBackFrom(report, place).join('\n');
  const given = [...back.matchAll(/ -f ([\w-]+)=/g)].map(([, name]) => name);
  const workflow = join(import.meta.dirname, '../../../.github/workflows/database-migration.yml');
  const { inputs } = parse(readFileSync(workflow, 'utf8')).on.workflow_dispatch;
  expect(Object.keys(inputs)).toEqual(expect.arrayContaining(given));
  expect(given).toEqual(
    expect.arrayContaining(Object.keys(inputs).filter((name) => inputs[name].required)),
  );
  expect(back).toContain('-f dry-run=false'); // its default is a dry run, which a restore has not
});

test('the way back says only what is known', () => {
  const place = { environment: 'staging', service: 'auth-service', server: 'db-1' };
  const report = emptyReport('migrate', 'compta_auth', false);
  expect(wayBackFrom(report, place)[0]).toBe('Nothing was changed.');
  Object.assign(report, { before: '1', after: '1' });
  expect(wayBackFrom(report, place)[0]).toBe('The schema is still at 1.');
  report.after = '';
  report.restorePoint = { name: 'here', lsn: '0/1' };
  const back = wayBackFrom(report, place).join('\n');
  expect(back).toMatch(/^What was applied could not be asked: run the command `info`/);
  expect(back).toContain("`recovery_target_name = 'here'`");
});

test('the way back from a restore is not that of a migration', () => {
  const place = { environment: 'staging', service: 'auth-service', server: 'db-1' };
  const report = emptyReport('restore', 'compta_auth', false);
  expect(wayBackFrom(report, place)[0]).toMatch(
    /^When no compta-restore runs on db-1 any more, look there for a `compta_auth_before_<time>`/,
  );
  const restored = { database: 'compta_auth', restored: 'compta_auth-1', seconds: 1 };
  report.restored = { ...restored, previous: null };
  expect(wayBackFrom(report, place)).toEqual([
    '`compta_auth-1` is in place; there was no compta_auth before. Correct what failed.',
  ]);
  report.restored = { ...restored, previous: 'compta_auth_before_7' };
  const back = wayBackFrom(report, place).join('\n');
  expect(back).toContain('what was there is kept as `compta_auth_before_7`. Correct what failed.');
  expect(back).toContain('-c "ALTER DATABASE compta_auth RENAME TO compta_auth_undone_7"');
});

describe('repair', () => {
  const corrections = correctionsFor([
    {
      ...{ version: '1', description: 'books', code: 'CHECKSUM_MISMATCH' },
      message: 'mismatch\n-> Applied to database : -5\n-> Resolved locally    : 77. Either',
    },
    { version: '', description: 'view', code: 'X_NOT_RESOLVED', message: '' },
  ]);

  test.each(['1 view', '77, view', 'view\n77'])('is allowed by %j', (confirmed) =>
    expect(() => refuseUnlessNamed(corrections, confirmed)).not.toThrow(),
  );

  test.each([
    ['', `repair-confirm: '1 view'`],
    ['1', 'books": declares the edited script to be what was applied (checksum -5 → 77)'],
    ['compta_books', 'Nothing was changed.'],
    ['1 view 9', 'names 9, which repair would not touch'],
  ])('is refused by %j', (confirmed, message) =>
    expect(() => refuseUnlessNamed(corrections, confirmed)).toThrow(message),
  );
});

test('a lock lasts from the look that saw it first to the end of its transaction', () => {
  const held = (mode: string) => [{ table: 'entry', mode }];
  const looks = [
    { at: 100, held: [] },
    { at: 200, held: held('RowExclusiveLock') },
    { at: 300, held: [...held('RowExclusiveLock'), ...held('AccessExclusiveLock')] },
  ];
  const final = { at: 900, held: [...held('AccessExclusiveLock'), ...held('ShareLock')] };
  expect(locksOf(looks, final)).toEqual([
    { table: 'entry', mode: 'AccessExclusiveLock', heldMs: 600, blocks: 'reads and writes' },
    { table: 'entry', mode: 'ShareLock', heldMs: 0, blocks: 'writes' },
  ]);
});

test('what must hold before a migration', () => {
  const good: Facts = {
    ...{ standby: false, transactions: [], prepared: [], standbys: [] },
    ...{ size: 100 * 1024 ** 2, directory: '/data', free: 10 * 1024 ** 3 },
  };
  const limits = { transactionMs: 60_000, lagBytes: 64 * 1024 ** 2, freeBytes: 1024 ** 3 };
  const problems = (facts: Partial<Facts>) =>
    judge({ ...good, ...facts }, limits).flatMap(({ problem }) => problem ?? []);
  expect(problems({})).toEqual([]);
  expect(problems({ standby: true })).toEqual([expect.stringMatching(/^it is a standby/)]);
  expect(problems({ prepared: ['x'] })).toEqual([expect.stringMatching(/open for longer than 60/)]);
  const standbys = [{ name: 'db-2', bytes: 100 * 1024 ** 2 }];
  expect(problems({ standbys })).toEqual([expect.stringMatching(/^a standby is 100 MiB behind/)]);
  expect(problems({ free: 1024 ** 3 })).toEqual([expect.stringMatching(/may need 1124 MiB/)]);
});

test('rows that are fewer than in the backup, and tables that are gone, are worth a look', () => {
  const table = { table: 'public.entry', columns: 1, notValid: [] };
  expect(
    remarksOn([
      { ...table, rowsBefore: 2, rowsAfter: 1 },
      { ...table, rowsBefore: 2, rowsAfter: 3 },
      { ...table, rowsBefore: 2, rowsAfter: undefined },
    ]),
  ).toEqual([
    'public.entry has 1 rows, and had 2 in the backup',
    'public.entry is gone; it had 2 rows in the backup',
  ]);
});

test('the service is the image’s, else the database’s', () => {
  const reference = `registry.test:5000/compta/auth-service@sha256:${'0'.repeat(64)}`;
  expect(serviceOf({ from: 'image', reference, login: undefined }, 'x')).toBe('auth-service');
  expect(serviceOf(undefined, 'compta_accounting')).toBe('accounting-service');
});
