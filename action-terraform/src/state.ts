import type { Runner } from '../../lib/runner/runner.ts';
import { statePullArgv } from './argv.ts';
import { maskValue, strings } from './sensitive.ts';
import type { Session } from './session.ts';

export interface StateIdentity {
  lineage: string;
  serial: number;
}

/** The state's own format, as far as we read it. */
export interface State extends StateIdentity {
  outputs?: Record<string, { value: unknown; sensitive?: boolean }>;
  resources?: { instances: { attributes?: unknown; sensitive_attributes?: Step[][] }[] }[];
}

/** One step of a path into an attribute. */
type Step =
  | { type: 'get_attr'; value: string }
  | { type: 'index'; value: { value: string | number } };

/**
 * Which state the backend holds, and how often it was written; empty when there is none yet. What
 * is sensitive in it is masked from here on.
 */
export async function readState(session: Session): Promise<StateIdentity> {
  const { stdout } = await session.terraform(statePullArgv);
  if (stdout.trim() === '') return { lineage: '', serial: 0 };
  const state = JSON.parse(stdout) as State;
  maskState(session.runner, state);
  return { lineage: state.lineage, serial: state.serial };
}

/** Masks what is sensitive in a state, as a provider's error may repeat it. */
export function maskState(runner: Runner, state: State): void {
  for (const value of sensitiveInState(state)) maskValue(runner, value);
}

/** Every string that the state marks as sensitive, in outputs and attributes. */
export function sensitiveInState({ outputs = {}, resources = [] }: State): string[] {
  const inOutputs = Object.values(outputs)
    .filter(({ sensitive }) => sensitive)
    .flatMap(({ value }) => strings(value));
  const inAttributes = resources
    .flatMap(({ instances }) => instances)
    .flatMap(({ attributes, sensitive_attributes: paths = [] }) =>
      paths.flatMap((path) => strings(path.reduce(part, attributes))),
    );
  return [...new Set([...inOutputs, ...inAttributes])];
}

function part(value: unknown, step: Step): unknown {
  const name = step.type === 'get_attr' ? step.value : step.value.value;
  return (value as Record<string | number, unknown> | null | undefined)?.[name];
}
