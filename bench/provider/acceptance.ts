import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import { EVERYTHING } from '../../local-cloud/hetzner/abilities.ts';
import { startHetznerApi } from '../../local-cloud/hetzner/server.ts';
import { RecordingMachinery } from '../../local-cloud/hetzner/test/recording-machinery.ts';
import { type Outcome, readOutcomes } from './outcomes.ts';
import type { Suite } from './suite.ts';

const TOKEN = 'b'.repeat(64);
const HALF_AN_HOUR = 30 * 60_000;
/** What the tests ask for where they leave a choice: what the local cloud sells. */
const CHOICES = { TEST_IMAGE: 'debian-12', TEST_IMAGE_ID: '114690387' };

/** Runs one package's acceptance tests against an empty cloud over recorded hardware. */
export async function accept(suite: Suite, resource: string): Promise<Outcome[]> {
  const cwd = join(suite.source, 'internal', resource);
  const binary = suite.binary(resource);
  const { stdout } = await run([binary, '-test.list', '^TestAcc'], { cwd });
  const listed = stdout.split('\n').filter((line) => line.startsWith('TestAcc'));
  const terraform = (await run(['which', 'terraform'])).stdout.trim();
  const folder = mkdtempSync(join(tmpdir(), 'provider-tests-'));
  const api = await startHetznerApi({
    instance: { number: 0, stateDirectory: folder },
    machinery: new RecordingMachinery(),
    worldFile: join(folder, 'world.json'),
    token: TOKEN,
    abilities: EVERYTHING,
    listen: { host: '127.0.0.1', port: 0 },
    // Hetzner raises it for its own test project, too.
    rateLimit: 1_000_000,
  });
  try {
    const flags = ['-test.v=test2json', '-test.run', '^TestAcc', '-test.parallel', '2'];
    const result = await run(['nice', binary, ...flags], {
      cwd,
      env: {
        ...process.env,
        ...CHOICES,
        TF_ACC: '1',
        TF_ACC_TERRAFORM_PATH: terraform,
        HCLOUD_ENDPOINT: api.url,
        HCLOUD_TOKEN: TOKEN,
      },
      timeoutMs: HALF_AN_HOUR,
      allowedExitCodes: [0, 1, 2],
    });
    writeFileSync(join(suite.logs, `${resource}.log`), result.stdout + result.stderr);
    return readOutcomes(listed, result.stdout);
  } finally {
    await api.close();
    rmSync(folder, { recursive: true });
  }
}
