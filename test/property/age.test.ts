/** The age file of a slot under changes: never another value, and never a crash. */
import { generateHybridIdentity, identityToRecipient } from 'age-encryption';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openAge, sealToAge } from '../../src/crypto/age.ts';
import { EncryptionError } from '../../src/errors.ts';
import { settled } from '../support/failure.ts';

const identity = await generateHybridIdentity();
const recipient = await identityToRecipient(identity);

test('open of seal is identity', async () => {
  const anySecret = fc.uint8Array({ minLength: 32, maxLength: 32 });
  await fc.assert(
    fc.asyncProperty(anySecret, async (bytes) => {
      const secret = Uint8Array.from(bytes);
      expect(await openAge(identity, await sealToAge(recipient, secret))).toMatchObject({ secret });
    }),
    { numRuns: 20 },
  );
});

test('a changed byte is damage, or somebody else’s file', async () => {
  const file = await sealToAge(recipient, new Uint8Array(32));
  const change = fc.record({ at: fc.nat(file.length - 1), flip: fc.integer({ min: 1, max: 255 }) });
  await fc.assert(
    fc.asyncProperty(change, async ({ at, flip }) => {
      const changed = file.slice();
      changed[at] = (changed[at] ?? 0) ^ flip;
      const outcome = await settled(openAge(identity, changed));
      expect(outcome === null || outcome instanceof EncryptionError, `byte ${at}`).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('bytes that are no age file are damage', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      expect(await settled(openAge(identity, Uint8Array.from(bytes)))).toBeInstanceOf(EncryptionError);
    }),
  );
});

test('text that is no identity file is a failed unlock', async () => {
  const file = await sealToAge(recipient, new Uint8Array(32));
  const line = fc.oneof(
    fc.string(),
    fc.string().map((text) => `AGE-SECRET-KEY-PQ-1${text}`),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 4 }), async (lines) => {
      const outcome = await settled(openAge(lines.join('\n'), file));
      expect(outcome).toMatchObject({ name: 'UnlockError' });
    }),
  );
});
