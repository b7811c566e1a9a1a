import { defineConfig } from 'vitest/config';

/** One project for each kind of test; a kind's folder says what it may take. */
function project(name: string, testTimeoutMs: number) {
  return {
    extends: true as const,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: testTimeoutMs,
      hookTimeout: testTimeoutMs,
    },
  };
}

export default defineConfig({
  test: {
    environment: 'node',
    // Real worker threads and typed arrays are under test: processes keep the files apart.
    pool: 'forks',
    maxWorkers: 2,
    restoreMocks: true,
    setupFiles: ['test/support/seed.ts'],
    projects: [
      project('unit', 60_000),
      project('property', 300_000),
      project('golden', 60_000),
      project('conformance', 120_000),
      project('fault', 120_000),
      project('e2e', 180_000),
      project('interop', 600_000),
    ],
  },
});
