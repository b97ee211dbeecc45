import { managed, type Plan } from './plan.ts';

type Tree = Record<string, unknown>;
const isTree = (value: unknown): value is Tree => value !== null && typeof value === 'object';

/** The value with every part that Terraform marks as sensitive replaced by "(sensitive)". */
export function withoutSensitive(value: unknown, marks: unknown): unknown {
  if (marks === true) return '(sensitive)';
  if (!isTree(value) || !isTree(marks)) return value ?? null;
  if (Array.isArray(value)) {
    return value.map((part, index) => withoutSensitive(part, marks[index]));
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [key, withoutSensitive(part, marks[key])]),
  );
}

/** Every sensitive string in a plan, to be masked before anything of the plan is printed. */
export function sensitiveValues(plan: Plan): string[] {
  const changes = [
    ...managed(plan).map((resource) => resource.change),
    ...Object.values(plan.output_changes),
  ];
  const found = changes.flatMap((change) => [
    ...marked(change.before, change.before_sensitive),
    ...marked(change.after, change.after_sensitive),
  ]);
  return [...new Set(found)];
}

function marked(value: unknown, marks: unknown): string[] {
  if (marks === true) return strings(value);
  if (!isTree(value) || !isTree(marks)) return [];
  return Object.entries(marks).flatMap(([key, mark]) => marked((value as Tree)[key], mark));
}

/** All strings inside a value; numbers and booleans are too short to be worth a mask. */
export function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return isTree(value) ? Object.values(value).flatMap(strings) : [];
}
