import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { run } from '../../lib/process/run.ts';

const folder = mkdtempSync(join(tmpdir(), 'compta-lock-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** `compta lock` of an environment without servers, around a command that tells how often it is interrupted. */
function locked(act: string): string {
  const command = `let interrupts = 0;
const tell = () => { console.log(interrupts + ' interrupt'); process.exit(7); };
process.on('SIGINT', () => { interrupts += 1; setTimeout(tell, 1_000); });
setTimeout(tell, 30_000);
${act}`;
  return `import { lock } from '${new URL('../src/lock.ts', import.meta.url)}';
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => interrupt.abort());
const how = { tell: () => {}, cancelled: interrupt.signal };
const command = [process.execPath, '-e', ${JSON.stringify(command)}];
process.exitCode = await lock([], command, how).catch(() => 1);`;
}

test.each([
  // As the terminal does: to the whole group of processes.
  ['Ctrl-C', "process.kill(0, 'SIGINT')", 7],
  ['SIGTERM to compta alone', "process.kill(process.ppid, 'SIGTERM')", 1],
])(
  'in a terminal the command is interrupted once by %s',
  async (_what, act, exitCode) => {
    const program = join(folder, 'compta.mjs');
    writeFileSync(program, locked(act));
    const line = `exec '${process.execPath}' '${program}'`;
    const ended = await run(['script', '--quiet', '--return', '--command', line, '/dev/null'], {
      allowedExitCodes: [1, 7],
    });
    expect(ended).toMatchObject({ exitCode, stdout: '1 interrupt\r\n' });
  },
  180_000,
);
