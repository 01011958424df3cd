/** `vault backup verify`: what is whole, what is not, and that nothing is written to either. */
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect } from 'vitest';
import { contentsOf, folderOf, logOf, namesIn, recorded, take } from '../support/backups.ts';
import { addToken, holding } from '../support/binary-team.ts';
import { BinaryVault, fastKdf, scenario } from '../support/binary-vault.ts';

const verify = (file: string): string[] => ['backup', 'verify', file];

/** Bits of a file, one in each of as many equal stretches, anywhere in it. */
function* flipped(sound: Buffer, count: number): Generator<readonly [where: string, bytes: Buffer]> {
  for (let index = 0; index < count; index++) {
    const stretch = sound.length / count;
    const at = Math.floor(stretch * (index + Math.random()));
    const bit = Math.floor(Math.random() * 8);
    const damaged = Buffer.from(sound);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
    yield [`bit ${bit} of byte ${at}`, damaged];
  }
}

describe('vault backup verify', () => {
  scenario('says what the backup holds, and is on record', async (vault) => {
    const file = await take(vault, ['copy']);
    const { stdout, stderr } = await vault.ok(verify('copy'));
    expect([stdout.toString('utf8'), stderr]).toEqual([
      '',
      'vault: generation 2 holds: 1 secrets, 1 versions, 3 audit records\n',
    ]);
    expect(await vault.ok([...verify(file), '--quiet'])).toMatchObject({ stderr: '' });
    expect(recorded(vault.log, 'backup-verify')).toEqual(['backup-verify', 'backup-verify']);
    await vault.ok(['audit', 'verify']);
  });

  scenario('refuses a copy or a log with any bit of it flipped: exit 7', async (vault) => {
    await addToken(vault, 'ci', '--can read --env staging');
    await vault.put('canary', vault.canary.value);
    const file = await take(vault, ['sound']);
    const [sound, log] = [readFileSync(file), readFileSync(logOf(file))];
    const variants = [
      ...[...flipped(sound, 40)].map(([where, bytes]) => ({ where, bytes, log })),
      ...[...flipped(log, 20)].map(([where, bytes]) => ({
        where: `${where} of the log`,
        bytes: sound,
        log: bytes,
      })),
    ];
    const passed: unknown[] = [];
    for (const [index, { where, bytes, log: beside }] of variants.entries()) {
      const copy = vault.in(`copy-${index}`);
      writeFileSync(copy, bytes);
      writeFileSync(logOf(copy), beside);
      const { status, stdout } = await vault.run(verify(copy));
      if (status !== 7 || stdout.length > 0) passed.push([where, status]);
    }
    expect(passed).toEqual([]);
    // Of the vault that is here, nothing was wrong.
    await vault.ok(['verify']);
  });

  scenario('refuses what is cut, empty, or no vault: exit 7', async (vault) => {
    const file = await take(vault, ['copy']);
    const [sound, log] = [readFileSync(file), readFileSync(logOf(file))];
    for (const size of [0, 1, 100, sound.length / 2, sound.length - 1]) {
      writeFileSync(file, sound);
      truncateSync(file, Math.floor(size));
      await vault.fails(7, verify(file));
    }
    writeFileSync(file, sound);
    for (const size of [1, log.length / 2, log.length - 1]) {
      writeFileSync(logOf(file), log.subarray(0, Math.floor(size)));
      await vault.fails(7, verify(file));
    }
    const lines = log.toString('utf8').split('\n');
    writeFileSync(logOf(file), [...lines.slice(0, -2), ''].join('\n'));
    expect(await vault.fails(7, verify(file))).toContain('it was cut');
    for (const text of ['', 'A=1\n', '{}\n', log.toString('utf8')]) {
      writeFileSync(vault.in('other'), text);
      await vault.fails(7, verify('other'));
    }
    // What could be unlocked and was found wrong is on record.
    expect(recorded(vault.log, 'backup-verify').every((one) => one === 'backup-verify INTEGRITY')).toBe(true);
    expect(recorded(vault.log, 'backup-verify')).toHaveLength(4);
  });

  scenario('refuses links, folders, pipes; says which file is missing', async (vault) => {
    await take(vault, ['copy']);
    symlinkSync('copy', vault.in('link'));
    mkdirSync(vault.in('folder'));
    await vault.shell('mkfifo fifo');
    for (const file of ['link', 'folder', 'fifo', '/dev/zero']) await vault.fails(7, verify(file));
    expect(await vault.fails(3, verify('none'))).toContain(`there is no backup ${vault.in('none')}`);
    await vault.fails(2, verify(''));
    rmSync(vault.in('copy.audit.jsonl'));
    symlinkSync(vault.log, vault.in('copy.audit.jsonl'));
    await vault.fails(7, verify('copy'));
  });

  scenario('with a wrong passphrase: exit 4, and nothing is written anywhere', async (vault) => {
    const file = await take(vault);
    const before = [contentsOf(folderOf(vault)), readFileSync(vault.log)];
    await vault.fails(4, verify(file), { env: { VAULT_PASSPHRASE: 'wrong' } });
    await vault.fails(4, verify(file), { env: { VAULT_PASSPHRASE: undefined } });
    await vault.fails(4, verify(file), holding(`vlt1_${'0'.repeat(60)}`));
    expect([contentsOf(folderOf(vault)), readFileSync(vault.log)]).toEqual(before);
  });

  scenario('writes nothing to the copy, its log or beside them', async (vault) => {
    const file = await take(vault);
    const before = contentsOf(folderOf(vault));
    await vault.ok(verify(file));
    expect(contentsOf(folderOf(vault))).toEqual(before);
  });

  scenario('works without the vault, and beside another one: then it is not on record', async (vault) => {
    const file = await take(vault, ['copies/']);
    const other = await BinaryVault.make();
    const log = readFileSync(other.log);
    const beside = await other.ok(verify(file));
    expect(beside.stderr).toContain('not on record');
    expect(readFileSync(other.log)).toEqual(log);
    rmSync(vault.in('.vault'), { recursive: true });
    const { stderr } = await vault.ok(verify(file));
    expect(stderr).toContain('not on record');
    vault.forget();
    await vault.ok(verify(file));
    expect(namesIn(vault.folder)).toEqual(['copies']);
  });

  scenario('takes the credential of its own time', async (vault) => {
    const file = await take(vault);
    vault.credentialFile('next', 'a later passphrase');
    await vault.ok(['passwd', '--new-passphrase-file', 'next', ...fastKdf]);
    await vault.fails(4, verify(file), { env: { VAULT_PASSPHRASE: 'a later passphrase' } });
    await vault.ok(verify(file));
    expect(recorded(vault.log, 'backup-verify')).toEqual(['backup-verify']);
    // With keys of their own made anew the old ones can put nothing on record.
    const env = { VAULT_PASSPHRASE: 'a later passphrase' };
    vault.credentialFile('third', 'a third passphrase');
    const words = ['passwd', '--compromised', '--no-recovery', '--new-passphrase-file', 'third', ...fastKdf];
    await vault.ok(words, { env });
    expect((await vault.ok(verify(file))).stderr).toContain('not on record');
    await vault.ok(['verify'], { env: { VAULT_PASSPHRASE: 'a third passphrase' } });
  });

  scenario('is not on record in the backup itself, also where that is all there is', async (vault) => {
    mkdirSync(vault.in('alone'));
    const file = await take(vault, ['alone/copy.vault']);
    const before = contentsOf(vault.in('alone'));
    expect((await vault.ok(verify('copy.vault'), { cwd: vault.in('alone') })).stderr).toContain(
      'not on record',
    );
    await vault.ok([...verify(file), '--vault', file]);
    expect(contentsOf(vault.in('alone'))).toEqual(before);
    expect(await vault.fails(2, ['backup', 'restore', file, '--yes', '--vault', file])).toContain(
      'the vault itself',
    );
  });

  scenario('by token, as far as it opens', async (vault) => {
    const token = await addToken(vault, 'ci', '--can read --env staging');
    const file = await take(vault);
    const { stderr } = await vault.ok(verify(file), holding(token));
    expect(stderr).toContain('not opened, for lack of access: development, production, testing');
    await vault.ok(['access', 'rm', 'ci', '--yes']);
    expect((await vault.ok(verify(file), holding(token))).stderr).toContain('not on record');
  });

  scenario('finds another backup under its name', async (vault) => {
    const older = await take(vault, ['folder/']);
    await vault.put('x', 'y');
    const newer = await take(vault, ['folder/']);
    for (const [from, to] of [[older, newer]] as const)
      for (const name of [(file: string) => file, logOf]) copyFileSync(name(from), name(to));
    const message = await vault.fails(7, verify(newer));
    expect(message).toContain('generation 2: it was exchanged');
    expect(recorded(vault.log, 'backup-verify')).toEqual(['backup-verify INTEGRITY']);
    await vault.ok(verify(older));
    for (const name of [(file: string) => file, logOf]) copyFileSync(name(older), name(vault.in('own name')));
    await vault.ok(verify('own name'));
  });

  scenario('warns of a state that the log here has never seen, and of a log that is gone', async (vault) => {
    const copy = vault.in('copy');
    copyFileSync(vault.file, copy);
    const { stderr } = await vault.ok(verify(copy));
    expect(stderr).toContain(`warning: there is no audit log beside ${copy}`);
    expect(stderr).not.toContain('knows no such state');
    // The same vault, written by somebody else with the right to, at a place of their own.
    const elsewhere = vault.in('elsewhere');
    mkdirSync(elsewhere);
    for (const name of ['secrets.vault', 'secrets.vault.audit.jsonl'])
      copyFileSync(path.join(path.dirname(vault.file), name), path.join(elsewhere, name));
    const env = {
      VAULT_PATH: path.join(elsewhere, 'secrets.vault'),
      XDG_STATE_HOME: vault.in('other state'),
    };
    await vault.ok(['put', 'x'], { env, input: 'planted' });
    const planted = await take(vault, ['planted'], { env });
    const warned = (await vault.json(verify(planted))) as { warnings: string[] };
    expect(warned.warnings).toEqual([expect.stringContaining('knows no such state')]);
  });
});
