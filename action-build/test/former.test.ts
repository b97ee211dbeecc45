import { expect, test } from '@jest/globals';
import { substance } from '../src/former.ts';

const image = (change: object = {}, labels: object = {}, layers: string[] = ['sha256:a']) => ({
  manifest: JSON.stringify({
    config: { digest: `sha256:${Math.random()}` },
    layers: layers.map((digest) => ({ digest, size: 1 })),
  }),
  config: JSON.stringify({
    architecture: 'amd64',
    created: '2026-11-23T00:00:00Z',
    config: { User: '10001', Labels: { 'org.opencontainers.image.title': 'x', ...labels } },
    ...change,
  }),
});

test.each([
  ['the same again', image(), true],
  ['another version', image({}, { 'org.opencontainers.image.version': '1.4.1' }), true],
  ['another commit', image({}, { 'org.opencontainers.image.revision': 'abc' }), true],
  ['built at another time', image({ created: '2026-11-24T00:00:00Z' }), true],
  ['another layer', image({}, {}, ['sha256:b']), false],
  ['another user', image({ config: { User: '0' } }), false],
  ['another label of its own', image({}, { team: 'ledger' }), false],
  ['another architecture', image({ architecture: 'arm64' }), false],
  ['without labels, as `docker build` of old', image({ config: { Labels: null } }), false],
  ['without settings', image({ config: null }), false],
])('%s: the same image %s', (_what, other, same) => {
  const equal = JSON.stringify(substance(other)) === JSON.stringify(substance(image()));
  expect(equal).toBe(same);
});
