import { z } from 'zod';

/** `terraform show -json` of a plan, as far as we read it. */
const change = z.object({
  actions: z.array(z.enum(['no-op', 'create', 'read', 'update', 'delete', 'forget', 'open'])),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
  after_unknown: z.unknown().optional(),
  before_sensitive: z.unknown().optional(),
  after_sensitive: z.unknown().optional(),
  importing: z.object({ id: z.string().optional() }).optional(),
});

const resource = z
  .object({
    address: z.string(),
    /** Where the state has it, when a plan moves it. */
    previous_address: z.string().optional(),
    mode: z.string(),
    module_address: z.string().optional(),
    type: z.string(),
    name: z.string(),
    action_reason: z.string().optional(),
    change,
  })
  .transform(({ previous_address, ...resource }) => ({
    ...resource,
    change: { ...resource.change, movedFrom: previous_address },
  }));

const schema = z.object({
  terraform_version: z.string(),
  resource_changes: z.array(resource).default([]),
  /** Where the world is no longer what the state says. */
  resource_drift: z.array(resource).default([]),
  output_changes: z.record(z.string(), change).default({}),
});

export type Plan = z.infer<typeof schema>;
export type ResourceChange = Plan['resource_changes'][number];
export type Change = z.infer<typeof change> & { movedFrom?: string | undefined };
export type Kind =
  | 'create'
  | 'update'
  | 'replace'
  | 'delete'
  | 'import'
  | 'forget'
  | 'move'
  | 'none';

/** @throws ZodError when Terraform's JSON has another shape than the one it documents */
export function parsePlan(json: string): Plan {
  return schema.parse(JSON.parse(json));
}

export function kindOf({ actions, importing, movedFrom }: Change): Kind {
  if (actions.includes('delete')) return actions.includes('create') ? 'replace' : 'delete';
  if (actions.includes('create')) return 'create';
  if (importing) return 'import';
  if (actions.includes('update')) return 'update';
  if (actions.includes('forget')) return 'forget';
  if (movedFrom !== undefined) return 'move';
  return 'none';
}

export interface Counts {
  add: number;
  change: number;
  destroy: number;
  import: number;
  /** Of those that keep everything but their address. */
  move: number;
  /** Whether an apply would do anything at all, outputs included. */
  changes: boolean;
}

/** Counted as Terraform itself counts: a replacement is one to add and one to destroy. */
export function countsOf(plan: Plan): Counts {
  const kinds = managed(plan).map((resource) => kindOf(resource.change));
  const count = (...wanted: Kind[]) => kinds.filter((kind) => wanted.includes(kind)).length;
  const updatesOfImports = managed(plan).filter(
    ({ change: { importing, actions } }) => importing && actions.includes('update'),
  ).length;
  const outputs = Object.values(plan.output_changes).some((output) => kindOf(output) !== 'none');
  return {
    add: count('create', 'replace'),
    change: count('update') + updatesOfImports,
    destroy: count('delete', 'replace'),
    import: count('import'),
    move: count('move'),
    changes: outputs || kinds.some((kind) => kind !== 'none'),
  };
}

export function managed(plan: Plan): ResourceChange[] {
  return plan.resource_changes.filter((resource) => resource.mode === 'managed');
}
