/** Taking access away with the built binary: of a token, of a person, of an administrator, of a credential that somebody else may have. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { addToken, getWith, holding, Person, shownOnce } from '../support/binary-team.ts';
import { fastKdf, passphrase, scenario, type BinaryVault } from '../support/binary-vault.ts';

const hers = 'a passphrase of hers';
const next = 'a fresh passphrase';

/** Somebody with a passphrase that the owner has set. */
async function addPerson(vault: BinaryVault, name: string, flags: string, given: string): Promise<Person> {
  const file = vault.credentialFile(`passphrase of ${name}`, given);
  await vault.ok(['access', 'add', name, ...flags.split(' '), '--new-passphrase-file', file, ...fastKdf]);
  return new Person(vault, name, given);
}

/** From the moment that there are several with a passphrase, each says who they are. */
const owner = (given = passphrase) => ({ env: { VAULT_PRINCIPAL: 'owner', VAULT_PASSPHRASE: given } });

async function slotOf(vault: BinaryVault, type: string, options = owner()): Promise<string> {
  const slots = (await vault.json(['slot', 'ls'], options)) as { id: string; type: string; inUse: boolean }[];
  return slots.find((slot) => slot.type === type && !slot.inUse)?.id ?? '';
}

describe('access rm', () => {
  scenario('shuts one token out, and nobody else; its old file is refused', async (vault) => {
    const ci = await addToken(vault, 'ci', '--can read,write --env development');
    const cron = await addToken(vault, 'cron', '--can read --env development');
    const ada = await addPerson(vault, 'ada', '--can read,write --env development', hers);
    await vault.ok(['put', 'db', '--exact'], { ...holding(ci), input: 'by ci' });
    copyFileSync(vault.file, vault.in('old'));
    const said = await vault.ok(['access', 'rm', 'ci', '--yes'], owner());
    expect(said.stderr).toMatch(/new keys for development\n/u);
    await vault.fails(4, ['get', 'db'], holding(ci));
    expect(await getWith(vault, cron, 'db')).toBe('by ci');
    expect(await ada.ok('get', 'db')).toBe('by ci');
    await ada.put('db', 'by ada');
    await vault.ok(['verify'], owner());

    const kept = readFileSync(vault.file);
    copyFileSync(vault.in('old'), vault.file);
    await vault.fails(7, ['get', 'db'], owner());
    await ada.fails(7, 'get', 'db');
    const lines = (bytes: Buffer): string[] => bytes.toString('utf8').split('\n');
    const header = lines(readFileSync(vault.in('old'))).find((line) => line.startsWith('{"kind":"header"'));
    writeFileSync(
      vault.file,
      lines(kept)
        .map((line) => (line.startsWith('{"kind":"header"') ? (header ?? '') : line))
        .join('\n'),
    );
    await vault.fails(7, ['get', 'db'], owner());
    writeFileSync(vault.file, kept);
    expect(await ada.ok('get', 'db')).toBe('by ada');
  });

  scenario('asks first, and does nothing where nobody can answer', async (vault) => {
    const ci = await addToken(vault, 'ci', '--can read --env development');
    for (const args of [
      ['access', 'rm', 'ci'],
      ['access', 'revoke', 'ci'],
      ['offboard', 'ci', '--json'],
      ['env', 'rm', 'testing'],
    ])
      expect((await vault.run(args)).status).toBe(2);
    expect(await getWith(vault, ci, 'canary')).toBe(vault.canary.value);
    expect(await vault.json(['env', 'ls'])).toHaveLength(4);
  });
});

describe('administrators', () => {
  scenario('are made, demoted and removed by each other; the last one stays', async (vault) => {
    const ada = await addPerson(vault, 'ada', '--can list --env development', hers);
    await ada.fails(5, 'access', 'grant', 'ada', '--can', 'admin');
    await vault.ok(['access', 'grant', 'ada', '--can', 'admin'], owner());
    await vault.fails(2, ['access', 'rm', 'owner', '--yes'], owner());
    await vault.fails(2, ['access', 'revoke', 'owner', '--can', 'admin'], owner());
    await ada.ok('access', 'add', 'ci', '--can', 'read', '--env', 'development', '--invite', '--quiet');
    await vault.ok(['access', 'revoke', 'ada', '--can', 'admin'], owner());
    await ada.fails(5, 'get', 'canary');
    await ada.fails(5, 'access', 'rm', 'ci', '--yes');
    await vault.fails(5, ['access', 'revoke', 'owner', '--can', 'admin'], owner());
    await vault.fails(5, ['access', 'grant', 'owner', '--expires', '1h'], owner());
    await vault.ok(['access', 'grant', 'ada', '--can', 'admin'], owner());
    await vault.ok(['access', 'rm', 'ada', '--yes'], owner());
    await ada.fails(4, 'ls');
    await vault.ok(['verify']);
    expect(await vault.text('canary')).toBe(vault.canary.value);
  });

  scenario('removed, leave tokens behind that are to be reissued', async (vault) => {
    const ci = await addToken(vault, 'ci', '--can read --env development');
    await addToken(vault, 'boss', '--can admin');
    await vault.ok(['access', 'rm', 'boss', '--yes']);
    expect((await vault.ok(['status'])).stdout.toString()).toContain('reissue the token of ci');
    const due = await vault.run(['offboard', '--status']);
    expect([due.status, due.stdout.toString()]).toEqual([1, expect.stringContaining('token of ci')]);
    await shownOnce(vault, ['access', 'reissue', 'ci', '--token']);
    await vault.fails(4, ['get', 'canary'], holding(ci));
    expect((await vault.ok(['status'])).stdout.toString()).not.toContain('reissue');
  });
});

