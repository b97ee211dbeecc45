import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { CommandFailed, run } from '../run.ts';

test('output, exit code and lines come back', async () => {
  const lines: string[] = [];
  const argv = ['sh', '-c', 'echo out; echo err >&2; exit 3'];
  const result = await run(argv, {
    allowedExitCodes: [3],
    onLine: (line, stream) => lines.push(`${stream} ${line}`),
  });
  expect(result).toEqual({ exitCode: 3, stdout: 'out\n', stderr: 'err\n' });
  expect(lines.sort()).toEqual(['stderr err', 'stdout out']);
});

test('arguments reach the program as they are, and no shell reads them', async () => {
  const { stdout } = await run(['printf', '%s|', '$HOME', 'a b', '`id`', "it's"]);
  expect(stdout).toBe("$HOME|a b|`id`|it's|");
});

test('a failure says which program, which code and its last words', async () => {
  const failure = run(['sh', '-c', 'echo "no such table" >&2; exit 2']);
  await expect(failure).rejects.toThrow(/^sh failed with exit code 2:\nno such table$/);
});

test('a child that a signal ended has the exit code that a shell gives it', async () => {
  const ended = run(['sh', '-c', 'kill -INT $$']);
  await expect(ended).rejects.toMatchObject({ exitCode: 130 });
});

test('a program that is not there is told apart', async () => {
  await expect(run(['no-such-program'])).rejects.toThrow('no-such-program could not be started');
});

test('a time limit interrupts the child and its children, and lets them clean up', async () => {
  const failure = run(['bash', '-c', 'trap "echo cleaned; exit 1" INT; sleep 30 & wait'], {
    // Longer than bash takes to set its trap.
    timeoutMs: 1_000,
  });
  const error = await failure.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(CommandFailed);
  expect(error).toMatchObject({ stdout: 'cleaned\n' });
  expect(String(error)).toContain('did not end within 1 s');
});

test('nobody is waited for who left the group and holds the output open', async () => {
  const started = Date.now();
  const daemon = run(['sh', '-c', 'echo begun; setsid sleep 20 & exec sleep 30'], {
    timeoutMs: 1_000,
  });
  await expect(daemon).rejects.toMatchObject({ stdout: 'begun\n' });
  expect(Date.now() - started).toBeLessThan(15_000);
});

test('a child that was ended leaves no child of its own, also not a silent one', async () => {
  const script = 'sleep 30 >/dev/null 2>&1 & echo $!; exec sleep 30';
  const error = await run(['sh', '-c', script], { timeoutMs: 1_000 }).catch((caught) => caught);
  const left = Number((error as CommandFailed).stdout);
  expect(left).toBeGreaterThan(0);
  const lives = () => {
    try {
      return !readFileSync(`/proc/${left}/stat`, 'utf8').includes(') Z'); // ended, not yet buried
    } catch {
      return false;
    }
  };
  for (let tries = 0; lives() && tries < 100; tries += 1) await sleep(100);
  expect(lives()).toBe(false);
});

test('a cancelled step ends the child and says so', async () => {
  const cancel = new AbortController();
  setTimeout(() => cancel.abort(new Error('The job was cancelled (SIGINT).')), 200);
  const error = await run(['sleep', '30'], { signal: cancel.signal }).catch((caught) => caught);
  expect(String(error)).toContain('was cancelled');
  expect((error as Error).cause).toMatchObject({ message: 'The job was cancelled (SIGINT).' });
});

test('standard input is the way for secrets', async () => {
  const { stdout } = await run(['cat'], { input: 'secret' });
  expect(stdout).toBe('secret');
});
