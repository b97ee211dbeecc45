import { z } from 'zod';
import { ApiError, type ErrorCode, parseBody } from './errors.ts';

const faultsSchema = z.strictObject({
  /** Added to every answer, in milliseconds. */
  latency: z.number().min(0).max(60_000).default(0),
  /** Added before the work of every action, in milliseconds. */
  action_delay: z.number().min(0).max(600_000).default(0),
  /** The next `count` requests fail with this status. */
  next: z
    .strictObject({ status: z.literal([429, 502, 504]), count: z.int().min(1) })
    .nullable()
    .default(null),
  /** The next so many requests that change something are carried out, and their answers lost. */
  lose_answers: z.int().min(0).default(0),
  /** The next `count` actions of this command end in an error. */
  fail_action: z
    .strictObject({
      command: z.string(),
      count: z.int().min(1).default(1),
      message: z.string().default('injected failure'),
    })
    .nullable()
    .default(null),
  /** Server types that have no room in a location. */
  unavailable: z
    .array(z.strictObject({ server_type: z.string(), location: z.string() }))
    .default([]),
});

type FaultPlan = z.infer<typeof faultsSchema>;

/** Faults that a test or a demonstration asked for through `POST /_faults`. */
export class Faults {
  #plan: FaultPlan = faultsSchema.parse({});

  get plan(): FaultPlan {
    return this.#plan;
  }

  /** Replaces the whole plan; `{}` heals everything. */
  replace(body: unknown): FaultPlan {
    this.#plan = parseBody(faultsSchema, body);
    return this.#plan;
  }

  latency(): number {
    return this.#plan.latency;
  }

  actionDelay(): number {
    return this.#plan.action_delay;
  }

  /** Counts one request down; the status it must fail with, if any. */
  nextStatus(): 429 | 502 | 504 | null {
    const { next } = this.#plan;
    if (!next) return null;
    next.count -= 1;
    if (next.count === 0) this.#plan.next = null;
    return next.status;
  }

  /** Counts one answer down when it is to be lost. */
  losesAnswer(method: string): boolean {
    if (method === 'GET' || this.#plan.lose_answers === 0) return false;
    this.#plan.lose_answers -= 1;
    return true;
  }

  /** @throws Error when the plan lets an action of this command fail */
  failAction(command: string): void {
    const fault = this.#plan.fail_action;
    if (fault?.command !== command) return;
    fault.count -= 1;
    if (fault.count === 0) this.#plan.fail_action = null;
    throw new Error(fault.message);
  }

  /** @throws ApiError `resource_unavailable` */
  requireRoom(serverType: string, location: string): void {
    const full = this.#plan.unavailable.some(
      (entry) => entry.server_type === serverType && entry.location === location,
    );
    if (full) throw unavailable(serverType, location);
  }
}

export function unavailable(serverType: string, location: string): ApiError {
  const code: ErrorCode = 'resource_unavailable';
  return new ApiError(code, `server type ${serverType} is not available in ${location} now`);
}
