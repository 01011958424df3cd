/**
 * The age test kit (CCTV, by the author of age) against `openAge`, which takes less than age does: one stanza, post-quantum, and
 * 32 bytes. docs/format.md section 8.
 */
import * as kit from 'cctv-age';
import { describe, expect, test } from 'vitest';
import { openAge } from '../../src/crypto/age.ts';
import { settled } from '../support/failure.ts';

interface Vector {
  readonly identities: string;
  readonly file: Uint8Array<ArrayBuffer>;
}

/** A vector: fields, an empty line, and the age file, compressed where they say so. */
async function parseVector(bytes: Uint8Array): Promise<Vector> {
  const all = Buffer.from(bytes);
  const end = all.indexOf('\n\n');
  const fields = all
    .subarray(0, end)
    .toString('utf8')
    .split('\n')
    .map((line) => line.split(': ') as [string, string]);
  const rest = all.subarray(end + 2);
  const { inflateSync } = await import('node:zlib');
  const compressed = fields.some(([name]) => name === 'compressed');
  const identities = fields.filter(([name]) => name === 'identity').map(([, identity]) => identity);
  return { identities: identities.join('\n'), file: Uint8Array.from(compressed ? inflateSync(rest) : rest) };
}

/** Whose outcome is not "malformed": the one stanza is whole, and for somebody else as far as anyone can tell. */
const notOurs = ['hybrid_bad_tag', 'hybrid_currupted_enc_mlkem', 'hybrid_currupted_enc_x25519', 'hybrid_no_match'];

const vectors = Object.entries(kit as Readonly<Record<string, unknown>>).filter(
  (entry): entry is [string, Uint8Array] => entry[1] instanceof Uint8Array,
);

async function outcomeOf(bytes: Uint8Array): Promise<unknown> {
  const { identities, file } = await parseVector(bytes);
  // A file to a passphrase comes with no identity.
  return settled(openAge(identities === '' ? 'AGE-SECRET-KEY-1NONE' : identities, file));
}

describe('the age test kit', () => {
  test('has what this suite was written for', () => {
    const names = vectors.map(([name]) => name);
    expect(names.length).toBeGreaterThan(130);
    expect(names).toEqual(expect.arrayContaining([...notOurs, 'hybrid', 'hybrid_and_x25519', 'hybrid_low_order']));
  });

  test('hybrid: opens, and holds something else than the 32 bytes of a slot', async () => {
    const [, bytes] = vectors.find(([name]) => name === 'hybrid') ?? [];
    const outcome = await outcomeOf(bytes ?? new Uint8Array(0));
    expect(outcome).toMatchObject({ name: 'EncryptionError', message: expect.stringContaining('32 bytes') as string });
  });

  for (const [name, bytes] of vectors) {
    test(name, async () => {
      const outcome = await outcomeOf(bytes);
      if (notOurs.includes(name)) expect(outcome).toBeNull();
      else expect(outcome).toMatchObject({ name: 'EncryptionError' });
    });
  }
});
