import { join } from 'node:path';
import type { Build } from './build.ts';
import type { GoPin } from './pins.ts';

/** The command that builds a Go tool; run in its module's folder. */
export function goBuild(pin: GoPin, output: string): string[] {
  const variables = Object.entries(pin.variables ?? {}).flatMap(([name, value]) => [
    '-X',
    `${name}=${value}`,
  ]);
  const flags = ['-s', '-w', ...variables].join(' ');
  return [
    'go',
    'build',
    '-mod=readonly',
    '-buildvcs=false',
    '-trimpath',
    `-ldflags=${flags}`,
    '-o',
    output,
    pin.package,
  ];
}

/** Static, so that it runs in any image as well. */
export async function buildGo(name: string, pin: GoPin, build: Build): Promise<void> {
  await build.exec(goBuild(pin, join(build.folder, pin.executable)), {
    cwd: join(build.tools, 'go', name),
    env: {
      CGO_ENABLED: '0',
      GOWORK: 'off',
      ...(pin.experiment ? { GOEXPERIMENT: pin.experiment } : {}),
    },
  });
}
