import { describe, expect, it } from '@jest/globals';
import { planDigest } from '../src/digest.ts';
import { forbiddenDestroys } from '../src/guard.ts';
import { countsOf, kindOf } from '../src/plan.ts';
import { sensitiveValues } from '../src/sensitive.ts';
import { planOf, resource } from './fixtures.ts';

const app = 'module.server["app-1"].hcloud_server.this';

describe('what a plan does', () => {
  it.each([
    [['create'], 'create'],
    [['update'], 'update'],
    [['delete'], 'delete'],
    [['delete', 'create'], 'replace'],
    [['create', 'delete'], 'replace'],
    [['no-op'], 'none'],
    [['forget'], 'forget'],
  ] as const)('%j is %s', (actions, kind) => {
    const [change] = planOf([resource(app, [...actions])]).resource_changes;
    expect(change && kindOf(change.change)).toBe(kind);
  });

  const moved = {
    ...resource(app, ['no-op'], { a: 1 }, { a: 1 }),
    previous_address: 'hcloud_server.a',
  };

  it('may be no more than another address in the state', () => {
    const plan = planOf([moved]);
    expect(countsOf(plan)).toMatchObject({ add: 0, change: 0, destroy: 0, move: 1, changes: true });
    const elsewhere = planOf([{ ...moved, previous_address: 'hcloud_server.b' }]);
    const digests = [planOf([]), plan, elsewhere].map(planDigest);
    expect(new Set(digests).size).toBe(3);
  });

  it('is counted as Terraform counts', () => {
    const plan = planOf([
      resource('hcloud_server.a', ['create']),
      resource('hcloud_server.b', ['delete', 'create']),
      resource('hcloud_server.c', ['delete']),
      resource('hcloud_server.d', ['update'], null, null, { importing: { id: '1' } }),
      resource('hcloud_server.e', ['no-op']),
    ]);
    expect(countsOf(plan)).toEqual({
      add: 2,
      change: 1,
      destroy: 2,
      import: 1,
      move: 0,
      changes: true,
    });
  });

  it('is something even when only an output changes', () => {
    const outputs = { address: { actions: ['update'], before: 'a', after: 'b' } };
    expect(countsOf(planOf([], outputs)).changes).toBe(true);
  });
});

describe('the digest', () => {
  const change = resource(app, ['update'], { type: 'a' }, { type: 'b' });
  const other = resource('hcloud_network.this', ['create'], null, { name: 'n' });

  it('is the same whatever the order and whatever does not change', () => {
    const quiet = resource('hcloud_volume.this', ['no-op'], { size: 1 }, { size: 1 });
    expect(planDigest(planOf([other, quiet, change]))).toBe(planDigest(planOf([change, other])));
  });

  it.each([
    ['another value', resource(app, ['update'], { type: 'a' }, { type: 'c' })],
    ['another action', resource(app, ['delete', 'create'], { type: 'a' }, { type: 'b' })],
    ['another address', resource('hcloud_server.b', ['update'], { type: 'a' }, { type: 'b' })],
  ])('differs for %s', (_what, altered) => {
    expect(planDigest(planOf([altered]))).not.toBe(planDigest(planOf([change])));
  });

  it('tells nothing of a sensitive value', () => {
    const secret = (value: string) =>
      planOf([
        resource(
          app,
          ['create'],
          null,
          { user_data: value },
          { after_sensitive: { user_data: true } },
        ),
      ]);
    expect(planDigest(secret('one'))).toBe(planDigest(secret('two')));
  });
});

describe('the guard', () => {
  const plan = planOf([
    resource(app, ['delete', 'create']),
    resource('module.volume["db-1"].hcloud_volume.this', ['delete']),
    resource('hcloud_ssh_key.ci', ['delete']),
    resource('hcloud_network.this', ['update']),
  ]);

  it.each([
    [[], [app, 'module.volume["db-1"].hcloud_volume.this']],
    [[app], ['module.volume["db-1"].hcloud_volume.this']],
    [['module.server[*'], ['module.volume["db-1"].hcloud_volume.this']],
    [['*'], []],
    [
      ['module.server["app-10"].hcloud_server.this'],
      [app, 'module.volume["db-1"].hcloud_volume.this'],
    ],
    [['server'], [app, 'module.volume["db-1"].hcloud_volume.this']],
  ])('with allow-destroy %j refuses %j', (allowed, refused) => {
    expect(forbiddenDestroys(plan, allowed)).toEqual(refused);
  });
});

describe('sensitive values', () => {
  it('are found before and after, however deep, and nothing else is', () => {
    const plan = planOf(
      [
        resource(
          'tls_private_key.host',
          ['update'],
          { pem: 'old secret', name: 'public' },
          { list: [{ key: 'deep secret', open: 'public' }], whole: { a: 'one', b: ['two'] } },
          {
            before_sensitive: { pem: true },
            after_sensitive: { list: [{ key: true }], whole: true },
          },
        ),
      ],
      {
        token: { actions: ['create'], before: null, after: 'output secret', after_sensitive: true },
      },
    );
    expect(sensitiveValues(plan).sort()).toEqual(
      ['old secret', 'deep secret', 'one', 'two', 'output secret'].sort(),
    );
  });
});
