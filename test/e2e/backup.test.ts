/** `vault backup`: where copies go, what they are, which are removed, and what is on record. */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect } from 'vitest';
import { addToken, holding } from '../support/binary-team.ts';
import {
  contentsOf,
  folderOf,
  logOf,
  named,
  namesIn,
  recorded,
  signedRecords,
  take,
} from '../support/backups.ts';
import { BinaryVault, fastKdf, scenario } from '../support/binary-vault.ts';

const mode = (file: string): number => statSync(file).mode & 0o777;

describe('vault backup', () => {
  scenario('copies vault and log into the default folder, and prints the path alone', async (vault) => {
    const { stdout, stderr } = await vault.ok(['backup', '--quiet']);
    expect(stderr).toBe('');
    const file = stdout.toString('utf8').trimEnd();
    expect(path.dirname(file)).toBe(folderOf(vault));
    expect(path.basename(file)).toMatch(named);
    expect(namesIn(folderOf(vault))).toEqual([path.basename(file), path.basename(logOf(file))]);
    expect(readFileSync(file)).toEqual(readFileSync(vault.file));
    // The log as it was before the record of this backup.
    const [log, copy] = [readFileSync(vault.log), readFileSync(logOf(file))];
    expect(log.subarray(0, copy.length)).toEqual(copy);
    expect(signedRecords(vault.log).slice(signedRecords(logOf(file)).length)).toEqual([
      expect.objectContaining({ op: 'backup', ok: true, detail: 'generation 2' }),
    ]);
    expect([mode(folderOf(vault)), mode(file), mode(logOf(file))]).toEqual([0o700, 0o600, 0o600]);
    // It is no vault to be found: there is one here, as before.
    await vault.ok(['ls'], { cwd: folderOf(vault) });
  });

  scenario('tells what it holds, not what that is', async (vault) => {
    const { stderr } = await vault.ok(['backup']);
    expect(stderr).toBe('vault: generation 2 holds: 1 secrets, 1 versions, 3 audit records\n');
  });

  scenario('goes into a file that is named, relative to the working folder', async (vault) => {
    mkdirSync(vault.in('work'));
    expect(await take(vault, ['copy'], { cwd: vault.in('work') })).toBe(vault.in('work', 'copy'));
    expect(readFileSync(vault.in('work', 'copy'))).toEqual(readFileSync(vault.file));
    expect(namesIn(vault.in('work'))).toEqual(['copy', 'copy.audit.jsonl']);
  });

  scenario('goes into a folder: one that is there, one by its final slash, one by a link', async (vault) => {
    mkdirSync(vault.in('there'));
    chmodSync(vault.in('there'), 0o750);
    symlinkSync('there', vault.in('link'));
    for (const [words, folder] of [
      [['there'], 'there'],
      [['a/new/one/'], 'a/new/one'],
      [['link'], 'there'],
      [['kept', '--keep', '5'], 'kept'],
    ] as const) {
      const file = await take(vault, words);
      expect(path.basename(file)).toMatch(named);
      expect(lstatSync(vault.in(folder, path.basename(file))).isFile()).toBe(true);
    }
    expect([mode(vault.in('there')), mode(vault.in('a')), mode(vault.in('a/new/one'))]).toEqual([
      0o750, 0o700, 0o700,
    ]);
  });

  scenario('goes where VAULT_BACKUP_PATH says, unless the command says otherwise', async (vault) => {
    const env = { VAULT_BACKUP_PATH: vault.in('by variable/') };
    expect(path.dirname(await take(vault, [], { env }))).toBe(vault.in('by variable'));
    expect(path.dirname(await take(vault, ['by argument/'], { env }))).toBe(vault.in('by argument'));
    expect(await take(vault, [], { env: { VAULT_BACKUP_PATH: 'one-file' } })).toBe(vault.in('one-file'));
    await vault.fails(8, ['backup'], { env: { VAULT_BACKUP_PATH: 'one-file' } });
    await vault.fails(2, ['backup'], { env: { VAULT_BACKUP_PATH: '' } });
    await vault.fails(2, ['backup', '']);
  });

  scenario('is never written over anything', async (vault) => {
    writeFileSync(vault.in('file'), 'somebody’s');
    symlinkSync('elsewhere', vault.in('dangling'));
    symlinkSync('file', vault.in('link'));
    mkdirSync(vault.in('folder'));
    symlinkSync(vault.in('folder', 'target'), vault.in('folder', 'link'));
    writeFileSync(vault.in('lone.audit.jsonl'), 'the log of something else\n');
    await vault.shell('mkfifo fifo');
    const before = { names: namesIn(vault.folder), of: namesIn(vault.in('folder')) };
    for (const place of ['file', 'dangling', 'link', 'fifo', 'folder/link', 'lone', '.vault/secrets.vault'])
      expect(await vault.fails(8, ['backup', place])).toContain('is there already');
    expect({ names: namesIn(vault.folder), of: namesIn(vault.in('folder')) }).toEqual(before);
    expect(readFileSync(vault.in('file'), 'utf8')).toBe('somebody’s');
    expect(readFileSync(vault.in('lone.audit.jsonl'), 'utf8')).toBe('the log of something else\n');
    expect(recorded(vault.log, 'backup')).toEqual(Array.from({ length: 7 }, () => 'backup ALREADY_EXISTS'));
    await vault.ok(['verify']);
  });

  scenario('fails with 9 where nothing can be written, and that is on record', async (vault) => {
    await vault.fails(9, ['backup', 'no/such/folder/file']);
    await vault.fails(9, ['backup', '/sys/none/']);
    await vault.fails(9, ['backup', '/proc/none/file']);
    writeFileSync(vault.in('file'), '');
    await vault.fails(9, ['backup', 'file/']);
    await vault.fails(9, ['backup', 'file/below/it']);
    await vault.fails(9, ['backup', 'long'.repeat(80)]);
    expect(recorded(vault.log, 'backup')).toEqual(Array.from({ length: 6 }, () => 'backup BACKEND'));
    expect(namesIn(vault.folder)).toEqual(['.vault', 'file', 'state']);
  });

  scenario('writes again what a killed process left of a log, and nobody else’s', async (vault) => {
    const file = await take(vault, ['copy']);
    rmSync(file);
    await vault.put('x', 'y');
    await take(vault, ['copy']);
    await vault.ok(['backup', 'verify', 'copy']);
    rmSync(file);
    // Longer than the log that is here: it has what this one has not.
    writeFileSync(logOf(file), readFileSync(vault.log, 'utf8').repeat(2));
    await vault.fails(8, ['backup', 'copy']);
  });

  scenario('is for everybody who gets in, and says what they could not look into', async (vault) => {
    const token = await addToken(vault, 'ci', '--can read --env staging');
    const { stdout, stderr } = await vault.ok(['backup'], holding(token));
    expect(stderr).toContain('not opened, for lack of access: development, production, testing');
    expect(readFileSync(stdout.toString('utf8').trimEnd())).toEqual(readFileSync(vault.file));
    const lister = await addToken(vault, 'cron', '--can list --env development');
    const { stderr: listed } = await vault.ok(['backup', '--keep', '5'], holding(lister));
    expect(listed).toContain('1 secrets, 1 versions');
    await vault.fails(4, ['backup'], { env: { VAULT_PASSPHRASE: 'wrong' } });
    await vault.fails(3, ['backup', '--vault', 'none']);
    expect(namesIn(folderOf(vault))).toHaveLength(4);
  });

  scenario('of a damaged vault is none: exit 7, nothing stays, on record', async (vault) => {
    const text = readFileSync(vault.file, 'utf8');
    const at = text.indexOf('"ct":"', text.indexOf('"kind":"value"')) + 20;
    writeFileSync(vault.file, `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`);
    const message = await vault.fails(7, ['backup', 'copies/']);
    expect(message).toContain('the vault does not hold');
    expect(namesIn(vault.in('copies'))).toEqual([]);
    expect(recorded(vault.log, 'backup').at(-1)).toBe('backup INTEGRITY');
  });

  scenario('has help with examples, for each of its commands', async (vault) => {
    for (const words of [['backup'], ['backup', 'verify'], ['backup', 'restore']]) {
      const { stdout } = await vault.ok([...words, '--help']);
      expect(stdout.toString('utf8')).toMatch(/Examples:\n {2}\$ vault backup/u);
    }
    await vault.fails(2, ['backup', 'verify']);
    await vault.fails(2, ['backup', 'restore']);
    await vault.fails(2, ['backup', 'a', 'b']);
  });
});

