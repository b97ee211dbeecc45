import { code, verdict } from '../../lib/report/markdown.ts';
import { type Step, messageOf as textOf } from '../../lib/runner/main.ts';
import { readInputs } from './inputs.ts';
import { messageOf, type RunFacts } from './message.ts';
import { send } from './slack.ts';

export async function run({ runner }: Step): Promise<void> {
  const inputs = readInputs(runner);
  const message = messageOf({ ...inputs.news, run: runFacts(runner.env) });
  try {
    const sent = await send(inputs.destination, message, inputs.timeoutMs);
    runner.output('ts', sent.ts);
    runner.output('channel', sent.channel);
    runner.output('sent', true);
    runner.info(`Slack: ${message.text}`);
    runner.summary(`${verdict('passed', 'Slack was told')}\n\n${code(message.text)}`);
  } catch (error) {
    runner.output('sent', false);
    if (inputs.failOnError) throw error;
    runner.warning(textOf(error), { title: 'Slack was not told' });
  }
}

function runFacts(env: NodeJS.ProcessEnv): RunFacts {
  const { GITHUB_REPOSITORY = '', GITHUB_SERVER_URL = 'https://github.com' } = env;
  return {
    repository: GITHUB_REPOSITORY,
    workflow: env.GITHUB_WORKFLOW ?? '',
    actor: env.GITHUB_ACTOR ?? '',
    ref: env.GITHUB_REF_NAME ?? '',
    commit: env.GITHUB_SHA ?? '',
    url: `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${env.GITHUB_RUN_ID ?? ''}`,
  };
}
