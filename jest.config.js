/** Native ESM: run with NODE_OPTIONS=--experimental-vm-modules (scripts/test does). */
export default {
  testEnvironment: 'node',
  testMatch: ['**/test/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/.local-cloud/', '/examples/'],
  modulePathIgnorePatterns: ['/.local-cloud/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript' },
          target: 'es2024',
          experimental: { keepImportAttributes: true },
        },
      },
    ],
  },
  // Guards against what hangs: a busy machine takes many times what an idle one does.
  testTimeout: 120_000,
};
