import { readFile } from 'node:fs/promises';
import { unzipSync } from 'fflate';
import type { State } from './state.ts';

const STATE = 'tfstate';

/**
 * The state that a plan was made from. Terraform keeps it inside the plan file, to refuse the plan
 * once the state has moved on: asking the backend for it could only tell another one.
 *
 * @throws Error when the file is no plan of Terraform's
 */
export async function stateIn(planFile: string): Promise<State> {
  const found = unzipSync(await readFile(planFile), { filter: ({ name }) => name === STATE })[
    STATE
  ];
  if (found === undefined) throw new Error(`${planFile} is no plan: it holds no state.`);
  return JSON.parse(Buffer.from(found).toString('utf8')) as State;
}
