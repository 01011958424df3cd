/** PKCS #11 URIs: what is encoded parses back, and what a slot accepts has one spelling. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodePkcs11Uri, parsePkcs11Uri, parseStoredPkcs11Uri } from '../../src/format/pkcs11-uri.ts';
import { attempt, kindOf } from '../support/failure.ts';

const text = (most: number): fc.Arbitrary<string | null> =>
  fc.option(
    fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: most })
      .filter((value) => !/\p{Cc}/u.test(value) && Buffer.byteLength(value) <= most),
  );
const bytes = fc.uint8Array({ minLength: 1, maxLength: 20 });
const hex = fc.option(bytes.map((value) => Buffer.from(value).toString('hex')));
const anyUri = fc.record({
  token: text(32),
  manufacturer: text(32),
  model: text(16),
  serial: text(16),
  slotId: fc.option(fc.nat().map(String)),
  object: text(255),
  id: hex,
});

test('parse of encode is identity', () => {
  fc.assert(
    fc.property(anyUri, (uri) => {
      expect(parsePkcs11Uri(encodePkcs11Uri(uri))).toMatchObject(uri);
    }),
  );
});

const shaped = fc
  .array(
    fc.tuple(
      fc.constantFrom('token', 'id', 'object', 'serial', 'type'),
      fc.stringMatching(/^[%a-fA-F0-9;=]*$/u),
    ),
  )
  .map((parts) => `pkcs11:${parts.map(([name, value]) => `${name}=${value}`).join(';')}`);

test('what a slot accepts it would write again, and what nobody accepts fails as documented', () => {
  fc.assert(
    fc.property(fc.oneof(shaped, fc.string()), (candidate) => {
      const typed = attempt(() => parsePkcs11Uri(candidate));
      const stored = attempt(() => encodePkcs11Uri(parseStoredPkcs11Uri(candidate)));
      expect(['value', 'UsageError']).toContain(kindOf(typed));
      expect([candidate, 'IntegrityError']).toContain(typeof stored === 'string' ? stored : kindOf(stored));
    }),
    { numRuns: 1_000 },
  );
});
