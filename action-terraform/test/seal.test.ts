import { describe, expect, it } from '@jest/globals';
import type { Binding } from '../src/binding.ts';
import { open, PlanRefused, seal } from '../src/seal.ts';
import { BINDING, KEY } from './fixtures.ts';

const plan = Buffer.from('the plan, with a secret in it');
const sealed = seal(plan, KEY, BINDING);

describe('a sealed plan', () => {
  it('opens for the run that made it', () => {
    expect(open(sealed, KEY, BINDING)).toEqual(plan);
  });

  it('shows nothing of the plan, and never the same bytes twice', () => {
    expect(sealed.includes('secret')).toBe(false);
    expect(seal(plan, KEY, BINDING).equals(sealed)).toBe(false);
  });

  const fields = Object.keys(BINDING) as (keyof Binding)[];
  it.each(fields)('is refused when %s differs, and the refusal names it', (field) => {
    const now = { ...BINDING, [field]: field === 'stateSerial' ? 8 : 'other' };
    expect(() => open(sealed, KEY, now)).toThrow(PlanRefused);
    expect(() => open(sealed, KEY, now)).toThrow(
      `- ${field}: planned '${BINDING[field]}', now '${now[field]}'`,
    );
  });

  it('names every field that differs', () => {
    const now = { ...BINDING, sha: 'x', workspace: 'y' };
    expect(() => open(sealed, KEY, now)).toThrow(/- sha: .*\n- workspace: /);
  });

  it('is refused under another key', () => {
    expect(() => open(sealed, `${KEY}!`, BINDING)).toThrow(/'plan-key' is not the one/);
  });

  it('is refused when its binding is rewritten to fit', () => {
    const forged = Buffer.from(sealed.toString('latin1').replace('"42"', '"43"'), 'latin1');
    expect(() => open(forged, KEY, { ...BINDING, runId: '43' })).toThrow(/was altered/);
  });

  it('is refused when cut short, empty or something else', () => {
    for (const length of [0, 10, 40, 60, sealed.length - 1]) {
      expect(() => open(sealed.subarray(0, length), KEY, BINDING)).toThrow(PlanRefused);
    }
    expect(() => open(Buffer.alloc(400, 'PK'), KEY, BINDING)).toThrow(/no sealed plan/);
  });

  it('is refused with any single byte flipped', () => {
    const places = [0, 15, 16, 31, 32, 43, 44, 47, 48, 200, sealed.length - 17, sealed.length - 1];
    for (const place of places) {
      const altered = Buffer.from(sealed);
      altered[place] = (altered[place] ?? 0) ^ 1;
      expect(() => open(altered, KEY, BINDING)).toThrow(PlanRefused);
    }
  });
});
