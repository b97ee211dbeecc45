import { describe, expect, test } from '@jest/globals';
import { CATALOGUE } from '../../lib/tools/catalogue.ts';
import {
  action,
  allWorkflows,
  environmentOf,
  expression,
  expressionsIn,
  type Job,
  needsOf,
  type Step,
  stepsOf,
  type WorkflowFile,
  workflow,
} from './workflow-files.ts';

/** What act ignores and no linter knows: the house rules, held over every workflow file. */

const files = allWorkflows();

/** Asked for by hand, and kept apart by the servers' lease: what waits in a group may be cancelled. */
const WITHOUT_GROUP = /\/(database-migration|rollback)\.yml$/;

/** Nobody may write but here, for this reason. */
const MAY_WRITE: Record<string, string> = {
  'terraform-plan.yml plan': 'pull-requests', // keeps its comment
};

describe.each(files.map((file) => [file.file, file] as const))('%s', (_name, file) => {
  test('nothing is permitted at the top, and each job reads only, with a reason', () => {
    expect(file.permissions).toEqual({});
    for (const [id, job] of Object.entries(file.jobs)) {
      const written = Object.entries(job.permissions ?? {}).filter(([, level]) => level !== 'read');
      const allowed = MAY_WRITE[`${file.file.split('/').at(-1)} ${id}`];
      expect({ id, written }).toEqual({ id, written: allowed ? [[allowed, 'write']] : [] });
    }
    const lines = file.text.split('\n').filter((line) => /^ {6}[a-z-]+: (read|write)/.test(line));
    expect(lines.filter((line) => !/ # \w/.test(line))).toEqual([]);
  });

  test('every job names the image that it runs on: what is the latest changes under its feet', () => {
    for (const [id, job] of Object.entries(file.jobs)) {
      expect({ id, on: job['runs-on'] }).toEqual({ id, on: 'ubuntu-24.04' });
    }
  });

  test('every job ends some day, and has a name', () => {
    for (const [id, job] of Object.entries(file.jobs)) {
      expect({ id, limited: (job['timeout-minutes'] ?? 0) > 0 }).toEqual({ id, limited: true });
      expect({ id, named: job.name !== undefined }).toEqual({ id, named: true });
    }
  });

  test('one run at a time, and none is ever cancelled half-way', () => {
    if (WITHOUT_GROUP.test(file.file)) {
      expect(file.concurrency).toBeUndefined();
      return;
    }
    expect(file.concurrency?.group).toMatch(/\w/);
    // What changes nothing may be cut short.
    const harmless = file.file.endsWith('/ci.yml');
    if (!harmless) expect(file.concurrency?.['cancel-in-progress']).toBe(false);
  });

  test('actions are this checkout’s own, or pinned by commit with their version beside it', () => {
    const others = file.text
      .split('\n')
      .filter((line) => /^\s*(- )?uses:/.test(line) && !/uses: \.\/action-[a-z-]+$/.test(line));
    const pinned = /uses: [\w-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;
    expect(others.filter((line) => !pinned.test(line))).toEqual([]);
  });

  test('a checkout leaves no token behind', () => {
    const kept = stepsOf(file).filter(
      ({ step }) =>
        step.uses?.startsWith('actions/checkout@') && step.with?.['persist-credentials'] !== false,
    );
    expect(kept.map(({ where }) => where)).toEqual([]);
  });

  test('nothing is interpolated into a shell', () => {
    for (const { where, step } of stepsOf(file).filter(({ step }) => step.run !== undefined)) {
      expect({ where, shell: step.shell, put: expressionsIn(step.run) }).toEqual({
        where,
        shell: 'bash',
        put: [],
      });
    }
  });

  test('no trigger or keyword hands secrets to strangers', () => {
    expect(Object.keys(file.on)).not.toContain('pull_request_target');
    expect(file.text).not.toMatch(/secrets:\s*inherit|toJSON\(secrets\)|toJSON\(github\)/);
  });

  test('an action gets the inputs that it has, and all that it needs', () => {
    for (const { where, step } of stepsOf(file).filter(({ step }) => isOwn(step))) {
      const { inputs } = action(step.uses ?? '');
      const given = Object.keys(step.with ?? {});
      const needed = Object.keys(inputs).filter((name) => inputs[name]?.required === true);
      expect({
        where,
        unknown: given.filter((name) => !(name in inputs)),
        missing: needed.filter((name) => !given.includes(name)),
      }).toEqual({ where, unknown: [], missing: [] });
    }
  });

  test('an output that is read is one that a step or a job before has', () => {
    expect(danglingIn(file)).toEqual([]);
  });
});

test('after a rollback each service is asked for its own version, and the gateway for none', () => {
  const { rollback, 'health-checks': checks } = workflow('rollback.yml').jobs;
  const given = (job: Job | undefined, uses: string) =>
    job?.steps.find((step) => step.uses === uses)?.with ?? {};
  expect(given(rollback, './action-rollback')).toHaveProperty('base-url');
  // A service that was released alone gave the release its version.
  expect(given(checks, './action-smoke')).not.toHaveProperty('expected-version');
});

test('one version of each foreign action is in use', () => {
  const pins = files.flatMap(({ text }) => text.match(/[\w-]+\/[\w-]+@[0-9a-f]{40} # v\S+/g) ?? []);
  const names = [...new Set(pins)].map((pin) => pin.split('@')[0]);
  expect(names).toEqual([...new Set(names)]);
});

test.each([
  ['./action-build', 'trivy'],
  ['./action-db-migrate', 'flyway'],
  ['./action-db-migrate', 'squawk'],
  ['./action-smoke', 'k6'],
] as const)('%s has a sum for its own version of %s, which a hosted runner lacks', (uses, tool) => {
  const version = action(uses).inputs[`${tool}-version`]?.default ?? '';
  expect(Object.keys(CATALOGUE[tool]?.sha256 ?? {})).toContain(version);
});

test('an artifact is no reason for a job that is run again to fail', () => {
  const uploads = files
    .flatMap(stepsOf)
    .filter(({ step }) => step.uses?.startsWith('actions/upload-artifact@'));
  expect(uploads.length).toBeGreaterThan(0);
  expect(uploads.filter(({ step }) => step.with?.overwrite !== true)).toEqual([]);
});

test('every secret of the requirements is used', () => {
  const used = files.map(({ text }) => text).join('\n');
  const required = [
    'ANSIBLE_VAULT_PASSWORD',
    'HCLOUD_TOKEN',
    'REGISTRY_USERNAME',
    'REGISTRY_PASSWORD',
    'SSH_PRIVATE_KEY',
    'STAGING_SSH_PRIVATE_KEY',
    'PROD_SERVER_IP',
    'STAGING_SERVER_IP',
    'SLACK_WEBHOOK_URL',
    'STAGING_TEST_USER',
    'STAGING_TEST_PASSWORD',
    'SONAR_TOKEN',
    'TERRAFORM_PLAN_KEY',
    'STATE_ACCESS_KEY_ID',
    'STATE_SECRET_ACCESS_KEY',
  ];
  expect(required.filter((name) => !new RegExp(`secrets\\.${name}\\b`).test(used))).toEqual([]);
});

test('whoever reaches Hetzner or the state names an environment, from which those secrets come', () => {
  for (const { file, jobs } of files) {
    for (const [id, job] of Object.entries(jobs)) {
      const needs = /secrets\.(HCLOUD_TOKEN|STATE_)/.test(JSON.stringify(job));
      if (needs)
        expect({ file, id, environment: environmentOf(job) }).toMatchObject({
          environment: expect.any(String),
        });
    }
  }
});

test('whoever reads the state says where it is, as Terraform would look for it at Amazon', () => {
  for (const { file, env } of files.filter(({ text }) => text.includes('secrets.STATE_'))) {
    expect({ file, endpoint: env?.AWS_ENDPOINT_URL_S3 }).toEqual({
      file,
      endpoint: expression("vars.STATE_ENDPOINT || 'https://fsn1.your-objectstorage.com'"),
    });
  }
});

test('what nobody has approved has environments of its own, and nothing else has those', () => {
  for (const { file, on, jobs } of files) {
    for (const [id, job] of Object.entries(jobs)) {
      const named = environmentOf(job);
      const unread = 'pull_request' in on && /secrets\./.test(JSON.stringify(job));
      expect({ file, id, apart: named?.endsWith('-pull-request') ?? false }).toEqual({
        file,
        id,
        apart: unread,
      });
    }
  }
});

test('a search for drift has what can only read', () => {
  const [job] = Object.values(workflow('drift.yml').jobs);
  expect(environmentOf(job as Job)).toBe(`${expression('matrix.environment')}-plan`);
});

function isOwn(step: Step): boolean {
  return step.uses?.startsWith('./') === true;
}

/** `steps.x.outputs.y` and `needs.x.outputs.y` that nothing provides; a shell writes `y=` or `y<<`. */
function danglingIn(file: WorkflowFile): string[] {
  return Object.entries(file.jobs).flatMap(([id, job]) => {
    const wrong: string[] = [];
    for (const expression of expressionsIn(job)) {
      for (const [text, step = '', output = ''] of expression.matchAll(
        /\bsteps\.([\w-]+)\.outputs\.([\w-]+)/g,
      )) {
        const source = job.steps.find((candidate) => candidate.id === step);
        const has =
          source !== undefined &&
          (isOwn(source)
            ? output in action(source.uses ?? '').outputs
            : new RegExp(`\\b${output}(=|<<)`).test(source.run ?? ''));
        if (!has) wrong.push(`${id}: ${text}`);
      }
      for (const [text, before = '', output = ''] of expression.matchAll(
        /\bneeds\.([\w-]+)\.(?:result|outputs\.([\w-]+))/g,
      )) {
        const has =
          needsOf(job).includes(before) &&
          (output === '' || output in (file.jobs[before]?.outputs ?? {}));
        if (!has) wrong.push(`${id}: ${text}`);
      }
    }
    return wrong;
  });
}
