/** An age identity as a credential: it opens what was made for it, alone, and no line of its file is shown. docs/decisions/0007-devices.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, expect } from 'vitest';
import { scenario, type BinaryVault, type RunOptions } from '../support/binary-vault.ts';

const get = ['get', 'canary'] as const;

interface Identity {
  readonly line: string;
  readonly file: string;
  readonly recipient: string;
}

/** An identity in a file as age-keygen writes it. */
async function identityIn(vault: BinaryVault, name: string): Promise<Identity> {
  const line = await generateHybridIdentity();
  const recipient = await identityToRecipient(line);
  const file = vault.in(name);
  writeFileSync(file, `# created: 2026-11-24T12:00:00Z\n# public key: ${recipient}\n${line}\n`);
  return { line, file, recipient };
}

/** Nothing but the identity. */
const by = (file: string): RunOptions => ({ env: { VAULT_PASSPHRASE: undefined, VAULT_AGE_IDENTITY: file } });

async function opens(vault: BinaryVault, file: string): Promise<void> {
  expect((await vault.ok(get, { ...by(file), shows: true })).stdout.toString()).toBe(vault.canary.value);
}

/** Where the secret half of an identity is to be found; its file is one place. */
function seenIn({ line }: Identity, ...texts: readonly (string | Uint8Array)[]): number {
  const secret = line.slice('AGE-SECRET-KEY-PQ-1'.length, -6);
  return texts.filter((text) => Buffer.from(text).toString('latin1').includes(secret)).length;
}

