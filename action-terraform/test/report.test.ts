import { describe, expect, it } from '@jest/globals';
import { CommandFailed } from '../../lib/process/run.ts';
import { costOf } from '../src/cost.ts';
import { explained, lockIn, StepFailed } from '../src/failure.ts';
import type { Plan } from '../src/plan.ts';
import { pricesFrom } from '../src/prices.ts';
import { expression } from '../src/sensitive.ts';
import { type PlanReport, planComment, planReport, planSummary } from '../src/summary.ts';
import { planOf, resource } from './fixtures.ts';

const monthly = (net: string) => [{ location: 'nbg1', price_monthly: { net } }];
const prices = pricesFrom(
  {
    pricing: {
      currency: 'EUR',
      volume: { price_per_gb_month: { net: '0.0440000000' } },
      server_backup: { percentage: '20.0000000000' },
      primary_ips: [{ type: 'ipv4', prices: monthly('0.5000') }],
      server_types: [
        { name: 'cpx22', prices: monthly('19.9900000000') },
        { name: 'cpx32', prices: monthly('35.9900000000') },
      ],
      load_balancer_types: [{ name: 'lb11', prices: monthly('7.4900') }],
    },
  },
  new Date('2026-11-22T12:00:00Z'),
);
const server = (server_type: string, more = {}) => ({ server_type, location: 'nbg1', ...more });

describe('the monthly cost', () => {
  it.each([
    ['a server with its address', 'hcloud_server.a', server('cpx22'), 20.49],
    ['a server with backups', 'hcloud_server.a', server('cpx22', { backups: true }), 24.49],
    [
      'a server without public IPv4',
      'hcloud_server.a',
      server('cpx22', { public_net: [{ ipv4_enabled: false }] }),
      19.99,
    ],
    ['a volume by the GB', 'hcloud_volume.a', { size: 100, location: 'nbg1' }, 4.4],
    [
      'a load balancer',
      'hcloud_load_balancer.a',
      { load_balancer_type: 'lb11', location: 'nbg1' },
      7.49,
    ],
    ['a network, which is free', 'hcloud_network.a', { name: 'n' }, 0],
  ])('of %s', (_what, address, after, expected) => {
    expect(costOf(planOf([resource(address, ['create'], null, after)]), prices).after).toBe(
      expected,
    );
  });

  it('counts what stays, what goes and what changes', () => {
    const plan = planOf([
      resource('hcloud_server.stays', ['no-op'], server('cpx22'), server('cpx22')),
      resource('hcloud_server.grows', ['update'], server('cpx22'), server('cpx32')),
      resource('hcloud_volume.goes', ['delete'], { size: 10, location: 'nbg1' }, null),
    ]);
    expect(costOf(plan, prices)).toMatchObject({ before: 41.42, after: 56.98, currency: 'EUR' });
  });

  it('says what it has no price for', () => {
    const plan = planOf([resource('hcloud_server.a', ['create'], null, server('cx99'))]);
    expect(costOf(plan, prices)).toMatchObject({
      after: 0,
      unpriced: ['hcloud_server.a (cx99 in nbg1, IPv4)'],
    });
  });
});

const report = (more: Partial<PlanReport> & { plan: Plan }): PlanReport => ({
  environment: 'staging',
  digest: 'f'.repeat(64),
  cost: undefined,
  forbidden: [],
  violations: [],
  warnings: [],
  kind: 'plan',
  redact: (text) => text.replaceAll('s3|cret', '***'),
  ...more,
});

