import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jobName } from '../../demo/progress.ts';
import { release } from '../../demo/release.ts';
import type { LogEntry } from '../../demo/workflow.ts';
import { checkout } from '../../local-cloud/claim.ts';
import type { Instance } from '../../local-cloud/instance.ts';
import { cloud } from '../cloud.ts';
import type { Figures } from '../measurement.ts';
import { switchOff } from '../processes.ts';
import { lossOf, timesOf } from './releases.ts';
import { type Scenario, seconds, summaryOf } from './scenario.ts';

/** Where the power fails: so many seconds after a job has begun (0: at once) or has ended. */
interface Moment {
  job: string;
  after: 'begin' | 'end';
  seconds: number;
}

const at = (job: string, ...inside: number[]): Moment[] => [
  ...inside.map((moment) => ({ job, after: 'begin' as const, seconds: moment })),
  { job, after: 'end', seconds: 0 },
];

/**
 * In the order of the pipeline, and from an empty cloud, so that each run has to get over the
 * place where the one before it was cut off.
 */
const MOMENTS: Moment[] = [
  ...at('Announce'),
  ...at('Plan the infrastructure', 5),
  ...at('Build, scan and push the images', 40),
  ...at('Apply the plan', 6, 12),
  ...at('Configure the servers', 20, 60),
  ...at('Migrate the databases', 15),
  ...at('Release to the servers', 20, 60),
  ...at('Prove the release', 15),
  ...at('Tell how it ended'),
];

export const kills: Scenario = {
  shows: 'kill -9 of the whole run at every stage and inside it; the next run always gets over it',
  async run(instance, print) {
    await cloud('reset');
    const cut: Figures[] = [];
    for (const moment of MOMENTS) {
      await cloud('up');
      cut.push(await cutOff(instance, moment, print));
    }
    await cloud('up');
    const last = await release(instance, print);
    assert.ok(last.succeeded, 'the run after the last kill finishes');
    assert.match(summaryOf(last.jobs), /is as planned: no changes/);
    return {
      kills: cut,
      last: { ...timesOf(last.jobs), ...(last.traffic ? lossOf(last.traffic) : {}) },
    };
  },
};

async function cutOff(instance: Instance, moment: Moment, print: (line: string) => void) {
  const where = `${moment.seconds} s after the ${moment.after} of “${moment.job}”`;
  print(`\n— the power fails ${where} —\n`);
  const begun = Date.now();
  const run = spawn(process.execPath, [join(checkout, 'demo', 'run.ts')], {
    cwd: checkout,
    stdio: 'inherit',
    detached: true,
  });
  const ended = new Promise<never>((_, reject) =>
    run.once('exit', (code) => reject(new Error(`the run ended (${code}) before ${where}`))),
  );
  ended.catch(() => {});
  await Promise.race([reached(instance, moment, begun), ended]);
  const processes = await switchOff(run.pid as number, instance.stateDirectory);
  return { where, afterSeconds: seconds(Date.now() - begun), processes };
}

async function reached(instance: Instance, moment: Moment, begun: number): Promise<void> {
  const runs = join(instance.stateDirectory, 'runs');
  for (;;) {
    const id = existsSync(runs) ? readdirSync(runs).sort().pop() : undefined;
    const log = join(runs, id ?? '', 'log.jsonl');
    if (Number(id) * 1000 >= begun - 1000 && existsSync(log)) {
      const entries = readFileSync(log, 'utf8').split('\n').map(parsed);
      const own = entries.filter((entry) => entry && jobName(entry) === moment.job);
      const mark =
        moment.after === 'begin' ? own[0] : own.find((entry) => entry?.jobResult !== undefined);
      if (mark && Date.now() >= Date.parse(mark.time) + moment.seconds * 1000) return;
    }
    await sleep(250);
  }
}

/** The last line may be half written. */
function parsed(line: string): LogEntry | undefined {
  try {
    return JSON.parse(line) as LogEntry;
  } catch {
    return undefined;
  }
}
