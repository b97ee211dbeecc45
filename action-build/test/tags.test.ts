import { expect, test } from '@jest/globals';
import { derivedTags } from '../src/tags.ts';

test.each([
  ['1.4.2', 'refs/heads/main', ['1.4', '1', 'main']],
  ['v1.4.2', 'refs/tags/v1.4.2', ['1.4', '1']],
  ['0.9.1', '', ['0.9']],
  ['1.4.2-rc.1', 'refs/heads/develop', ['develop']],
  ['1.4.2-0123abc', 'refs/heads/feature/Login form', ['feature-Login-form']],
  ['nightly', 'refs/pull/7/merge', []],
  ['nightly', 'refs/heads/功能', []],
  ['1.4.3-rc.1', 'refs/heads/1.4', []],
  ['1.4.3-rc.1', 'refs/heads/proven-0123abc', []],
  ['1.4.3-rc.1', 'refs/heads/-proven/0123abc', []],
  ['1.4.3', 'refs/heads/buildcache', ['1.4', '1']],
  ['1.0.0', 'refs/heads/.hidden', ['1.0', '1', 'hidden']],
])('%s of %j', (version, ref, expected) => {
  expect(derivedTags(version, ref)).toEqual(expected);
});
