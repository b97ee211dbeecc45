import { describe, expect, it } from '@jest/globals';
import { type Access, closed, isOpen, opened, type Rule } from '../rules.ts';

const now = new Date('2026-11-25T12:00:00Z');
const access: Access = { address: '198.51.100.9', port: 2222, owner: 'compta/deploy run 42 (aa)' };
const rule = (description: string | null, source = '198.51.100.1/32'): Rule => ({
  direction: 'in',
  protocol: 'tcp',
  port: '2222',
  source_ips: [source],
  description,
});
const another = rule('runner of compta/deploy run 41 (bb) until 2026-11-25T13:00:00.000Z');
const expired = rule('runner of compta/deploy run 40 (cc) until 2026-11-25T11:59:59.000Z');

describe("a runner's access", () => {
  it('is one port for one address, until the job must have ended', () => {
    expect(opened([], access, now)).toEqual([
      {
        direction: 'in',
        protocol: 'tcp',
        port: '2222',
        source_ips: ['198.51.100.9/32'],
        description: 'runner of compta/deploy run 42 (aa) until 2026-11-25T18:00:00.000Z',
      },
    ]);
  });

  it('leaves that of other runners alone', () => {
    const rules = opened([another], access, now);
    expect(rules).toHaveLength(2);
    expect(isOpen(rules, access.owner)).toBe(true);
    expect(closed(rules, access.owner, now)).toEqual([another]);
    expect(isOpen([another], access.owner)).toBe(false);
  });

  it('is there once, however often it is asked for', () => {
    expect(opened(opened([], access, now), access, now)).toHaveLength(1);
  });

  it('is refused when there is no room, with the moment from which there is some', () => {
    const of = (index: number) =>
      rule(`runner of run ${index} until 2026-11-25T${index === 7 ? '12:30' : '17:00'}:00.000Z`);
    const full = Array.from({ length: 50 }, (_, index) => of(index));
    expect(() => opened(full, access, now)).toThrow(
      '50 runners may come in already, as many as Hetzner lets a firewall have. Each of them runs, ' +
        'or was killed before it closed its way in. The first expires at 2026-11-25T12:30:00.000Z: ' +
        "run again then. If none of them runs, remove the rules of the firewall '<environment>-runners' " +
        "in Hetzner's console.",
    );
    expect(opened([expired, ...full.slice(1)], access, now)).toHaveLength(50);
    expect(closed(full, access.owner, now)).toHaveLength(50);
  });

  it.each([
    ['has expired', expired],
    ['has a date that nobody can read', rule('runner of x until soon')],
    ['is no runner’s', rule('by hand', '0.0.0.0/0')],
    ['says nothing', rule(null)],
  ])('sweeps away what %s', (_what, stale) => {
    expect(closed([stale, another], 'nobody', now)).toEqual([another]);
    expect(opened([stale], access, now)).toHaveLength(1);
  });
});
