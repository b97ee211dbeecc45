import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import {
  ancestorsOf,
  environmentOf,
  expression,
  type Job,
  needsOf,
  type Step,
  workflow,
} from './workflow-files.ts';

/** Production is staging with one approval, and without building. */

const production = workflow('deploy-production.yml');
const staging = workflow('deploy-staging.yml');
const release = workflow('service-release.yml');

const step = (job: Job | undefined, uses: string): Step => {
  const found = job?.steps.find((candidate) => candidate.uses === uses);
  if (found === undefined) throw new Error(`${job?.name} has no step with ${uses}`);
  return found;
};
const imagesIn = (job: Job | undefined) => String(step(job, './action-build').with?.images);
const namesOf = (images: string) => [...images.matchAll(/- name: (\S+)/g)].map(([, name]) => name);

test('production has the jobs of the requirements, in their order', () => {
  expect(Object.keys(production.jobs)).toEqual([
    'announce',
    'build-and-test',
    'security-scan',
    'build-images',
    'terraform-plan',
    'ask',
    'approve',
    'deploy-infrastructure',
    'configure-servers',
    'migrate',
    'deploy-application',
    'post-deployment-tests',
    'rollback',
    'notify',
  ]);
  expect(production.on).toEqual({ push: { branches: ['main'], tags: ['v*.*.*'] } });
  expect(staging.on).toEqual({ push: { branches: ['develop'] } });
});

test.each([production, release])('$file asks for one approval, after scan and plan', (file) => {
  const gates = Object.entries(file.jobs).filter(([, job]) =>
    ['production', expression('inputs.environment')].includes(environmentOf(job) ?? ''),
  );
  expect(gates.map(([id]) => id)).toEqual(['approve']);
  const before = ancestorsOf('approve', file.jobs);
  const required =
    file === production
      ? ['build-and-test', 'security-scan', 'build-images', 'terraform-plan']
      : ['build-and-test', 'image'];
  for (const id of required) expect(before).toContain(id);
});

test('before the approval nothing has what could change the servers, and after it all do', () => {
  const keys = /secrets\.(SSH_PRIVATE_KEY|ANSIBLE_VAULT_PASSWORD|PROD_SERVER_IP)/;
  for (const [id, job] of Object.entries(production.jobs)) {
    const approved = ancestorsOf(id, production.jobs).has('approve');
    const environment = environmentOf(job);
    const expected = { approve: 'production', 'terraform-plan': 'production-plan' }[id];
    const needsServers = id !== 'notify' && approved;
    expect({ id, environment }).toEqual({
      id,
      environment: needsServers ? 'production-servers' : expected,
    });
    if (!needsServers) expect(JSON.stringify(job)).not.toMatch(keys);
  }
});

test('stages follow each other: no server is touched before its stage’s turn', () => {
  const chain = [
    'approve',
    'deploy-infrastructure',
    'configure-servers',
    'migrate',
    'deploy-application',
    'post-deployment-tests',
  ];
  chain.slice(1).forEach((id, index) => {
    expect(needsOf(production.jobs[id] as Job)).toContain(chain[index]);
    if (index > 0) expect(needsOf(staging.jobs[id] as Job)).toContain(chain[index]);
  });
});

test('a release that does not prove itself goes back, and how it ends is always told', () => {
  for (const { jobs } of [production, staging, release]) {
    // Tests that ran out of the job's time count as cancelled; behind the maintenance page none run.
    const condition =
      `!cancelled() && contains(fromJSON('["failure", "cancelled"]'), needs.post-deployment-tests.result) && ` +
      "needs.post-deployment-tests.outputs.replaced != 'true' && " +
      "needs.deploy-application.outputs.status == 'deployed'";
    expect(jobs.rollback?.if?.trim()).toBe(condition);
    expect(needsOf(jobs.rollback as Job)).toEqual(['deploy-application', 'post-deployment-tests']);
  }
  for (const { jobs } of [production, staging, release]) {
    expect(jobs.notify?.if).toBe('always()');
    // Of a run that is cancelled early it sees nothing but this.
    const others = Object.keys(jobs).filter((id) => !['promote', 'notify'].includes(id));
    expect(needsOf(jobs.notify as Job)).toEqual(others);
  }
  // Another team may have released since, and failed jobs that are run again come by once more.
  for (const { jobs } of [production, staging, release]) {
    const { from } = step(jobs.rollback, './action-rollback').with ?? {};
    expect(from).toBe(expression('needs.deploy-application.outputs.release'));
    const deployed = expression('steps.deploy.outputs.release');
    expect(jobs['deploy-application']?.outputs?.release).toBe(deployed);
  }
  // A service's team takes back its own service, and no other team's.
  const back = step(release.jobs.rollback, './action-rollback').with;
  expect(back?.services).toBe(expression('inputs.service'));
});

