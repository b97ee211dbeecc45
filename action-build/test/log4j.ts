import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';

const VERSION = '2.14.1';

/** The library that everybody remembers, as Maven Central serves it. @throws Error without it. */
export async function log4jJar(): Promise<string> {
  const repository = join(process.env.COMPTA_CACHE ?? '', 'maven');
  const folder = join(repository, 'org/apache/logging/log4j/log4j-core', VERSION);
  const jar = join(folder, `log4j-core-${VERSION}.jar`);
  if (existsSync(jar)) return jar;
  await run(
    [
      ...['mvn', '--batch-mode', '--quiet', `-Dmaven.repo.local=${repository}`],
      'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get',
      `-Dartifact=org.apache.logging.log4j:log4j-core:${VERSION}`,
      '-Dtransitive=false',
    ],
    { timeoutMs: 180_000 },
  );
  if (!existsSync(jar)) throw new Error(`Maven ended well, but there is no ${jar}.`);
  return jar;
}
