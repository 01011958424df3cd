import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

/** One project a kind of test; a kind is a folder of test/. `vitest run --project unit` runs one of them. */
function project(
  name: string,
  testTimeout: number,
  more: TestProjectInlineConfiguration['test'] = {},
): TestProjectInlineConfiguration {
  return { extends: true, test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, ...more } };
}

const needsBinary = { globalSetup: 'test/binary-is-built.ts' };

export default defineConfig({
  test: {
    pool: 'forks',
    // All cores: without a number one of them is kept free, which on two is half of them.
    maxWorkers: '100%',
    // A test that passes at the second try is a bug in the test or in the product.
    retry: 0,
    passWithNoTests: false,
    // A clean environment, whatever the machine has set: no colour, no certificates, no debugger.
    env: { NO_COLOR: '1', NODE_OPTIONS: '', NODE_EXTRA_CA_CERTS: '' },
    reporters: ['default', './test/reporter.ts'],
    projects: [
      project('unit', 10_000),
      project('vectors', 30_000),
      project('property', 60_000),
      project('faults', 60_000, needsBinary),
      project('e2e', 60_000, needsBinary),
    ],
  },
});
