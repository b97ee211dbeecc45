/** `make demo`: from a push to a released COMPTA on this machine. */
import { join } from 'node:path';
import { elapsed } from '../lib/report/markdown.ts';
import { checkout, claimInstance } from '../local-cloud/claim.ts';
import { Progress } from './progress.ts';
import { pushNextVersion } from './repository.ts';
import { runWorkflow } from './workflow.ts';

const begun = Date.now();
const instance = claimInstance();
const push = await pushNextVersion(checkout, instance.stateDirectory);
console.log(`Pushed ${push.version} (${push.sha.slice(0, 7)}) to develop.\n`);

const id = Math.floor(Date.now() / 1000);
const folder = join(instance.stateDirectory, 'runs', String(id));
const progress = new Progress(console.log);
const ref = 'refs/heads/develop';
const succeeded = await runWorkflow(
  instance,
  {
    workflow: process.env.PARTIAL ?? '',
    event: {
      name: 'push',
      ref,
      payload: {
        ref,
        before: push.before,
        after: push.sha,
        repository: { name: 'compta', full_name: 'compta/compta', default_branch: 'main' },
        head_commit: { id: push.sha, message: `feat: version ${push.version}` },
      },
    },
    workspace: push.workspace,
    sha: push.sha,
    id,
    folder,
  },
  (entry) => progress.take(entry),
);

console.log(
  `\n${succeeded ? '✅' : '❌'} ${push.version} in ${elapsed(Date.now() - begun)}; log in ${folder}`,
);
process.exitCode = succeeded ? 0 : 1;
