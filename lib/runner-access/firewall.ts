import { setTimeout as sleep } from 'node:timers/promises';
import { type Action, settled } from '../hetzner/actions.ts';
import type { HetznerApi } from '../hetzner/api.ts';
import { type Access, closed, isOpen, opened, type Rule } from './rules.ts';

const ATTEMPTS = 6;
/** Longer than another runner has between its reading the rules and its writing them. */
const SETTLING_MS = 1_500;

/** The firewall on the bastion that Terraform leaves to the runners: `<environment>-runners`. */
export async function runnersFirewall(api: HetznerApi, environment: string): Promise<number> {
  const name = `${environment}-runners`;
  const firewall = await api.byName('firewalls', name);
  if (firewall) return firewall.id;
  throw new Error(
    `Hetzner has no firewall '${name}' in the project of this token: apply the Terraform of ${environment} first, or give the token of its project.`,
  );
}

/** Resolves when the runner may come in. @throws Error when Hetzner refuses it */
export async function open(api: HetznerApi, firewall: number, access: Access): Promise<void> {
  await change(
    api,
    firewall,
    (rules) => opened(rules, access, new Date()),
    (rules) => isOpen(rules, access.owner),
  );
}

/** Resolves when the runner may not come in any more; nothing happens when it never might. */
export async function close(api: HetznerApi, firewall: number, owner: string): Promise<void> {
  await change(
    api,
    firewall,
    (rules) => closed(rules, owner, new Date()),
    (rules) => !isOpen(rules, owner),
  );
}

/**
 * Rules can only be replaced as a whole, so two runners at once may undo each other: each looks
 * once more when the other must have written, and writes again when its change is gone.
 */
async function change(
  api: HetznerApi,
  firewall: number,
  edit: (rules: Rule[]) => Rule[],
  isDone: (rules: Rule[]) => boolean,
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const wanted = { rules: edit(await rulesOf(api, firewall)) };
    const answer = await api.post(`/firewalls/${firewall}/actions/set_rules`, wanted);
    const { actions = [] } = (answer ?? {}) as { actions?: Action[] };
    for (const action of actions) await settled(api, action);
    await sleep(SETTLING_MS * (1 + Math.random()));
    if (isDone(await rulesOf(api, firewall))) return;
  }
  throw new Error(
    `The rules of firewall ${firewall} were replaced by somebody else ${ATTEMPTS} times: let fewer jobs reach the environment at once.`,
  );
}

async function rulesOf(api: HetznerApi, firewall: number): Promise<Rule[]> {
  const found = await api.byId('firewalls', String(firewall));
  if (found) return found.rules as Rule[];
  throw new Error(`Firewall ${firewall} is gone.`);
}
