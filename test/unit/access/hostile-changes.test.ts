/** Who may only rotate, and has a program of its own: it hides nothing, and what it spoils can be put right. */
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeBase64url } from '../../../src/crypto/bytes.ts';
import type { ValueLine } from '../../../src/format/lines.ts';
import { purgeSecret } from '../../../src/vault/operations/move.ts';
import { verifyVault } from '../../../src/vault/operations/verify.ts';
import type { Place } from '../../../src/vault/place.ts';
import { failureOf } from '../../support/failure.ts';
import { Forgery, type Open, type Signer } from '../../support/forgery.ts';
import { get, put, systemRandom, type SampleVault } from '../../support/sample-vault.ts';
import { add, as, asOwner, openToken, otherMachine, remove, teamVault } from '../../support/team.ts';

let team: SampleVault;
let tokens: Record<'rotator' | 'second' | 'writer', string>;

beforeEach(async () => {
  team = await teamVault(['production']);
  tokens = await asOwner(team, async (owner) => {
    await put(owner, 'db', 'one');
    await put(owner, 'other', 'another');
    const env = 'production';
    return {
      rotator: await add(owner, 'rotator', { can: 'rotate', env }),
      second: await add(owner, 'second', { can: 'rotate', env }),
      writer: await add(owner, 'writer', { can: 'read,write', env }),
    };
  });
  await as(team.place, tokens.rotator, async (vault) => put(vault, 'db', 'two', { operation: 'rotate' }));
});

async function signerOf(token: string): Promise<Signer> {
  const vault = await openToken(team.place, token);
  const { principal, signing } = vault.identity;
  vault.close();
  return { principal, signing };
}

const read = async (place: Place): Promise<string> =>
  asOwner({ ...team, place }, async (owner) => get(owner, 'db'));

describe('another one’s versions, left out', () => {
  async function leftOut(change: (forgery: Forgery) => void): Promise<void> {
    const second = await signerOf(tokens.second);
    const forgery = Forgery.read(team.place.path);
    const first = forgery.all('changes').find(({ by }) => by !== second.principal);
    if (first === undefined) throw new Error('no changes');
    forgery.remove(first);
    change(forgery);
    const own = forgery.all('changes').find(({ by }) => by === second.principal);
    if (own !== undefined) await forgery.signPart(own, second);
    await forgery.write(team.place.path, second);
  }

  test('by who has signed that it saw them: everybody refuses', async () => {
    await as(team.place, tokens.second, async (vault) => put(vault, 'other', 'x', { operation: 'rotate' }));
    await leftOut(() => undefined);
    for (const place of [team.place, otherMachine(team)])
      expect(await failureOf(read(place))).toMatchObject({ exitCode: 7, code: 'ROLLBACK' });
  });

  test('by who says that it saw nothing: who has seen them refuses', async () => {
    expect(await read(team.place)).toBe('two');
    await as(team.place, tokens.second, async (vault) => put(vault, 'other', 'x', { operation: 'rotate' }));
    await leftOut((forgery) => {
      for (const line of forgery.all('changes')) line.seen = { header: 0, parts: [] };
    });
    expect(await failureOf(read(team.place))).toMatchObject({ exitCode: 7, code: 'ROLLBACK' });
    // A machine without memory cannot tell: docs/threat-model.md, "Insider".
    expect(await read(otherMachine(team))).toBe('one');
  });
});

/** The newest version as its author spoils it: rightly signed, and sealed to nobody. */
async function spoil(member: 'ct' | 'note'): Promise<void> {
  const rotator = await signerOf(tokens.rotator);
  const forgery = Forgery.read(team.place.path);
  const part = forgery.one('changes', rotator.principal);
  const lines = (forgery.shards.get(part) ?? []).join('').split('\n').slice(0, -1);
  const value = JSON.parse(lines[0] ?? '') as Open<ValueLine>;
  value[member] = encodeBase64url(systemRandom(1_216));
  await forgery.sign(value, rotator);
  forgery.shards.set(part, [`${JSON.stringify(value)}\n`]);
  part.n += 1;
  await forgery.signPart(part, rotator);
  await forgery.write(team.place.path, rotator);
}

describe('a version that opens for nobody', () => {
  test('is damage that verify finds; what was there before is there', async () => {
    await spoil('ct');
    await asOwner(team, async (owner) => {
      expect((await failureOf(get(owner, 'db'))).exitCode).toBe(7);
      expect(await get(owner, 'db', 1)).toBe('one');
      expect(await get(owner, 'other')).toBe('another');
      const verifying = owner.read('verify', async (scope) => verifyVault(scope, owner.place));
      expect((await failureOf(verifying)).exitCode).toBe(7);
    });
  });

  test('is replaced by a writer', async () => {
    await spoil('ct');
    await as(team.place, tokens.writer, async (vault) => {
      await put(vault, 'db', 'three');
      expect(await get(vault, 'db')).toBe('three');
    });
  });

  test.each(['ct', 'note'] as const)(
    'is purged, and its author removed, by an administrator: %s',
    async (member) => {
      await spoil(member);
      await asOwner(team, async (owner) => {
        await owner.write('purge', async (scope) => purgeSecret(scope, null, 'db'));
        await remove(owner, 'rotator');
        expect(await get(owner, 'other')).toBe('another');
        await owner.read('verify', async (scope) => verifyVault(scope, owner.place));
      });
    },
  );

  test('does not keep its author in the vault', async () => {
    await spoil('ct');
    await asOwner(team, async (owner) => remove(owner, 'rotator'));
  });

  test('is replaced by a writer, where only its note does not open', async () => {
    await spoil('note');
    await as(team.place, tokens.writer, async (vault) => put(vault, 'db', 'three'));
  });
});
