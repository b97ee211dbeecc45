import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { keyPair } from '../../lib/ssh/key-pair.ts';

/** Ten kinds of secret as vaults hold them, four of each. */
export function fortySecrets(): Record<string, string> {
  const kinds: ((id: string) => string)[] = [
    (id) => `${id}-token-0123456789`,
    (id) => `${id} it's "quoted" 'twice'`,
    (id) => `C:\\${id}\\new\\table`,
    (id) => `${id}-mot de passe été-تونس-漢字`,
    (id) => `postgresql://user:${id}@db.internal:5432/ledger?sslmode=require&x=%20`,
    () => keyPair().private,
    (id) => `{"client": "${id}", "key": [1, 2], "path": "a/b"}`,
    (id) => `$(${id}) && \`x\`; echo $HOME | tee #!`,
    (id) => `${id}-first line\n${id}-second: "line"\n  ${id}-third line`,
    (id) => `${id}+/=${'x1Y2z3'.repeat(40)}`,
  ];
  const all = Array.from({ length: 40 }, (_, index) => {
    const kind = kinds[index % kinds.length] as (id: string) => string;
    return [`s${index}`, kind(`planted${index}q`)];
  });
  return Object.fromEntries(all);
}

/** Each secret and each of its lines, in encodings that Python made rather than we. */
export function readableForms(secrets: readonly string[]): string[] {
  const parts = secrets
    .flatMap((secret) => [secret, ...secret.split('\n').map((line) => line.trim())])
    .filter((part) => part.length >= 6 && !part.startsWith('-----'));
  const output = execFileSync('python3', [join(import.meta.dirname, 'encode.py')], {
    input: JSON.stringify(parts),
    encoding: 'utf8',
  });
  return [...new Set((JSON.parse(output) as string[][]).flat())];
}
