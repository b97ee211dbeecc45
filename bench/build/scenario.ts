import assert from 'node:assert/strict';
import { cpSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import type { Ended } from '../../lib/runner/test/start-action.ts';
import { atMost, type Figures } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import {
  type Bench,
  buildServices,
  builtBy,
  CHANGED,
  changeOne,
  DOCKERFILE,
  database,
  freshBuilder,
  freshEngine,
  SERVICES,
  startBench,
} from './bench.ts';

interface Case {
  name: string;
  bound: number;
  change: (bench: Bench) => Promise<void>;
  /** Images that are others than before. */
  anew: readonly string[];
}

/**
 * Each with a new engine and a new builder, as hosted runners have. Ours finds its cache folder where the run
 * before left it: on such a runner it would be restored first.
 */
const CASES: Case[] = [
  { name: 'cold', bound: 0.8, change: async () => {}, anew: SERVICES },
  { name: 'one service changed', bound: 0.4, change: changeOne, anew: [CHANGED] },
  { name: 'none changed', bound: 0.1, change: async () => {}, anew: [] },
];

export const building: Scenario = {
  shows: 'four images against docker build, trivy image and docker push, one after the other',
  async run(_instance, print) {
    print('packaging the services …');
    const bench = await startBench();
    try {
      const figures: Figures = {};
      for (const [i, { name, bound, change, anew }] of CASES.entries()) {
        await change(bench);
        print(`${name}, in sequence …`);
        const theirs = await inSequence(bench, print);
        print(`${name}, by action-build …`);
        // Another version each time, as another commit has.
        const ours = await byAction(bench, `1.0.${i}`, anew);
        figures[name] = {
          share: atMost(bound, round(ours / theirs), 'of the time'),
          seconds: round(ours),
          secondsInSequence: round(theirs),
        };
        print(`${name}: ${JSON.stringify(figures[name])}`);
      }
      return figures;
    } finally {
      await bench.close();
    }
  },
};

/**
 * Seconds of action-build with its cache in a folder, and the image of the run before as `unchanged-from`.
 * @param anew names of the images that it has to find changed.
 */
async function byAction(bench: Bench, version: string, anew: readonly string[]): Promise<number> {
  const builder = await freshBuilder(bench);
  try {
    let ended: Ended | undefined;
    const seconds = await secondsOf(async () => {
      ended = await buildServices(bench, builder, version, {
        tags: 'develop',
        'unchanged-from': 'develop',
        cache: join(bench.folder, 'cache'),
      });
    });
    const built = builtBy(ended);
    assert.deepEqual(
      SERVICES.filter((name) => !built[name]?.unchanged),
      anew,
    );
    return seconds;
  } finally {
    await builder.stop();
  }
}

/** Seconds of what a workflow without this action does, with the same scanners on the same bytes. */
async function inSequence(bench: Bench, print: (line: string) => void): Promise<number> {
  const { registry, baseImage, context, folder } = bench;
  const engine = await freshEngine(bench);
  const cache = mkdtempSync(join(folder, 'trivy-'));
  cpSync(database(), cache, { recursive: true });
  const env = {
    ...process.env,
    DOCKER_HOST: engine.host,
    DOCKER_BUILDKIT: '1',
    // The folder with the login, as docker/login-action leaves one.
    DOCKER_CONFIG: folder,
    BUILDX_CONFIG: join(folder, 'buildx'),
  };
  try {
    return await secondsOf(async () => {
      // The BuildKit in the engine would take a registry on loopback for one without TLS.
      await run(['docker', 'pull', '--quiet', baseImage], { env });
      for (const service of SERVICES) {
        print(`  ${service}`);
        const image = `${registry.address}/theirs/${service}:1.0.0`;
        const steps = [
          ['docker', 'build', '--quiet', '--file', DOCKERFILE, '--tag', image]
            .concat('--network', 'host', '--build-arg', `BASE_IMAGE=${baseImage}`)
            .concat(context(service)),
          ['trivy', 'image', '--quiet', '--cache-dir', cache, '--skip-db-update', '--offline-scan']
            .concat('--skip-java-db-update', '--skip-version-check', '--skip-check-update')
            .concat('--scanners', 'vuln,secret', '--image-config-scanners', 'misconfig')
            .concat('--severity', 'CRITICAL,HIGH', '--ignore-unfixed', image),
          ['docker', 'push', '--quiet', image],
        ];
        for (const argv of steps) await run(argv, { env });
      }
    });
  } finally {
    await engine.stop();
  }
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
