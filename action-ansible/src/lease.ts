import { setTimeout as sleep } from 'node:timers/promises';
import type { Inventory } from '../../lib/inventory/inventory.ts';
import { type Connected, connectAll, type Destination } from '../../lib/release/connect.ts';
import { identity, LEASE_VARIABLE } from '../../lib/release/inputs.ts';
import { Lease } from '../../lib/release/lease.ts';
import { LEASE_STATE } from '../../lib/release/step.ts';
import { currentRelease } from '../../lib/release/store.ts';
import type { Step } from '../../lib/runner/main.ts';
import { HostUnreachableError } from '../../lib/ssh/errors.ts';
import type { Inputs } from './inputs.ts';
import { applicationServers } from './servers.ts';

/** About as long as Ansible tries a host itself, and again. */
const PATIENCE_MS = 30_000;

/**
 * Does the work while no release can come in between, where input `release-lease` asks for it. Taken on
 * the application servers that have a release: one that is new, or that nobody answers at, has none to
 * be disturbed.
 *
 * @param renewed lines of known_hosts that the environment does not have
 * @param work gets the step, cancelled when the lease is lost, and what Ansible has to know of it.
 * @throws Error naming the holder when a release does not end in time.
 */
export async function underReleaseLease(
  { releaseLeaseMs, privateKey, playbook }: Inputs,
  environment: Inventory | undefined,
  renewed: string,
  step: Step,
  work: (step: Step, env: NodeJS.ProcessEnv) => Promise<void>,
): Promise<void> {
  if (releaseLeaseMs === undefined || environment === undefined) return work(step, {});
  const { runner, cancelled } = step;
  const servers = applicationServers(environment, privateKey, renewed);
  const { hosts, close } = await serving(servers, step);
  try {
    if (hosts.length === 0) return await work(step, {});
    const { by, run, within } = identity(runner.env);
    const lease = await Lease.take(hosts, {
      ...{ owner: by, run, within, reason: playbook, waitMs: releaseLeaseMs, cancelled },
      waitOption: 'release-lease',
      say: (line) => runner.info(line),
      taken: (token) => runner.saveState(LEASE_STATE, String(token)),
    });
    try {
      const stop = AbortSignal.any([cancelled, lease.lost]);
      await work({ runner, cancelled: stop }, { [LEASE_VARIABLE]: String(lease.token) });
    } finally {
      await lease.free();
    }
  } finally {
    await close();
  }
}

/** The application servers that have a release; of none it is said why. */
async function serving(
  servers: Destination,
  { runner, cancelled }: Step,
): Promise<Pick<Connected, 'hosts' | 'close'>> {
  const none = { hosts: [], close: async () => {} };
  if (servers.hosts.length === 0) {
    runner.info('There is no application server, so there is no lease to take.');
    return none;
  }
  const deadline = Date.now() + PATIENCE_MS;
  for (let told = false; ; told = true) {
    try {
      const found = await released(servers);
      if (found.hosts.length === 0) {
        runner.info('No application server has a release yet, so there is no lease to take.');
      }
      return found;
    } catch (error) {
      if (!(error instanceof HostUnreachableError)) throw error;
      if (Date.now() > deadline) {
        runner.warning(
          `No application server answers (${error.message}), so there is no lease to take: ` +
            'a release could come in between.',
        );
        return none;
      }
      if (!told) runner.info(`No application server answers yet: ${error.message}`);
    }
    await sleep(1_000, undefined, { signal: cancelled });
  }
}

async function released(servers: Destination): Promise<Pick<Connected, 'hosts' | 'close'>> {
  const { hosts, close } = await connectAll(servers);
  try {
    const releases = await Promise.all(hosts.map(currentRelease));
    return { hosts: hosts.filter((_, index) => releases[index] !== undefined), close };
  } catch (error) {
    await close();
    throw error;
  }
}
