import assert from 'node:assert/strict';
import { type ReleaseOptions, release } from '../../demo/release.ts';
import { checkout } from '../../local-cloud/claim.ts';
import type { Instance } from '../../local-cloud/instance.ts';
import { atConsole } from '../cloud.ts';
import { lossOf, timesOf } from './releases.ts';
import type { Scenario } from './scenario.ts';

interface Refusal {
  secrets?: Record<string, string>;
  /** Puts the fault into the cloud. */
  break?(instance: Instance): Promise<unknown>;
  mend?(instance: Instance): Promise<unknown>;
  job: string;
  annotation: RegExp;
}

const SERVER = 'staging-app-2';
const KEY = '/etc/ssh/ssh_host_ed25519_key';
const ssh = (instance: Instance, command: string) =>
  atConsole(instance, SERVER, ['sh', '-c', command]);

const REFUSALS: Record<string, Refusal> = {
  'API token': {
    secrets: { HCLOUD_TOKEN: 'x'.repeat(64) },
    job: 'Plan the infrastructure',
    annotation: /token/i,
  },
  'registry password': {
    secrets: { REGISTRY_PASSWORD: 'mistyped' },
    job: 'Build, scan and push the images',
    annotation: /registry/i,
  },
  'vault password': {
    secrets: { ANSIBLE_VAULT_PASSWORD: 'mistyped' },
    job: 'Configure the servers',
    annotation: /vault/i,
  },
  'unreachable host': {
    break: (instance) => ssh(instance, 'systemctl stop ssh.socket ssh.service'),
    mend: (instance) => ssh(instance, 'systemctl start ssh.service'),
    job: 'Configure the servers',
    annotation: new RegExp(SERVER),
  },
  'wrong host key': {
    break: (instance) =>
      ssh(
        instance,
        `cp -p ${KEY} ${KEY}.good && cp -p ${KEY}.pub ${KEY}.pub.good && rm ${KEY} && ` +
          `ssh-keygen -q -t ed25519 -N '' -f ${KEY} && systemctl restart ssh.service`,
      ),
    mend: (instance) =>
      ssh(
        instance,
        `mv ${KEY}.good ${KEY} && mv ${KEY}.pub.good ${KEY}.pub && systemctl restart ssh.service`,
      ),
    job: 'Configure the servers',
    annotation: /host key/i,
  },
};

export const refusals: Scenario = {
  shows: 'wrong passwords, tokens and host keys end the run at once with one clear annotation',
  async run(instance, print) {
    const figures: Awaited<ReturnType<Scenario['run']>> = {};
    for (const [name, refusal] of Object.entries(REFUSALS)) {
      print(`\n— ${name} —\n`);
      figures[name] = await refused(instance, print, refusal);
    }
    return figures;
  },
};

async function refused(instance: Instance, print: (line: string) => void, refusal: Refusal) {
  await refusal.break?.(instance);
  try {
    const options: ReleaseOptions = refusal.secrets ? { secrets: refusal.secrets } : {};
    const { succeeded, jobs, traffic } = await release(instance, print, options);
    assert.equal(succeeded, false);
    const errors = jobs.flatMap((job) => job.errors.map((error) => ({ job: job.name, error })));
    assert.equal(errors.length, 1, JSON.stringify(errors));
    assert.equal(errors[0]?.job, refusal.job);
    assert.match(errors[0]?.error ?? '', refusal.annotation);
    return {
      annotation: (errors[0]?.error ?? '').replaceAll(`${checkout}/`, ''),
      ...timesOf(jobs),
      ...(traffic ? lossOf(traffic) : {}),
    };
  } finally {
    await refusal.mend?.(instance);
  }
}
