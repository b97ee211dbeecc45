import { expect, test } from '@jest/globals';
import { dockerConfig } from '../login.ts';

const auth = Buffer.from('ci:swordfish-77').toString('base64');
const auths = (registry: string) =>
  JSON.parse(dockerConfig({ registry, username: 'ci', password: 'swordfish-77' })).auths;

test('a registry is known by its name', () => {
  expect(auths('registry.test:5000')).toEqual({ 'registry.test:5000': { auth } });
});

test("Docker's own registry is known by both of its names", () => {
  expect(auths('docker.io')).toEqual({
    'docker.io': { auth },
    'https://index.docker.io/v1/': { auth },
  });
});
