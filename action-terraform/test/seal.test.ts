import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { type Binding, differingFields } from '../src/binding.ts';
import {
  isRandom,
  type Open,
  opening,
  PlanForOther,
  PlanRefused,
  type Stretch,
  sealing,
  stretch,
} from '../src/seal.ts';
import { isStale } from '../src/staleness.ts';
import { clearPlan } from '../src/travel.ts';
import { BINDING, KEY } from './fixtures.ts';

const plan = Buffer.from('the plan, with a secret in it');
let sealed: Buffer;
let openFor: Open;
beforeAll(async () => {
  sealed = await sealing(KEY)(plan, BINDING);
  openFor = opening(sealed, KEY);
});
const open = async (bytes: Buffer, key: string, now: Binding, by?: Stretch) =>
  opening(bytes, key, by)(now);

describe('a sealed plan', () => {
  it('opens for the run that made it', async () => {
    expect(await openFor(BINDING)).toEqual(plan);
  });

  it('shows nothing of the plan, and never the same bytes twice', async () => {
    expect(sealed.includes('secret')).toBe(false);
    expect((await sealing(KEY)(plan, BINDING)).equals(sealed)).toBe(false);
  });

  const fields = Object.keys(BINDING) as (keyof Binding)[];
  it.each(fields)('is refused when %s differs, and the refusal names it', async (field) => {
    const now = { ...BINDING, [field]: field === 'stateSerial' ? 8 : 'other' };
    expect(await refusalOf(openFor(now))).toContain(
      `- ${field}: planned '${BINDING[field]}', now '${now[field]}'`,
    );
  });

  it('names every field that differs', async () => {
    const now = { ...BINDING, sha: 'x', workspace: 'y' };
    expect(await refusalOf(openFor(now))).toMatch(/- sha: .*\n- workspace: /);
  });

  it('opens under a random key, which needs no stretching, and is refused under another one', async () => {
    const [key, other] = [1, 2].map(() => randomBytes(32).toString('base64')) as [string, string];
    const bytes = await sealing(key)(plan, BINDING);
    expect(await open(bytes, key, BINDING)).toEqual(plan);
    expect(await refusalOf(open(bytes, other, BINDING))).toMatch(/'plan-key' is not the one/);
  });

  it.each([
    ['what openssl prints is', true, randomBytes(32).toString('base64')],
    ['a phrase is not', false, KEY],
    [
      'a phrase in base64 is not',
      false,
      Buffer.from('our terraform plans, the edition').toString('base64'),
    ],
    ['a phrase of its length is not', false, `${'correct'.repeat(7).slice(0, 43)}=`],
    ['hexadecimal digits are not', false, randomBytes(32).toString('hex')],
  ])('knows a random key: %s', (_what, expected, key) => {
    expect(isRandom(key)).toBe(expected);
  });

  it('is refused under another key', async () => {
    const refusal = await refusalOf(open(sealed, `${KEY}!`, BINDING));
    expect(refusal).toMatch(/'plan-key' is not the one/);
  });

  it('is refused when its binding is rewritten to fit', async () => {
    const forged = Buffer.from(sealed.toString('latin1').replace('"42"', '"43"'), 'latin1');
    const refusal = await refusalOf(open(forged, KEY, { ...BINDING, runId: '43' }));
    expect(refusal).toMatch(/was altered/);
  });

  it('is refused when cut short, empty or something else', async () => {
    for (const length of [0, 10, 40, 60, sealed.length - 1]) {
      expect(await refusalOf(open(sealed.subarray(0, length), KEY, BINDING))).not.toBe(OPENED);
    }
    const other = await refusalOf(open(Buffer.alloc(400, 'PK'), KEY, BINDING));
    expect(other).toMatch(/no sealed plan/);
  });

  it('tells each field by its own sentence', async () => {
    const refusals = fields.map((field) => {
      const now = { ...BINDING, [field]: field === 'stateSerial' ? 8 : 'other' };
      return refusalOf(openFor(now));
    });
    const said = (await Promise.all(refusals)).map(
      (refusal) => /now '(?:other|8)': (.+)/.exec(refusal)?.[1],
    );
    expect(new Set(said).size).toBe(fields.length);
    expect(said).not.toContain(undefined);
  });

  it('opens for nothing after any of 1,000 random corruptions', async () => {
    const random = generator(20_261_123);
    const keys = new Map<string, Promise<Buffer>>();
    // The key of a salt is made once: 1,000 honest ones would take minutes.
    const remembered: Stretch = (key, salt) => {
      const name = `${key} ${Buffer.from(salt).toString('hex')}`;
      const known = keys.get(name) ?? stretch(key, salt);
      keys.set(name, known);
      return known;
    };
    const reasons = new Set<string>();
    for (let round = 0; round < 1_000; round += 1) {
      const altered = corrupted(sealed, random);
      expect(altered.equals(sealed)).toBe(false);
      const refusal = await refusalOf(open(altered, KEY, BINDING, remembered));
      reasons.add(refusal.split(/[:,]/)[0] ?? '');
    }
    expect(reasons.has(OPENED)).toBe(false);
    expect(reasons.size).toBeGreaterThan(2);
  }, 120_000);

  it('is refused with any single byte flipped', async () => {
    const places = [0, 15, 16, 31, 32, 43, 44, 47, 48, 200, sealed.length - 17, sealed.length - 1];
    for (const place of places) {
      const altered = Buffer.from(sealed);
      altered[place] = (altered[place] ?? 0) ^ 1;
      expect(await refusalOf(open(altered, KEY, BINDING))).not.toBe(OPENED);
    }
  });
});