test('a release stays where another version answers, not where none does', () => {
  for (const { jobs } of [production, staging, release]) {
    const tests = jobs['post-deployment-tests'] as Job;
    expect(tests.outputs?.replaced).toBe(expression('steps.replaced.outputs.passed'));
    const { if: condition, with: given } = tests.steps.find(({ id }) => id === 'replaced') ?? {};
    expect(condition).toBe("failure() && steps.smoke.outputs.failed == 'version'");
    const { 'version-path': path = '/api/version' } = step(tests, './action-smoke').with ?? {};
    expect(parse(String(given?.http))).toEqual([{ path, contains: '"version"' }]);
  }
});

test('what serves is tested, unless users are shown the maintenance page', () => {
  const condition = (release: string) =>
    `!cancelled() && contains(fromJSON('["deployed", "unchanged"]'), needs.${release}.outputs.status) && ` +
    `needs.${release}.outputs.maintenance != 'true'`;
  for (const { jobs } of [production, staging, release]) {
    expect(jobs['post-deployment-tests']?.if?.trim()).toBe(condition('deploy-application'));
  }
  const { jobs } = workflow('rollback.yml');
  expect(jobs['health-checks']?.if?.trim()).toBe(condition('rollback'));
});

test('an account whose name is part of what decides about tests and rollback is refused', () => {
  for (const { jobs } of [production, staging, release]) {
    const steps = Object.values(jobs).flatMap((job) => job.steps);
    const told = steps.flatMap(({ env }) => env?.TOLD?.split(' ') ?? []);
    expect(told).toEqual(expect.arrayContaining(['deployed', 'unchanged', 'true']));
  }
});

const behindThePage = (release: string, words: string) =>
  expression(`needs.${release}.outputs.maintenance == 'true' && '${words}' || ''`);

test('a version that serves is not told as one that did not come', () => {
  for (const { jobs } of [production, staging, release]) {
    const { status, title } = step(jobs.notify, './action-notify').with ?? {};
    expect(title).toContain(
      "needs.post-deployment-tests.result == 'success' && 'has' || " +
        "needs.rollback.result != 'success' && " +
        `contains(fromJSON('["deployed", "unchanged"]'), needs.deploy-application.outputs.status) && ` +
        "'has an unproven' || 'did not get'",
    );
    expect(status).toContain("contains(needs.*.result, 'cancelled') && 'cancelled' || 'failure'");
    expect(title).toContain(behindThePage('deploy-application', ' behind the maintenance page'));
  }
  const { fields } = step(workflow('rollback.yml').jobs.notify, './action-notify').with ?? {};
  expect(fields).toContain(behindThePage('rollback', ', unproven behind the maintenance page'));
});

test('a rollback by hand is open to both environments, and production’s reviewers are asked', () => {
  const { on, jobs } = workflow('rollback.yml');
  const asked = on as { workflow_dispatch: { inputs: { environment: { options: string[] } } } };
  expect(asked.workflow_dispatch.inputs.environment.options).toEqual(['staging', 'production']);
  const withKeys = Object.entries(jobs).filter(([, job]) =>
    /SSH_PRIVATE_KEY/.test(JSON.stringify(job)),
  );
  expect(withKeys.map(([id, job]) => [id, environmentOf(job)])).toEqual([
    ['rollback', expression('inputs.environment')],
  ]);
});

