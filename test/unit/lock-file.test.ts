import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import lock from '../../package-lock.json' with { type: 'json' };
import manifest from '../../package.json' with { type: 'json' };

const packages = Object.entries(lock.packages as Record<string, object>).filter(([place]) => place !== '');

test('every package is pinned by its hash', () => {
  expect(packages.filter(([, entry]) => !('integrity' in entry)).map(([place]) => place)).toEqual([]);
});

test('no registry is named', () => {
  expect(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')).not.toContain(
    '"resolved"',
  );
});

test('direct dependencies are exact versions', () => {
  const direct = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  for (const version of Object.values(direct)) expect(version).toMatch(/^\d+\.\d+\.\d+$/u);
});
