import type { TestEnvironment } from '../../lib/release/test/fixture/environment.ts';
import { type Started, startAction } from '../../lib/runner/test/start-action.ts';

const repository = new URL('../../', import.meta.url).pathname;

interface Start {
  entry?: 'main' | 'post';
  /** What main left for post. */
  state?: Record<string, string>;
  /** What the runner's environment has besides. */
  env?: Record<string, string>;
}

/** Starts a deploy or a rollback where an environment's files lie. */
export function start(
  action: string,
  inputs: Record<string, string>,
  { entry = 'main', state = {}, env = {} }: Start = {},
): Started {
  const states = Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]);
  const all = { GITHUB_WORKSPACE: repository, ...Object.fromEntries(states), ...env };
  return startAction(action, inputs, all, entry);
}

/** Inputs by which a deploy or a rollback reaches a test's servers. */
export function connectionTo({ test: servers, base }: TestEnvironment): Record<string, string> {
  return {
    environment: 'staging',
    hosts: servers.hosts.map(({ name, ssh }) => `${name}=${ssh}`).join('\n'),
    'known-hosts': servers.knownHosts,
    'jump-host': servers.bastion,
    port: String(servers.port),
    'private-key': servers.privateKey,
    'base-url': base,
    'edge-drain': '1s',
    batch: '2',
  };
}
