import { expect, test } from '@jest/globals';
import { CommandFailed } from '../../lib/process/run.ts';
import type { TaskResult } from '../src/events.ts';
import type { Inputs } from '../src/inputs.ts';
import { failureOf, staysUnreachable } from '../src/problems.ts';

/** The advice of a run that lost its host with such a message, and whether another try is of use. */
function lost(message: string) {
  const entry: TaskResult = {
    ...{ outcome: 'unreachable', host: 'app-1', task: 'Log in', path: 'site.yml', line: 3 },
    ...{ changed: false, start: 1, end: 2, message },
  };
  const failure = new CommandFailed('ansible-playbook', 'failed', { exitCode: 4 });
  const attempts = [{ results: [entry], open: [], complete: true }];
  const played = { attempts, failure, timedOut: false };
  const said = failureOf({ playbook: 'site.yml' } as Inputs, played)?.message ?? '';
  const [, first = ''] = said.split('\n');
  return {
    advice: first.replace('app-1 could not be reached: ', ''),
    again: !staysUnreachable(entry),
  };
}

// As the SSH of Ansible and that of Mitogen say it, which keeps to itself what ssh printed.
test.each([
  ['No ED25519 host key is known for [10.0.1.21]:2222', /a host key that is not known\. /, false],
  ['@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @', /another host key than the kn/, false],
  [
    'Host key checking is enabled, and SSH reported an unrecognized or mismatching host key.',
    /a host key that is not known, or another one than is known.*somebody stands between/,
    false,
  ],
  ['deploy@10.0.1.21: Permission denied (publickey).', /refuses the private key/, false],
  ['SSH authentication is incorrect', /refuses the private key/, false],
  [
    'Mitogen was disconnected from the remote environment while a call was in-progress. If you ' +
      'feel this is in error, please file a bug. Original error was: the respondent Context has disconnected',
    /the connection broke in the middle of a task/,
    true,
  ],
  ['Connection closed by UNKNOWN port 65535', /jump host let nothing through/, true],
  ['ssh: connect to host 10.0.1.21 port 2222: Connection refused', /Connection refused/, true],
])('%s', (message, advice, again) => {
  expect(lost(message)).toEqual({ advice: expect.stringMatching(advice), again });
});
