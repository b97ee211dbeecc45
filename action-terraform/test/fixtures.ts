import type { Binding } from '../src/binding.ts';
import { type Change, type Plan, parsePlan } from '../src/plan.ts';

export const KEY = 'a-key-of-at-least-thirty-two-characters';

export const BINDING: Binding = {
  repository: 'compta/deploy',
  sha: '0123456789abcdef0123456789abcdef01234567',
  workflow: 'deploy-staging',
  runId: '42',
  directory: 'infra/terraform/environments/staging',
  workspace: 'default',
  backend: 'b'.repeat(64),
  lockFile: 'c'.repeat(64),
  varFiles: 'd'.repeat(32),
  variables: 'e'.repeat(32),
  tool: 'terraform',
  version: '1.11.4',
  stateLineage: '5f1c5f1c',
  stateSerial: 7,
};

type Actions = Change['actions'];

/** A resource change as Terraform writes it: `server('a', ['update'], {…before}, {…after})`. */
export function resource(
  address: string,
  actions: Actions,
  before: unknown = null,
  after: unknown = null,
  more: object = {},
) {
  const type = address.split('.').at(-2) ?? '';
  return {
    address,
    mode: 'managed',
    type,
    name: address.split('.').at(-1) ?? '',
    change: { actions, before, after, ...more },
  };
}

export function planOf(resources: object[], outputs: object = {}): Plan {
  return parsePlan(
    JSON.stringify({
      terraform_version: '1.11.4',
      resource_changes: resources,
      output_changes: outputs,
    }),
  );
}