describe('an age identity', () => {
  scenario('opens what was made for it, without a passphrase', async (vault) => {
    const mine = await identityIn(vault, 'mine');
    const added = await vault.ok(['slot', 'add', '--age', 'mine', '--json']);
    expect(JSON.parse(added.stdout.toString())).toMatchObject({ type: 'age', token: null });
    await opens(vault, mine.file);
    await opens(vault, 'mine');
    await vault.ok(['put', 'more'], { ...by('mine'), input: 'x' });

    const listed = await vault.ok(['slot', 'ls'], by('mine'));
    expect(listed.stdout.toString()).toMatch(/^[\w-]{11} \* +age +- +age1pq1[a-z0-9]{17}…$/mu);
    expect(await vault.json(['slot', 'ls'], by('mine'))).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ type: 'age', inUse: true, since: null, device: mine.recipient }),
      ]),
    );
    const files = [readFileSync(vault.file), readFileSync(vault.log)];
    expect(seenIn(mine, added.stdout, added.stderr, listed.stdout, ...files)).toBe(0);
  });

  scenario('may stand in a file among others, and opens each of several slots', async (vault) => {
    const mine = await identityIn(vault, 'mine');
    const second = await identityIn(vault, 'second');
    await vault.ok(['slot', 'add', '--age', 'mine']);
    await vault.ok(['slot', 'add', '--age', 'second']);
    const old = await generateX25519Identity();
    writeFileSync(vault.in('all'), `${old}\n${await generateHybridIdentity()}\n${second.line}\n`);
    for (const file of [mine.file, second.file, 'all']) await opens(vault, file);
  });

  scenario('of somebody else opens nothing', async (vault) => {
    const other = await identityIn(vault, 'other');
    expect(await vault.fails(4, get, by('other'))).toMatch(/not opened by age identities/u);
    // It may be meant for other vaults.
    await vault.ok(get, { env: { VAULT_AGE_IDENTITY: 'other' }, shows: true });
    await identityIn(vault, 'mine');
    await vault.ok(['slot', 'add', '--age', 'mine']);
    const said = await vault.fails(4, get, by('other'));
    expect(said).toMatch(/age identity is not the one of this slot/u);
    expect(seenIn(other, said)).toBe(0);
    // A bad one is not passed over for a good passphrase.
    const { env } = by('other');
    await vault.fails(4, get, { env: { ...env, VAULT_PASSPHRASE: vault.environment()['VAULT_PASSPHRASE'] } });
    expect(await vault.json(['audit', '--op', 'unlock'])).toHaveLength(2);
  });

  scenario('is asked for by a file that holds one, and its lines are not shown', async (vault) => {
    const mine = await identityIn(vault, 'mine');
    await vault.ok(['slot', 'add', '--age', 'mine']);
    const bad: Readonly<Record<string, readonly [text: string | Uint8Array, says: RegExp]>> = {
      empty: ['', /has no identity/u],
      notes: [`remember ${mine.line}\n`, /something else than an age identity in line 1/u],
      mistyped: [`# a\n${mine.line.slice(0, -1)}\n`, /line 2 .*mistyped or cut/u],
      recipient: [mine.recipient, /something else than an age identity in line 1/u],
      binary: [Uint8Array.of(0xff, 0xfe, 0, 1), /something else than an age identity in line 1/u],
      ssh: ['-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl', /SSH/u],
      encrypted: ['age-encryption.org/v1\n-> scrypt', /encrypted/u],
      plugin: ['AGE-PLUGIN-YUBIKEY-1QQPQ6', /plugin/u],
    };
    for (const [name, [text, says]] of Object.entries(bad)) {
      writeFileSync(vault.in(name), text);
      const unlocking = await vault.fails(4, get, by(name));
      const adding = await vault.fails(4, ['slot', 'add', '--age', name]);
      expect([unlocking, adding]).toEqual([expect.stringMatching(says), expect.stringMatching(says)]);
      expect(seenIn(mine, unlocking, adding)).toBe(0);
    }
    expect(await vault.fails(3, get, by('nowhere'))).toMatch(/there is no file/u);
    writeFileSync(vault.in('long'), '#'.repeat(70_000));
    await vault.fails(2, get, by('long'));
  });

  scenario('for a new slot is one, and post-quantum', async (vault) => {
    const mine = await identityIn(vault, 'mine');
    writeFileSync(vault.in('two'), `${mine.line}\n${await generateHybridIdentity()}\n`);
    expect(await vault.fails(4, ['slot', 'add', '--age', 'two'])).toMatch(/several post-quantum identities/u);
    writeFileSync(vault.in('old'), await generateX25519Identity());
    expect(await vault.fails(4, ['slot', 'add', '--age', 'old'])).toMatch(/no post-quantum identity/u);
    await vault.ok(['slot', 'add', '--age', '-'], { input: `${mine.line}\n` });
    await opens(vault, mine.file);
  });

  scenario('is one factor', async (vault) => {
    const mine = await identityIn(vault, 'mine');
    await vault.ok(['slot', 'add', '--age', 'mine']);
    writeFileSync(vault.in('key'), new Uint8Array(32).fill(7));
    const words = ['slot', 'add', '--new-passphrase-file', '-', '--key-file', 'key'];
    await vault.ok([...words, '--kdf', 'pbkdf2', '--iterations', '100000'], { input: 'with a file' });
    const both = { env: { VAULT_PASSPHRASE: 'with a file', VAULT_KEY_FILE: 'key' } };
    await vault.ok(['policy', 'set', 'factors.everyone', '2'], both);
    expect(await vault.fails(5, get, by(mine.file))).toMatch(/two factors/u);
    await identityIn(vault, 'second');
    expect(await vault.fails(2, ['slot', 'add', '--age', 'second'], both)).toMatch(/two factors/u);
  });

  scenario('that is removed opens nothing any more', async (vault) => {
    const mine = await identityIn(vault, 'mine');
    const { id } = (await vault.json(['slot', 'add', '--age', 'mine'])) as { id: string };
    await opens(vault, mine.file);
    await vault.ok(['slot', 'rm', id, '--yes', '--no-recovery']);
    expect(await vault.fails(4, get, by(mine.file))).toMatch(/not opened by age identities/u);
  });

  scenario('is not known to a program that exec runs', async (vault) => {
    await identityIn(vault, 'mine');
    await vault.ok(['slot', 'add', '--age', 'mine']);
    const { stdout } = await vault.ok(['exec', '--only', 'canary', '--', 'env'], {
      ...by('mine'),
      shows: true,
    });
    expect(stdout.toString()).toContain(`CANARY=${vault.canary.value}`);
    expect(stdout.toString()).not.toContain('VAULT_AGE_IDENTITY');
  });
});
