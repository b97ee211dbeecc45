import type { Inventory } from '../../lib/inventory/inventory.ts';
import { connectAll, type Destination } from '../../lib/release/connect.ts';
import type { Host } from '../../lib/release/host.ts';
import { identity, LEASE_VARIABLE } from '../../lib/release/inputs.ts';
import { Lease } from '../../lib/release/lease.ts';
import { LEASE_STATE } from '../../lib/release/step.ts';
import { currentRelease } from '../../lib/release/store.ts';
import type { Step } from '../../lib/runner/main.ts';
import { HostUnreachableError } from '../../lib/ssh/errors.ts';
import type { Inputs } from './inputs.ts';
import { applicationServers } from './servers.ts';

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
  const { hosts, close, why } = await serving(servers);
  try {
    if (hosts.length === 0) {
      runner.info(`${why}, so there is no lease to take.`);
      return await work(step, {});
    }
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

/** The application servers that have a release, and why there is none if so. */
async function serving(
  destination: Destination,
): Promise<{ hosts: Host[]; close: () => Promise<void>; why: string }> {
  const none = (why: string) => ({ hosts: [], close: async () => {}, why });
  if (destination.hosts.length === 0) return none('There is no application server');
  try {
    const { hosts, close } = await connectAll(destination);
    const releases = await Promise.all(hosts.map(currentRelease));
    const released = hosts.filter((_, index) => releases[index] !== undefined);
    return { hosts: released, close, why: 'No application server has a release yet' };
  } catch (error) {
    if (!(error instanceof HostUnreachableError)) throw error;
    return none(`No application server answers (${error.message})`);
  }
}
