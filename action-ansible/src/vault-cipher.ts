import { createDecipheriv, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';

/** Ansible's vault format 1.1 and 1.2: "Ansible Vault payload format" in Ansible's user guide. */
const HEADER = '$ANSIBLE_VAULT;';
const ROUNDS = 10_000;

/**
 * Every encrypted block of a text, as `ansible-vault encrypt` would write it to a file: the file
 * itself, or what follows an inline `!vault |`, however deep it is indented.
 */
export function vaultBlocks(text: string): string[] {
  const blocks = text.matchAll(/\$ANSIBLE_VAULT;([\w.;-]+)((?:(?:\s|\\n)+[0-9a-f]+)+)/g);
  return [...blocks].map(
    ([, header = '', body = '']) =>
      `${HEADER}${header}\n${body.replaceAll('\\n', '\n').trim().split(/\s+/).join('\n')}`,
  );
}

/**
 * What a block holds, by the first password that opens it.
 * @returns undefined when none does
 */
export function decryptVault(block: string, passwords: readonly string[]): string | undefined {
  const [, ...lines] = block.split('\n');
  const parts = Buffer.from(lines.join(''), 'hex').toString().split('\n');
  const [salt, mac, secret] = parts.map((part) => Buffer.from(part, 'hex'));
  if (salt === undefined || mac?.length !== 32 || secret === undefined) return undefined;
  for (const password of passwords) {
    // Ansible reads a password's file without the space around it.
    const keys = pbkdf2Sync(password.trim(), salt, ROUNDS, 80, 'sha256');
    const own = createHmac('sha256', keys.subarray(32, 64)).update(secret).digest();
    if (!timingSafeEqual(own, mac)) continue;
    const cipher = createDecipheriv('aes-256-ctr', keys.subarray(0, 32), keys.subarray(64));
    const padded = Buffer.concat([cipher.update(secret), cipher.final()]);
    return padded.subarray(0, padded.length - (padded.at(-1) ?? 0)).toString();
  }
  return undefined;
}
