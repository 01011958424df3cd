/** What is rendered from the program stands in the repository as it would be rendered now. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderErrors } from '../../scripts/error-page.ts';
import {
  renderErrorSchema,
  renderHealth,
  renderManual,
  renderMetrics,
  renderReadme,
} from '../../scripts/docs.ts';

const root = path.resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

describe('rendered documents (npm run docs writes them)', () => {
  it('README.md has the table of the commands that there are', () => {
    expect(renderReadme(read('README.md'))).toBe(read('README.md'));
  });

  it('docs/metrics.md has the metrics that there are', () => {
    expect(renderMetrics(read('docs/metrics.md'))).toBe(read('docs/metrics.md'));
  });

  it('docs/health.md has the findings that there are', () => {
    expect(renderHealth(read('docs/health.md'))).toBe(read('docs/health.md'));
  });

  it('docs/man/vault.1 has the options that there are', () => {
    expect(renderManual()).toBe(read('docs/man/vault.1'));
  });

  it('docs/schemas/error.schema.json has the codes that there are', () => {
    expect(renderErrorSchema()).toBe(read('docs/schemas/error.schema.json'));
  });

  it('docs/errors.md has the codes that there are, each with a class that can have it', () => {
    expect(renderErrors()).toBe(read('docs/errors.md'));
  });
});
