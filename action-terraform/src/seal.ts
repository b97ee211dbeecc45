import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { type Binding, differences } from './binding.ts';
import { canonicalJson } from './canonical.ts';

/**
 * A plan file holds every secret of the configuration in clear, so it leaves the job only
 * sealed: AES-256-GCM under a key that scrypt makes from `plan-key`, with the binding as
 * associated data.
 *
 *   magic (16) · salt (16) · nonce (12) · length of the binding (4) · binding · text · tag (16)
 *
 * The binding is readable, so that a refusal can name the field; it holds digests, no values.
 */
const MAGIC = Buffer.from('compta-plan-v1\n\0');
const SALT = 16;
const NONCE = 12;
const TAG = 16;
const HEAD = MAGIC.length + SALT + NONCE + 4;

/** Why a sealed plan was not opened. */
export class PlanRefused extends Error {
  override readonly name = 'PlanRefused';
}

export function seal(plan: Uint8Array, key: string, binding: Binding): Buffer {
  const salt = randomBytes(SALT);
  const nonce = randomBytes(NONCE);
  const bound = Buffer.from(canonicalJson(binding));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bound.length);
  const head = Buffer.concat([MAGIC, salt, nonce, length, bound]);

  const cipher = createCipheriv('aes-256-gcm', stretch(key, salt), nonce, { authTagLength: TAG });
  cipher.setAAD(head);
  return Buffer.concat([head, cipher.update(plan), cipher.final(), cipher.getAuthTag()]);
}

/** @throws PlanRefused when it is no sealed plan, was made for something else, or was altered */
export function open(sealed: Buffer, key: string, now: Binding): Buffer {
  const { head, salt, nonce, binding, text, tag } = split(sealed);
  const differing = differences(binding, now);
  if (differing.length > 0) {
    throw new PlanRefused(
      `The plan was made for something else:\n${differing.map((line) => `- ${line}`).join('\n')}\n` +
        'Plan again, and apply that plan.',
    );
  }
  const decipher = createDecipheriv('aes-256-gcm', stretch(key, salt), nonce, {
    authTagLength: TAG,
  });
  decipher.setAAD(head);
  decipher.setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(text), decipher.final()]);
  } catch (cause) {
    throw new PlanRefused(
      "The sealed plan was altered, or 'plan-key' is not the one that it was sealed with.",
      { cause },
    );
  }
}

function split(sealed: Buffer) {
  const isSealed = sealed.length > HEAD + TAG && sealed.subarray(0, MAGIC.length).equals(MAGIC);
  const length = isSealed ? sealed.readUInt32BE(HEAD - 4) : 0;
  const end = HEAD + length;
  if (!isSealed || end + TAG > sealed.length) {
    throw new PlanRefused('This is no sealed plan, or it was cut short.');
  }
  return {
    head: sealed.subarray(0, end),
    salt: sealed.subarray(MAGIC.length, MAGIC.length + SALT),
    nonce: sealed.subarray(MAGIC.length + SALT, HEAD - 4),
    binding: bindingFrom(sealed.subarray(HEAD, end)),
    text: sealed.subarray(end, sealed.length - TAG),
    tag: sealed.subarray(sealed.length - TAG),
  };
}

function bindingFrom(bytes: Buffer): Binding {
  try {
    return JSON.parse(bytes.toString('utf8')) as Binding;
  } catch (cause) {
    throw new PlanRefused("The sealed plan's binding is not readable: it was altered.", { cause });
  }
}

/** Slow on purpose (about 100 ms, 64 MiB): a guessed key must cost something. */
function stretch(key: string, salt: Uint8Array): Buffer {
  return scryptSync(key, salt, 32, { N: 2 ** 16, r: 8, p: 1, maxmem: 96 * 1024 * 1024 });
}
