import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from './errors.ts';
import type { Kind, Reference } from './resources.ts';
import type { Site } from './site.ts';
import { type ActionRecord, newId } from './world.ts';

/**
 * The work of a command. It is named and its input is plain data, so that it can be taken
 * up again after a restart; `perform` must therefore bear being run twice.
 */
export interface Job<Input> {
  /** `<kind>.<command>`; the command is what clients see. */
  name: `${Kind}.${string}`;
  /** Kinds among the action's resources that take no other action meanwhile. */
  locks: Kind[];
  perform(site: Site, input: Input, progress: (percent: number) => void): Promise<void>;
}

/** Finished actions that stay readable. */
const HISTORY = 500;

/** Starts actions, runs them beside the requests, and remembers how they went. */
export class Actions {
  readonly #site: Site;
  readonly #jobs: Map<string, Job<never>>;
  readonly #running = new Map<number, Promise<void>>();
  readonly #exclusive = new Set<string>();
  readonly #closing = new AbortController();

  constructor(site: Site, jobs: Job<never>[]) {
    this.#site = site;
    this.#jobs = new Map(jobs.map((job) => [job.name, job]));
  }

  /** Takes up what was unfinished when the process ended. */
  resume(): void {
    for (const action of this.#unfinished()) this.#launch(action);
  }

  /**
   * Records an action and begins its work after the request was answered.
   * @throws ApiError `locked` or `conflict` when a resource is busy with another action;
   *   an action that waits for earlier ones (`after`) of the same request is not held up
   */
  start<Input>(
    job: Job<Input>,
    resources: Reference[],
    input: Input,
    after: ActionRecord[] = [],
  ): ActionRecord {
    if (after.length === 0) {
      for (const resource of resources) {
        if (job.locks.includes(resource.type)) this.requireIdle(resource);
      }
    }
    const action: ActionRecord = {
      id: newId(this.#site.world),
      command: job.name.slice(job.name.indexOf('.') + 1),
      status: 'running',
      progress: 0,
      started: new Date().toISOString(),
      finished: null,
      resources,
      error: null,
      job: job.name,
      input,
      after: after.map(({ id }) => id),
    };
    this.#site.world.actions.push(action);
    this.#launch(action);
    return action;
  }

  /** Does what the API answers without an action, while nothing else touches the resource. */
  async exclusively(resource: Reference, work: () => Promise<void>): Promise<void> {
    this.requireIdle(resource);
    const key = `${resource.type} ${resource.id}`;
    this.#exclusive.add(key);
    try {
      await work();
    } finally {
      this.#exclusive.delete(key);
    }
  }

  /** @throws ApiError `locked` (servers, volumes, primary IPs) or `conflict` (the others) */
  requireIdle(resource: Reference): void {
    if (!this.isBusy(resource)) return;
    const locked = ['server', 'volume', 'primary_ip'].includes(resource.type);
    const name = resource.type.replaceAll('_', ' ');
    throw locked
      ? new ApiError('locked', `${name} ${resource.id} is locked: an action is running`)
      : new ApiError('conflict', `${name} ${resource.id} is being changed, please retry`);
  }

  isBusy({ type, id }: Reference): boolean {
    if (this.#exclusive.has(`${type} ${id}`)) return true;
    return this.#unfinished().some(
      (action) =>
        this.#jobs.get(action.job)?.locks.includes(type) &&
        action.resources.some((resource) => resource.type === type && resource.id === id),
    );
  }

  /** Lets the work in hand end; what has not begun stays for the next start. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#running.values());
  }

  #unfinished(): ActionRecord[] {
    return this.#site.world.actions.filter(({ status }) => status === 'running');
  }

  #launch(action: ActionRecord): void {
    const earlier = action.after.map((id) => this.#running.get(id));
    const work = Promise.all(earlier)
      .then(() => this.#delay())
      .then(() => this.#perform(action))
      .finally(() => this.#running.delete(action.id));
    this.#running.set(action.id, work);
  }

  async #delay(): Promise<void> {
    const { signal } = this.#closing;
    // A rejection only means that close() cut the delay short.
    await sleep(this.#site.faults.actionDelay(), undefined, { signal }).catch(() => undefined);
  }

  async #perform(action: ActionRecord): Promise<void> {
    if (this.#closing.signal.aborted) return;
    try {
      this.#requireEarlier(action);
      this.#site.faults.failAction(action.command);
      const job = this.#jobs.get(action.job);
      if (!job) throw new Error(`no job is named ${action.job}`);
      // The registry cannot know each input's type; start() checked it against its job.
      await job.perform(this.#site, action.input as never, (percent) => {
        action.progress = percent;
      });
      this.#finish(action, null);
    } catch (error) {
      this.#finish(action, error as Error);
    }
  }

  #requireEarlier(action: ActionRecord): void {
    const failed = this.#site.world.actions.find(
      ({ id, status }) => action.after.includes(id) && status === 'error',
    );
    if (failed) throw new Error(`action ${failed.id} (${failed.command}) failed before`);
  }

  #finish(action: ActionRecord, error: Error | null): void {
    action.status = error ? 'error' : 'success';
    action.progress = 100;
    action.finished = new Date().toISOString();
    if (error) {
      const code = error instanceof ApiError ? error.code : 'action_failed';
      action.error = { code, message: error.message };
    }
    const { actions } = this.#site.world;
    const surplus = actions.filter(({ status }) => status !== 'running').length - HISTORY;
    if (surplus > 0)
      actions.splice(
        actions.findIndex(({ status }) => status !== 'running'),
        1,
      );
    this.#site.save();
  }
}

/** An action as clients see it. */
export function presentAction(action: ActionRecord): unknown {
  const { id, command, status, progress, started, finished, resources, error } = action;
  return { id, command, status, progress, started, finished, resources, error };
}
