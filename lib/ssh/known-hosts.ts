import { createHash, createHmac } from 'node:crypto';

/** One trusted key: `type` is the algorithm's name, `blob` the wire form. */
export interface KnownKey {
  type: string;
  blob: Buffer;
}

interface Line extends KnownKey {
  patterns: string[];
}

/** The keys that known_hosts text trusts, asked by address and port. */
export class KnownHosts {
  readonly #lines: Line[];

  /** @throws Error naming the line that cannot be read. */
  constructor(text: string) {
    this.#lines = text.split('\n').flatMap((raw, index) => parseLine(raw.trim(), index + 1));
  }

  /** Keys of `address:port`, plain or hashed lines, as `ssh` looks them up. */
  keysOf(address: string, port: number): KnownKey[] {
    const wanted = port === 22 ? address : `[${address}]:${port}`;
    return this.#lines.filter((line) => line.patterns.some((pattern) => matches(pattern, wanted)));
  }
}

function parseLine(line: string, number: number): Line[] {
  if (line === '' || line.startsWith('#')) return [];
  if (line.startsWith('@')) {
    throw new Error(`known-hosts, line ${number}: markers such as @cert-authority are not read.`);
  }
  const [hosts, type, encoded] = line.split(/\s+/);
  if (hosts === undefined || type === undefined || encoded === undefined) {
    throw new Error(
      `known-hosts, line ${number}: expected "[address]:port key-type key", got ${line.length} ` +
        'characters that are not that.',
    );
  }
  return [{ patterns: hosts.split(','), type, blob: Buffer.from(encoded, 'base64') }];
}

function matches(pattern: string, wanted: string): boolean {
  if (!pattern.startsWith('|1|')) return pattern === wanted;
  const [, , salt, hash] = pattern.split('|');
  if (salt === undefined || hash === undefined) return false;
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(wanted).digest('base64') === hash;
}

/** `SHA256:…`, as `ssh-keygen -l` prints it. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** Name of the algorithm at the head of a public key's wire form. */
export function keyType(blob: Buffer): string {
  return blob.length < 4 ? 'unknown' : blob.toString('ascii', 4, 4 + blob.readUInt32BE(0));
}

/**
 * Host key algorithms to offer, so that a server with keys of several types shows the one we know:
 * otherwise a correct server looks like a wrong one.
 */
export function algorithmsOf(keys: readonly KnownKey[]): string[] {
  const names = keys.flatMap((key) =>
    key.type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [key.type],
  );
  return [...new Set(names)];
}