describe('a plan whose state moved on', () => {
  const refusal = (sealedFor: Partial<Binding>, now: Partial<Binding>) => {
    const fields = differingFields({ ...BINDING, ...sealedFor }, { ...BINDING, ...now });
    return new PlanForOther(fields, { ...BINDING, ...sealedFor }, { ...BINDING, ...now });
  };

  it.each<[string, boolean, Partial<Binding>, Partial<Binding>]>([
    ['is stale', true, {}, { stateSerial: 8 }],
    ['is stale when it was the first', true, { stateLineage: '', stateSerial: 0 }, {}],
    ['is of another state when the lineage differs', false, {}, { stateLineage: 'other' }],
    ['is refused when more than that differs', false, {}, { stateSerial: 8, sha: 'other' }],
  ])('%s', (_what, stale, sealedFor, now) => {
    expect(isStale(refusal(sealedFor, now))).toBe(stale);
  });
});

describe('the plan of an earlier attempt', () => {
  it('is taken away before a new one is made, in a file as in an artifact', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'compta-plan-'));
    const planPath = join(folder, 'sealed');
    writeFileSync(planPath, sealed);
    const removed: string[] = [];
    const artifacts = { remove: async (name: string) => void removed.push(name) };
    const inputs = { directoryName: 'terraform/tiny', workspace: 'default' };
    await clearPlan({ inputs: { ...inputs, planPath } } as never, artifacts);
    expect(existsSync(planPath)).toBe(false);
    expect(removed).toEqual([]);
    await clearPlan({ inputs } as never, artifacts);
    expect(removed).toEqual([expect.stringMatching(/^terraform-plan-tiny-/)]);
    rmSync(folder, { recursive: true });
  });
});

const OPENED = 'opened';

/** The message of a refusal, or {@link OPENED}. Anything else fails the test. */
function refusalOf(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => OPENED,
    (error: unknown) => {
      expect(error).toBeInstanceOf(PlanRefused);
      return (error as Error).message;
    },
  );
}

/** Flips bits, cuts, doubles, swaps or overwrites somewhere; never nothing. */
function corrupted(sealed: Buffer, random: (below: number) => number): Buffer {
  const altered = Buffer.from(sealed);
  const at = random(sealed.length);
  switch (random(5)) {
    case 0:
      altered[at] = (altered[at] ?? 0) ^ (1 << random(8));
      return altered;
    case 1:
      return altered.subarray(0, at);
    case 2:
      return Buffer.concat([altered, altered.subarray(at)]);
    case 3:
      for (let i = 0; i <= random(16); i += 1) {
        const place = random(sealed.length);
        altered[place] = (altered[place] ?? 0) + 1 + random(255);
      }
      return altered.equals(sealed) ? altered.subarray(1) : altered;
    default:
      return Buffer.concat([altered.subarray(0, at), Buffer.of(random(256)), altered.subarray(at)]);
  }
}

/** Numbers that are the same in every run (mulberry32), so that a failure can be repeated. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
