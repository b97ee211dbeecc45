import { type Circumstances, type Outcome, underLease } from '../../lib/release/bring.ts';
import { converge } from '../../lib/release/converge.ts';
import { deploy } from '../../lib/release/deploy.ts';
import type { Host } from '../../lib/release/host.ts';
import {
  askedInputs,
  circumstancesInputs,
  identity,
  wantedInputs,
} from '../../lib/release/inputs.ts';
import { freeLeases } from '../../lib/release/lease.ts';
import { turnMaintenanceOff, turnMaintenanceOn } from '../../lib/release/maintenance.ts';
import * as phases from '../../lib/release/phases.ts';
import { type Preview, preview, wouldChange } from '../../lib/release/preview.ts';
import { previewRollback, rollback } from '../../lib/release/rollback.ts';
import { logTo } from '../../lib/release/step.ts';
import { audit } from '../../lib/release/store.ts';
import { boolean, required } from '../../lib/runner/inputs.ts';
import type { Step } from '../../lib/runner/main.ts';
import { lock } from './lock.ts';
import { CONNECTION, LIMITS, OPTIONS, type OptionName, RELEASE, SERVERS } from './options.ts';
import { history, isUnasked, status } from './state.ts';
import { historyText, outcomeText, partText, previewText, statusText } from './text.ts';

/** What a command gives: for a program, and for a person. */
export interface Result {
  data: unknown;
  text: string;
  failed?: boolean;
  /** Of a command that was run; the result says nothing besides. */
  exitCode?: number;
}

export interface Command {
  what: string;
  options: readonly OptionName[];
  /** Words after the command of which one must be given, or `program`: a command line of its own. */
  words?: readonly string[] | 'program';
  /** It is done where somebody answers, and fails at its end for those who do not. */
  whoeverAnswers?: true;
  /** Reads and checks all that was given; what it returns is done once the servers are reached. */
  prepare: (step: Step, words: readonly string[]) => (hosts: readonly Host[]) => Promise<Result>;
}

export const COMMANDS: Record<string, Command> = {
  deploy: {
    what: 'release images, server after server, without a failed request',
    options: [...CONNECTION, ...RELEASE, ...LIMITS, 'dry-run', 'json'],
    prepare(step) {
      const wanted = wantedInputs(step.runner);
      if (isDry(step)) return async (hosts) => previewed(await preview(hosts, wanted));
      const how = circumstances(step);
      return async (hosts) => ended(await deploy(hosts, wanted, how(hosts)));
    },
  },
  rollback: {
    what: 'put an earlier release back, or what some services ran before',
    options: [
      ...CONNECTION,
      'version',
      'from',
      'services',
      'reason',
      'confirm',
      ...LIMITS,
      'dry-run',
      'json',
    ],
    prepare(step) {
      const asked = askedInputs(step.runner);
      if (isDry(step)) return async (hosts) => previewed(await previewRollback(hosts, asked));
      const how = circumstances(step);
      const { reason } = asked;
      return async (hosts) => ended(await rollback(hosts, asked, { ...how(hosts), reason }));
    },
  },
  converge: {
    what: 'bring servers that were down, or are new, to the current release',
    options: [...CONNECTION, ...LIMITS, 'json'],
    prepare(step) {
      const how = circumstances(step);
      return async (hosts) => ended(await converge(hosts, how(hosts)));
    },
  },
  status: {
    what: 'what runs where, and who holds the environment',
    options: [...SERVERS, 'json'],
    whoeverAnswers: true,
    prepare: () => async (hosts) => {
      const data = await status(hosts);
      return { data, text: statusText(data), failed: data.some(isUnasked) };
    },
  },
  history: {
    what: 'what was released, by whom and why',
    options: [...SERVERS, 'json'],
    whoeverAnswers: true,
    prepare: () => async (hosts) => {
      const data = await history(hosts);
      return { data, text: historyText(data), failed: data.some(isUnasked) };
    },
  },
  lock: {
    what: 'hold the environment while a command runs, so that no release comes in between',
    options: [...CONNECTION, 'reason', 'lock-timeout'],
    words: 'program',
    prepare(step, program) {
      const reason = required(step.runner, 'reason', 'say why; whoever has to wait reads it.');
      const how = circumstances(step);
      return async (hosts) => {
        const exitCode = await lock(hosts, program, { ...how(hosts), reason });
        return { data: { exitCode }, text: '', exitCode };
      };
    },
  },
  unlock: {
    what: 'free the environment from a run that is surely dead',
    options: [...SERVERS, 'reason', 'json'],
    whoeverAnswers: true,
    prepare: ({ runner }) => {
      const reason = required(runner, 'reason', 'say why; the audit log keeps it.');
      const { by, run } = identity(runner.env);
      return async (hosts) => {
        const freed = await freeLeases(hosts, undefined, (host) =>
          audit(host, by, 'unlock', run, reason),
        );
        return { data: freed, text: `Freed ${freed.length} of ${hosts.length} leases.` };
      };
    },
  },
  maintenance: {
    what: 'show users a page (503, Retry-After) instead of the application, or no longer',
    options: [...CONNECTION, 'message', 'reason', 'lock-timeout', 'json'],
    words: ['on', 'off'],
    prepare: (step, [word]) => maintenance(step, word === 'on'),
  },
  preflight: part('look whether the servers can take a release', phases.preflightPhase),
  pull: part('fetch the images', phases.pullPhase),
  backup: part('see that what serves now can be put back', phases.backupPhase),
  configs: part('put files and secrets in place', phases.configsPhase),
  swap: part('swap the services, one after the other', phases.swapPhase),
  verify: part('ask servers and public address for the release', phases.verifyPhase),
  record: part('make the release the current one', phases.recordPhase),
};

