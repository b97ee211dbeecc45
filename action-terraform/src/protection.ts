import { createServer, request as requestHttp, type Server } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Action, settled } from '../../lib/hetzner/actions.ts';
import { endpointOf, type HetznerApi, hetznerApi } from '../../lib/hetzner/api.ts';
import { messageOf } from '../../lib/runner/main.ts';
import { kindOf, managed, type Plan } from './plan.ts';
import type { Session } from './session.ts';

/** Where the API keeps what it can protect. */
const COLLECTIONS: Record<string, string> = {
  hcloud_server: 'servers',
  hcloud_volume: 'volumes',
  hcloud_network: 'networks',
  hcloud_load_balancer: 'load_balancers',
  hcloud_primary_ip: 'primary_ips',
  hcloud_floating_ip: 'floating_ips',
};

export interface Protected {
  address: string;
  collection: string;
  id: string;
}

/** What the plan takes away or replaces although the API would refuse it. */
export function protectedDestroys(plan: Plan): Protected[] {
  return managed(plan).flatMap(({ address, type, change }) => {
    const collection = COLLECTIONS[type];
    const before = (change.before ?? {}) as { id?: string; delete_protection?: boolean };
    const goes = ['delete', 'replace'].includes(kindOf(change));
    if (!collection || !goes || !before.delete_protection || !before.id) return [];
    return [{ address, collection, id: before.id }];
  });
}

/**
 * Destroys in the two steps that Hetzner asks for, each thing by itself: Terraform reaches the API
 * through a door on the loopback, where what the plan destroys loses its protection just before the
 * request that deletes it is passed on. So the state's lock is held by then, and whatever Terraform
 * does not come to, or Hetzner does not delete, is protected as before.
 *
 * @param destroy gets what Terraform's environment needs besides
 */
export async function liftingProtection<T>(
  session: Pick<Session, 'inputs' | 'runner' | 'env'>,
  plan: Plan,
  destroy: (env: NodeJS.ProcessEnv) => Promise<T>,
): Promise<T> {
  const token = session.inputs.hcloudToken;
  const going = protectedDestroys(plan);
  if (token === undefined || going.length === 0) return destroy({});
  // Not the job's signal: what Terraform has begun when it is interrupted, it does to the end.
  const api = hetznerApi(token, session.env, new AbortController().signal);
  const protection = new Protection(session, api, going);
  const server = doorTo(new URL(endpointOf(session.env)), token, protection);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    const { port } = server.address() as AddressInfo;
    return await destroy({ HCLOUD_ENDPOINT: `http://127.0.0.1:${port}` });
  } finally {
    server.close();
    server.closeAllConnections();
    await protection.putBack();
  }
}

/** For a deletion that nobody waits for any more. */
const PATIENCE_MS = 5_000;

/** What has lost its protection for the deletion that follows. */
class Protection {
  readonly #session: Pick<Session, 'runner'>;
  readonly #api: HetznerApi;
  readonly #going: Map<string, Protected>;
  readonly #lifted = new Map<Protected, Promise<void>>();
  readonly #deletions: Promise<void>[] = [];

  constructor(session: Pick<Session, 'runner'>, api: HetznerApi, going: readonly Protected[]) {
    this.#session = session;
    this.#api = api;
    this.#going = new Map(going.map((thing) => [`/${thing.collection}/${thing.id}`, thing]));
  }

  /** When it does not come off, Hetzner itself refuses the deletion that follows. */
  async lift(path: string): Promise<void> {
    const thing = this.#going.get(path);
    if (thing === undefined) return;
    const lifting = this.#lifted.get(thing) ?? this.#lift(thing);
    this.#lifted.set(thing, lifting);
    await lifting;
  }

  /** @param ended resolves when the answer is here, or will never be */
  deleting(ended: Promise<void>): void {
    this.#deletions.push(ended);
  }

  /**
   * Whatever is still there is protected again. A Terraform that is interrupted waits for nothing: so
   * first what is under way comes to its end, lest it be done after this.
   */
  async putBack(): Promise<void> {
    const patience = sleep(PATIENCE_MS, undefined, { ref: false });
    const deleted = Promise.race([Promise.all(this.#deletions), patience]);
    const things = [...this.#lifted].map(async ([thing, lifting]) => {
      await Promise.all([lifting, deleted]);
      await this.#putBack(thing);
    });
    await Promise.all(things);
  }

  async #lift(thing: Protected): Promise<void> {
    const { address, id } = thing;
    try {
      await this.#protect(thing, false);
      this.#session.runner.notice(
        `Lifted the delete protection of ${address} (${id}): the plan destroys it.`,
      );
    } catch (error) {
      this.#session.runner.warning(
        `The delete protection of ${address} (${id}) could not be lifted: ${messageOf(error)}`,
      );
    }
  }

  async #putBack(thing: Protected): Promise<void> {
    const { address, collection, id } = thing;
    try {
      if ((await this.#api.byId(collection, id)) === undefined) return;
      await this.#protect(thing, true);
      this.#session.runner.notice(`${address} (${id}) was not deleted: it is protected again.`);
    } catch (error) {
      this.#session.runner.warning(
        `${address} (${id}) was not deleted and is not protected: ${messageOf(error)}\nThe next plan shows it, and its apply protects it again.`,
      );
    }
  }

  async #protect({ collection, id }: Protected, on: boolean): Promise<void> {
    // Hetzner wants the two protections of a server to be equal.
    const body = collection === 'servers' ? { delete: on, rebuild: on } : { delete: on };
    const answer = await this.#api.post(`/${collection}/${id}/actions/change_protection`, body);
    await settled(this.#api, (answer as { action?: Action } | undefined)?.action);
  }
}

/** Passes everything on as it is; nobody without the token of the API lifts a protection by it. */
function doorTo(endpoint: URL, token: string, protection: Protection): Server {
  const send = endpoint.protocol === 'https:' ? requestHttps : requestHttp;
  const base = endpoint.pathname.replace(/\/+$/, '');
  return createServer(async (request, response) => {
    const { method, url: path = '/', headers } = request;
    const deletes = method === 'DELETE' && headers.authorization === `Bearer ${token}`;
    if (deletes) await protection.lift(path);
    if (response.destroyed) return; // Whoever asked has been ended meanwhile.
    const target = new URL(`${base}${path}`, endpoint);
    // A connection each: one that is kept may be closed just when it is used again.
    const how = { method, headers: { ...headers, host: target.host }, agent: false };
    const onward = send(target, how, (answer) => {
      // An interrupted Terraform waits for no answer.
      if (response.destroyed) return void answer.resume();
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, response, () => undefined);
    });
    if (deletes) protection.deleting(new Promise((done) => onward.once('close', done)));
    // As if there were no door: a connection that breaks.
    onward.on('error', () => response.destroy());
    pipeline(request, onward, () => undefined);
  });
}
