import { docker, findEngine } from '../local-cloud/hardware/engine.ts';
import { type Instance, nameOf } from '../local-cloud/instance.ts';

/**
 * The books, asked at the database server itself, without the network.
 *
 * @returns the fields of each row of the answer
 */
export async function askBooks(
  instance: Instance,
  statement: string,
  server = 'staging-db-1',
): Promise<string[][]> {
  const engine = await findEngine(instance);
  if (!engine) throw new Error('The local cloud is down.');
  const { stdout } = await docker(
    engine,
    [
      ...['exec', '--interactive', `${nameOf(instance)}-${server}`],
      ...['runuser', '--user', 'postgres', '--'],
      ...['psql', '--no-psqlrc', '--tuples-only', '--no-align', '--dbname=compta_accounting'],
    ],
    { input: statement },
  );
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((row) => row.split('|'));
}
