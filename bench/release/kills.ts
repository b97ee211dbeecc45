import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type Step } from '../../lib/release/plan.ts';
import { paths, services } from '../../lib/release/test/fixture/environment.ts';
import {
  type Asked,
  type LoadResult,
  startAsking,
  startLoad,
} from '../../lib/release/test/fixture/load.ts';
import { composeWithout } from '../../lib/release/test/fixture/template.ts';
import { elapsed } from '../../lib/report/markdown.ts';
import { undone } from '../interruption.ts';
import { atLeast, atMost, type Figures } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { carryOut, type Ran, type Staging, startServers, type Wish } from './servers.ts';

/** What is done to a run at a moment of its event log. */
interface Cut {
  how: string;
  /** Left out: the process ends itself with SIGKILL, so that nothing comes between the moment and its end. */
  act?: (servers: Staging, place: string) => Promise<void>;
}

/** Only every nth moment, for a shorter run; 1 is all of them. */
const EVERY = Number(process.env.BENCH_KILLS_EVERY ?? '1');

/** Every kind of step that the plan of a server has. */
const KINDS = Object.keys({
  start: true,
  await: true,
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
  /** What is cut off, and then done, unless `next` is. */
  release: () => Wish;
  /** How it ends when nobody cuts it off; deployed when left out. */
  ends?: Ran['status'];
  next?: () => Wish;
  client: () => { stop: () => Promise<LoadResult | Asked> };
}

export const killedRunners = cuttingOff({ how: 'runner killed' });
export const cutConnections = cuttingOff({
  how: 'connection cut',
  act: async ({ test }) => test.drop(),
});
export const restartedEngines = cuttingOff({
  how: 'engine restarted',
  async act({ test }, place) {
    // Where the step is; of what concerns all, on the first.
    const host = test.hosts.find(({ name }) => place.includes(` ${name}: `)) ?? test.hosts[0];
    await host?.restartEngine();
  },
});

function cuttingOff(cut: Cut): Scenario {
  return {
    shows: `${cut.how} before and after every step of releases' event logs; no request fails`,
    async run(_instance, print) {
      const folder = mkdtempSync(join(tmpdir(), 'compta-kills-'));
      const remove = undone(async () => rmSync(folder, { recursive: true }));
      const servers = await startServers(2);
      try {
        const first = await carryOut(servers, { version: '1.0.0' });
        assert.equal(first.status, 'deployed', first.problem);
        const figures: Figures = {};
        const known = new Set<string>();
        const newIn = (ran: Ran): Named[] => {
          const moments = logOf(ran).filter(({ name }) => !known.has(name));
          for (const { name } of moments) known.add(name);
          return moments;
        };
        for (const [what, course] of Object.entries(coursesOn(servers, folder))) {
          await course.before();
          const whole = await carryOut(servers, course.release());
          assert.equal(whole.status, course.ends ?? 'deployed', whole.problem);
          const moments = newIn(whole);
          const places = placesToCut(moments);
          const done = await cutEverywhere(servers, course, places, cut, (line) =>
            print(`  ${what}, ${line}`),
          );
          figures[what] = { momentsOfTheEventLog: moments.length, ...done };
        }
        const firsts = placesToCut(newIn(first));
        figures['the first release'] = await cutFirsts(firsts, cut, (line) =>
          print(`  the first release, ${line}`),
        );
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
}

/** In this order, together they have every kind of step. */
function coursesOn(servers: Staging, folder: string): Record<string, Course> {
  let version = 0;
  const next = (): Wish => ({ version: `1.1.${++version}`, only: [CHANGES] });
  const failing = (): Wish => ({ ...next(), only: [CHANGES, GOES], faults: { [GOES]: 'exits' } });
  const load = () => startLoad(servers.public, paths);
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
    'one that fails goes back': {
      before: async () => {},
      release: failing,
      ends: 'rolled-back',
      next,
      client: load,
    },
    'a rollback': {
      async before() {
        const { status, problem } = await carryOut(servers, next());
        assert.equal(status, 'deployed', problem);
      },
      release: () => ({}),
      next,
      client: load,
    },
    'a service goes and Caddy changes': {
      async before() {
        const { status, problem } = await carryOut(servers, all);
        assert.match(String(status), /^(deployed|unchanged)$/, problem);
      },
      release: () => without,
      // The load balancer cuts what is under way at a server that leaves: each on its own, and asked again.
      client: () => startAsking(`${servers.public}/api/version`),
    },
  };
}

/** Milliseconds in which nothing is done on a server: it takes longer to ask one anything. */
const NOTHING = 5;

type Named = Ran['moments'][number];

/** The begin and the end of each step, each name once. */
export function logOf({ moments }: Pick<Ran, 'moments'>): Named[] {
  const steps = moments.filter(({ kind }) => kind !== 'note');
  return steps.filter(({ name }, index) => steps.findIndex((each) => each.name === name) === index);
}

/**
 * Where to cut off: at the begin of each step and at its end. An end that the begin of what comes next follows
 * at once is the same place as that begin.
 */
export function placesToCut(moments: readonly Named[]): string[] {
  const follows = (begin: Named, end: Named): boolean =>
    begin.kind === 'begin' &&
    begin.at - end.at <= NOTHING &&
    (begin.host === end.host || begin.host === '' || end.host === '');
  return moments
    .filter(
      (moment, index) =>
        moment.kind === 'begin' || !moments.slice(index + 1).some((next) => follows(next, moment)),
    )
    .map(({ name }) => name);
}

/** Cuts it off at each of these moments; after every cut the next run has to finish. */
async function cutEverywhere(
  servers: Staging,
  course: Course,
  places: readonly string[],
  cut: Cut,
  print: (line: string) => void,
): Promise<Figures> {
  const { release, next = release, client } = course;
  const some = places.filter((_, index) => index % EVERY === 0);
  const load = { requests: 0, failed: [] as string[], unanswered: 0 };
  for (const [index, place] of some.entries()) {
    const clients = client();
    const begun = Date.now();
    await cutOff(servers, course, place, cut);
    // In turn a deploy and a rollback.
    const deploys = index % 2 === 0;
    const after = await carryOut(servers, deploys ? next() : {});
    const seen = await clients.stop();
    const { sent, failed } = seen;
    load.requests += sent;
    load.unanswered += 'unanswered' in seen ? seen.unanswered : failed.length;
    load.failed.push(...failed.map((line) => `${place}: ${line}`));
    assert.match(String(after.status), /^(deployed|unchanged)$/, `${place}: ${after.problem}`);
    const what = deploys ? 'deploy' : 'rollback';
    const took = elapsed(Date.now() - begun);
    print(`${index + 1} of ${some.length}: ${cut.how} at “${place}”, ${what} finished (${took})`);
    print(`  ${failed.length} of ${sent} requests failed`);
    for (const line of failed) print(`    ${line}`);
  }
  return {
    cuts: atLeast(places.length, some.length, 'places'),
    requests: load.requests,
    failed: atMost(0, load.failed.length, 'requests'),
    unanswered: load.unanswered,
    firstFailures: load.failed.slice(0, 5),
  };
}

/** Cuts off a first release, on new servers each time: nobody is served before the next one has finished. */
async function cutFirsts(
  places: readonly string[],
  cut: Cut,
  print: (line: string) => void,
): Promise<Figures> {
  const some = places.filter((_, index) => index % EVERY === 0);
  for (const [index, place] of some.entries()) {
    const servers = await startServers(2);
    try {
      const release = (): Wish => ({ version: '1.0.0' });
      await cutOff(servers, { before: async () => {}, release }, place, cut, 1);
      const { status, problem } = await carryOut(servers, release());
      assert.match(String(status), /^(deployed|unchanged)$/, `${place}: ${problem}`);
      print(`${index + 1} of ${some.length}: ${cut.how} at “${place}”, deploy finished`);
    } finally {
      await servers.close();
    }
  }
  return { cuts: atLeast(places.length, some.length, 'places') };
}

/**
 * Begins a release and cuts it off; what it ends with, if it does, is one of the two whole states. Where one
 * server fails, how far the other has come by then is not the same each time: such a place is tried for again.
 */
async function cutOff(
  servers: Staging,
  course: Pick<Course, 'before' | 'release'>,
  place: string,
  cut: Cut,
  attempts = 3,
): Promise<void> {
  const { act } = cut;
  let reached = false;
  let cutting: Promise<void> | undefined;
  const seen = ({ name }: { name: string }): void => {
    if (name !== place || reached) return;
    reached = true;
    cutting = act?.(servers, place);
  };
  await course.before();
  const wish = { ...course.release(), seen, ...(act === undefined && { killAt: place }) };
  const ran = await carryOut(servers, wish);
  await cutting;
  if (!reached && attempts > 1) return cutOff(servers, course, place, cut, attempts - 1);
  assert.ok(reached, `“${place}” was not reached: ${ran.status}, ${ran.problem}`);
  if (act === undefined) assert.equal(ran.status, undefined, `it was not killed at “${place}”`);
}