describe('vault backup --keep', () => {
  const keep = async (vault: BinaryVault, count: number): Promise<{ path: string; removed: string[] }> =>
    (await vault.json(['backup', 'folder', '--keep', String(count)])) as { path: string; removed: string[] };

  scenario('keeps the newest, each with its log', async (vault) => {
    const made: string[] = [];
    for (let round = 0; round < 4; round++) {
      await vault.put('x', `value ${round}`);
      made.unshift((await keep(vault, 100)).path);
    }
    const { path: latest, removed } = await keep(vault, 2);
    expect(removed).toEqual(made.slice(1));
    expect(namesIn(vault.in('folder'))).toEqual(
      [made[0] ?? '', latest].flatMap((file) => [file, logOf(file)].map((one) => path.basename(one))).sort(),
    );
    for (const bad of ['0', '-1', '1.5', 'many', ''])
      await vault.fails(2, ['backup', 'folder', `--keep=${bad}`]);
  });

  scenario('removes nothing that is not a backup of this vault, whatever its name', async (vault) => {
    const other = await BinaryVault.make();
    const folder = vault.in('folder');
    for (const one of [vault, other, other]) await take(one, [`${folder}/`]);
    const own =
      namesIn(folder).find((name) =>
        readFileSync(path.join(folder, name)).equals(readFileSync(vault.file)),
      ) ?? '';
    const like = (time: string, generation = 2): string =>
      path.join(folder, `secrets-${time}Z-g${generation}.backup`);
    // Of another program; empty; cut; of another generation than it says; from the future; a folder, a link, a pipe; of another user.
    writeFileSync(like('20200101T000000000'), 'another program’s');
    writeFileSync(like('20200101T000000001'), '');
    writeFileSync(like('20200101T000000002'), readFileSync(vault.file).subarray(0, 3_000));
    copyFileSync(vault.file, like('20200101T000000003', 77));
    copyFileSync(vault.file, like('29990101T000000000'));
    mkdirSync(like('20200101T000000004'));
    symlinkSync(vault.file, like('20200101T000000005'));
    symlinkSync('/dev/zero', like('20200101T000000006'));
    await vault.shell(`mkfifo ${like('20200101T000000007')}`);
    copyFileSync(vault.file, like('20200101T000000008'));
    // Only the superuser can give files away; others have no such neighbour here.
    if (process.getuid?.() === 0) chownSync(like('20200101T000000008'), 12_345, 12_345);
    else rmSync(like('20200101T000000008'));
    copyFileSync(vault.file, path.join(folder, 'secrets-mine.backup'));
    copyFileSync(vault.file, path.join(folder, 'secretsX-20200101T000000000Z-g2.backup'));
    const kept = namesIn(folder).filter((name) => !name.startsWith(own));
    const { removed, path: latest } = await keep(vault, 1);
    expect(removed).toEqual([path.join(folder, own)]);
    expect(namesIn(folder)).toEqual([...kept, path.basename(latest), path.basename(logOf(latest))].sort());
    expect(readFileSync(vault.file).length).toBeGreaterThan(0);
  });

  scenario('never removes what it has just made, however many claim to be newer', async (vault) => {
    mkdirSync(vault.in('folder'));
    for (let number = 0; number < 5; number++)
      copyFileSync(vault.file, vault.in('folder', `secrets-2999010${number + 1}T000000000Z-g2.backup`));
    const before = contentsOf(vault.in('folder'));
    const { path: latest, removed } = await keep(vault, 2);
    expect(removed).toEqual([]);
    expect(contentsOf(vault.in('folder'))).toMatchObject(before);
    await vault.ok(['backup', 'verify', latest]);
  });

  scenario('clears what killed processes left, once it is old', async (vault) => {
    mkdirSync(vault.in('folder'));
    const [old, recent] = ['20200101T000000000', new Date().toISOString().replaceAll(/[-:.Z]/gu, '')];
    const names = [old, recent].flatMap((time) => [
      `secrets-${time}Z-g2.backup.vault-unfinished`,
      `secrets-${time}Z-g2.backup.audit.jsonl.vault-unfinished`,
    ]);
    for (const name of names) writeFileSync(vault.in('folder', name), 'begun');
    await keep(vault, 1);
    const left = namesIn(vault.in('folder')).filter((name) => name.endsWith('-unfinished'));
    expect(left).toEqual(names.slice(2).sort());
  });
});

describe('vault backup, several vaults of one name', () => {
  scenario('in one folder: each keeps its own number', async (vault) => {
    const second = new BinaryVault();
    await second.ok(['init', ...fastKdf, '--no-recovery']);
    const words = [vault.in('shared/'), '--keep', '2'];
    for (let round = 0; round < 3; round++) {
      await take(vault, words);
      await take(second, words);
    }
    const vaults = namesIn(vault.in('shared')).filter((name) => named.test(name));
    expect(vaults).toHaveLength(4);
    const own = vaults.filter((name) =>
      readFileSync(vault.in('shared', name)).equals(readFileSync(vault.file)),
    );
    expect(own).toHaveLength(2);
  });
});
