import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runAction } from '../../lib/runner/test/start-action.ts';
import { keyPair } from '../../lib/ssh/key-pair.ts';

const key = keyPair();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'compta-inputs-'));
  writeFileSync(join(folder, 'outputs.json'), '{}');
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each<[Record<string, string>, string]>([
  [{ command: 'clean' }, 'give one of migrate, validate, info, repair, backup, restore'],
  [{ database: '' }, "Input 'database' is missing"],
  [{ database: 'a"; DROP' }, "Input 'database' is 'a\"; DROP': lower-case letters, digits and _"],
  [{ owner: 'Someone' }, "Input 'owner' is 'Someone'"],
  [{ locations: '' }, "Input 'image' is missing: give the image with the scripts, or locations"],
  [{ locations: '/none' }, "Input 'locations' is '/none', which does not exist"],
  [{ image: 'registry.test/compta/auth:1.0' }, 'give it by digest'],
  [{ command: 'restore', 'restore-confirm': 'compta_auth' }, "Input 'backup-path' is missing"],
  [{ command: 'restore', 'backup-path': '/b/x.dump' }, "'restore-confirm' must be 'compta_auth'"],
  [{ 'backup-path': 'x.dump' }, "'backup-path' is 'x.dump': give an absolute path"],
  [{ 'backup-path': 'latest' }, "'backup-path' is 'latest': give an absolute path"],
  [{ command: 'restore', 'backup-path': 'latest' }, "'latest' lies encrypted at the remote"],
  [{ 'age-identity': 'age1recipient' }, "'age-identity' is no identity of age"],
  [{ 'drill-report': '/etc/passwd' }, 'only validate reads it, not migrate'],
  [{ command: 'validate', 'drill-report': '/none' }, "is '/none', which does not exist"],
  [{ command: 'validate', 'drill-report': '/etc/passwd' }, 'which is no report of a restore drill'],
  [{ command: 'info', rehearse: 'true' }, 'only migrate can be rehearsed, not info'],
  [{ 'max-replication-lag': '64MB' }, "'max-replication-lag' is '64MB': give a whole number"],
  [{ 'terraform-outputs': 'none.json' }, "'terraform-outputs' is 'none.json', which does not"],
  [{ port: '6432' }, "Input 'port' is PgBouncer's"],
  [{ port: '70000' }, "Input 'port' is '70000': give a whole number from 1 to 65535"],
  [{ 'private-key': key.public }, 'It looks like the public half'],
  [{ 'dry-run': 'maybe' }, "Input 'dry-run' is 'maybe': give true or false"],
  [{ 'lock-timeout': '0' }, "Input 'lock-timeout' is '0': give more than 0"],
  [{ 'statement-timeout': '0s' }, "Input 'statement-timeout' is '0s': give more than 0"],
  [{ 'statement-timeout': '-5m' }, "Input 'statement-timeout' is '-5m': give a duration"],
  [{ 'max-transaction-age': '1 m' }, "Input 'max-transaction-age' is '1 m': give a duration"],
  [{ 'min-free-disk': '-1' }, "Input 'min-free-disk' is '-1': give a whole number"],
  [{ 'lock-timeout': 'long' }, "Input 'lock-timeout' is 'long': give a duration"],
  [{}, 'The Terraform outputs do not describe an environment'],
])('%o ends with one annotation', async (wrong, message) => {
  const good = {
    database: 'compta_auth',
    locations: folder,
    'terraform-outputs': join(folder, 'outputs.json'),
    'private-key': key.private,
  };
  const ended = await runAction('action-db-migrate', { ...good, ...wrong });
  expect(ended).toMatchObject({ exitCode: 1, outputs: {} });
  expect(ended.errors).toEqual([expect.stringContaining(message)]);
});
