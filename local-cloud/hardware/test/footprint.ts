import { readdir, readFile, realpath } from 'node:fs/promises';
import { run } from '../../../lib/process/run.ts';
import { gatewayAddress, type Instance, nameOf, publicSubnet } from '../../instance.ts';

/**
 * Everything on this machine that bears an instance's mark: others may come and go while
 * a test runs, so a plain before-and-after of the whole machine would tell nothing.
 *
 * @param containerIds containers that the instance has had: their cgroups and processes
 */
export async function footprint(instance: Instance, containerIds: readonly string[] = []) {
  const state = await realpath(instance.stateDirectory);
  const marks = [nameOf(instance), gatewayAddress(instance), publicSubnet(instance), state];
  marks.push(...containerIds);
  const found: string[] = [];
  const look = (what: string, text: string) => {
    for (const line of text.split('\n')) {
      if (marks.some((mark) => line.includes(mark))) found.push(`${what}: ${line}`);
    }
  };
  look('namespace', (await run(['ip', 'netns'])).stdout);
  look('link', (await run(['ip', '-o', 'link'])).stdout);
  look('address', (await run(['ip', '-o', 'address'])).stdout);
  look('route', (await run(['ip', 'route', 'show', 'table', 'all'])).stdout);
  look('nft', (await run(['nft', 'list', 'tables'])).stdout);
  look('loop', (await run(['losetup', '--list', '--noheadings'])).stdout);
  look('mount', await readFile('/proc/mounts', 'utf8'));
  look('run', (await readdir('/run')).join('\n'));
  look('cgroup', (await run(['find', '/sys/fs/cgroup', '-type', 'd'])).stdout);
  look('process', await processes());
  return found;
}

/** One line per process: its arguments and its cgroups. */
async function processes(): Promise<string> {
  const lines: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    const argv = (await read('cmdline')).replaceAll('\0', ' ');
    lines.push(`${pid} ${argv} ${(await read('cgroup')).replaceAll('\n', ' ')}`);
  }
  return lines.join('\n');
}
