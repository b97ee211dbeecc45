import type { Runner } from '../../lib/runner/runner.ts';
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

/** The same with numbers, for what somebody gave as a secret: a PIN is one. */
export function scalars(value: unknown): string[] {
  if (typeof value === 'number') return [String(value)];
  return isTree(value) ? Object.values(value).flatMap(scalars) : strings(value);
}

/** A value as an expression of Terraform's language, where "${" and "%{" begin a template. */
export function expression(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[$%](?=\{)/g, '$&$&');
}

/** Masks a value as it is, as Terraform writes it between quotes, and as its `jsonencode` does. */
export function maskValue(runner: Runner, value: string): void {
  const quoted = expression(value).slice(1, -1);
  for (const form of new Set([value, quoted, goJson(value)])) runner.mask(form);
}

/** Go's JSON is safe to stand in a page: it escapes what HTML would take for its own. */
export function goJson(value: string): string {
  const text = JSON.stringify(value).slice(1, -1);
  return text.replaceAll(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`);
}
