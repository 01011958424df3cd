/** Files that the holder of a token makes with a program of its own: the binary refuses them with 7, whatever their numbers. */
import { copyFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { encodeBase64url } from '../../src/crypto/bytes.ts';
import { addToken, getWith, holding } from '../support/binary-team.ts';
import { scenario, type BinaryVault } from '../support/binary-vault.ts';
import { Forgery, type Signer } from '../support/forgery.ts';
import { placeIn, systemRandom } from '../support/sample-vault.ts';
import { openToken } from '../support/team.ts';

interface Forger {
  readonly signer: Signer;
  readonly owner: string;
}

/** A token for staging, with everything but administration; its signing key, as it stands in its bundle. */
async function forger(vault: BinaryVault): Promise<Forger> {
  await vault.put('db', 'of staging', '-e', 'staging');
  await vault.put('card', vault.canary.value, '-e', 'production');
  const token = await addToken(vault, 'ci', '--can read,rotate,write,delete --env staging');
  const open = await openToken(placeIn(vault.folder, { path: vault.file }), token);
  const { principal, signing } = open.identity;
  open.close();
  await vault.ok(['put', 'db', '--generate', '-e', 'staging'], holding(token));
  await vault.put('db', 'again', '-e', 'staging');
  return { signer: { principal, signing }, owner: Forgery.read(vault.file).one('header').by };
}

const opening = [
  ['verify'],
  ['get', 'card', '-e', 'production'],
  ['put', 'db', '--generate', '-e', 'staging'],
] as const;

/** Every forged file is refused by reading, writing and verifying commands, with memory and without; the true one is not. */
async function refused(
  vault: BinaryVault,
  forge: (forgery: Forgery, forger: Forger) => Promise<Signer | undefined>,
  commands: readonly (readonly string[])[] = [...opening, ['access', 'ls']],
  accept: readonly string[] = [],
): Promise<void> {
  const made = await forger(vault);
  const before = vault.in('before');
  copyFileSync(vault.file, before);
  const forgery = Forgery.read(vault.file);
  const by = (await forge(forgery, made)) ?? made.signer;
  await forgery.write(vault.file, by);
  for (const variables of [{}, { XDG_STATE_HOME: vault.in('another machine') }])
    for (const args of commands) await vault.fails(7, args, { env: variables });
  copyFileSync(before, vault.file);
  await vault.ok(['verify', ...accept]);
}

const numbers = { lower: (n: number) => n - 1, higher: (n: number) => n + 7 } as const;

describe.each(Object.keys(numbers) as (keyof typeof numbers)[])('with a %s number', (which) => {
  const numbered = (n: number): number => numbers[which](n);

  scenario(`a header is refused (${which})`, async (vault) => {
    await refused(vault, async (forgery, { signer }) => {
      const header = forgery.one('header');
      header.n = numbered(header.n);
      for (const entry of header.principals)
        if (entry.id === signer.principal) entry.read.push(forgery.environment('production'));
      await forgery.sign(header, signer);
      return undefined;
    });
  });

  for (const kind of ['names', 'values'] as const)
    scenario(`${kind} of production are refused (${which})`, async (vault) => {
      await refused(vault, async (forgery, { signer, owner }) => {
        const part = forgery.one(kind, forgery.environment('production'));
        part.n = numbered(part.n);
        await forgery.signWith(part, signer.signing);
        expect(part.by).toBe(owner);
        return undefined;
      });
    });

  scenario(`changes of production are refused (${which})`, async (vault) => {
    await refused(vault, async (forgery, { signer }) => {
      const values = forgery.one('values', forgery.environment('production'));
      const { environment, epoch, time, seen } = values;
      const fields = { environment, epoch, n: numbered(2), time, by: signer.principal, seen };
      const line = { kind: 'changes' as const, ...fields, base: '', digest: '', size: 0, sig: '' };
      line.base = forgery.lineDigest(values);
      forgery.head.splice(forgery.head.indexOf(values) + 1, 0, line);
      forgery.shards.set(line, ['']);
      await forgery.signPart(line, signer);
      return undefined;
    });
  });

  scenario(`a snapshot in the owner’s name is refused (${which})`, async (vault) => {
    await refused(vault, async (forgery, { signer, owner }) => {
      forgery.snapshot.n = numbered(forgery.snapshot.n) - 1;
      return Promise.resolve({ principal: owner, signing: signer.signing });
    });
  });
});

describe('a forged file', () => {
  scenario('with a root of its own is refused', async (vault) => {
    await refused(vault, async (forgery, { signer }) => {
      const last = forgery.one('root');
      const root = { ...structuredClone(last), n: 1, prev: forgery.lineDigest(last) };
      root.admins = [[signer.principal, encodeBase64url(signer.signing.publicKey)]];
      forgery.insert(await forgery.sign(root, signer), 'root');
      forgery.one('header').root = forgery.lineDigest(root);
      await forgery.signHeader(signer);
      return undefined;
    });
  });

  // Nobody signs grants, so the file is taken for a newer one, and refused where a grant does not open: docs/threat-model.md, "Insider".
  scenario('with other grants for the owner is refused where they are used', async (vault) => {
    const forge = async (forgery: Forgery, { owner }: Forger): Promise<undefined> => {
      for (const grant of forgery.all('grant'))
        if (grant.principal === owner) grant.ct = encodeBase64url(systemRandom(96));
      return Promise.resolve(undefined);
    };
    await refused(vault, forge, opening, ['--accept-rollback']);
  });

  scenario('that is older than what this machine knows is refused, and named', async (vault) => {
    const { signer } = await forger(vault);
    const forgery = Forgery.read(vault.file);
    const part = forgery.one('values', forgery.environment('staging'));
    part.n -= 1;
    part.seen = { header: 0, parts: [] };
    await forgery.sign(part, signer);
    await forgery.write(vault.file, signer);
    const message = await vault.fails(7, ['get', 'db', '-e', 'staging', '--json']);
    expect(JSON.parse(message)).toMatchObject({ code: 'ROLLBACK' });
  });

  scenario('is none where a token only published what is there', async (vault) => {
    const { signer } = await forger(vault);
    await Forgery.read(vault.file).write(vault.file, signer);
    expect(await vault.text('db', '-e', 'staging')).toBe('again');
    await vault.ok(['verify']);
    await vault.put('db', 'on top', '-e', 'staging');
    const reader = await addToken(vault, 'reader', '--can read --env staging');
    expect(await getWith(vault, reader, 'db')).toBe('on top');
  });
});
