import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { startWorld, type World } from '../../action-terraform/test/world.ts';
import { run } from '../../lib/process/run.ts';
import { atMost } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { comparison, median, starts } from './start.ts';

const ROUNDS = 5;
/** What a request to Hetzner and a server's first boot take at the least. */
const LATENCY_MS = 60;
const BOOT_MS = 15_000;

interface Times {
  planMs: number;
  applyMs: number;
}

/**
 * The staging environment from nothing, in two jobs: by the action, and by the command lines that
 * a workflow would hold without it, which shows its plan (`show`) and reads its outputs as well.
 */
export const terraformOverhead: Scenario = {
  shows:
    'the action takes at most 3 % or 300 ms more than the bare command line; what a start costs',
  async run(_, print) {
    const [actions, bare]: [Times[], Times[]] = [[], []];
    for (let round = 0; round < ROUNDS; round += 1) {
      bare.push(await inNewWorld(byHand));
      actions.push(await inNewWorld(byAction));
      print(JSON.stringify({ bare: bare.at(-1), action: actions.at(-1) }));
    }
    const of = (times: readonly Times[]) => ({
      planMs: median(times.map(({ planMs }) => planMs)),
      applyMs: median(times.map(({ applyMs }) => applyMs)),
      bothMs: median(times.map(({ planMs, applyMs }) => planMs + applyMs)),
    });
    const [ours, theirs] = [of(actions), of(bare)];
    const overheadMs = ours.bothMs - theirs.bothMs;
    const overheadPercent = Math.round((overheadMs / theirs.bothMs) * 1_000) / 10;
    const begun = await starts();
    print(comparison(begun));
    print(`overhead: ${overheadMs} ms, ${overheadPercent} %`);
    return {
      action: ours,
      bare: theirs,
      // Whichever of the two is more.
      overhead: atMost(Math.round(Math.max(300, 0.03 * theirs.bothMs)), overheadMs, 'ms'),
      overheadPercent,
      starts: Object.fromEntries(begun.map(({ entry, ...start }) => [entry, start])),
    };
  },
};

async function inNewWorld(work: (world: World) => Promise<Times>): Promise<Times> {
  const world = await startWorld({ bootTime: BOOT_MS });
  try {
    await world.faults({ latency: LATENCY_MS });
    return await work(world);
  } finally {
    await world.stop();
  }
}

async function byAction(world: World): Promise<Times> {
  // As its README makes one.
  const key = randomBytes(32).toString('base64');
  const step = (command: string) =>
    timed(async () => {
      const { stdout } = await world.step(command, { 'plan-key': key });
      assert.doesNotMatch(stdout, /::error/);
    });
  return { planMs: await step('plan'), applyMs: await step('apply') };
}

/** In a data folder of its own for each job, and with the credentials that the action was given. */
async function byHand(world: World): Promise<Times> {
  const plan = join(world.folder, 'plan');
  const job = (...commands: string[][]) =>
    timed(async () => {
      const env = {
        ...world.environment(1),
        ...world.credentials,
        TF_IN_AUTOMATION: '1',
        TF_INPUT: '0',
        TF_DATA_DIR: mkdtempSync(join(world.folder, 'data-')),
      };
      for (const command of commands) {
        await run(['terraform', ...command], { cwd: world.module, env });
      }
    });
  const init = ['init', '-no-color', '-lockfile=readonly', `-backend-config=${world.backend}`];
  return {
    planMs: await job(init, ['plan', '-no-color', `-out=${plan}`], ['show', '-json', plan]),
    applyMs: await job(init, ['apply', '-no-color', plan], ['output', '-json']),
  };
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begun = Date.now();
  await work();
  return Date.now() - begun;
}