test('production takes what staging has proven: the same images, by content, and builds none', () => {
  const taken = imagesIn(production.jobs['build-images']);
  expect(namesOf(taken)).toEqual(namesOf(imagesIn(staging.jobs['build-images'])));
  expect(taken.match(/context|file|build-args/g)).toBeNull();
  const from = `proven-${expression('needs.announce.outputs.tree')}`;
  expect([...taken.matchAll(/from: (.+)/g)].map(([, tag]) => tag)).toEqual(
    namesOf(taken).map(() => from),
  );
  expect(needsOf(staging.jobs.promote as Job)).toContain('post-deployment-tests');
});

test('every image has the platforms that staging builds, and is scanned for them', () => {
  const built = [staging.jobs['build-images'], production.jobs['build-images'], release.jobs.image];
  const given = built.flatMap((job) =>
    (job?.steps ?? []).flatMap((one) => (one.uses === './action-build' ? one.with?.platforms : [])),
  );
  expect(given).toEqual(given.map(() => expression('vars.PLATFORMS || env.PLATFORMS')));
  expect(given).toHaveLength(4);
  for (const { env } of [production, release]) expect(env?.PLATFORMS).toBe(staging.env?.PLATFORMS);
});

test('what may pass all the same is in the repository whose image it is, if anything may', () => {
  const given = (job: Job | undefined) =>
    (job?.steps ?? []).flatMap((one) =>
      one.uses === './action-build' ? [one.with?.['ignore-file']] : [],
    );
  const where = (file: string) => expression(`hashFiles('${file}') && '${file}'`);
  for (const { jobs } of [staging, production]) {
    expect(given(jobs['build-images'])).toEqual([where('.trivyignore.yaml')]);
  }
  const own = where('service/.trivyignore.yaml');
  expect(given(release.jobs.image)).toEqual([own, own]);
});

test('what is tagged as proven is what staging released, for the tree that it was released from', () => {
  const mark = staging.jobs.promote?.steps[0];
  const { images } = step(staging.jobs['deploy-application'], './action-deploy').with ?? {};
  expect(mark?.env).toMatchObject({
    IMAGES: images,
    TREE: expression('needs.announce.outputs.tree'),
  });
  expect(release.jobs.promote?.steps[0]?.run).toBe(mark?.run);
});

/** A job of production in staging's words. */
const inStagingsWords = (job: Job): unknown =>
  JSON.parse(
    JSON.stringify(job)
      .replaceAll(/production-(servers|plan)/g, 'staging')
      .replaceAll('PROD_SERVER_IP', 'STAGING_SERVER_IP')
      .replaceAll('secrets.SSH_PRIVATE_KEY', 'secrets.STAGING_SSH_PRIVATE_KEY')
      .replaceAll('PRODUCTION_', 'STAGING_')
      .replaceAll('needs.build-images.outputs.version', 'needs.announce.outputs.version')
      .replaceAll("'compta.tn'", "':8000'")
      .replaceAll('production', 'staging'),
  );

test.each([
  'build-and-test',
  'security-scan',
  'terraform-plan',
  'deploy-infrastructure',
  'configure-servers',
  'migrate',
  'deploy-application',
  'rollback',
])('%s is the same in both, but for names', (id) => {
  const comparable = (job: unknown) => {
    const { needs: _order, steps, ...rest } = job as Job;
    return { ...rest, steps: steps.map(withoutDifferences) };
  };
  expect(comparable(inStagingsWords(production.jobs[id] as Job))).toEqual(
    comparable(staging.jobs[id]),
  );
});

/** What may differ beyond names: lines of these, for the reason beside them. */
const OWN_LINES = [
  'compta_test_', // no account for tests in production's books
  'SITE_SCHEME', // staging may do without a name, and with it without TLS
];

function withoutDifferences(step: Step): Step {
  const { run, env, ...rest } = step;
  // Staging answers at its load balancer where it has no name; production has one.
  const kept = step.id === 'address' ? rest : step;
  const inputs = Object.entries(kept.with ?? {}).map(([name, value]) => {
    const lines = String(value).split('\n');
    return [name, lines.filter((line) => !OWN_LINES.some((own) => line.startsWith(own)))];
  });
  return { ...kept, with: Object.fromEntries(inputs) };
}