describe('a credential that somebody else may have', () => {
  scenario('of the owner goes at once: passwd --compromised, slot rm', async (vault) => {
    const ci = await addToken(vault, 'ci', '--can read --env development');
    const file = vault.credentialFile('new', next);
    const args = ['passwd', '--compromised', '--new-passphrase-file', file, ...fastKdf];
    await vault.fails(2, args);
    const said = await vault.ok([...args, '--recovery-file', 'recovery']);
    vault.watch(readFileSync(vault.asked(vault.in('recovery')), 'utf8').trim());
    expect(said.stderr).toContain('gone: passphrase');
    await vault.fails(4, ['get', 'canary']);
    const opened = await vault.ok(['get', 'canary'], { ...owner(next), shows: true });
    expect(opened.stdout.toString()).toBe(vault.canary.value);
    expect(await getWith(vault, ci, 'canary')).toBe(vault.canary.value);

    // The recovery key is lost, too: it goes, with new keys again.
    const id = await slotOf(vault, 'recovery', owner(next));
    await vault.ok(['slot', 'rm', id, '--yes', '--no-recovery'], owner(next));
    const recover = [
      'recover',
      '--recovery-key-file',
      'recovery',
      '--new-passphrase-file',
      file,
      '--no-recovery',
    ];
    await vault.fails(4, [...recover, ...fastKdf]);
    await vault.ok(['verify'], owner(next));
    expect(await vault.json(['env', 'ls'], owner(next))).toMatchObject([{ epoch: 3 }, {}, {}, {}]);
    await vault.fails(
      5,
      ['slot', 'rm', await inUse(vault, owner(next)), '--yes', '--no-recovery'],
      owner(next),
    );
    await vault.fails(2, ['slot', 'rm', 'AAAAAAAAAAA', '--yes', '--no-recovery'], owner(next));
  });

  scenario('of somebody else leaves a mark until an administrator makes new keys', async (vault) => {
    const ada = await addPerson(vault, 'ada', '--can read,write --env development', hers);
    const file = vault.credentialFile('new', next);
    const said = await vault.ok(
      ['passwd', '--compromised', '--new-passphrase-file', file, ...fastKdf],
      ada.options,
    );
    expect(said.stderr).toContain('access reissue');
    await ada.fails(4, 'get', 'canary');
    const again = new Person(vault, 'ada', next);
    expect(await again.ok('get', 'canary')).toBe(vault.canary.value);
    expect(await vault.json(['slot', 'ls'], again.options)).toHaveLength(2);
    expect((await vault.ok(['status'], owner())).stdout.toString()).toMatch(/re-key due: ada/u);
    expect(await vault.json(['access', 'ls', '--due'], owner())).toMatchObject([{ name: 'ada' }]);
    expect((await vault.ok(['access', 'ls'], owner())).stdout.toString()).toContain('re-key due');
    await again.fails(5, 'access', 'reissue', 'ada', '--token');
    const token = await shownOnce(vault, ['access', 'reissue', 'ada', '--token', '--compromised'], owner());
    expect((await vault.ok(['status'], owner())).stdout.toString()).not.toContain('re-key due');
    expect(await vault.json(['access', 'ls', '--due'], owner())).toEqual([]);
    await again.fails(4, 'get', 'canary');
    expect(await getWith(vault, token, 'canary')).toBe(vault.canary.value);
    expect((await vault.run(['offboard', 'ada', '--status'])).status).toBe(1);
    await vault.ok(['verify']);
  });
});

async function inUse(vault: BinaryVault, options = owner()): Promise<string> {
  const slots = (await vault.json(['slot', 'ls'], options)) as { id: string; inUse: boolean }[];
  return slots.find((slot) => slot.inUse)?.id ?? '';
}
