import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { openLog } from './installer/log.ts';
import { type Pin, readPins, select } from './installer/pins.ts';
import { progress, seconds } from './installer/progress.ts';
import { type Outcome, schedule, type Task } from './installer/schedule.ts';
import { Store, writeWhole } from './installer/store.ts';
import { terraformSettings } from './installer/terraform.ts';
import { workFor } from './installer/work.ts';

/** Go fills both cores by itself; downloads and scripts go beside it. */
const LANES: Record<Pin['kind'], string> = {
  go: 'compile',
  terraform: 'download',
  python: 'download',
  flyway: 'download',
  project: 'download',
  debian: 'debian',
  script: 'script',
};
const ROOM = { compile: 1, download: 2, debian: 1, script: 1 };

const tools = import.meta.dirname;
const cache = process.env.COMPTA_CACHE ?? '';
if (cache === '') fail('COMPTA_CACHE is not set; start tools/install, not this file');

const { values } = parseArgs({
  options: { only: { type: 'string' }, list: { type: 'boolean' } },
});
const all = readPins(join(tools, 'pins.json'));
const pins = select(all, values.only?.split(',') ?? []);
const title = (name: string) => `${name} ${all.get(name)?.version ?? ''}`;

const cancel = new AbortController();
process.once('SIGINT', () => cancel.abort(new Error('interrupted')));
process.once('SIGTERM', () => cancel.abort(new Error('terminated')));

writeWhole(join(cache, 'terraform.rc'), terraformSettings(cache));

const places = { checkout: dirname(tools), tools, store: new Store(cache) };
const works = [...pins].map(([name, pin]) => ({ name, pin, ...workFor(name, pin, places) }));
const outstanding = works.filter((work) => !work.isCurrent());

if (values.list) {
  for (const work of works) {
    console.log(`${outstanding.includes(work) ? 'absent ' : 'present'}  ${title(work.name)}`);
  }
  process.exit(0);
}

const wall = performance.now();
console.log(
  `Tools in ${cache}: ${works.length - outstanding.length} of ${works.length} are there` +
    (outstanding.length > 0 ? `, installing ${outstanding.length} (logs in ${cache}/logs)` : '.'),
);

const report = progress(title);
const tasks = outstanding.map(
  ({ name, pin, install }): Task => ({
    name,
    after: pin.after ?? [],
    lane: LANES[pin.kind],
    async work() {
      cancel.signal.throwIfAborted();
      const log = openLog(cache, name, cancel.signal);
      try {
        await install(log);
      } catch (error) {
        log.write(String(error));
        throw error;
      } finally {
        await log.close();
      }
    },
  }),
);
const outcomes = await schedule(tasks, ROOM, report);
report.stop();
verdict(outcomes);

function verdict(outcomes: readonly Outcome[]): void {
  const failed = outcomes.filter((outcome) => outcome.result === 'failed');
  const took = seconds((performance.now() - wall) / 1000);
  if (cancel.signal.aborted) {
    fail(`Stopped after ${took}; what is done is kept: run tools/install again to go on.`);
  }
  for (const { name, error } of failed) {
    console.error(`\n${title(name)}: ${describe(error)}\n(log: ${cache}/logs/${name}.log)`);
  }
  const undone = outcomes.filter((outcome) => outcome.result !== 'done');
  if (undone.length > 0) {
    const names = undone.map(({ name }) => name).join(', ');
    fail(`\nNot installed after ${took}: ${names}. The rest is kept; run tools/install again.`);
  }
  if (outcomes.length > 0) console.log(`All ${works.length} tools are there, after ${took}.`);
}

/** An error with what caused it. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined
    ? error.message
    : `${error.message}\n  because: ${describe(error.cause)}`;
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
