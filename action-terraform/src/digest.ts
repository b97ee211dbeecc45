import { digestOf } from './binding.ts';
import { canonicalJson } from './canonical.ts';
import { type Change, kindOf, managed, type Plan } from './plan.ts';
import { withoutSensitive } from './sensitive.ts';

/**
 * What a plan would do, as one number: of the changes in its JSON, not of its text, so that two
 * plans of the same changes have the same digest. Sensitive values count as "sensitive" only.
 */
export function planDigest(plan: Plan): string {
  return digestOf(canonicalJson(changesOf(plan)));
}

/** The addresses and outputs where two plans would not do the same. */
export function differingChanges(one: Plan, other: Plan): string[] {
  const [a, b] = [changesOf(one), changesOf(other)];
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return names.filter((name) => canonicalJson(a[name] ?? null) !== canonicalJson(b[name] ?? null));
}

/** What is to change, by address; outputs as `output.name`. */
function changesOf(plan: Plan): Record<string, unknown> {
  const changes: [string, Change][] = [
    ...managed(plan).map(({ address, change }): [string, Change] => [address, change]),
    ...Object.entries(plan.output_changes).map(([name, change]): [string, Change] => [
      `output.${name}`,
      change,
    ]),
  ];
  return Object.fromEntries(
    changes
      .filter(([, change]) => kindOf(change) !== 'none')
      .map(([name, change]) => [name, essence(change)]),
  );
}

function essence(change: Change) {
  return {
    actions: change.actions,
    importing: change.importing?.id ?? null,
    movedFrom: change.movedFrom ?? null,
    before: withoutSensitive(change.before, change.before_sensitive),
    after: withoutSensitive(change.after, change.after_sensitive),
    unknown: change.after_unknown ?? null,
  };
}
