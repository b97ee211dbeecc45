import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type Step } from '../../lib/release/plan.ts';
import { paths, services } from '../../lib/release/test/fixture/environment.ts';
import { type LoadResult, startAsking, startLoad } from '../../lib/release/test/fixture/load.ts';
import { composeWithout } from '../../lib/release/test/fixture/template.ts';
import { undone } from '../interruption.ts';
import { atMost, type Figures } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { carryOut, type Ran, type Staging, startServers, type Wish } from './servers.ts';

/** What is done to a run at a moment of its event log. */
const CUTS: Record<string, ((servers: Staging) => Promise<void>) | undefined> = {
  // The process ends itself with SIGKILL: nothing can come between the moment and its end.
  'runner killed': undefined,
  'connection cut': async ({ test }) => test.drop(),
  'engine restarted': async ({ test }) => test.hosts[0]?.restartEngine(),
};

/** Of each kind of cut only every nth moment, for a shorter run; 1 is all of them. */
const EVERY = Number(process.env.BENCH_KILLS_EVERY ?? '1');

/** Every kind of step that the plan of a server has. */
const KINDS = Object.keys({
  start: true,
  prove: true,
  settle: true,
  retire: true,
  end: true,
} satisfies Record<Step['kind'], true>) as Step['kind'][];

const CHANGES = 'auth-service';
const GOES = 'reporting-service';

/** A release that is cut off at each moment that those before it do not have. */
interface Course {
  /** Brings the servers to where it begins. */
  before: () => Promise<unknown>;
  release: () => Wish;
  client: () => { stop: () => Promise<Pick<LoadResult, 'sent' | 'failed'>> };
}

export const releaseKills: Scenario = {
  shows: 'releases cut off before and after every step of their event logs; no request fails',
  async run(_instance, print) {
    const folder = mkdtempSync(join(tmpdir(), 'compta-kills-'));
    const remove = undone(async () => rmSync(folder, { recursive: true }));
    const servers = await startServers(2);
    try {
      await carryOut(servers, { version: '1.0.0' });
      const figures: Figures = {};
      const known = new Set<string>();
      for (const [what, course] of Object.entries(coursesOn(servers, folder))) {
        await course.before();
        const whole = await carryOut(servers, course.release());
        assert.equal(whole.status, 'deployed', whole.problem);
        const steps = namesOf(whole).filter((name) => !known.has(name));
        for (const step of steps) known.add(step);
        figures[what] = await cutEverywhere(servers, course, steps, (line) =>
          print(`  ${what}, ${line}`),
        );
      }
      const kinds = KINDS.map((kind) => describe({ kind, service: '', slot: 'a' }).slice(0, -2));
      const never = ['replace caddy', ...kinds].filter(
        (kind) => ![...known].some((name) => /^end /.test(name) && name.includes(`: ${kind}`)),
      );
      assert.deepEqual(never, [], 'each kind of step is in one of the event logs');
      return figures;
    } finally {
      await servers.close();
      await remove();
    }
  },
};

/** In this order, together they have every kind of step. */
function coursesOn(servers: Staging, folder: string): Record<string, Course> {
  let version = 0;
  const next = (): Wish => ({ version: `1.1.${++version}`, only: [CHANGES] });
  const load = () => startLoad(servers.public, paths, { connections: 16, pause: 10 });
  let begun: Wish;
  // Nothing but the service that goes, and with it Caddy, which has its name, differs from before.
  const all: Wish = { version: '2.0.0' };
  const rest = services.filter((service) => service !== GOES);
  const without: Wish = { ...all, only: rest, compose: composeWithout(GOES, folder) };
  return {
    'a service changes': { before: async () => {}, release: next, client: load },
    'what a killed run left is taken up': {
      async before() {
        begun = next();
        const killAt = `end app-1: start ${CHANGES}`;
        // The second server has not begun.
        const { status } = await carryOut(servers, { ...begun, batch: 1, killAt });
        assert.equal(status, undefined, `it was not killed at “${killAt}”`);
      },
      release: () => begun,
      client: load,
    },
    'a service goes and Caddy changes': {
      async before() {
        const { status, problem } = await carryOut(servers, all);
        assert.match(String(status), /^(deployed|unchanged)$/, problem);
      },
      release: () => without,
      // Caddy ends connections that are kept alive, so these are new ones.
      client: () => startAsking(`${servers.public}/api/version`),
    },
  };
}

/** The names of the moments, each once, in their order. */
function namesOf({ moments }: Ran): string[] {
  return [...new Set(moments.filter(({ kind }) => kind !== 'note').map(({ name }) => name))];
}

/** Cuts it off at each of these moments in each way; after every cut the next run has to finish. */
async function cutEverywhere(
  servers: Staging,
  { before, release, client }: Course,
  steps: readonly string[],
  print: (line: string) => void,
): Promise<Figures> {
  const some = steps.filter((_, index) => index % EVERY === 0);
  const count = some.length * Object.keys(CUTS).length;
  const load = { requests: 0, failed: [] as string[] };
  let done = 0;
  for (const [turn, [how, cut]] of Object.entries(CUTS).entries()) {
    for (const [index, step] of some.entries()) {
      const clients = client();
      await before();
      await cutOff(servers, release(), step, cut);
      // In turn a deploy and a rollback.
      const deploys = (turn + index) % 2 === 0;
      const after = await carryOut(servers, deploys ? release() : {});
      const { sent, failed } = await clients.stop();
      const where = `${how} at “${step}”`;
      load.requests += sent;
      load.failed.push(...failed.map((line) => `${where}: ${line}`));
      assert.match(String(after.status), /^(deployed|unchanged)$/, `${where}: ${after.problem}`);
      done += 1;
      print(
        `${done} of ${count}: ${where}, ${deploys ? 'deploy' : 'rollback'} finished, ` +
          [`${failed.length} of ${sent} requests failed`, ...failed.slice(0, 1)].join(': '),
      );
    }
  }
  return {
    momentsOfTheEventLog: steps.length,
    cuts: done,
    requests: load.requests,
    failed: atMost(0, load.failed.length, 'requests'),
    firstFailures: load.failed.slice(0, 5),
  };
}

/** Begins a release and cuts it off; what it ends with, if it does, is one of the two whole states. */
async function cutOff(
  servers: Staging,
  release: Wish,
  step: string,
  cut: ((servers: Staging) => Promise<void>) | undefined,
): Promise<void> {
  let reached = false;
  let cutting: Promise<void> | undefined;
  const seen = ({ name }: { name: string }): void => {
    if (name !== step || reached) return;
    reached = true;
    cutting = cut?.(servers);
  };
  const wish = { ...release, seen, ...(cut === undefined && { killAt: step }) };
  const ran = await carryOut(servers, wish);
  await cutting;
  assert.ok(reached, `“${step}” was not reached: ${ran.status}, ${ran.problem}`);
  if (cut === undefined) assert.equal(ran.status, undefined, `it was not killed at “${step}”`);
}
