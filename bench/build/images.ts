import { run } from '../../lib/process/run.ts';
import { atMost, type Figures } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import {
  type Bench,
  buildServices,
  builtBy,
  freshBuilder,
  freshEngine,
  SERVICES,
  startBench,
} from './bench.ts';

/** Starts of each kind, one of each in turn. */
const STARTS = 3;

export const images: Scenario = {
  shows:
    'what an image of a service weighs, and the CPU time that its class archive spares a start',
  async run(_instance, print) {
    print('packaging the services …');
    const bench = await startBench();
    try {
      const builder = await freshBuilder(bench);
      const ended = await buildServices(bench, builder, '1.0.0').finally(builder.stop);
      const built = builtBy(ended);
      const figures: Figures = {};
      const engine = await freshEngine(bench);
      try {
        for (const service of SERVICES) {
          print(`${service} …`);
          const reference = built[service]?.reference ?? '';
          figures[service] = {
            megabytes: megabytes(await layersOf(bench, service)),
            ...(await starts(bench, engine.host, reference)),
          };
          print(`  ${JSON.stringify(figures[service])}`);
        }
      } finally {
        await engine.stop();
      }
      return figures;
    } finally {
      await bench.close();
    }
  },
};

interface Layer {
  size: number;
}

/** As they are pulled, compressed. */
async function layersOf({ registry }: Bench, service: string): Promise<Layer[]> {
  const { body } = await registry.manifest(`ours/${service}`, '1.0.0');
  return (JSON.parse(body) as { layers: Layer[] }).layers;
}

function megabytes(layers: readonly Layer[]): number {
  return Math.round(layers.reduce((sum, { size }) => sum + size, 0) / 1e5) / 10;
}

async function starts(bench: Bench, host: string, image: string): Promise<Figures> {
  const env = { ...process.env, DOCKER_HOST: host, DOCKER_CONFIG: bench.folder };
  await run(['docker', 'pull', '--quiet', image], { env });
  const [withArchive, without]: [number[], number[]] = [[], []];
  for (let i = 0; i < STARTS; i += 1) {
    withArchive.push(await cpuSecondsOfStart(image, '@/app/java.options', env));
    without.push(await cpuSecondsOfStart(image, '', env));
  }
  const [mine, plain] = [median(withArchive), median(without)];
  return {
    cpuSeconds: mine,
    cpuSecondsWithoutArchive: plain,
    share: atMost(
      0.8,
      Math.round((mine / plain) * 100) / 100,
      'of the CPU time without an archive',
    ),
  };
}

/** Of a start as on a server, up to the moment at which it would listen. */
async function cpuSecondsOfStart(
  image: string,
  options: string,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const java = `java ${options} -Dspring.context.exit=onRefresh -jar app.jar`;
  const { stdout } = await run(
    [
      ...['docker', 'run', '--rm', '--network', 'none', '--read-only', '--tmpfs', '/tmp'],
      ...['--memory', '1g', '--env', 'JAVA_TOOL_OPTIONS=-XX:MaxRAMPercentage=60'],
      ...['--env', 'SPRING_PROFILES_ACTIVE=deployed', '--env', 'COMPTA_DATABASE_HOST=127.0.0.1'],
      ...['--env', 'COMPTA_JWT_SECRET=of-a-start-that-serves-nobody-and-ends'],
      ...['--entrypoint', 'sh', image, '-c', `${java} >&2 && times`],
    ],
    { env, timeoutMs: 300_000 },
  );
  // The shell's own on the first line, its children's on the second: user and system.
  const [, children = ''] = stdout.trim().split('\n');
  const parts = [...children.matchAll(/(\d+)m([\d.]+)s/g)];
  return parts.reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  );
}

function median(values: readonly number[]): number {
  const middle = values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
  return Math.round(middle * 100) / 100;
}
