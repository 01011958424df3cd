/** What holds for every value: masks tell nothing but an end, and one candidate alone is the same. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskSecret } from '../../src/index.ts';
import { libraryVault, openLibrary, store } from '../support/library-vault.ts';

const anything = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60, size: 'max' }),
  fc.string({ unit: 'grapheme', maxLength: 60, size: 'max' }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 60, size: 'max' }),
  fc.uint8Array({ maxLength: 60, size: 'max' }),
);
const ascii = (from: number, to: number): fc.Arbitrary<string> =>
  fc.string({
    unit: fc.constantFrom(...Array.from('abcXYZ0189-_.~')),
    minLength: from,
    maxLength: to,
    size: 'max',
  });

describe('maskSecret', () => {
  it('is eight asterisks, and nothing or the last four characters', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const masked = maskSecret(value);
        const end = masked.slice(8);
        expect(masked.slice(0, 8)).toBe('********');
        expect(end).toMatch(/^([!-~]{4})?$/u);
        const text = typeof value === 'string' ? value : Buffer.from(value).toString('latin1');
        expect(text.endsWith(end)).toBe(true);
        expect(end === '' || Array.from(text).length >= 20).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('says the same of all long values with one end, whatever they are before it', () => {
    fc.assert(
      fc.property(ascii(16, 200), ascii(16, 200), ascii(4, 4), (one, other, end) => {
        expect(maskSecret(one + end)).toBe(`********${end}`);
        expect(maskSecret(other + end)).toBe(maskSecret(one + end));
      }),
    );
  });

  it('says the same of all short values', () => {
    fc.assert(fc.property(ascii(0, 19), (value) => maskSecret(value) === '********'));
  });

  it('shows no end that a terminal would not show as it is', () => {
    for (const end of ['abc\n', 'ab c', '\u001b[2J', 'abc\u202e', 'äöüß', 'abc\u0000'])
      expect(maskSecret('x'.repeat(40) + end)).toBe('********');
    expect(maskSecret(new Uint8Array(40).fill(0xff))).toBe('********');
    expect(maskSecret(Buffer.from(`${'x'.repeat(40)}9abc`))).toBe('********9abc');
  });

  it('refuses what is neither text nor bytes', () => {
    for (const value of [undefined, null, 7, ['x'], {}])
      expect(() => maskSecret(value as string)).toThrow('only text or bytes can be masked');
  });
});

describe('verifySecret', () => {
  it('is true for the value itself and false for any other', async () => {
    const sample = await libraryVault();
    await store(sample, 'a', 'value');
    await using vault = await openLibrary(sample);
    const value = fc.uint8Array({ minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(value, value, fc.nat(), fc.nat(255), async (stored, other, place, byte) => {
        await vault.rotateSecret('a', { value: stored });
        expect(await vault.verifySecret('a', stored)).toBe(true);
        expect(await vault.verifySecret('a', other)).toBe(Buffer.from(stored).equals(other));
        const near = stored.slice();
        near[place % near.length] = byte;
        expect(await vault.verifySecret('a', near)).toBe(Buffer.from(stored).equals(near));
        expect(await vault.verifySecret('a', stored.subarray(0, -1))).toBe(false);
      }),
      { numRuns: 40 },
    );
  });
});
