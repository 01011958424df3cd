/** Specifications of generated values that are none. */
import { expect, test } from 'vitest';
import { UsageError } from '../../../src/errors.ts';
import { generate } from '../../../src/lifecycle/generate.ts';
import { systemRandom } from '../../support/sample-vault.ts';

test.each([
  '',
  ':',
  'uuid:5',
  'uuid:',
  'password:',
  'password:3',
  'password:4097',
  'password:1e2',
  'password:32:',
  'password:32:x',
  'password:32:luds:',
  'hex:0',
  'hex:65537',
  'hex:16:16',
  'base64:-1',
  'HEX:16',
  'constructor:16',
  '__proto__',
  'password:8:constructor',
])('%j is refused', (spec) => {
  expect(() => generate(systemRandom, spec)).toThrow(UsageError);
});