describe('the summary', () => {
  const summary = (resources: object[], forbidden: string[] = []) => {
    const plan = planOf(resources);
    const cost = costOf(plan, prices);
    return planSummary(report({ plan, cost, forbidden }));
  };

  it('begins with the verdict and shows destroys before creations', () => {
    const text = summary([
      resource('hcloud_network.new', ['create'], null, {}),
      resource('hcloud_server.old', ['delete'], server('cpx22'), null),
    ]);
    expect(text.split('\n')[0]).toBe('### ⚠️ staging plan: 1 to add, 0 to change, 1 to destroy');
    expect(text.indexOf('hcloud_server.old')).toBeLessThan(text.indexOf('hcloud_network.new'));
  });

  it('tells where the state has what is moved, changed or not', () => {
    const text = summary([
      { ...resource('hcloud_network.b', ['no-op'], {}, {}), previous_address: 'hcloud_network.a' },
      {
        ...resource('hcloud_firewall.d', ['update'], { n: 1 }, { n: 2 }),
        previous_address: 'hcloud_firewall.c',
      },
    ]);
    expect(text).toMatch(/^### ✅ staging plan: 0 to add, 1 to change, 0 to destroy, 1 to move\n/);
    expect(text).toContain('| ⚪ move | `hcloud_network.b` | moved from `hcloud_network.a` |');
    expect(text).toMatch(/`hcloud_firewall\.d` \| moved from `hcloud_firewall\.c`.*n: 1 → 2/);
  });

  it('names a sensitive attribute without its values', () => {
    const text = summary([
      resource(
        'hcloud_server.a',
        ['update'],
        { key: 'old-s3cret' },
        { key: 'new-s3cret', n: 1 },
        {
          before_sensitive: { key: true },
          after_sensitive: { key: true },
        },
      ),
    ]);
    expect(text).not.toContain('s3cret');
    expect(text).toContain('n: null → 1');
  });

  it('says which destroys are not allowed', () => {
    const gone = resource('hcloud_server.a', ['delete'], server('cpx22'), null);
    const text = summary([gone], ['hcloud_server.a']);
    expect(text).toMatch(/^### ❌ /);
    expect(text).toContain('- `hcloud_server.a`');
  });

  it('labels the cost with the day that the catalogue was read', () => {
    const text = summary([resource('hcloud_server.a', ['create'], null, server('cpx22'))]);
    expect(text).toContain('**Monthly cost: 0.00 EUR → 20.49 EUR** (+20.49 EUR)');
    expect(text).toContain('on 2026-11-22');
  });

  it('is cut where GitHub would refuse it, and the report is not', () => {
    const many = Array.from({ length: 15_000 }, (_, i) =>
      resource(`hcloud_server.a-server-with-a-name-of-some-length-${i}`, ['create'], null, {}),
    );
    const of = report({ plan: planOf(many) });
    expect(Buffer.byteLength(planSummary(of))).toBeLessThanOrEqual(900_000);
    expect(planSummary(of)).toMatch(/The rest was too long .*`report-file`/);
    expect(planReport(of)).toContain('some-length-14999`');
  });

  it('takes secrets out before it shortens or escapes them', () => {
    const [before, after] = ['a', `${'x'.repeat(74)}s3|cret`];
    const text = summary([resource('hcloud_server.a', ['update'], { before }, { after })]);
    expect(text).toContain(`${'x'.repeat(74)}***`);
    expect(text).not.toContain('s3');
  });

  it('names what is against the policy, and fails for it though nothing changes', () => {
    const broken = { rule: 'labels-missing', address: 'hcloud_server.a', problem: 'it has none.' };
    const text = planSummary(report({ plan: planOf([]), violations: [broken] }));
    expect(text).toMatch(/^### ❌ /);
    expect(text).toContain('- `hcloud_server.a`: it has none. (labels-missing)');
  });
});

describe("the pull request's comment", () => {
  const change = resource('hcloud_server.a', ['update'], { size: 'small' }, { size: 'big' });

  it('names what changes without its values, unless they were asked for', () => {
    expect(planComment(report({ plan: planOf([change]) }), false)).not.toContain('small');
    expect(planComment(report({ plan: planOf([change]) }), true)).toContain('size: small → big');
  });

  it('is cut by bytes, below the limit, at whole lines, with destroys kept', () => {
    const many = Array.from({ length: 2000 }, (_, i) =>
      resource(`hcloud_server.größe-${i}`, ['create'], null, server('cpx22')),
    );
    const gone = resource('hcloud_server.old', ['delete'], server('cpx22'), null);
    const text = planComment(report({ plan: planOf([...many, gone]) }), true);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(60_000);
    expect(text).toContain('hcloud_server.old');
    expect(text).toMatch(
      /\| 🟢 create \| `hcloud_server\.größe-\d+` \| {2}\|\n\n_The rest was too long/,
    );
  });
});

describe('a value in an expression', () => {
  it('is no template', () => {
    expect(expression({ a: `\${b} %{c} $d %e "f"` })).toBe(`{"a":"$\${b} %%{c} $d %e \\"f\\""}`);
  });
});

describe('a failure of Terraform', () => {
  const lockError = `Error: Error acquiring the state lock

Lock Info:
  ID:        6c4fe2b1-4a5e-23b8-2e41-3f4b6a3a7d10
  Path:      bucket/staging/terraform.tfstate
  Operation: OperationTypeApply
  Who:       runner@fv-az1
  Version:   1.11.4
  Created:   2026-11-22 12:00:00.1 +0000 UTC
`;
  const failed = (stderr: string) =>
    new CommandFailed('terraform', 'failed', { exitCode: 1, stderr });

  it.each([
    ['Error: Saved plan is stale', 'plan-stale'],
    [lockError, 'state-locked'],
    ['Error: the token you provided is invalid (unauthorized)', 'api-refused'],
    ['Error: hcloud: limit reached (rate_limit_exceeded, 1a2b)', 'api-unavailable'],
    ['Error: hcloud: server responded with status code 502', 'api-unavailable'],
    ['Error: Post "https://api.hetzner.cloud/v1/servers": EOF', 'api-unavailable'],
    ['Error: Get "https://fsn1.example/b": net/http: TLS handshake timeout', 'api-unavailable'],
    ['Error: Get "https://fsn1.example/b": context deadline exceeded', 'api-unavailable'],
    // As Terraform breaks its lines where there is no terminal.
    ['Error: could not ask\n\nhcloud: server responded\nwith status code 502', 'api-unavailable'],
    [
      'Error: could not ask\n\ndial tcp 192.0.2.1:443: connect: connection\nrefused',
      'api-unavailable',
    ],
    [
      'Error: Error refreshing state: operation error S3: HeadObject, https response error\nStatusCode: 503, RequestID: , HostID: , api error SlowDown: slow down',
      'api-unavailable',
    ],
    [
      'Error: Failed to query available provider packages\n\ncould not connect: 429 Too Many\nRequests returned from registry.terraform.io',
      'api-unavailable',
    ],
    [
      'Error: Error acquiring the state lock\n\nError message: operation error S3: PutObject, https response error StatusCode:\n503, RequestID: , HostID: , api error SlowDown: slow down',
      'api-unavailable',
    ],
    [
      'Error: Error acquiring the state lock\n\nError message: operation error S3: PutObject, https response error StatusCode:\n403, RequestID: , HostID: , api error AccessDenied: no',
      'state-locked',
    ],
  ])('%j has a reason', (stderr, reason) => {
    const error = explained(failed(stderr));
    expect(error).toBeInstanceOf(StepFailed);
    expect((error as StepFailed).reason).toBe(reason);
  });

  it('names no holder of a lock that Terraform names none of', () => {
    const error = explained(failed('Error: Error acquiring the state lock\n\nAccessDenied'));
    expect((error as Error).message).toMatch(/^The state's lock could not be taken/);
  });

  it('tells who holds the lock since when', () => {
    expect(lockIn(lockError)).toEqual({
      id: '6c4fe2b1-4a5e-23b8-2e41-3f4b6a3a7d10',
      who: 'runner@fv-az1',
      operation: 'OperationTypeApply',
      created: '2026-11-22 12:00:00.1 +0000 UTC',
    });
  });

  it('is passed on as it is when nothing is known of it', () => {
    const error = failed('Error: something else');
    expect(explained(error)).toBe(error);
  });
});
