import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import { checkout } from '../../local-cloud/claim.ts';
import { bundledFolders } from '../../scripts/bundle.ts';

const COUNTED = 7;

/** What an entry weighs and what its start costs, until it refuses its missing inputs. */
export interface Start {
  entry: string;
  kilobytes: number;
  /** User and system, in milliseconds; the median. */
  cpuMs: number;
}

/** Every action's main entry, and `node -e 0` first, each in turn in every round. */
export async function starts(): Promise<Start[]> {
  const actions = bundledFolders().filter((name) => name.startsWith('action-'));
  const entries = [
    { entry: 'node -e 0', kilobytes: 0, argv: ['-e', '0'] },
    ...actions.map((entry) => {
      const folder = join(checkout, entry, 'dist/main');
      return { entry, kilobytes: sizeOf(folder), argv: [join(folder, 'index.js')] };
    }),
  ];
  const times = new Map<string, number[]>();
  for (let round = 0; round <= COUNTED; round += 1) {
    for (const { entry, argv } of entries) {
      const took = await cpuOf(argv);
      if (round > 0) times.set(entry, [...(times.get(entry) ?? []), took]);
    }
  }
  return entries.map(({ entry, kilobytes }) => ({
    entry,
    kilobytes,
    cpuMs: median(times.get(entry) ?? []),
  }));
}

export function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

function sizeOf(folder: string): number {
  const names = readdirSync(folder);
  const bytes = names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  return Math.round(bytes / 1024);
}

/** By the shell's own `times`, whose second line is that of its children. */
async function cpuOf(argv: readonly string[]): Promise<number> {
  const script = '"$@" >/dev/null 2>&1; times';
  const { stdout } = await run(['bash', '-c', script, 'bash', process.execPath, ...argv], {
    env: { PATH: process.env.PATH },
  });
  const times = stdout.trim().split('\n')[1]?.split(' ') ?? [];
  return times.reduce((sum, text) => {
    const [, minutes = 0, seconds = 0] = /^(\d+)m([\d.]+)s$/.exec(text) ?? [];
    return sum + Number(minutes) * 60_000 + Number(seconds) * 1_000;
  }, 0);
}

interface Peers {
  node: number;
  entries: Record<string, { kilobytes: number; cpuMs: number }>;
}

/**
 * A table of both, lightest first. The peers' figures are of another day, so the start is compared
 * as a multiple of the bare node of its own day.
 */
export function comparison(ours: readonly Start[]): string {
  const peers = JSON.parse(readFileSync(join(import.meta.dirname, 'peers.json'), 'utf8')) as Peers;
  const node = ours.find(({ entry }) => entry === 'node -e 0')?.cpuMs ?? Number.NaN;
  const rows = [
    ...ours.map((start) => ({ ...start, times: start.cpuMs / node })),
    ...Object.entries(peers.entries).map(([entry, { kilobytes, cpuMs }]) => ({
      entry,
      kilobytes,
      cpuMs,
      times: cpuMs / peers.node,
    })),
  ].sort((a, b) => a.times - b.times);
  return [
    '| entry | KB | CPU, ms | times `node -e 0` |',
    '| --- | ---: | ---: | ---: |',
    ...rows.map(
      ({ entry, kilobytes, cpuMs, times }) =>
        `| ${entry} | ${kilobytes || ''} | ${Math.round(cpuMs)} | ${times.toFixed(1)} |`,
    ),
  ].join('\n');
}
