import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';

const SWITCH = '/proc/sys/net/ipv4/ip_forward';
/** In /run on purpose: after a reboot the kernel has its default back and the note is gone. */
const NOTE_DIRECTORY = '/run/compta';
const NOTE = `${NOTE_DIRECTORY}/ip_forward`;

/** Lets the host forward the servers' packets, noting its former value for all instances. */
export async function enableForwarding(): Promise<void> {
  const former = (await readFile(SWITCH, 'utf8')).trim();
  if (former === '1') return;
  await mkdir(NOTE_DIRECTORY, { recursive: true });
  await writeFile(NOTE, former);
  await writeFile(SWITCH, '1');
}

/** Puts the former value back once the last instance's namespace is gone. */
export async function restoreForwarding(): Promise<void> {
  const namespaces = await readdir('/run/netns').catch(() => []);
  if (namespaces.some((name) => /^compta\d+$/.test(name))) return;
  const former = await readFile(NOTE, 'utf8').catch(() => null);
  if (former === null) return;
  await writeFile(SWITCH, former);
  await rm(NOTE_DIRECTORY, { recursive: true, force: true });
}
