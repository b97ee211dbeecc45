import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Build, sha256 } from './build.ts';
import type { FlywayPin } from './pins.ts';

const LAUNCHER = `#!/bin/sh
# Flyway on the machine's Java, with PostgreSQL's driver and no other. It would ask for news
# of itself and tell how it is used; a migration has no business doing either.
export REDGATE_DISABLE_TELEMETRY=true
here=$(dirname "$(readlink -f "$0")")
exec "\${JAVA_HOME:+$JAVA_HOME/bin/}java" -Djava.awt.headless=true \\
  -cp "$here/lib/*:$here/lib/flyway/*:$here/drivers/*" \\
  org.flywaydb.commandline.Main -skipCheckForUpdate "$@"
`;

/**
 * Flyway without the Java runtime and the drivers it brings for other databases: 13 MB of 250.
 *
 * @throws Error when the archive does not have the pinned hash.
 */
export async function buildFlyway(pin: FlywayPin, build: Build): Promise<void> {
  const download = join(build.folder, 'download');
  await build.exec([
    'mvn',
    '--batch-mode',
    '--no-transfer-progress',
    'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy',
    `-Dartifact=${pin.artifact}`,
    `-DoutputDirectory=${download}`,
    '-Dmdep.stripVersion=true',
  ]);
  const [group = '', name = '', , type = '', classifier = ''] = pin.artifact.split(':');
  const archive = join(download, `${name}-${classifier}.${type}`);
  const found = await sha256(archive);
  if (found !== pin.sha256)
    throw new Error(`${pin.artifact} has the hash ${found}, not the pinned`);

  await build.exec([
    'tar',
    ...['--extract', '--file', archive, '--directory', build.folder, '--strip-components=1'],
    ...['--wildcards', '--no-wildcards-match-slash'],
    ...['*/lib/*.jar', '*/lib/flyway/*.jar', '*/drivers/postgresql-*.jar', '*/licenses/*'],
  ]);
  rmSync(download, { recursive: true });
  // Maven's own copy of the 250 MB is of no more use.
  const copy = join(build.cache, 'maven', ...group.split('.'), name);
  rmSync(copy, { recursive: true, force: true });

  const launcher = join(build.folder, 'flyway');
  writeFileSync(launcher, LAUNCHER);
  chmodSync(launcher, 0o755);
}
