/**
 * What a principal has checked once it does not check again on the same machine; and nobody else can say that it has. The forged file is the
 * worst case: a part of production by somebody with no right to it, in the place that the machine remembers, by somebody who can also
 * write what the machine remembers. docs/threat-model.md.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { encodeBase64url, parseBase64url, utf8 } from '../../../src/crypto/bytes.ts';
import { deriveKey, hmacSha256 } from '../../../src/crypto/hash.ts';
import { encodeToken, parseToken } from '../../../src/format/key-text.ts';
import type { Remembered } from '../../../src/storage/state-store.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery, type Signer } from '../../support/forgery.ts';
import { put, systemRandom, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, getIn, teamVault } from '../../support/team.ts';

interface Member extends Signer {
  readonly token: string;
  readonly wrapKey: Uint8Array<ArrayBuffer>;
}

let sample: SampleVault;
let reader: Member;
let hostile: Member;
let forgery: Forgery;

async function member(token: string): Promise<Member> {
  return as(sample.place, token, async ({ identity }) =>
    Promise.resolve({
      token,
      principal: identity.principal,
      signing: identity.signing,
      wrapKey: identity.wrapKey.slice(),
    }),
  );
}

const read = async (): Promise<string> =>
  as(sample.place, reader.token, async (vault) => getIn(vault, 'staging', 'db'));

function stateFile(): string {
  const folder = sample.place.stateFolder ?? '';
  const [only = '', ...more] = readdirSync(folder).filter((name) => name.endsWith('.json'));
  expect(more).toEqual([]);
  return path.join(folder, only);
}

const remembered = (): Remembered => JSON.parse(readFileSync(stateFile(), 'utf8')) as Remembered;

function rewrite(changes: Partial<Remembered>): void {
  writeFileSync(stateFile(), JSON.stringify({ ...remembered(), ...changes }));
}

/** The file forged, and the machine told that it knows it. */
async function forge(): Promise<void> {
  const names = forgery.one('names', forgery.environment('production'));
  names.n += 1;
  await forgery.sign(names, hostile);
  await forgery.write(sample.place.path, hostile);
  rewrite({ head: forgery.snapshot.head, generation: forgery.snapshot.n, parts: [] });
}

/** What a principal would say of the forged file, by a key. */
async function tagBy(key: Uint8Array<ArrayBuffer>, principal: string): Promise<string> {
  const { domain, snapshot } = forgery;
  const derived = await deriveKey(domain, key, 'checked', principal);
  const said = domain.encode('checked', utf8(JSON.stringify(snapshot)));
  return encodeBase64url(await hmacSha256(derived, said));
}

beforeEach(async () => {
  sample = await teamVault(['staging', 'production']);
  const [first, second] = await asOwner(sample, async (vault) => {
    for (const environment of ['staging', 'production']) await put(vault, 'db', 'one', { environment });
    return [
      await add(vault, 'reader', { can: 'read', env: 'staging' }),
      await add(vault, 'hostile', { can: 'read,write', env: 'staging' }),
    ];
  });
  reader = await member(first);
  hostile = await member(second);
  expect(await read()).toBe('one');
  forgery = Forgery.read(sample.place.path);
});

test('whoever read here has vouched, each by a word of its own', async () => {
  const own = remembered().checked;
  expect(own).toHaveLength(43);
  expect(own).toBe(await tagBy(reader.wrapKey, reader.principal));
  await as(sample.place, hostile.token, async (vault) => getIn(vault, 'staging', 'db'));
  expect(remembered().checked).not.toBe(own);
  expect(await read()).toBe('one');
  expect(remembered().checked).toBe(own);
});

test.each<[string, () => Promise<string>]>([
  ['of nobody', async () => Promise.resolve('')],
  ['that the reader gave to the true file', async () => Promise.resolve(remembered().checked)],
  ['of the forger', async () => tagBy(hostile.wrapKey, hostile.principal)],
  ['of the forger in the name of the reader', async () => tagBy(hostile.wrapKey, reader.principal)],
  ['of zeros', async () => Promise.resolve(encodeBase64url(new Uint8Array(32)))],
])('a forged file is refused with the word %s', async (_, said) => {
  const before = remembered().checked;
  await forge();
  rewrite({ checked: before });
  rewrite({ checked: await said() });
  const error = await failureOf(read());
  expect([error.exitCode, error.code]).toEqual([7, 'INTEGRITY']);
  expect(error.message).toContain('names: its signer lacks the right');
});

test('with the word of the reader itself nothing is checked again: so the key that gives it is worth what the credential is', async () => {
  await forge();
  rewrite({ checked: await tagBy(reader.wrapKey, reader.principal) });
  expect(await read()).toBe('one');
});

test('what was vouched for does not open with a wrong token, nor after the time of its principal', async () => {
  const parts = parseToken(reader.token);
  const wrong = encodeToken(parseBase64url(parts?.slot ?? '') ?? new Uint8Array(8), systemRandom(32));
  expect((await failureOf(as(sample.place, wrong, async () => Promise.resolve()))).exitCode).toBe(4);
  const later = { ...sample.place, now: () => new Date('2090-01-01T00:00:00Z') };
  const token = await asOwner(sample, async (vault) =>
    add(vault, 'brief', { can: 'read', env: 'staging' }, new Date('2080-01-01T00:00:00Z')),
  );
  const brief = async (place: typeof later): Promise<string> =>
    as(place, token, async (vault) => getIn(vault, 'staging', 'db'));
  expect(await brief(sample.place)).toBe('one');
  expect((await failureOf(brief(later))).exitCode).toBe(5);
});