/** A part of a deploy as a command of its own, for playbooks. */
function part(what: string, phase: phases.Phase): Command {
  return {
    what: `part of a deploy: ${what}`,
    options: [...CONNECTION, ...RELEASE, ...LIMITS, 'dry-run', 'json'],
    prepare(step) {
      const wanted = wantedInputs(step.runner);
      const dryRun = isDry(step);
      const how = circumstances(step);
      return async (hosts) => {
        const done = await phase(hosts, wanted, how(hosts), dryRun);
        const failed = done.outcome !== undefined && ended(done.outcome).failed === true;
        return { data: done, text: partText(done, dryRun), failed };
      };
    },
  };
}

function maintenance(step: Step, on: boolean): (hosts: readonly Host[]) => Promise<Result> {
  const { runner } = step;
  const message = runner.input('message') || OPTIONS.message.default;
  const how = circumstances(step);
  const what = `maintenance ${on ? 'on' : 'off'}`;
  return async (hosts) => {
    const { by, run, ...rest } = how(hosts);
    const turned = await underLease(hosts, { by, run, ...rest }, () =>
      Promise.all(
        hosts.map(async (host) => {
          const told = () => audit(host, by, what, run, runner.input('reason'));
          return on ? turnMaintenanceOn(host, message, told) : turnMaintenanceOff(host, told);
        }),
      ),
    );
    const data = { on, changed: turned.some(Boolean) };
    return { data, text: `The maintenance page is ${on ? 'on' : 'off'}.` };
  };
}

/** Limits and manners of a release; the log's columns are as wide as the hosts need them. */
function circumstances(step: Step): (hosts: readonly Host[]) => Circumstances {
  const { runner, cancelled } = step;
  const fixed = {
    ...circumstancesInputs(runner),
    ...identity(runner.env),
    cancelled,
    rollbackOnFailure: true,
  };
  return (hosts) => ({ ...fixed, tell: logTo(runner, hosts) });
}

const isDry = ({ runner }: Step): boolean => boolean(runner, 'dry-run', false);

function previewed(found: Preview): Result {
  return { data: { ...found, changed: wouldChange(found) }, text: previewText(found) };
}

function ended(outcome: Outcome): Result {
  const failed = outcome.status === 'rolled-back' || outcome.status === 'failed';
  const changed = outcome.status !== 'unchanged';
  return { data: { ...outcome, changed }, text: outcomeText(outcome), failed };
}
