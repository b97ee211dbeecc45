import { getOctokit } from '@actions/github';
import { optional, optionalSecret } from '../runner/inputs.ts';
import { messageOf } from '../runner/main.ts';
import type { Runner } from '../runner/runner.ts';
import type { Outcome } from './bring.ts';

type State = 'in_progress' | 'success' | 'failure' | 'error';

/** What GitHub shows of a release at its environment, with a link to the log and to what serves. */
export interface Deployment {
  /** GitHub out of reach is a warning: it does not stop a release. */
  say(state: State, description: string): Promise<void>;
}

const none: Deployment = { say: async () => {} };

/** GitHub refuses a longer description. */
const LONGEST = 140;

/** Where the step leaves its deployment for {@link endDeployment}, until that has ended. */
const DEPLOYMENT_STATE = 'deployment';

/** Opens a deployment with the input `github-token`; without one, or outside GitHub, nothing is told. */
export async function openDeployment(
  runner: Runner,
  environment: string,
  what: string,
): Promise<Deployment> {
  const github = githubOf(runner);
  if (github === undefined) return none;
  const id = await github.open(environment, what);
  if (id === undefined) return none;
  runner.saveState(DEPLOYMENT_STATE, String(id));
  return {
    async say(state, description) {
      const heard = await github.say(id, state, description);
      if (heard && state !== 'in_progress') runner.saveState(DEPLOYMENT_STATE, '');
    },
  };
}

/** The post step: of whoever was killed GitHub hears no end, and would show the release as under way for ever. */
export async function endDeployment(runner: Runner): Promise<void> {
  const id = Number(runner.state(DEPLOYMENT_STATE));
  if (id > 0)
    await githubOf(runner)?.say(id, 'error', 'No end of it was told; see the log of the run.');
}

/** GitHub's side; `undefined` where there is none to tell. */
function githubOf(runner: Runner) {
  const token = optionalSecret(runner, 'github-token');
  const { GITHUB_REPOSITORY = '', GITHUB_SHA, GITHUB_SERVER_URL, GITHUB_RUN_ID } = runner.env;
  const [owner, repo] = GITHUB_REPOSITORY.split('/');
  if (token === undefined || !owner || !repo || !GITHUB_SHA) return undefined;
  const { rest } = getOctokit(token, {
    baseUrl: runner.env.GITHUB_API_URL || 'https://api.github.com',
  });
  const url = optional(runner, 'base-url');
  const forgiving = async <T>(body: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await body();
    } catch (error) {
      runner.warning(`GitHub was not told of the deployment: ${messageOf(error)}`);
      return undefined;
    }
  };
  return {
    open: (environment: string, what: string): Promise<number | undefined> =>
      forgiving(async () => {
        const { data } = await rest.repos.createDeployment({
          owner,
          repo,
          ref: GITHUB_SHA,
          environment,
          description: what.slice(0, LONGEST),
          auto_merge: false,
          // The workflow decided that this is to be released; its checks are its own business.
          required_contexts: [],
          production_environment: environment === 'production',
        });
        return 'id' in data ? data.id : undefined;
      }),
    /** @returns whether GitHub heard it. */
    say: async (id: number, state: State, description: string): Promise<boolean> => {
      const answer = await forgiving(() =>
        rest.repos.createDeploymentStatus({
          owner,
          repo,
          deployment_id: id,
          state,
          description: runner.redact(description).slice(0, LONGEST),
          log_url: `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}`,
          ...(url !== undefined && { environment_url: url }),
        }),
      );
      return answer !== undefined;
    },
  };
}

/** Carries a release through with GitHub knowing of it, whichever way it ends. */
export async function told(
  deployment: Deployment,
  release: () => Promise<Outcome>,
): Promise<Outcome> {
  await deployment.say('in_progress', 'under way');
  try {
    const outcome = await release();
    const good = outcome.status === 'deployed' || outcome.status === 'unchanged';
    const end = `${outcome.version}: ${outcome.status}`;
    await deployment.say(good ? 'success' : 'failure', good ? end : `${end}. ${outcome.problem}`);
    return outcome;
  } catch (error) {
    await deployment.say('error', messageOf(error));
    throw error;
  }
}
