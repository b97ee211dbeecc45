import { setTimeout as sleep } from 'node:timers/promises';
import { type Action, settled } from '../hetzner/actions.ts';
import { type HetznerApi, HetznerError } from '../hetzner/api.ts';
import { type Access, closed, isOpen, opened, type Rule } from './rules.ts';
import { takeTurn } from './turn.ts';

const ATTEMPTS = 5;
const PAUSE_MS = 1_500;

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
    access.owner,
    (rules) => opened(rules, access, new Date()),
    (rules) => isOpen(rules, access.owner),
  );
}

/** Resolves when the runner may not come in any more; nothing happens when it never might. */
export async function close(api: HetznerApi, firewall: number, owner: string): Promise<void> {
  await change(
    api,
    firewall,
    owner,
    (rules) => closed(rules, owner, new Date()),
    (rules) => !isOpen(rules, owner),
  );
}

/** A turn that is older begins no writing: others may take it for over before the writing is. */
const FRESH_MS = 10_000;

/**
 * Rules can only be replaced as a whole, so it is one runner's turn at a time, and each attempt
 * reads them anew: what was sent once is never sent again as it was.
 */
async function change(
  api: HetznerApi,
  firewall: number,
  owner: string,
  edit: (rules: Rule[]) => Rule[],
  isDone: (rules: Rule[]) => boolean,
): Promise<void> {
  let failure: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const turn = await takeTurn(api, firewall, owner);
    try {
      const rules = edit(await rulesOf(api, firewall));
      if (Date.now() - turn.since > FRESH_MS) continue;
      await write(api, firewall, rules);
      if (isDone(await rulesOf(api, firewall))) return;
    } catch (error) {
      if (!(error instanceof HetznerError) || !error.passes) throw error;
      failure = error;
      // What was sent may still be done: not in another one's turn.
      await sleep(PAUSE_MS);
    } finally {
      await turn.end();
    }
  }
  throw new Error(
    `The rules of firewall ${firewall} are not what they were set to after ${ATTEMPTS} attempts: nobody but the runners may change them.`,
    { cause: failure },
  );
}

async function write(api: HetznerApi, firewall: number, rules: Rule[]): Promise<void> {
  const answer = await api.postOnce(`/firewalls/${firewall}/actions/set_rules`, { rules });
  const { actions = [] } = (answer ?? {}) as { actions?: Action[] };
  for (const action of actions) await settled(api, action);
}

async function rulesOf(api: HetznerApi, firewall: number): Promise<Rule[]> {
  const found = await api.byId('firewalls', String(firewall));
  if (found) return found.rules as Rule[];
  throw new Error(`Firewall ${firewall} is gone.`);
}
