import { relative } from 'node:path';
import { elapsed } from '../../lib/report/markdown.ts';
import type { Annotation } from '../../lib/runner/runner.ts';
import type { Played } from './attempts.ts';
import { settled, type TaskResult, unreachable } from './events.ts';
import type { Inputs } from './inputs.ts';

/** What ssh says when a second try can only end like the first. */
const CHANGED_KEY = /REMOTE HOST IDENTIFICATION HAS CHANGED/i;
const UNKNOWN_KEY = /No \S+ host key is known|Host key verification failed/i;
/** Mitogen tells only that it was one of the two. */
const WRONG_KEY = /unrecognized or mismatching host key/i;
const REFUSED = /Permission denied|SSH authentication is incorrect/i;
/** As Mitogen says it, who asks for a bug report. */
const BROKEN = /disconnected from the remote environment/i;
/** ssh keeps to itself why a jump failed when it leaves a connection open (ControlPersist). */
const JUMP = /closed by UNKNOWN port 65535/i;

/** apt's library, asked to refresh its lists, says neither which mirror it was nor why. */
const NO_LISTS = /^Failed to update apt cache after \d+ retries:\s*(unknown reason)?\s*$/;

export function staysUnreachable({ message }: TaskResult): boolean {
  return [CHANGED_KEY, UNKNOWN_KEY, WRONG_KEY, REFUSED].some((pattern) => pattern.test(message));
}

function unreachableSentence({ host, message }: TaskResult): string {
  const sentence = (advice: string) => `${host} could not be reached: ${advice}\n${message}`;
  if (CHANGED_KEY.test(message)) {
    return sentence(
      'it shows another host key than the known one. Unless it was made anew, somebody stands ' +
        'between: find out before you renew known-hosts or the Terraform outputs.',
    );
  }
  if (UNKNOWN_KEY.test(message)) {
    return sentence(
      'it shows a host key that is not known. Compare it with the server’s console and add it ' +
        'to known-hosts, or give the Terraform outputs of the last apply.',
    );
  }
  if (WRONG_KEY.test(message)) {
    return sentence(
      'it shows a host key that is not known, or another one than is known. Compare it with the ' +
        'server’s console: unless the server was made anew, somebody stands between.',
    );
  }
  if (REFUSED.test(message)) {
    return sentence('it refuses the private key. Is its public half there, for this user?');
  }
  if (BROKEN.test(message)) {
    return sentence('the connection broke in the middle of a task. Is the server up?');
  }
  if (JUMP.test(message)) {
    return sentence(
      'its jump host let nothing through. It is down, refuses the private key or this machine, ' +
        'or shows a host key that is not the known one.',
    );
  }
  return `${host} could not be reached: ${message}`;
}

/** With what a module leaves out of its message. */
export function explained(entry: TaskResult): TaskResult {
  if (!NO_LISTS.test(entry.message)) return entry;
  const advice =
    'a mirror of packages does not answer as it should. `apt-get update` on the host says which ' +
    'and why; when it is well, run this again.';
  return { ...entry, message: `${entry.message.trim().replace(/\W*$/, '')}: ${advice}` };
}

/** One annotation for a task that failed, however many hosts it failed on with one message. */
export function failedTaskAnnotations(
  results: readonly TaskResult[],
  directory: string,
  workspace: string,
): { message: string; at: Annotation }[] {
  const failed = results.filter(({ outcome }) => outcome === 'failed');
  const same = Map.groupBy(failed, ({ path, line, message }) => `${path}:${line}:${message}`);
  return [...same.values()].map((group) => {
    const { task, path, line, message } = group[0] as TaskResult;
    const hosts = group.map(({ host }) => host).join(', ');
    const file = relative(workspace, path);
    return {
      message: `${hosts}: ${task} (${relative(directory, path)}:${line}): ${message}`,
      // GitHub shows lines of the repository's own files only.
      at: { title: task, ...(file.startsWith('..') ? {} : { file, startLine: line }) },
    };
  });
}

/** Why a run failed, in the words of its summary annotation. */
export function failureOf(inputs: Inputs, played: Played): Error | undefined {
  const { failure, attempts, timedOut } = played;
  const results = settled(attempts);
  const { playbook, limit } = inputs;
  if (failure === undefined) {
    return limit !== undefined && results.length === 0 ? noHosts(playbook, limit) : undefined;
  }
  if (timedOut) return new Error(timeSentence(inputs, played));
  if (limit !== undefined && /no hosts to target/.test(failure.stderr + failure.stdout)) {
    return noHosts(playbook, limit);
  }
  const failed = results.filter(({ outcome }) => outcome === 'failed');
  const lost = unreachable(results);
  const lines = [
    ...(failed.length > 0 ? [`${count(failed.length, 'task')} failed.`] : []),
    ...lost.map(unreachableSentence),
  ];
  // Ansible's own last lines, where no task says what was wrong.
  return new Error([`${playbook} failed.`, ...lines].join('\n'), {
    ...(lines.length === 0 ? { cause: failure } : {}),
  });
}

function noHosts(playbook: string, limit: string): Error {
  return new Error(`Input 'limit' is '${limit}', which matches no host that ${playbook} is for.`);
}

function timeSentence({ playbook, timeoutMs }: Inputs, { attempts }: Played): string {
  const open = attempts.at(-1)?.open.map(({ host, task }) => `\n${host} was at: ${task}`) ?? [];
  return (
    `${playbook} did not end within ${elapsed(timeoutMs)} ('timeout') and was stopped. ` +
    `What is done stays; the next run goes on from there.${open.join('')}`
  );
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
