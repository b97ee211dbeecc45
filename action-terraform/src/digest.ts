import { digestOf } from './binding.ts';
import { canonicalJson } from './canonical.ts';
import { type Change, kindOf, managed, type Plan } from './plan.ts';
import { withoutSensitive } from './sensitive.ts';

/**
 * What a plan would do, as one number: of the changes in its JSON, not of its text, so that two
 * plans of the same changes have the same digest. Sensitive values count as "sensitive" only.
 */
export function planDigest(plan: Plan): string {
  const resources = managed(plan)
    .filter(({ change }) => kindOf(change) !== 'none')
    .map(({ address, change }) => ({ address, ...essence(change) }))
    .sort((a, b) => (a.address < b.address ? -1 : 1));
  const outputs = Object.entries(plan.output_changes)
    .filter(([, change]) => kindOf(change) !== 'none')
    .map(([name, change]) => ({ name, ...essence(change) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return digestOf(canonicalJson({ resources, outputs }));
}

function essence(change: Change) {
  return {
    actions: change.actions,
    importing: change.importing?.id ?? null,
    before: withoutSensitive(change.before, change.before_sensitive),
    after: withoutSensitive(change.after, change.after_sensitive),
    unknown: change.after_unknown ?? null,
  };
}
