import {
  createCipheriv,
  createDecipheriv,
  hkdf,
  randomBytes,
  type ScryptOptions,
  scrypt,
} from 'node:crypto';
import { promisify } from 'node:util';
import { type Binding, difference, differingFields } from './binding.ts';
import { canonicalJson } from './canonical.ts';

/**
 * A plan file holds every secret of the configuration in clear, so it leaves the job only
 * sealed: AES-256-GCM under a key that scrypt (HKDF, when it is random) makes from `plan-key`, with the
 * binding as associated data.
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
  override readonly name: string = 'PlanRefused';
}

/** It is whole as far as one can tell, but was made for something else. */
export class PlanForOther extends PlanRefused {
  override readonly name = 'PlanForOther';
  readonly fields: readonly (keyof Binding)[];
  /** What it claims to be bound to: not proven before it was opened with exactly that. */
  readonly sealed: Binding;
  constructor(fields: readonly (keyof Binding)[], sealed: Binding, now: Binding) {
    const lines = fields.map((field) => `- ${difference(field, sealed, now)}`);
    super(
      `The plan was made for something else:\n${lines.join('\n')}\nPlan again, and apply that plan.`,
    );
    this.fields = fields;
    this.sealed = sealed;
  }
}

/** Makes the key of the cipher from `plan-key` and the salt of a plan. */
export type Stretch = (key: string, salt: Uint8Array) => Promise<Buffer>;

export type Seal = (plan: Uint8Array, binding: Binding) => Promise<Buffer>;

/** Opens one sealed plan, for whatever it turns out to be bound to. */
export type Open = (now: Binding) => Promise<Buffer>;

/** Begins to make the key of one plan, which takes its time beside whatever is done meanwhile. */
export function sealing(key: string): Seal {
  const salt = randomBytes(SALT);
  const stretched = stretch(key, salt);
  return async (plan, binding) => {
    const nonce = randomBytes(NONCE);
    const bound = Buffer.from(canonicalJson(binding));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bound.length);
    const head = Buffer.concat([MAGIC, salt, nonce, length, bound]);

    const cipher = createCipheriv('aes-256-gcm', await stretched, nonce, { authTagLength: TAG });
    cipher.setAAD(head);
    return Buffer.concat([head, cipher.update(plan), cipher.final(), cipher.getAuthTag()]);
  };
}

/**
 * Begins to make the key of a sealed plan, too. Opening it throws PlanForOther when it was made
 * for something else, and PlanRefused when it was altered.
 *
 * @throws PlanRefused when it is no sealed plan
 */
export function opening(sealed: Buffer, key: string, by: Stretch = stretch): Open {
  const { head, salt, nonce, binding, text, tag } = split(sealed);
  const stretched = by(key, salt);
  return async (now) => {
    const fields = differingFields(binding, now);
    if (fields.length > 0) throw new PlanForOther(fields, binding, now);
    const decipher = createDecipheriv('aes-256-gcm', await stretched, nonce, {
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
  };
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
    const binding: unknown = JSON.parse(bytes.toString('utf8'));
    if (binding === null || typeof binding !== 'object') throw new TypeError('It is no object.');
    return binding as Binding;
  } catch (cause) {
    throw new PlanRefused("The sealed plan's binding is not readable: it was altered.", { cause });
  }
}

/** A phrase is stretched, slow on purpose (about 200 ms, 64 MiB): a guess must cost something. */
export const stretch: Stretch = async (key, salt) =>
  isRandom(key)
    ? Buffer.from(await hkdfAsync('sha256', key, salt, MAGIC, 32))
    : scryptAsync(key, salt, 32, { N: 2 ** 16, r: 8, p: 1, maxmem: 96 * 1024 * 1024 });

/**
 * Whether it is what `openssl rand -base64 32` prints: 256 random bits, which nobody guesses however
 * fast. A phrase in base64 is text inside, and one that only looks so repeats itself.
 */
export function isRandom(key: string): boolean {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(key)) return false;
  const bytes = Buffer.from(key, 'base64');
  return new Set(bytes).size >= 24 && bytes.some((byte) => byte < 0x20 || byte > 0x7e);
}

const hkdfAsync = promisify(hkdf);
const scryptAsync = promisify<string, Uint8Array, number, ScryptOptions, Buffer>(scrypt);
