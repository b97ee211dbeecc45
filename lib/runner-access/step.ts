import { randomBytes } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { type HetznerApi, hetznerApi } from '../hetzner/api.ts';
import { hcloudToken } from '../hetzner/token.ts';
import { boolean, InputError, optional } from '../runner/inputs.ts';
import type { Step } from '../runner/main.ts';
import type { Runner } from '../runner/runner.ts';
import { addressSeenBy, WHAT_IS_MY_ADDRESS } from './address.ts';
import { close, open, runnersFirewall } from './firewall.ts';

/** The bastion that is to be opened, as the inventory or the inputs tell it. */
export interface Door {
  environment: string;
  ssh: { port: number };
}

const STATE = 'runner-access';

/**
 * Opens the bastion's SSH to this runner when input `runner-access` asks for it, until the post
 * step: {@link closeToRunner}. Inputs are read before anything is done.
 * @param door undefined when the inputs name no environment
 * @throws InputError
 */
export async function openToRunner(step: Step, door: Door | undefined): Promise<void> {
  const { runner, cancelled } = step;
  const inputs = accessInputs(runner);
  if (inputs === undefined) return;
  if (door === undefined) {
    throw new InputError(
      'runner-access',
      "needs 'terraform-outputs', which names the environment whose bastion is opened.",
    );
  }
  const api = hetznerApi(inputs.token, runner.env, cancelled);
  const firewall = await runnersFirewall(api, door.environment);
  const address = isIPv4(inputs.address) ? inputs.address : await addressSeenBy(inputs.address);
  const owner = ownerOf(runner.env);
  // Before it is open, so that a kill in between leaves nothing that post would not close.
  runner.saveState(STATE, JSON.stringify({ firewall, owner }));
  await open(api, firewall, { address, port: door.ssh.port, owner });
  runner.info(`Opened port ${door.ssh.port} of ${door.environment}'s bastion for ${address}.`);
}

/** For the post step: after the last use of SSH. */
export async function closeToRunner({ runner, cancelled }: Step): Promise<void> {
  const state = runner.state(STATE);
  const inputs = state === '' ? undefined : accessInputs(runner);
  if (inputs === undefined) return;
  const { firewall, owner } = JSON.parse(state) as { firewall: number; owner: string };
  const api: HetznerApi = hetznerApi(inputs.token, runner.env, cancelled);
  await close(api, firewall, owner);
  runner.info("Closed the bastion's port for this runner.");
}

interface AccessInputs {
  token: string;
  /** An IPv4 address, or the HTTPS URL that tells it. */
  address: string;
}

function accessInputs(runner: Runner): AccessInputs | undefined {
  const token = hcloudToken(runner);
  const address = optional(runner, 'runner-address') ?? WHAT_IS_MY_ADDRESS;
  if (!isIPv4(address) && !/^https:\/\/\S+$/.test(address)) {
    throw new InputError(
      'runner-address',
      `is '${address}': give an IPv4 address, or an https URL that answers with the asker's.`,
    );
  }
  if (!boolean(runner, 'runner-access', false)) return undefined;
  if (!token) {
    throw new InputError(
      'hcloud-token',
      "is missing: 'runner-access' needs one that may write, to open the bastion's firewall.",
    );
  }
  return { token, address };
}

function ownerOf(env: NodeJS.ProcessEnv): string {
  const run = `${env.GITHUB_REPOSITORY ?? 'unknown'} run ${env.GITHUB_RUN_ID ?? 'unknown'}`;
  return `${run} (${randomBytes(4).toString('hex')})`;
}
