import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

/** The workflow and action files, as GitHub reads them. */

export const root = resolve(import.meta.dirname, '../..');

export interface Step {
  name?: string;
  id?: string;
  if?: string;
  uses?: string;
  with?: Record<string, string | number | boolean>;
  env?: Record<string, string>;
  run?: string;
  shell?: string;
}

export interface Job {
  name?: string;
  needs?: string | string[];
  'runs-on'?: string;
  if?: string;
  environment?: string | { name: string };
  permissions?: Record<string, string>;
  'timeout-minutes'?: number;
  outputs?: Record<string, string>;
  strategy?: { matrix?: Record<string, unknown> };
  steps: Step[];
}

export interface Workflow {
  name?: string;
  on: Record<string, unknown>;
  permissions?: Record<string, string>;
  concurrency?: { group: string; 'cancel-in-progress': boolean | string };
  env?: Record<string, string>;
  jobs: Record<string, Job>;
}

export interface WorkflowFile extends Workflow {
  file: string;
  text: string;
}

export function workflow(name: string): WorkflowFile {
  const file = `.github/workflows/${name}`;
  const text = readFileSync(join(root, file), 'utf8');
  return { file, text, ...(parse(text) as Workflow) };
}

export function allWorkflows(): WorkflowFile[] {
  return readdirSync(join(root, '.github/workflows')).map(workflow);
}

/** Each step of each job, with what a failing test should say. */
export function stepsOf({ file, jobs }: WorkflowFile) {
  return Object.entries(jobs).flatMap(([id, job]) =>
    job.steps.map((step) => ({ where: `${file} ${id}: ${step.name ?? step.uses}`, id, job, step })),
  );
}

export const needsOf = (job: Job): string[] => [job.needs ?? []].flat();

/** All jobs that have ended before `id` starts. */
export function ancestorsOf(id: string, jobs: Workflow['jobs']): Set<string> {
  const found = new Set<string>();
  const visit = (name: string): void => {
    for (const before of needsOf(jobs[name] as Job)) {
      if (!found.has(before)) visit(before);
      found.add(before);
    }
  };
  visit(id);
  return found;
}

export const environmentOf = ({ environment }: Job): string | undefined =>
  typeof environment === 'object' ? environment.name : environment;

export interface ActionFile {
  inputs: Record<string, { required?: boolean; default?: string }>;
  outputs: Record<string, unknown>;
}

/** @param uses such as `./action-build` */
export function action(uses: string): ActionFile {
  const { inputs = {}, outputs = {} } = parse(
    readFileSync(join(root, uses, 'action.yml'), 'utf8'),
  ) as Partial<ActionFile>;
  return { inputs, outputs };
}

export const expression = (text: string): string => `\${{ ${text} }}`;

/** `${{ … }}` parts of a value, without the marks. */
export function expressionsIn(value: unknown): string[] {
  return [...JSON.stringify(value ?? '').matchAll(/\$\{\{(.*?)\}\}/g)].map((match) =>
    (match[1] ?? '').trim(),
  );
}
